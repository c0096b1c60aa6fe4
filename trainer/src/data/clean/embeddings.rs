//! Unit embeddings of many pictures, row after row.

/// Unit rows of one length. A million rows of 512 take 2 GB.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    rows: Vec<f32>,
    columns: usize,
}

impl Embeddings {
    /// Takes rows of `columns` numbers, and makes each a unit vector.
    ///
    /// # Errors
    /// When the numbers do not make whole rows, or a row is zero or not finite; the sentence names it.
    pub fn new(mut rows: Vec<f32>, columns: usize) -> Result<Self, String> {
        if columns == 0 || !rows.len().is_multiple_of(columns) {
            return Err(format!("{} numbers are no rows of {columns}", rows.len()));
        }
        for (number, row) in rows.chunks_exact_mut(columns).enumerate() {
            normalise(row).ok_or_else(|| format!("embedding {number} is zero or not finite"))?;
        }
        Ok(Embeddings { rows, columns })
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len() / self.columns
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Length of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// One row.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.rows[index * self.columns..][..self.columns]
    }

    /// All rows, one after the other.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }
}

/// Divides by the length; none if that is zero or not finite.
pub fn normalise(vector: &mut [f32]) -> Option<()> {
    let length = dot(vector, vector).sqrt();
    length.is_normal().then(|| vector.iter_mut().for_each(|x| *x /= length))
}

/// The inner product; of unit vectors, the cosine.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums side by side, so that the compiler can use vector registers.
    let mut sums = [0.0f32; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|i| sums[i] += a[i] * b[i]);
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_unit_vectors_and_others_are_refused() {
        let rows = Embeddings::new(vec![3.0, 4.0, 0.0, -2.0], 2).expect("rows");
        assert_eq!((rows.row(0), rows.row(1), rows.len()), (&[0.6, 0.8][..], &[0.0, -1.0][..], 2));
        assert!(Embeddings::new(vec![1.0; 3], 2).expect_err("refused").contains("rows of 2"));
        assert!(Embeddings::new(vec![1.0], 0).is_err());
        for bad in [0.0, f32::NAN, f32::INFINITY] {
            assert!(Embeddings::new(vec![1.0, 0.0, bad, bad], 2).expect_err("refused").contains("embedding 1"));
        }
    }

    #[test]
    fn the_inner_product_is_the_sum_of_products() {
        let (a, b): (Vec<f32>, Vec<f32>) = (0..21).map(|i| (i as f32, 20.0 - i as f32)).unzip();
        // Σ i(20 − i) = 20·210 − 2870.
        assert_eq!(dot(&a, &b), 1330.0);
    }
}
