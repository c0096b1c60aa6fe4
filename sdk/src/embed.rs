//! The embedding of a face, the model it belongs to, and the score of two of them.

mod recogniser;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorCode, Result};

pub(crate) use recogniser::Recogniser;

/// What an embedding was made with: a SHA-256 over detector, alignment, recogniser and preprocessing.
///
/// Changing any of them changes the id, and embeddings of different ids are never compared. `Display` prints the first 16 of the
/// 64 hexadecimal digits, which is enough for a message; [`ModelId::hex`] gives all. In JSON it is the full string.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId([u8; 32]);

impl ModelId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> ModelId {
        ModelId(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// All 64 hexadecimal digits, in lower case.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The error of meeting `other` where this model is needed.
    pub(crate) fn mismatch(&self, other: &ModelId) -> Error {
        // Two ids may share their first digits only by design; then the short form would print the same twice.
        let detail = if self.0[..8] == other.0[..8] {
            format!("{} and {}", self.hex(), other.hex())
        } else {
            format!("{self} and {other}")
        };
        Error::new(ErrorCode::ModelMismatch, detail)
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelId({self}…)")
    }
}

impl FromStr for ModelId {
    type Err = Error;

    /// Reads the 64 digits of [`ModelId::hex`].
    fn from_str(text: &str) -> Result<ModelId> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
        let mut bytes = [0u8; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() == bytes.len() && rest.is_empty() {
            let parsed = bytes.iter_mut().zip(pairs).try_for_each(|(byte, &[high, low])| {
                *byte = digit(high)? << 4 | digit(low)?;
                Some(())
            });
            if parsed.is_some() {
                return Ok(ModelId(bytes));
            }
        }
        Err(Error::new(ErrorCode::InvalidArgument, "a model id has 64 hexadecimal digits"))
    }
}

impl Serialize for ModelId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for ModelId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ModelId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How alike two faces are: the cosine of their embeddings, −1…1.
///
/// It is no percentage and no probability, and it means nothing without a [`crate::Threshold`] of the same model: 0.5 may be a
/// very sure match. Scores are ordered; a higher one is more alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32")]
pub struct Score(f32);

impl Score {
    /// The score with this value.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] outside −1…1 or when not a number.
    pub fn new(value: f32) -> Result<Score> {
        if (-1.0..=1.0).contains(&value) {
            // Adding zero turns −0 into 0, so that equal scores are also the same for the total order below.
            Ok(Score(value + 0.0))
        } else {
            Err(Error::new(ErrorCode::InvalidArgument, format!("a comparison score lies within -1…1, not at {value}")))
        }
    }

    /// The score of a dot product of unit vectors, which rounding can carry past ±1.
    pub(crate) fn from_dot(dot: f32) -> Score {
        Score(dot.clamp(-1.0, 1.0) + 0.0)
    }

    /// The cosine, −1…1.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Score) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Score) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl TryFrom<f32> for Score {
    type Error = Error;

