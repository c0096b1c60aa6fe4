//! Many templates of one model, and who among them is most like a probe (1:N).
//!
//! # How the search works
//! Vectors lie one after the other, once as `f32` and once as `i8` codes with a scale of their own (x ≈ s·c, s = max|x| / 127). The
//! first pass reads only the codes. With e = x − s·c, and the probe coded alike as q = t·b + f,
//!
//! |q·x − s·t·(b·c)| = |q·e + f·(s·c)| ≤ ‖e‖ + ‖f‖·(1 + ‖e‖),
//!
//! so each approximate score comes with a bound. Only entries whose upper end reaches the k-th best lower end can be among the k
//! best, and these are scored exactly. The result is therefore **the same as that of the full scan**, to the bit: the recall is 1.
//! What varies with the data is the time: of 100,000 random 512-value vectors some dozens are rescored; in the worst case all are.
//!
//! # What a match means
//! At a threshold of false-match rate p a gallery of N strangers gives a false match to about 1 − (1 − p)ᴺ of the probes: at 1 in 10,000 and
//! N = 1,000 to one in ten. Choose the rate for N·p, not for p.
//!
//! The file's form is in `docs/template-format.md`.

mod codes;
mod file;
#[cfg(test)]
mod tests;
mod wiped;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;

use zeroize::Zeroizing;

use crate::embed::{Embedding, ModelId, Score, dot};
use crate::error::{Error, ErrorCode, Result};

use codes::{Coded, SLACK, dot_of_codes, encode};
use wiped::{cut, make_room};

/// An entry of a gallery and its comparison score with the probe.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Match<'a> {
    /// The entry's name.
    pub name: &'a str,
    /// How alike it is to the probe.
    pub score: Score,
}

/// Named unit vectors of one model and one dimension. Vectors and codes are wiped when they are removed and when the gallery is dropped.
#[derive(Clone)]
pub struct Gallery {
    model: ModelId,
    dimension: usize,
    names: Vec<Box<str>>,
    places: HashMap<Box<str>, usize>,
    /// Entry after entry, `dimension` values each.
    values: Zeroizing<Vec<f32>>,
    codes: Zeroizing<Vec<i8>>,
    coded: Vec<Coded>,
}

impl Gallery {
    /// The most entries.
    pub const MAX_ENTRIES: usize = 10_000_000;
    /// The longest name, in bytes.
    pub const MAX_NAME: usize = 1024;

    /// An empty gallery for embeddings of this model and dimension.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] when the dimension is not 1…[`Embedding::MAX_DIMENSION`].
    pub fn new(model: ModelId, dimension: usize) -> Result<Gallery> {
        if !(1..=Embedding::MAX_DIMENSION).contains(&dimension) {
            return Err(argument(format!("a dimension of {dimension} is not 1 to {}", Embedding::MAX_DIMENSION)));
        }
        Ok(Gallery {
            model,
            dimension,
            names: Vec::new(),
            places: HashMap::new(),
            values: Zeroizing::default(),
            codes: Zeroizing::default(),
            coded: Vec::new(),
        })
    }

    /// The model that its entries belong to.
    pub fn model(&self) -> ModelId {
        self.model
    }

