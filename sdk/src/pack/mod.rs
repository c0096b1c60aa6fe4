//! The pack: one file with the networks, what they are fed, what their scores mean, and a test that they compute it.
//!
//! `docs/pack-format.md` describes the bytes. A pack is opened whole or not at all: every part is hashed before any is used.

mod container;
mod embedded;
mod manifest;

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::embed::ModelId;
use crate::error::{Error, ErrorCode, Result};
use crate::replace::replace_file;

pub use container::{Part, PartKind};
pub use manifest::{
    Alignment, ColourOrder, DetectorManifest, InputForm, Layout, Manifest, Provenance, QualityPolicies, RecogniserManifest,
    SelfTest,
};

/// The most bytes of a pack file that is opened.
const MAX_BYTES: u64 = 512 << 20;

/// An opened pack: manifest and verified parts. Cheap to clone.
#[derive(Clone)]
pub struct Pack {
    manifest: Arc<Manifest>,
    parts: Arc<Vec<Part>>,
    model_id: ModelId,
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pack({}, model {}, {} parts)", self.manifest.id, self.model_id, self.parts.len())
    }
}

impl Pack {
    /// Opens a pack file of up to 512 MiB.
    ///
    /// # Errors
    /// [`ErrorCode::CannotRead`], or one of the pack's own: see [`Pack::from_bytes`]. Each names the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Pack> {
        let path = path.as_ref();
        let read = || {
            let cannot = |e: std::io::Error| Error::new(ErrorCode::CannotRead, e.to_string());
            let length = std::fs::metadata(path).map_err(cannot)?.len();
            if length > MAX_BYTES {
                let detail = format!("{length} bytes, the limit is {MAX_BYTES}");
                return Err(Error::new(ErrorCode::PackTooLarge, detail));
            }
            Pack::from_bytes(&std::fs::read(path).map_err(cannot)?)
        };
        read().map_err(|error| error.in_file(path))
    }

    /// Reads a pack from memory.
    ///
    /// # Errors
    /// [`ErrorCode::NotAPack`], [`ErrorCode::UnknownPackVersion`], [`ErrorCode::TruncatedPack`], [`ErrorCode::AlteredPack`] with the
    /// expected and found hash, [`ErrorCode::PackTooLarge`], [`ErrorCode::InvalidManifest`], [`ErrorCode::MissingPackPart`],
    /// [`ErrorCode::PackNeedsNewerSdk`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Pack> {
        let (manifest, parts) = container::read(bytes)?;
        Pack::new(Manifest::from_json(&manifest)?, parts)
    }

    /// A pack of these parts; the manifest's references are checked.
    ///
    /// # Errors
    /// [`ErrorCode::MissingPackPart`], [`ErrorCode::InvalidManifest`].
    pub fn new(manifest: Manifest, parts: Vec<Part>) -> Result<Pack> {
        // What was built in memory passes the same checks as what was read.
        let manifest = Manifest::from_json(&manifest.to_json())?;
        for (index, part) in parts.iter().enumerate() {
            if part.name.is_empty() || part.name.len() > container::NAME || part.name.contains('\0') {
                return Err(Error::new(
                    ErrorCode::InvalidManifest,
                    format!("part {index} has a name of {} bytes", part.name.len()),
                ));
            }
            if parts[..index].iter().any(|other| other.name == part.name) {
                return Err(Error::new(ErrorCode::InvalidManifest, format!("two parts are named {:?}", part.name)));
            }
        }
        let find = |name: &str, kind: PartKind| match parts.iter().find(|part| part.name == name) {
            Some(part) if part.kind == kind => Ok(part),
            Some(part) => Err(Error::new(ErrorCode::MissingPackPart, format!("part {name:?} is {:?}, not {kind:?}", part.kind))),
            None => Err(Error::new(ErrorCode::MissingPackPart, format!("there is no part {name:?}"))),
        };
        let detector = find(&manifest.detector.part, PartKind::Onnx)?;
        let recogniser = find(&manifest.recogniser.part, PartKind::Onnx)?;
        if let Some(test) = &manifest.self_test {
            find(&test.chip, PartKind::Chip)?;
            find(&test.embedding, PartKind::Embedding)?;
        }
        let model_id = model_id(&manifest, detector, recogniser);
        Ok(Pack { manifest: Arc::new(manifest), parts: Arc::new(parts), model_id })
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        container::write(&self.manifest.to_json(), &self.parts)
    }

    /// Writes the file, replacing an old one by rename.
    ///
    /// # Errors
    /// [`ErrorCode::CannotWrite`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        replace_file(path, |to| to.write_all(&self.to_bytes()))
    }

    /// The description.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What templates of this pack carry: detector, alignment, recogniser and preprocessing, hashed.
    pub fn model_id(&self) -> ModelId {
        self.model_id
    }

    /// The parts, in the file's order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(crate) fn bytes_of(&self, name: &str) -> &[u8] {
        self.parts.iter().find(|part| part.name == name).map_or(&[], |part| &part.bytes)
    }
}

/// Everything that an embedding depends on, in a fixed order. The score threshold and the quality policies are left out: they choose
/// among faces, but a face that both choices accept has the same embedding.
fn model_id(manifest: &Manifest, detector: &Part, recogniser: &Part) -> ModelId {
    let (d, r) = (&manifest.detector, &manifest.recogniser);
    let preprocessing = serde_json::json!({
        "format": 1,
        "head": d.head,
        "detector_input": d.input,
        "alignment": r.alignment,
        "recogniser_input": r.input,
        "embedding_size": r.embedding_size,
        "mirror": r.mirror,
    });
    let mut hash = Sha256::new();
    hash.update(b"veriface model id\0");
    hash.update(detector.sha256());
    hash.update(recogniser.sha256());
    hash.update(preprocessing.to_string().as_bytes());
    ModelId::from_bytes(hash.finalize().into())
}
