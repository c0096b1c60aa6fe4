//! Softmax with unit class rows and no bias: ‖x‖·cos θ (arXiv 1801.07698v1, section 2). With a fixed s instead of the embedding's
//! length it is `arcface` or `cosface` with `margin = 0`.

use super::Entry;
use super::classifier::{self, CosineLogits, Scale};
use super::margin::NoMargin;

pub(super) const ENTRY: Entry = Entry {
    name: "normalised-softmax",
    summary: "softmax of ‖x‖·cos θ",
    alone: true,
    weight: 1.0,
    build: |path, settings| {
        let logits = CosineLogits { margin: NoMargin, strength: settings.warm_up(), scale: Scale::Length };
        Ok(classifier::build(path, logits, settings))
    },
};