    /// How many values an entry has.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Every entry's name and unit vector, for export; see `docs/gallery.md`. Removing an entry changes the order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&str, &[f32])> {
        self.names.iter().map(|name| &**name).zip(self.values.chunks_exact(self.dimension))
    }

    /// Adds a template or an embedding under a name.
    ///
    /// # Errors
    /// [`ErrorCode::ModelMismatch`] or [`ErrorCode::InvalidEmbedding`] when it is of another model or dimension;
    /// [`ErrorCode::GalleryEntry`] when the name is taken; [`ErrorCode::InvalidArgument`] when it is empty, longer than
    /// [`Gallery::MAX_NAME`] or holds control characters, or when the gallery is full.
    pub fn add(&mut self, name: &str, entry: &impl AsRef<Embedding>) -> Result<()> {
        let entry = entry.as_ref();
        self.check(entry)?;
        self.insert(name)?;
        make_room(&mut self.values, self.dimension);
        self.values.extend_from_slice(entry.values());
        self.code(entry.values());
        Ok(())
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// [`ErrorCode::GalleryEntry`] when there is none of this name.
    pub fn remove(&mut self, name: &str) -> Result<()> {
        let missing = || Error::new(ErrorCode::GalleryEntry, format!("there is no `{name}`"));
        let place = self.places.remove(name).ok_or_else(missing)?;
        // The last entry moves into the gap.
        let last = self.names.len() - 1;
        self.names.swap_remove(place);
        self.coded.swap_remove(place);
        if let Some(moved) = self.names.get(place)
            && let Some(its_place) = self.places.get_mut(moved)
        {
            *its_place = place;
        }
        let (d, from) = (self.dimension, last * self.dimension);
        self.values.copy_within(from..from + d, place * d);
        cut(&mut self.values, from);
        self.codes.copy_within(from..from + d, place * d);
        cut(&mut self.codes, from);
        Ok(())
    }

    /// The entry of this name.
    pub fn get(&self, name: &str) -> Option<Embedding> {
        let row = self.row(*self.places.get(name)?);
        Embedding::from_unit(self.model, row.to_vec()).ok()
    }

    /// The `k` entries most like the probe, the best first; equal scores in the order of their names. Fewer when there are fewer.
    ///
    /// # Errors
    /// [`ErrorCode::ModelMismatch`], naming both, or [`ErrorCode::InvalidEmbedding`] when the probe is of another model or dimension.
    pub fn search(&self, probe: &Embedding, k: usize) -> Result<Vec<Match<'_>>> {
        self.check(probe)?;
        let k = k.min(self.len());
        if k == 0 {
            return Ok(Vec::new());
        }
        let mut codes = Zeroizing::new(vec![0i8; self.dimension]);
        let probe_coded = encode(probe.values(), &mut codes);
        let mut upper_ends = Vec::with_capacity(self.len());
        let mut best_lower_ends = BinaryHeap::with_capacity(k + 1);
        for (row, coded) in self.codes.chunks_exact(self.dimension).zip(&self.coded) {
            let approximate = coded.scale * probe_coded.scale * dot_of_codes(row, &codes) as f32;
            let reach = coded.residual + probe_coded.residual * (1.0 + coded.residual) + SLACK;
            upper_ends.push(approximate + reach);
            let lower_end = Score::from_dot(approximate - reach);
            if best_lower_ends.len() < k {
                best_lower_ends.push(Reverse(lower_end));
            } else if best_lower_ends.peek().is_some_and(|Reverse(worst)| lower_end > *worst) {
                best_lower_ends.pop();
                best_lower_ends.push(Reverse(lower_end));
            }
        }
        let enough = best_lower_ends.peek().map_or(-1.0, |Reverse(worst)| worst.get());
        let candidates = upper_ends.iter().enumerate().filter(|&(_, &upper_end)| upper_end >= enough).map(|(place, _)| place);
        Ok(self.best_of(candidates, probe, k))
    }

    /// As [`Gallery::search`], by scoring every entry exactly: slower, with the same result. It is there to check and to time against.
    ///
    /// # Errors
    /// As [`Gallery::search`].
    pub fn search_exhaustive(&self, probe: &Embedding, k: usize) -> Result<Vec<Match<'_>>> {
        self.check(probe)?;
        Ok(self.best_of(0..self.len(), probe, k.min(self.len())))
    }

    fn check(&self, embedding: &Embedding) -> Result<()> {
        if embedding.model() != self.model {
            return Err(self.model.mismatch(&embedding.model()));
        }
        if embedding.dimension() != self.dimension {
            let detail = format!("{} values; the gallery's have {}", embedding.dimension(), self.dimension);
            return Err(Error::new(ErrorCode::InvalidEmbedding, detail));
        }
        Ok(())
    }

    /// Takes memory for so many entries more, or says that there is none.
    fn reserve(&mut self, entries: usize) -> Result<()> {
        // On a 32-bit machine the product may not fit; then the memory does not either.
        let values = entries.saturating_mul(self.dimension);
        let reserved = self
            .values
            .try_reserve_exact(values)
            .and_then(|()| self.codes.try_reserve_exact(values))
            .and_then(|()| self.coded.try_reserve_exact(entries))
            .and_then(|()| self.names.try_reserve_exact(entries))
            .and_then(|()| self.places.try_reserve(entries));
        reserved.map_err(|_| {
            Error::new(ErrorCode::CannotRead, format!("no memory for {entries} entries of {} values", self.dimension))
        })
    }

    /// Gives the next place to a name.
    fn insert(&mut self, name: &str) -> Result<()> {
        if name.is_empty() || name.len() > Gallery::MAX_NAME || name.chars().any(char::is_control) {
            return Err(argument(format!("a name has 1 to {} bytes and no control characters", Gallery::MAX_NAME)));
        }
        if self.places.contains_key(name) {
            return Err(Error::new(ErrorCode::GalleryEntry, format!("`{name}` is there already")));
        }
        if self.len() >= Gallery::MAX_ENTRIES {
            return Err(argument(format!("a gallery has at most {} entries", Gallery::MAX_ENTRIES)));
        }
        self.places.insert(name.into(), self.names.len());
        self.names.push(name.into());
        Ok(())
    }

    fn code(&mut self, row: &[f32]) {
        let start = self.codes.len();
        make_room(&mut self.codes, row.len());
        self.codes.resize(start + row.len(), 0);
        let coded = encode(row, self.codes.get_mut(start..).unwrap_or_default());
        self.coded.push(coded);
    }

    fn row(&self, place: usize) -> &[f32] {
        self.values.get(place * self.dimension..(place + 1) * self.dimension).unwrap_or_default()
    }

    /// The best `k` of some places by their exact scores.
    fn best_of(&self, places: impl Iterator<Item = usize>, probe: &Embedding, k: usize) -> Vec<Match<'_>> {
        let mut best = BinaryHeap::with_capacity(k + 1);
        for place in places {
            let score = Score::from_dot(dot(self.row(place), probe.values()));
            // The greatest of the heap is the worst of the best: the lowest score, and of equals the last name.
            let name = self.names.get(place).map_or("", |name| &**name);
            let candidate = (Reverse(score), name);
            if best.len() < k {
                best.push(candidate);
            } else if best.peek().is_some_and(|worst| candidate < *worst) {
                best.pop();
                best.push(candidate);
            }
        }
        best.into_sorted_vec().into_iter().map(|(Reverse(score), name)| Match { name, score }).collect()
    }
}

impl fmt::Debug for Gallery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gallery({} entries of {} values of model {})", self.len(), self.dimension, self.model)
    }
}

fn argument(detail: String) -> Error {
    Error::new(ErrorCode::InvalidArgument, detail)
}
