//! What a pack says of its networks: how to feed them, what their scores mean, where they come from.

use serde::{Deserialize, Serialize};

use crate::decide::Calibration;
use crate::detect::HeadKind;
use crate::error::{Error, ErrorCode, Result};
use crate::quality::QualityPolicy;

/// The pack's description, stored as JSON. Unknown fields are refused: a newer field may change what the others mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The pack's name and version, for people: `veriface-small-1`.
    pub id: String,
    /// The oldest SDK that reads this pack rightly, as `major.minor.patch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_sdk: Option<String>,
    /// The tool and version that wrote the pack.
    #[serde(default)]
    pub created_by: String,
    /// The detector.
    pub detector: DetectorManifest,
    /// The recogniser.
    pub recogniser: RecogniserManifest,
    /// What scores mean. Without it the pack decides only by a threshold that the caller states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The policies for enrolment and verification. They are stored only where they differ from the SDK's defaults, so that a pack
    /// follows those when they improve.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quality: QualityPolicies,
    /// A chip and the embedding it must give, checked at load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_test: Option<SelfTest>,
    /// Who made the weights, on what data, with which configuration.
    #[serde(default)]
    pub provenance: Provenance,
    /// The terms of weights and data, one line each.
    #[serde(default)]
    pub licences: Vec<String>,
}

/// The detector's part and how to feed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorManifest {
    /// The name of the ONNX part.
    #[serde(default = "detector_part")]
    pub part: String,
    /// How its outputs are read.
    pub head: HeadKind,
    /// The form of its input. Where the graph leaves height and width open, this is the size of the first look.
    pub input: InputForm,
    /// The score from which a candidate counts as a face, 0…1.
    pub score_threshold: f32,
}

/// The recogniser's part and how to feed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecogniserManifest {
    /// The name of the ONNX part.
    #[serde(default = "recogniser_part")]
    pub part: String,
    /// The form of its input.
    pub input: InputForm,
    /// The numbers of the output: 512 for our own networks.
    pub embedding_size: usize,
    /// Where the five points lie on the chip.
    #[serde(default)]
    pub alignment: Alignment,
    /// Whether the mirrored chip's output is added before the norm.
    #[serde(default)]
    pub mirror: bool,
}

/// Where the five points lie on the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alignment {
    /// [`crate::AlignmentTemplate::ARCFACE`], on 112×112.
    #[default]
    Arcface112,
}

/// How pixels become a network's input: value = (pixel − mean) · scale, channel by channel, pixels 0…255.
///
/// A graph that normalises inside takes mean 0 and scale 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputForm {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// The order of the axes.
    #[serde(default)]
    pub layout: Layout,
    /// The order of the channels.
    #[serde(default)]
    pub colour: ColourOrder,
    /// What is subtracted, in the channel order of `colour`.
    pub mean: [f32; 3],
    /// What the difference is multiplied by, in the channel order of `colour`.
    pub scale: [f32; 3],
}

/// The order of a network input's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Batch, channel, row, column.
    #[default]
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// The order of a network input's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColourOrder {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first.
    Bgr,
}

/// Both quality policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityPolicies {
    /// For enrolment.
    #[serde(default = "QualityPolicy::enrol", skip_serializing_if = "is_enrol")]
    pub enrol: QualityPolicy,
    /// For verification.
    #[serde(default = "QualityPolicy::verify", skip_serializing_if = "is_verify")]
    pub verify: QualityPolicy,
}

impl Default for QualityPolicies {
    fn default() -> QualityPolicies {
        QualityPolicies { enrol: QualityPolicy::enrol(), verify: QualityPolicy::verify() }
    }
}

/// A chip, the embedding it gives, and how close a device must come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTest {
    /// The part with the chip: 112·112·3 bytes, RGB.
    pub chip: String,
    /// The part with the embedding: little-endian f32.
    pub embedding: String,
    /// The least cosine that passes.
    pub min_cosine: f32,
}

/// Where the weights come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Who trained the recogniser.
    #[serde(default)]
    pub trained_by: String,
    /// The data sets.
    #[serde(default)]
    pub data: Vec<String>,
    /// SHA-256 of the training data's list, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_digest: Option<String>,
    /// The networks whose outputs were taught, where there were any.
    #[serde(default)]
    pub teachers: Vec<String>,
    /// The training configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Value>,
}

fn is_default(policies: &QualityPolicies) -> bool {
    *policies == QualityPolicies::default()
}

fn is_enrol(policy: &QualityPolicy) -> bool {
    *policy == QualityPolicy::enrol()
}

fn is_verify(policy: &QualityPolicy) -> bool {
    *policy == QualityPolicy::verify()
}

fn detector_part() -> String {
    "detector".into()
}

fn recogniser_part() -> String {
    "recogniser".into()
}

impl Manifest {
    /// Reads the JSON and checks every field's range.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidManifest`] naming the field; [`ErrorCode::PackNeedsNewerSdk`].
    pub fn from_json(json: &[u8]) -> Result<Manifest> {
        let manifest: Manifest =
            serde_json::from_slice(json).map_err(|e| Error::new(ErrorCode::InvalidManifest, e.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The JSON that is stored.
    pub fn to_json(&self) -> Vec<u8> {
        // Strings, numbers and lists with string keys only: this cannot fail.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    fn check(&self) -> Result<()> {
        let invalid = |detail: String| Err(Error::new(ErrorCode::InvalidManifest, detail));
        if let Some(min) = &self.min_sdk {
            let Some(wanted) = version(min) else { return invalid(format!("min_sdk {min:?} is not major.minor.patch")) };
            let ours = env!("CARGO_PKG_VERSION");
            if version(ours).is_some_and(|ours| ours < wanted) {
                return Err(Error::new(ErrorCode::PackNeedsNewerSdk, format!("it needs {min}, this is {ours}")));
            }
        }
        for (name, form) in [("detector", &self.detector.input), ("recogniser", &self.recogniser.input)] {
            if !(16..=4096).contains(&form.width) || !(16..=4096).contains(&form.height) {
                return invalid(format!("{name}.input is {} × {}; sides go from 16 to 4096", form.width, form.height));
            }
            if form.mean.iter().chain(&form.scale).any(|v| !v.is_finite()) || form.scale.contains(&0.0) {
                return invalid(format!("{name}.input has a mean or scale that is not finite, or a scale of 0"));
            }
        }
        if (self.recogniser.input.width, self.recogniser.input.height) != (112, 112) {
            return invalid("recogniser.input must be 112 × 112, the chip's size".into());
        }
        if !(1..=4096).contains(&self.recogniser.embedding_size) {
            return invalid(format!("recogniser.embedding_size is {}; it goes from 1 to 4096", self.recogniser.embedding_size));
        }
        if !(self.detector.score_threshold > 0.0 && self.detector.score_threshold < 1.0) {
            return invalid(format!("detector.score_threshold is {}; it lies between 0 and 1", self.detector.score_threshold));
        }
        if let Some(test) = &self.self_test
            && !(test.min_cosine > 0.0 && test.min_cosine <= 1.0)
        {
            return invalid(format!("self_test.min_cosine is {}; it lies between 0 and 1", test.min_cosine));
        }
        Ok(())
    }
}

fn version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}