    fn try_from(value: f32) -> Result<Score> {
        Score::new(value)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

/// A face as its model sees it: a unit vector, and the id of that model.
///
/// A zero, empty or non-finite vector never becomes one. `Debug` shows the model and the length, not the values. Its memory is wiped when it is
/// dropped.
#[derive(Clone, PartialEq)]
pub struct Embedding {
    model: ModelId,
    values: Zeroizing<Vec<f32>>,
}

impl Embedding {
    /// The longest embedding taken, in values.
    pub const MAX_DIMENSION: usize = 4096;

    /// The least root mean square of a network's output that has a direction: below it the output is zero for all purposes, which
    /// a broken runtime or an all-constant network gives.
    const LEAST_RMS: f64 = 1e-6;

    /// Makes a network's output `values` (any length of vector but zero) a unit vector: each value divided by the Euclidean norm,
    /// which is summed in `f64`.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidEmbedding`] when there is no value or more than [`Embedding::MAX_DIMENSION`], when one is not finite,
    /// or when the norm is below 10⁻⁶·√dimension.
    pub fn from_raw(model: ModelId, values: Vec<f32>) -> Result<Embedding> {
        let mut values = Zeroizing::new(values);
        let norm = norm(&values)?;
        if norm < Self::LEAST_RMS * (values.len() as f64).sqrt() {
            return Err(invalid(format!("the norm of {} values is {norm:.1e}", values.len())));
        }
        for value in values.iter_mut() {
            *value = (f64::from(*value) / norm) as f32;
        }
        Ok(Embedding { model, values })
    }

    /// What a new output is written to before it takes this embedding's place: as many zeros.
    pub(crate) fn renewed(mut self, model: ModelId, write: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<Embedding> {
        self.values.fill(0.0);
        write(&mut self.values)?;
        Embedding::from_raw(model, std::mem::take(&mut *self.values))
    }

    /// Takes values that are a unit vector already, as stored bytes are, and keeps every bit.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidEmbedding`] when they are not: the norm differs from 1 by more than 10⁻⁴.
    pub(crate) fn from_unit(model: ModelId, values: Vec<f32>) -> Result<Embedding> {
        let values = Zeroizing::new(values);
        let norm = norm(&values)?;
        if (norm - 1.0).abs() > 1e-4 {
            return Err(invalid(format!("the norm of {} stored values is {norm}, not 1", values.len())));
        }
        Ok(Embedding { model, values })
    }

    /// The model that made it.
    pub fn model(&self) -> ModelId {
        self.model
    }

    /// # Errors
    /// [`ErrorCode::ModelMismatch`], naming both, when this is not the model that made it.
    pub(crate) fn require_model(&self, model: ModelId) -> Result<()> {
        if self.model == model { Ok(()) } else { Err(self.model.mismatch(&model)) }
    }

    /// How many values it has; 512 for the default model.
    pub fn dimension(&self) -> usize {
        self.values.len()
    }

    /// The unit vector, for storage in another engine. It is biometric data: whoever holds it can find this person again.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The comparison score: the cosine, which of unit vectors is the dot product. It is symmetric and bit-equal on every
    /// machine. The squared Euclidean distance of the two is 2 − 2·score.
    ///
    /// # Errors
    /// [`ErrorCode::ModelMismatch`], naming both, when the models differ; [`ErrorCode::InvalidEmbedding`] when the dimensions do.
    pub fn compare(&self, other: &Embedding) -> Result<Score> {
        if self.model != other.model {
            return Err(self.model.mismatch(&other.model));
        }
        if self.dimension() != other.dimension() {
            return Err(invalid(format!("{} values against {}", self.dimension(), other.dimension())));
        }
        Ok(Score::from_dot(dot(&self.values, &other.values)))
    }
}

impl AsRef<Embedding> for Embedding {
    fn as_ref(&self) -> &Embedding {
        self
    }
}

impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedding({} values of model {})", self.dimension(), self.model)
    }
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorCode::InvalidEmbedding, detail)
}

/// The Euclidean norm of 1…[`Embedding::MAX_DIMENSION`] finite values; squares of `f32` cannot overflow in `f64`.
fn norm(values: &[f32]) -> Result<f64> {
    if values.is_empty() || values.len() > Embedding::MAX_DIMENSION {
        return Err(invalid(format!("{} values; 1 to {} are taken", values.len(), Embedding::MAX_DIMENSION)));
    }
    if let Some(place) = values.iter().position(|value| !value.is_finite()) {
        return Err(invalid(format!("value {place} of {} is not finite", values.len())));
    }
    Ok(values.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt())
}

/// The dot product of two vectors of one length.
///
/// Sixteen lanes sum every sixteenth product each, in order, and are then added in pairs. The order is part of the function: it
/// gives the same bits on every architecture, and compilers turn the lanes into vector registers without reordering anything.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    add_products(&mut sums, a_chunks, b_chunks);
    if !a_rest.is_empty() {
        let padded = |rest: &[f32]| {
            let mut lanes = [0f32; LANES];
            lanes.iter_mut().zip(rest).for_each(|(lane, &value)| *lane = value);
            [lanes]
        };
        add_products(&mut sums, &padded(a_rest), &padded(b_rest));
    }
    let eight: [f32; 8] = std::array::from_fn(|lane| sums[lane] + sums[lane + 8]);
    let four: [f32; 4] = std::array::from_fn(|lane| eight[lane] + eight[lane + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

const LANES: usize = 16;

/// Adds the products of two rows of chunks lane by lane. A function of its own, with plain indices: with the sums' fold in sight LLVM
/// shuffles the lanes in every turn, and with iterators that it cannot inline it sums them one by one; either takes nine times as long.
#[inline(never)]
fn add_products(sums: &mut [f32; LANES], a: &[[f32; LANES]], b: &[[f32; LANES]]) {
    let count = a.len().min(b.len());
    let (a, b) = (&a[..count], &b[..count]);
    let mut lanes = *sums;
    for place in 0..count {
        for lane in 0..LANES {
            lanes[lane] += a[place][lane] * b[place][lane];
        }
    }
    *sums = lanes;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODEL: ModelId = ModelId::from_bytes([7; 32]);

    fn embedding(values: Vec<f32>) -> Embedding {
        Embedding::from_raw(MODEL, values).unwrap()
    }

    #[test]
    fn a_constant_zero_or_broken_output_is_refused() {
        let cases: [(&str, Vec<f32>); 7] = [
            ("empty", vec![]),
            ("the placeholder of a failed call", vec![0.0]),
            ("all zeros", vec![0.0; 512]),
            ("zero but for rounding", vec![1e-9; 512]),
            ("not a number", [vec![1.0; 511], vec![f32::NAN]].concat()),
            ("infinite", [vec![1.0; 511], vec![f32::NEG_INFINITY]].concat()),
            ("too long", vec![1.0; Embedding::MAX_DIMENSION + 1]),
        ];
        for (what, values) in cases {
            assert_eq!(Embedding::from_raw(MODEL, values).unwrap_err().code(), ErrorCode::InvalidEmbedding, "{what}");
        }
    }

    #[test]
    fn a_huge_output_is_scaled_without_overflow() {
        let e = embedding(vec![f32::MAX; 4]);
        assert_eq!(e.values(), [0.5; 4]);
    }

    #[test]
    fn cosine_of_known_angles() {
        let (x, y) = (embedding(vec![3.0, 0.0]), embedding(vec![0.0, 0.2]));
        let diagonal = embedding(vec![1.0, 1.0]);
        assert_eq!(x.compare(&y).unwrap().get(), 0.0);
        assert_eq!(x.compare(&x).unwrap().get(), 1.0);
        assert_eq!(x.compare(&embedding(vec![-5.0, 0.0])).unwrap().get(), -1.0);
        assert!((x.compare(&diagonal).unwrap().get() - std::f32::consts::FRAC_1_SQRT_2).abs() < 1e-7);
    }

    #[test]
    fn other_models_and_lengths_do_not_meet() {
        let other = ModelId::from_bytes([8; 32]);
        let (a, b) = (embedding(vec![1.0, 2.0]), Embedding::from_raw(other, vec![1.0, 2.0]).unwrap());
        let error = a.compare(&b).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ModelMismatch);
        assert!(error.to_string().contains("0707070707070707") && error.to_string().contains("0808080808080808"), "{error}");
        assert_eq!(a.compare(&embedding(vec![1.0])).unwrap_err().code(), ErrorCode::InvalidEmbedding);
    }

    #[test]
    fn ids_that_share_their_first_digits_are_named_in_full() {
        let mut bytes = [7; 32];
        bytes[31] = 9;
        let text = MODEL.mismatch(&ModelId::from_bytes(bytes)).to_string();
        assert!(text.contains(&MODEL.hex()) && text.contains(&ModelId::from_bytes(bytes).hex()), "{text}");
    }

    #[test]
    fn debug_shows_no_value() {
        let text = format!("{:?}", embedding(vec![0.6, 0.8]));
        assert_eq!(text, "Embedding(2 values of model 0707070707070707)");
    }

    #[test]
    fn model_id_as_text_and_json() {
        let mut bytes = [0u8; 32];
        bytes[0] = 0xab;
        bytes[31] = 0x01;
        let id = ModelId::from_bytes(bytes);
        assert_eq!(id.to_string(), "ab00000000000000");
        assert_eq!(id.hex().parse::<ModelId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"ab{}01\"", "0".repeat(60)));
        assert_eq!(serde_json::from_str::<ModelId>(&json).unwrap(), id);
        for wrong in ["", "ab", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66), &"é".repeat(32)] {
            assert!(wrong.parse::<ModelId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn scores_outside_the_range_are_refused_and_zero_has_one_form() {
        for wrong in [1.1, -1.0001, f32::NAN, f32::INFINITY] {
            assert!(Score::new(wrong).is_err());
        }
        assert_eq!(Score::new(-0.0).unwrap().cmp(&Score::new(0.0).unwrap()), std::cmp::Ordering::Equal);
        assert!(serde_json::from_str::<Score>("1.5").is_err());
    }

    fn vectors() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        (1usize..600).prop_flat_map(|n| {
            let one = || proptest::collection::vec(-1f32..1.0, n);
            (one(), one())
        })
    }

    proptest! {
        #[test]
        fn unit_length_symmetry_and_distance((a, b) in vectors(), scale in 1e-3f32..1e3) {
            prop_assume!(a.iter().any(|v| v.abs() > 1e-2) && b.iter().any(|v| v.abs() > 1e-2));
            let scaled = embedding(a.iter().map(|v| v * scale).collect());
            let (a, b) = (embedding(a), embedding(b));
            prop_assert!((norm(a.values()).unwrap() - 1.0).abs() < 1e-6);
            let score = a.compare(&b).unwrap();
            prop_assert_eq!(score, b.compare(&a).unwrap());
            prop_assert!((scaled.compare(&b).unwrap().get() - score.get()).abs() < 1e-5);
            // Thresholds on the distance and on the cosine are the same thresholds: L2² = 2 − 2·cos.
            let squared: f64 = a.values().iter().zip(b.values()).map(|(x, y)| f64::from(x - y).powi(2)).sum();
            prop_assert!((squared - (2.0 - 2.0 * f64::from(score.get()))).abs() < 2e-6, "{} {}", squared, score);
        }

        #[test]
        fn dot_is_the_exact_sum_within_rounding((a, b) in vectors()) {
            let exact: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            let magnitude: f64 = a.iter().zip(&b).map(|(x, y)| f64::from((x * y).abs())).sum();
            prop_assert!((f64::from(dot(&a, &b)) - exact).abs() <= 44.0 * f64::from(f32::EPSILON) * magnitude + 1e-12);
        }
    }
}
