//! `i8` codes of unit vectors, their dot product, and how far it can be from the exact one.

/// A bound on what `f32` arithmetic adds to the bounds of the codes: `dot` rounds by at most 45·2⁻²⁴·Σ|qᵢxᵢ| ≤ 3·10⁻⁶, the unit vectors'
/// lengths are 1 ± 10⁻⁴ at worst, and bounds and scales are themselves rounded.
pub(super) const SLACK: f32 = 2e-5;

/// How an entry's codes stand to its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Coded {
    /// A value is about this times its code.
    pub(super) scale: f32,
    /// The Euclidean norm of what is missing.
    pub(super) residual: f32,
}

/// Codes a vector with a scale of its own: its largest magnitude becomes 127.
pub(super) fn encode(values: &[f32], codes: &mut [i8]) -> Coded {
    let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    let mut squares = 0f64;
    for (code, &value) in codes.iter_mut().zip(values) {
        *code = (value / scale).round() as i8;
        squares += f64::from(value - scale * f32::from(*code)).powi(2);
    }
    Coded { scale, residual: squares.sqrt() as f32 }
}

/// The dot product of codes of one length: at most 4096 · 127², which an `i32` holds, and exact in any order.
pub(super) fn dot_of_codes(a: &[i8], b: &[i8]) -> i32 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sum = dot_of_chunks(a_chunks, b_chunks);
    for (&x, &y) in a_rest.iter().zip(b_rest) {
        sum += i32::from(x) * i32::from(y);
    }
    sum
}

const LANES: usize = 16;

/// The part that compiles to widening multiply-adds (`pmaddwd`, `smlal`): plain indices, for the reason that `embed::dot` gives.
#[inline(never)]
fn dot_of_chunks(a: &[[i8; LANES]], b: &[[i8; LANES]]) -> i32 {
    let count = a.len().min(b.len());
    let (a, b) = (&a[..count], &b[..count]);
    let mut sum = 0;
    for place in 0..count {
        for lane in 0..LANES {
            sum += i32::from(a[place][lane]) * i32::from(b[place][lane]);
        }
    }
    sum
}
