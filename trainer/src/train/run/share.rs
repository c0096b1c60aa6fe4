//! What a process holds alone where several train together, and how it gets into one checkpoint.

use std::collections::BTreeMap;
use std::ops::Range;

use tch::{Tensor, no_grad};

use super::super::slim;
use super::Run;

impl Run {
    /// Whether only this process has this tensor of the loss.
    pub(super) fn is_held(&self, name: &str) -> bool {
        let held = self.identity.as_ref().is_some_and(|(_, loss)| loss.classes_held().is_some());
        self.group.size() > 1 && held && name.contains(slim::CLASSES)
    }

    /// Puts the whole class matrix, and the optimiser's memory of it, where this process has its share.
    pub(super) fn gather_classes(&self, tensors: &mut BTreeMap<String, Tensor>) {
        let Some((range, whole)) = self.held() else { return };
        for tensor in tensors.iter_mut().filter(|(name, _)| self.is_held(name)).map(|(_, tensor)| tensor) {
            let counts: Vec<usize> = (0..self.group.size()).map(|rank| self.group.at(rank).share(whole).len()).collect();
            debug_assert_eq!(counts[self.group.rank()], range.len());
            *tensor = no_grad(|| self.group.rows(tensor, &counts));
        }
    }

    /// Takes this process's share out of what [`Run::gather_classes`] put there.
    pub(super) fn keep_own_classes(&self, tensors: &BTreeMap<String, Tensor>) {
        let Some((range, _)) = self.held() else { return };
        for (name, own) in self.tensors().into_iter().filter(|(name, _)| self.is_held(name)) {
            if let Some(whole) = tensors.get(&name) {
                no_grad(|| own.shallow_clone().copy_(&whole.narrow(0, range.start as i64, range.len() as i64)));
            }
        }
    }

    /// The classes that this process holds, and how many there are, where others hold the rest.
    fn held(&self) -> Option<(Range<usize>, usize)> {
        let range = self.identity.as_ref()?.1.classes_held().filter(|_| self.group.size() > 1)?;
        Some((range.start as usize..range.end as usize, self.set.identities()))
    }
}
