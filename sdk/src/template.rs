//! One person's enrolment: the mean direction of some embeddings, and its portable bytes.
//!
//! The bytes, all numbers little-endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `VFTM` |
//! | 4 | 4 | version, `u32`: 1 |
//! | 8 | 32 | model id |
//! | 40 | 4 | how many embeddings it is the mean of, `u32`, from 1 |
//! | 44 | 4 | dimension D, `u32`, 1…4096 |
//! | 48 | 4·D | the unit vector, `f32` (IEEE 754) |
//! | 48 + 4·D | 32 | SHA-256 of all bytes before |
//!
//! Nothing follows. A reader checks magic, version, length, checksum and that the vector is finite and of length 1 ± 10⁻⁴.

mod sealed;
mod secret;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::embed::{Embedding, ModelId, Score};
use crate::error::{Error, ErrorCode, Result};
use crate::replace::replace_file;

pub use sealed::SealedTemplate;
pub use secret::{SealingKey, Secret};

/// What templates and galleries have before their values: magic, version, model id and two counts.
pub(crate) const HEADER: usize = 48;
/// The SHA-256 at the end.
pub(crate) const CHECKSUM: usize = 32;

const MAGIC: &[u8; 4] = b"VFTM";
const VERSION: u32 = 1;

/// One person, enrolled: the unit vector that lies amid their embeddings, and the model it belongs to.
///
/// Compare it by [`Template::compare`], keep it by [`SealedTemplate::seal`]. It is biometric data: its memory is wiped when it is dropped, and
/// `Debug` does not show its values.
///
/// A template of several photos misses its person far less often than one photo does. It also matches strangers somewhat more often at the
/// same threshold, 1.2 to 1.3 times for three photos, because a mean direction stretches every score: see `docs/fusion.md`.
#[derive(Clone, PartialEq)]
pub struct Template {
    mean: Embedding,
    samples: u32,
}

/// A template, and how well the samples it was made of agree.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Enrolment {
    /// The mean direction of **all** samples.
    pub template: Template,
    /// Each sample's score against the template, in the samples' order.
    pub scores: Vec<Score>,
    /// The places of the samples that do not fit the others: those whose cosine to the mean direction of the other samples is below
    /// [`Template::OUTLIER_BOUND`]. Of two samples that differ both are named. They are in the template; look at their pictures, and
    /// enrol again without them.
    pub outliers: Vec<usize>,
}

impl Template {
    /// The cosine to the other samples' mean below which a sample is called an outlier, 0.3. Of frontal photos, 0.2 % of a person's
    /// own fall below it and 99.6 % or more of another's; `docs/fusion.md` has the figures. It is a hint and no decision.
    pub const OUTLIER_BOUND: f32 = 0.3;

    /// The longest bytes of a template.
    pub const MAX_BYTES: usize = HEADER + 4 * Embedding::MAX_DIMENSION + CHECKSUM;

    /// Enrols one person from one or more embeddings: their sum, made a unit vector.
    ///
    /// # Errors
    /// [`ErrorCode::NothingToEnrol`] without any; [`ErrorCode::ModelMismatch`] when they come from different models;
    /// [`ErrorCode::InvalidEmbedding`] when their dimensions differ or they cancel each other out.
    pub fn enrol(samples: &[Embedding]) -> Result<Enrolment> {
        let first = samples.first().ok_or_else(|| Error::new(ErrorCode::NothingToEnrol, "no embedding"))?;
        let count = u32::try_from(samples.len())
            .map_err(|_| Error::new(ErrorCode::InvalidArgument, format!("{} samples of one person", samples.len())))?;
        let mut sum = Zeroizing::new(vec![0f64; first.dimension()]);
        for sample in samples {
            // Refuses other models and dimensions.
            first.compare(sample)?;
            sum.iter_mut().zip(sample.values()).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        let mean = Embedding::from_raw(first.model(), sum.iter().map(|&value| value as f32).collect())?;
        let scores = samples.iter().map(|sample| mean.compare(sample)).collect::<Result<_>>()?;
        let outliers = (0..samples.len()).filter(|&place| samples.get(place).is_some_and(|one| is_outlier(one, &sum, count)));
        Ok(Enrolment { outliers: outliers.collect(), template: Template { mean, samples: count }, scores })
    }

    /// The unit vector.
    pub fn embedding(&self) -> &Embedding {
        &self.mean
    }

    /// The model that it belongs to.
    pub fn model(&self) -> ModelId {
        self.mean.model()
    }

    /// How many embeddings it is the mean of.
    pub fn samples(&self) -> u32 {
        self.samples
    }

    /// The comparison score with a probe.
    ///
    /// # Errors
    /// As [`Embedding::compare`]: [`ErrorCode::ModelMismatch`] when the probe comes from another model.
    pub fn compare(&self, probe: &Embedding) -> Result<Score> {
        self.mean.compare(probe)
    }

    /// The portable bytes, in the form that this module's page and `docs/template-format.md` describe; 2,128 for 512 values. Whoever holds
    /// them can find this person again: keep them where keys are kept, or keep a [`SealedTemplate`] instead. The caller wipes them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let values = self.mean.values();
        let mut bytes = Vec::with_capacity(HEADER + 4 * values.len() + CHECKSUM);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(self.model().as_bytes());
        bytes.extend_from_slice(&self.samples.to_le_bytes());
        bytes.extend_from_slice(&(values.len() as u32).to_le_bytes());
        values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Writes the bytes to a file, replacing an old one by rename.
    ///
    /// # Errors
    /// [`ErrorCode::CannotWrite`], naming the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let bytes = Zeroizing::new(self.to_bytes());
        replace_file(path, |to| to.write_all(&bytes))
    }

