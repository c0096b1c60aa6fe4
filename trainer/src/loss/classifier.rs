//! Softmax over cosines to class centres, the true class's changed by a margin.

use std::ops::Range;

use tch::{Reduction, Tensor, nn};

use super::margin::Margin;
use super::partial_fc::PartialFc;
use super::strength::Strength;
use super::{Loss, LossSettings};

/// What cosines are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// s, the same for all: the embedding's length says nothing.
    Fixed(f64),
    /// Each embedding's own length.
    Length,
}

/// How an embedding's cosines to class centres become logits.
#[derive(Debug)]
pub struct CosineLogits<M> {
    /// What happens to the true class's.
    pub margin: M,
    /// How much of it.
    pub strength: Strength,
    /// What all are multiplied by.
    pub scale: Scale,
}

impl<M: Margin> CosineLogits<M> {
    /// Logits `[n, c]` of raw embeddings `[n, d]` for the class centres `[c, d]`. `own` `[n]` says which of these is the
    /// embedding's class; −1: none of them.
    pub fn of(&self, embeddings: &Tensor, centres: &Tensor, own: &Tensor, step: u64) -> Tensor {
        let cosines = unit_rows(embeddings).matmul(&unit_rows(centres).tr());
        let index = own.clamp_min(0).unsqueeze(1);
        let cosine = cosines.gather(1, &index, false);
        let target = self.margin.apply(&cosine, self.strength.at(step)).where_self(&own.ge(0).unsqueeze(1), &cosine);
        let logits = cosines.scatter(1, &index, &target);
        match self.scale {
            Scale::Fixed(scale) => logits * scale,
            Scale::Length => logits * lengths(embeddings),
        }
    }
}

/// The whole class matrix, all of it used at each step.
#[derive(Debug)]
pub struct CosineClassifier<M> {
    centres: Tensor,
    logits: CosineLogits<M>,
}

impl<M: Margin> CosineClassifier<M> {
    /// Makes `classes` below the path, `[classes, embedding]`.
    pub fn new(path: &nn::Path<'_>, logits: CosineLogits<M>, settings: &LossSettings) -> Self {
        CosineClassifier { centres: class_matrix(path, settings.classes, &(0..settings.classes), settings.embedding), logits }
    }
}

impl<M: Margin> Loss for CosineClassifier<M> {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, step: u64) -> Tensor {
        let logits = self.logits.of(embeddings, &self.centres, identities, step);
        logits.cross_entropy_loss(identities, None::<Tensor>, Reduction::Mean, -100, 0.0)
    }

    fn class_weights(&self) -> Option<&Tensor> {
        Some(&self.centres)
    }
}

/// The classifier that the settings ask for: whole, or in shards and sampled.
pub(super) fn build<M: Margin + 'static>(path: &nn::Path<'_>, logits: CosineLogits<M>, settings: &LossSettings) -> Box<dyn Loss> {
    if settings.shards > 1 || settings.sampled < 1.0 || settings.group.size() > 1 {
        Box::new(PartialFc::new(path, logits, settings))
    } else {
        Box::new(CosineClassifier::new(path, logits, settings))
    }
}

/// `classes` below the path, normal with deviation 0.01 as in the authors' code: those rows of all that are held.
pub(super) fn class_matrix(path: &nn::Path<'_>, all: i64, held: &Range<i64>, embedding: i64) -> Tensor {
    let (count, normal) = (held.end - held.start, nn::Init::Randn { mean: 0.0, stdev: 0.01 });
    if count == all {
        return path.var("classes", &[all, embedding], normal);
    }
    // Whoever holds them, the rows are the same.
    let drawn = nn::VarStore::new(path.device()).root().var("classes", &[all, embedding], normal);
    path.var_copy("classes", &drawn.narrow(0, held.start, count))
}

/// Rows divided by their lengths; a zero row stays zero, with a finite derivative.
pub fn unit_rows(rows: &Tensor) -> Tensor {
    rows / lengths(rows)
}

