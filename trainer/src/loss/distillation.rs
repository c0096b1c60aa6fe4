//! Learning from a teacher's embeddings: to point where it points, and to see between faces the likeness that it sees.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::classifier::unit_rows;

/// The weights of the two terms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distillation {
    /// Of the mean of 1 − cos(student, teacher).
    pub direction: f64,
    /// Of the mean over the batch of (sᵢ·sⱼ − tᵢ·tⱼ)², which is relational distillation of cosines.
    pub relation: f64,
}

/// The two terms before weighting, and their weighted sum; scalars.
#[derive(Debug)]
pub struct Terms {
    /// Mean of 1 − cos(student, teacher).
    pub direction: Tensor,
    /// Mean of (sᵢ·sⱼ − tᵢ·tⱼ)².
    pub relation: Tensor,
    /// What is added to the loss.
    pub sum: Tensor,
}

impl Distillation {
    /// Raw student embeddings `[n, d]` against the teacher's unit rows `[n, d]`.
    pub fn forward(&self, student: &Tensor, teacher: &Tensor) -> Terms {
        let student = unit_rows(student);
        let direction = 1.0 - (&student * teacher).sum_dim_intlist([1i64].as_slice(), false, None).mean(Kind::Float);
        let difference = student.matmul(&student.tr()) - teacher.matmul(&teacher.tr());
        let relation = difference.square().mean(Kind::Float);
        let sum = &direction * self.direction + &relation * self.relation;
        Terms { direction, relation, sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Student (1, 0) and (0, 1) after division by length; teacher (1, 0) and (0.6, 0.8).
        let student = Tensor::from_slice2(&[[2.0f32, 0.0], [0.0, 0.5]]);
        let teacher = Tensor::from_slice2(&[[1.0f32, 0.0], [0.6, 0.8]]);
        let terms = Distillation { direction: 4.0, relation: 20.0 }.forward(&student, &teacher);
        // 1 − cos: 0 and 0.2. Relations: 0 off the teacher's 0.6 twice, the diagonal is 1 in both.
        assert!((terms.direction.double_value(&[]) - 0.1).abs() < 1e-6);
        assert!((terms.relation.double_value(&[]) - 2.0 * 0.36 / 4.0).abs() < 1e-6);
        assert!((terms.sum.double_value(&[]) - (0.4 + 3.6)).abs() < 1e-5);
    }
}