    /// Reads a file that [`Template::save`] wrote.
    ///
    /// # Errors
    /// [`ErrorCode::CannotRead`], and those of [`Template::from_bytes`]. All name the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Template> {
        let path = path.as_ref();
        let read = || {
            // One byte more than the longest template tells a wrong file without reading all of it. There is room for all, so that no copy
            // is left behind unwiped.
            let mut bytes = Zeroizing::new(Vec::with_capacity(Template::MAX_BYTES + 64));
            File::open(path).and_then(|file| file.take(Template::MAX_BYTES as u64 + 1).read_to_end(&mut bytes))?;
            Ok(bytes)
        };
        read()
            .map_err(|error: io::Error| Error::new(ErrorCode::CannotRead, error.to_string()))
            .and_then(|bytes| Template::from_bytes(&bytes))
            .map_err(|error| error.in_file(path))
    }

    /// Reads what [`Template::to_bytes`] wrote, bit for bit.
    ///
    /// # Errors
    /// [`ErrorCode::NotATemplate`], [`ErrorCode::UnknownTemplateVersion`], [`ErrorCode::DamagedTemplate`] (cut short, longer, or
    /// altered), [`ErrorCode::InvalidEmbedding`] when the values are intact but no unit vector.
    pub fn from_bytes(bytes: &[u8]) -> Result<Template> {
        let damaged = |detail: String| Error::new(ErrorCode::DamagedTemplate, detail);
        let header = Header::parse(bytes, MAGIC, VERSION)?;
        let [samples, dimension] = header.counts;
        let body = (dimension as usize)
            .checked_mul(4)
            .and_then(|size| size.checked_add(HEADER))
            .filter(|_| (1..=Embedding::MAX_DIMENSION).contains(&(dimension as usize)))
            .ok_or_else(|| damaged(format!("a dimension of {dimension}")))?;
        let (content, checksum) = bytes
            .split_at_checked(body)
            .filter(|(_, checksum)| checksum.len() == CHECKSUM)
            .ok_or_else(|| damaged(format!("{} bytes instead of {}", bytes.len(), body + CHECKSUM)))?;
        if Sha256::digest(content)[..] != *checksum {
            return Err(damaged("the checksum differs".into()));
        }
        if samples == 0 {
            return Err(damaged("the mean of no embedding".into()));
        }
        let (values, _) = content.get(HEADER..).unwrap_or_default().as_chunks::<4>();
        let values = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
        Ok(Template { mean: Embedding::from_unit(header.model, values)?, samples })
    }
}

/// Whether a sample's cosine to the sum of the others is below the bound; `sum` is that of all.
fn is_outlier(sample: &Embedding, sum: &[f64], count: u32) -> bool {
    let (mut dot, mut squares) = (0f64, 0f64);
    for (&value, &sum) in sample.values().iter().zip(sum) {
        let others = sum - f64::from(value);
        dot += others * f64::from(value);
        squares += others * others;
    }
    count > 1 && dot < f64::from(Template::OUTLIER_BOUND) * squares.sqrt()
}

impl AsRef<Embedding> for Template {
    fn as_ref(&self) -> &Embedding {
        &self.mean
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({} values of model {}, from {} samples)", self.mean.dimension(), self.model(), self.samples)
    }
}

/// The first [`HEADER`] bytes of a template, sealed template or gallery file.
pub(crate) struct Header {
    pub model: ModelId,
    pub counts: [u32; 2],
}