/// Each row's length, `[n, 1]`; a zero row's is 1e-12.
fn lengths(rows: &Tensor) -> Tensor {
    rows.square().sum_dim_intlist([1i64].as_slice(), true, None).clamp_min(1e-24).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::{ArcFace, Beyond};
    use super::*;
    use crate::train::config::Config;
    use tch::{Device, Kind};

    const MARGIN: f64 = 0.5;
    const SCALE: f64 = 16.0;
    const CLASSES: [[f64; 2]; 3] = [[2.0, 0.0], [-1.0, 3.0], [-0.5, -0.25]];

    /// A classifier in `f64` with these class centres.
    fn classifier() -> CosineClassifier<ArcFace> {
        let variables = nn::VarStore::new(Device::Cpu);
        let margin = ArcFace { margin: MARGIN, beyond: Beyond::Plain };
        let logits = CosineLogits { margin, strength: Strength::Linear { steps: 0 }, scale: Scale::Fixed(SCALE) };
        let settings = Config { embedding: 2, ..Config::default() }.loss(CLASSES.len());
        let mut classifier = CosineClassifier::new(&variables.root(), logits, &settings);
        classifier.centres = Tensor::from_slice2(&CLASSES).set_requires_grad(true);
        classifier
    }

    /// −log softmax by the paper's equation, in plain arithmetic.
    fn reference(embeddings: &[[f64; 2]], identities: &[usize]) -> f64 {
        let cosine = |a: &[f64; 2], b: &[f64; 2]| (a[0] * b[0] + a[1] * b[1]) / (a[0].hypot(a[1]) * b[0].hypot(b[1]));
        let losses = embeddings.iter().zip(identities).map(|(embedding, &identity)| {
            let logit = |class: usize| {
                let cosine = cosine(embedding, &CLASSES[class]).clamp(-1.0, 1.0);
                let margin = if class == identity { MARGIN } else { 0.0 };
                SCALE * (cosine.acos() + margin).cos()
            };
            (0..3).map(|class| logit(class).exp()).sum::<f64>().ln() - logit(identity)
        });
        losses.sum::<f64>() / embeddings.len() as f64
    }

    const EMBEDDINGS: [[f64; 2]; 4] = [[0.3, 0.4], [-2.0, 0.1], [1.5, -1.0], [-0.2, -0.9]];
    const IDENTITIES: [i64; 4] = [0, 1, 0, 2];

    fn loss(embeddings: &[[f64; 2]; 4]) -> f64 {
        classifier().forward(&Tensor::from_slice2(embeddings), &Tensor::from_slice(&IDENTITIES), 0).double_value(&[])
    }

    #[test]
    fn the_papers_equation() {
        let expected = reference(&EMBEDDINGS, &IDENTITIES.map(|identity| identity as usize));
        assert!((loss(&EMBEDDINGS) - expected).abs() < 1e-5, "{} {expected}", loss(&EMBEDDINGS));
    }

    #[test]
    fn gradient_by_finite_differences() {
        let input = Tensor::from_slice2(&EMBEDDINGS).set_requires_grad(true);
        classifier().forward(&input, &Tensor::from_slice(&IDENTITIES), 0).backward();
        for row in 0..4 {
            for column in 0..2 {
                let moved = |by: f64| {
                    let mut embeddings = EMBEDDINGS;
                    embeddings[row][column] += by;
                    loss(&embeddings)
                };
                let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                let found = input.grad().double_value(&[row as i64, column as i64]);
                assert!((found - expected).abs() < 1e-5, "[{row}, {column}]: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn finite_on_and_opposite_to_a_centre() {
        // The angles to class 0 are π, π − m, π/2 and 0.
        let angles = [std::f64::consts::PI, std::f64::consts::PI - MARGIN, std::f64::consts::FRAC_PI_2, 0.0];
        let rows = angles.map(|angle| [angle.cos() as f32, angle.sin() as f32]);
        let input = Tensor::from_slice2(&rows).set_requires_grad(true);
        let mut classifier = classifier();
        classifier.centres = Tensor::from_slice2(&CLASSES.map(|row| row.map(|x| x as f32)));
        let loss = classifier.forward(&input, &Tensor::from_slice(&[0i64; 4]), 0);
        loss.backward();
        assert!(loss.double_value(&[]).is_finite());
        assert!(input.grad().isfinite().all().int64_value(&[]) == 1 && input.grad().kind() == Kind::Float);
    }
}
