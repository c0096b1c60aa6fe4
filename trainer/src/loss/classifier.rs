//! Softmax over scaled cosines to class centres, the true class's changed by a margin.

use tch::{Reduction, Tensor, nn};

use super::margin::Margin;
use super::{Loss, LossSettings};

/// A class matrix and a margin.
#[derive(Debug)]
pub struct CosineClassifier<M> {
    weights: Tensor,
    margin: M,
    settings: LossSettings,
}

impl<M: Margin> CosineClassifier<M> {
    /// Makes `classes` below the path, `[classes, embedding]`, normal with deviation 0.01 as in the authors' code.
    pub fn new(path: &nn::Path<'_>, margin: M, settings: &LossSettings) -> Self {
        let shape = [settings.classes, settings.embedding];
        let weights = path.var("classes", &shape, nn::Init::Randn { mean: 0.0, stdev: 0.01 });
        CosineClassifier { weights, margin, settings: settings.clone() }
    }
}

impl<M: Margin> Loss for CosineClassifier<M> {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, step: u64) -> Tensor {
        let cosines = unit_rows(embeddings).matmul(&unit_rows(&self.weights).tr());
        let index = identities.unsqueeze(1);
        let own = self.margin.apply(&cosines.gather(1, &index, false), self.settings.strength(step));
        let logits = cosines.scatter(1, &index, &own) * self.settings.scale;
        logits.cross_entropy_loss(identities, None::<Tensor>, Reduction::Mean, -100, 0.0)
    }

    fn class_weights(&self) -> Option<&Tensor> {
        Some(&self.weights)
    }
}

/// Rows divided by their lengths; a zero row stays zero, with a finite derivative.
pub fn unit_rows(rows: &Tensor) -> Tensor {
    let length = rows.square().sum_dim_intlist([1i64].as_slice(), true, None).clamp_min(1e-24).sqrt();
    rows / length
}

#[cfg(test)]
mod tests {
    use super::super::{ArcFace, Beyond};
    use super::*;
    use tch::{Device, Kind};

    const SETTINGS: LossSettings = LossSettings {
        name: String::new(),
        embedding: 2,
        classes: 3,
        scale: 16.0,
        margin: 0.5,
        margin_warmup: 0,
        beyond: Beyond::Plain,
    };

    const CLASSES: [[f64; 2]; 3] = [[2.0, 0.0], [-1.0, 3.0], [-0.5, -0.25]];

    /// A classifier in `f64` with these class centres.
    fn classifier() -> CosineClassifier<ArcFace> {
        let mut variables = nn::VarStore::new(Device::Cpu);
        let margin = ArcFace { margin: SETTINGS.margin, beyond: SETTINGS.beyond };
        let mut classifier = CosineClassifier::new(&variables.root(), margin, &SETTINGS);
        variables.double();
        let weights = Tensor::from_slice2(&CLASSES);
        classifier.weights = weights.set_requires_grad(true);
        classifier
    }

    /// −log softmax by the paper's equation, in plain arithmetic.
    fn reference(embeddings: &[[f64; 2]], identities: &[usize]) -> f64 {
        let cosine = |a: &[f64; 2], b: &[f64; 2]| (a[0] * b[0] + a[1] * b[1]) / (a[0].hypot(a[1]) * b[0].hypot(b[1]));
        let losses = embeddings.iter().zip(identities).map(|(embedding, &identity)| {
            let logit = |class: usize| {
                let cosine = cosine(embedding, &CLASSES[class]).clamp(-1.0, 1.0);
                let margin = if class == identity { SETTINGS.margin } else { 0.0 };
                SETTINGS.scale * (cosine.acos() + margin).cos()
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
        let angles = [std::f64::consts::PI, std::f64::consts::PI - SETTINGS.margin, std::f64::consts::FRAC_PI_2, 0.0];
        let rows = angles.map(|angle| [angle.cos() as f32, angle.sin() as f32]);
        let input = Tensor::from_slice2(&rows).set_requires_grad(true);
        let mut classifier = classifier();
        classifier.weights = Tensor::from_slice2(&CLASSES.map(|row| row.map(|x| x as f32)));
        let loss = classifier.forward(&input, &Tensor::from_slice(&[0i64; 4]), 0);
        loss.backward();
        assert!(loss.double_value(&[]).is_finite());
        assert!(input.grad().isfinite().all().int64_value(&[]) == 1 && input.grad().kind() == Kind::Float);
    }

    #[test]
    fn the_margin_grows_to_its_full_size() {
        let settings = LossSettings { margin_warmup: 100, ..SETTINGS };
        assert_eq!([0, 50, 100, 1000].map(|step| settings.strength(step)), [0.0, 0.5, 1.0, 1.0]);
    }
}