impl Header {
    /// Reads them, checking kind and version before anything else is believed.
    pub fn parse(bytes: &[u8], magic: &[u8; 4], version: u32) -> Result<Header> {
        let found = bytes.get(..4).unwrap_or(bytes);
        if found.is_empty() || !magic.starts_with(found) {
            let other = match found {
                b"VFTM" => "this is a template",
                b"VFST" => "this is a sealed template",
                b"VFGL" => "this is a gallery",
                b"VFPK" => "this is a pack",
                _ => "",
            };
            return Err(Error::new(ErrorCode::NotATemplate, other));
        }
        let short = || Error::new(ErrorCode::DamagedTemplate, format!("cut short after {} bytes", bytes.len()));
        let number = |at: usize| {
            let field: Option<[u8; 4]> = bytes.get(at..at + 4).and_then(|field| field.try_into().ok());
            field.map(u32::from_le_bytes).ok_or_else(short)
        };
        let stated = number(4)?;
        if stated != version {
            let detail = format!("version {stated}; this SDK reads version {version}");
            return Err(Error::new(ErrorCode::UnknownTemplateVersion, detail));
        }
        let model: [u8; 32] = bytes.get(8..40).and_then(|field| field.try_into().ok()).ok_or_else(short)?;
        Ok(Header { model: ModelId::from_bytes(model), counts: [number(40)?, number(44)?] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODEL: ModelId = ModelId::from_bytes([7; 32]);

    fn embedding(values: &[f32]) -> Embedding {
        Embedding::from_raw(MODEL, values.to_vec()).unwrap()
    }

    fn template() -> Template {
        let values: Vec<f32> = (0..16).map(|i| (i as f32 - 7.5) / 3.0).collect();
        Template::enrol(&[embedding(&values)]).unwrap().template
    }

    /// Bytes with another value at `offset` and the checksum that fits it.
    fn forged(offset: usize, value: &[u8]) -> Vec<u8> {
        let mut bytes = template().to_bytes();
        bytes[offset..offset + value.len()].copy_from_slice(value);
        let body = bytes.len() - CHECKSUM;
        let checksum = Sha256::digest(&bytes[..body]);
        bytes[body..].copy_from_slice(&checksum);
        bytes
    }

    #[test]
    fn the_mean_direction_by_hand() {
        let enrolment = Template::enrol(&[embedding(&[1.0, 0.0]), embedding(&[0.0, 2.0])]).unwrap();
        let values = enrolment.template.embedding().values();
        assert!(values.iter().all(|value| (value - std::f32::consts::FRAC_1_SQRT_2).abs() < 1e-7));
        assert!(enrolment.scores.iter().all(|score| (score.get() - std::f32::consts::FRAC_1_SQRT_2).abs() < 1e-6));
        assert_eq!(enrolment.outliers, [0, 1], "neither resembles the other");
        assert_eq!(enrolment.template.samples(), 2);
    }

    #[test]
    fn a_foreign_sample_is_named_and_a_lone_one_is_not() {
        let person =
            [embedding(&[1.0, 0.1, 0.0]), embedding(&[1.0, 0.0, 0.1]), embedding(&[0.1, 1.0, 0.0]), embedding(&[1.0, 0.1, 0.1])];
        assert_eq!(Template::enrol(&person).unwrap().outliers, [2]);
        assert!(Template::enrol(&person[..1]).unwrap().outliers.is_empty());
        assert!(Template::enrol(&person[..2]).unwrap().outliers.is_empty());
    }

    #[test]
    fn what_cannot_be_enrolled_together_is_refused() {
        let one = embedding(&[1.0, 0.0]);
        let code = |samples: &[Embedding]| Template::enrol(samples).unwrap_err().code();
        assert_eq!(code(&[]), ErrorCode::NothingToEnrol);
        assert_eq!(code(&[one.clone(), embedding(&[1.0])]), ErrorCode::InvalidEmbedding);
        assert_eq!(code(&[one.clone(), embedding(&[-1.0, 0.0])]), ErrorCode::InvalidEmbedding);
        let other = Embedding::from_raw(ModelId::from_bytes([8; 32]), vec![1.0, 0.0]).unwrap();
        assert_eq!(code(&[one, other]), ErrorCode::ModelMismatch);
    }

    #[test]
    fn another_models_probe_is_refused_by_both_names() {
        let probe = Embedding::from_raw(ModelId::from_bytes([8; 32]), vec![1.0; 16]).unwrap();
        let error = Template::from_bytes(&template().to_bytes()).unwrap().compare(&probe).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ModelMismatch);
        assert!(error.to_string().contains("0707070707070707") && error.to_string().contains("0808080808080808"), "{error}");
    }

    #[test]
    fn the_bytes_are_as_documented() {
        let bytes = Template::enrol(&[embedding(&[3.0, 4.0])]).unwrap().template.to_bytes();
        let mut expected = b"VFTM\x01\0\0\0".to_vec();
        expected.extend([7u8; 32]);
        expected.extend([1, 0, 0, 0, 2, 0, 0, 0]);
        // 0.6 and 0.8 as IEEE 754 single precision: 0x3f19999a and 0x3f4ccccd.
        expected.extend([0x9a, 0x99, 0x19, 0x3f, 0xcd, 0xcc, 0x4c, 0x3f]);
        // sha256sum of the bytes above.
        let checksum = "a7b8c3fd67c5c2fe3415dce3a66032a9677af298338f873d7c73d35d7705610b";
        assert_eq!(bytes[..56], expected);
        assert_eq!(bytes[56..].iter().map(|byte| format!("{byte:02x}")).collect::<String>(), checksum);
    }

    #[test]
    fn every_prefix_and_every_changed_byte_is_refused() {
        let bytes = template().to_bytes();
        for length in 0..bytes.len() {
            let code = Template::from_bytes(&bytes[..length]).unwrap_err().code();
            let expected = if length == 0 { ErrorCode::NotATemplate } else { ErrorCode::DamagedTemplate };
            assert_eq!(code, expected, "{length} bytes");
        }
        assert!(Template::from_bytes(&[&bytes[..], &[0]].concat()).is_err(), "a byte more");
        for place in 0..bytes.len() {
            for flip in 1..=255u8 {
                let mut changed = bytes.clone();
                changed[place] ^= flip;
                let code = Template::from_bytes(&changed).unwrap_err().code();
                let expected = match place {
                    0..4 => ErrorCode::NotATemplate,
                    4..8 => ErrorCode::UnknownTemplateVersion,
                    _ => ErrorCode::DamagedTemplate,
                };
                assert_eq!(code, expected, "byte {place} ^ {flip}");
            }
        }
    }

    #[test]
    fn intact_bytes_with_senseless_content_are_refused() {
        let zeros = [0u8; 64];
        let code = |bytes: Vec<u8>| Template::from_bytes(&bytes).unwrap_err().code();
        assert_eq!(code(forged(48, &zeros)), ErrorCode::InvalidEmbedding, "the placeholder of a failed call");
        assert_eq!(code(forged(48, &f32::NAN.to_le_bytes())), ErrorCode::InvalidEmbedding);
        assert_eq!(code(forged(48, &f32::INFINITY.to_le_bytes())), ErrorCode::InvalidEmbedding);
        assert_eq!(code(forged(48, &2f32.to_le_bytes())), ErrorCode::InvalidEmbedding);
        assert_eq!(code(forged(40, &[0; 4])), ErrorCode::DamagedTemplate, "no samples");
        assert_eq!(code(forged(44, &[0; 4])), ErrorCode::DamagedTemplate, "no values");
        assert_eq!(code(forged(44, &[15, 0, 0, 0])), ErrorCode::DamagedTemplate, "another dimension");
        assert_eq!(code(forged(44, &[0xff; 4])), ErrorCode::DamagedTemplate, "16 GiB of values");
    }

    #[test]
    fn other_files_are_named() {
        let error = Template::from_bytes(b"VFGL\x01\0\0\0").unwrap_err();
        assert_eq!(error.code(), ErrorCode::NotATemplate);
        assert!(error.to_string().contains("this is a gallery"), "{error}");
        assert_eq!(Template::from_bytes(b"\x89PNG").unwrap_err().code(), ErrorCode::NotATemplate);
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", template()), "Template(16 values of model 0707070707070707, from 1 samples)");
    }

    proptest! {
        #[test]
        fn bytes_give_the_same_template_back(
            samples in (1usize..200).prop_flat_map(|n| proptest::collection::vec(proptest::collection::vec(-1f32..1.0, n), 1..5)),
        ) {
            prop_assume!(samples.iter().all(|sample| sample.iter().any(|v| v.abs() > 1e-3)));
            let samples: Vec<Embedding> = samples.iter().map(|sample| embedding(sample)).collect();
            if let Ok(Enrolment { template, .. }) = Template::enrol(&samples) {
                let bytes = template.to_bytes();
                prop_assert!(bytes.len() <= Template::MAX_BYTES);
                let back = Template::from_bytes(&bytes).unwrap();
                prop_assert_eq!(&back, &template);
                prop_assert_eq!(back.to_bytes(), bytes);
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Template::from_bytes(&bytes).is_err());
            prop_assert!(Template::from_bytes(&[b"VFTM\x01\0\0\0", &bytes[..]].concat()).is_err());
        }
    }
}
