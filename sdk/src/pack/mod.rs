//! The pack: one file with the networks, what they are fed, what their scores mean, and a test that they compute it.
//!
//! `docs/pack-format.md` describes the bytes. A pack is opened whole or not at all: every part is hashed before it is used.

mod bytes;
mod container;
mod digest;
mod embedded;
mod manifest;
mod mapped;
mod signature;

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::embed::ModelId;
use crate::error::{Error, ErrorCode, Result};
use crate::replace::replace_file;

pub use bytes::Bytes;
use bytes::Source;
pub use container::{Part, PartKind};
pub use digest::Digest;
pub use manifest::{
    Alignment, ColourOrder, DetectorManifest, InputForm, Layout, Manifest, Provenance, QualityPolicies, RecogniserManifest,
    SelfTest,
};
use signature::PackSignature;
pub use signature::{PackKey, PackSigningKey, Trust};

/// The most bytes of a pack file that is opened.
const MAX_BYTES: u64 = 512 << 20;

/// An opened pack: manifest and verified parts. Cheap to clone.
#[derive(Clone)]
pub struct Pack {
    manifest: Arc<Manifest>,
    parts: Arc<Vec<Part>>,
    model_id: ModelId,
    signature: Option<PackSignature>,
}

/// The name of the part in which a pack's file carries its signature.
const SIGNATURE: &str = "signature";

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pack({}, model {}, {} parts)", self.manifest.id, self.model_id, self.parts.len())
    }
}

impl Pack {
    /// Opens a pack file of up to 512 MiB, signed by whom the caller trusts; [`Trust::Unsigned`] must be asked for.
    ///
    /// The file is mapped, not read: it must not be changed where it lies while the pack or anything made of it lives. Replace it by rename,
    /// as [`Pack::save`] does, and the old one stays whole for whoever holds it; overwriting it in place gives wrong scores, and cutting it
    /// short ends the process. Where nobody can promise that, read the file and take [`Pack::from_bytes`].
    ///
    /// # Errors
    /// [`ErrorCode::CannotRead`], or one of the pack's own: see [`Pack::from_bytes`]. Each names the file.
    pub fn open(path: impl AsRef<Path>, trust: Trust) -> Result<Pack> {
        let path = path.as_ref();
        let cannot = |e: std::io::Error| Error::new(ErrorCode::CannotRead, e.to_string());
        let read = || {
            let source = std::fs::File::open(path).and_then(|file| Source::file(file, MAX_BYTES)).map_err(cannot)?;
            if source.len() > MAX_BYTES {
                let detail = format!("{} bytes, the limit is {MAX_BYTES}", source.len());
                return Err(Error::new(ErrorCode::PackTooLarge, detail));
            }
            Pack::read(&source, trust)
        };
        read().map_err(|error| error.in_file(path))
    }

    /// Reads a pack from memory.
    ///
    /// # Errors
    /// [`ErrorCode::NotAPack`], [`ErrorCode::UnknownPackVersion`], [`ErrorCode::TruncatedPack`], [`ErrorCode::AlteredPack`] with the
    /// expected and found hash, [`ErrorCode::PackTooLarge`], [`ErrorCode::InvalidManifest`], [`ErrorCode::MissingPackPart`],
    /// [`ErrorCode::PackNeedsNewerSdk`]; [`ErrorCode::UnsignedPack`], [`ErrorCode::WrongPackKey`] and [`ErrorCode::ForgedPack`] unless it is
    /// signed by whom the caller trusts.
    pub fn from_bytes(bytes: &[u8], trust: Trust) -> Result<Pack> {
        Pack::read(&Source::Memory(Bytes::copied(bytes)), trust)
    }

    fn read(source: &Source, trust: Trust) -> Result<Pack> {
        let (manifest, mut parts) = container::read(source)?;
        let place = parts.iter().position(|part| part.kind == PartKind::Signature);
        let signature = place.map(|place| PackSignature::read(&parts.remove(place).bytes()?, &manifest)).transpose()?;
        // Before anything of it is parsed. Parts that stay in the file are covered by their hashes.
        if let Trust::SignedBy(key) = trust {
            key.check(signature.as_ref(), &parts)?;
        }
        Ok(Pack { signature, ..Pack::new(Manifest::from_json(&manifest)?, parts)? })
    }

    /// The pack with a signature of this key over all that it holds. A pack that is changed in any way has none any more.
    pub fn signed(&self, key: &PackSigningKey) -> Pack {
        Pack { signature: Some(key.sign(&self.manifest.to_json(), &self.parts)), ..self.clone() }
    }

    /// The key that the pack's signature names. It says nothing unless the pack was opened with [`Trust::SignedBy`].
    pub fn signed_by(&self) -> Option<PackKey> {
        self.signature.as_ref()?.key()
    }

    /// An unsigned pack of these parts; the manifest's references are checked.
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
            if part.kind == PartKind::Signature {
                let detail = format!("part {:?} is a signature, which `Pack::signed` makes", part.name);
                return Err(Error::new(ErrorCode::InvalidManifest, detail));
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
        Ok(Pack { manifest: Arc::new(manifest), parts: Arc::new(parts), model_id, signature: None })
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// Those of [`Part::bytes`].
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let Some(signature) = &self.signature else { return container::write(&self.manifest.to_json(), &self.parts) };
        let part = Part::new(SIGNATURE, PartKind::Signature, signature.to_bytes());
        container::write(signature.manifest(), &[&self.parts[..], &[part]].concat())
    }

    /// Writes the file, replacing an old one by rename.
    ///
    /// # Errors
    /// [`ErrorCode::CannotWrite`], and those of [`Part::bytes`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let bytes = self.to_bytes()?;
        replace_file(path, |to| to.write_all(&bytes))
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

    fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    pub(crate) fn bytes_of(&self, name: &str) -> Result<Bytes> {
        self.part(name).map_or_else(|| Ok(Bytes::from(Vec::new())), Part::bytes)
    }

    /// The prepared form of an ONNX part, and the SHA-256 of that.
    pub(crate) fn prepared(&self, name: &str) -> Result<Option<(Bytes, [u8; 32])>> {
        let prepared = self.part(&container::prepared_name(name)).filter(|part| part.kind == PartKind::Prepared);
        let Some((prepared, onnx)) = prepared.zip(self.part(name)) else { return Ok(None) };
        Ok(Some((prepared.bytes()?, *onnx.digest().as_bytes())))
    }

    /// The pack with these prepared forms of ONNX parts, and no others.
    ///
    /// # Errors
    /// As [`Pack::new`].
    pub(crate) fn with_prepared(&self, prepared: Vec<(String, Vec<u8>)>) -> Result<Pack> {
        let mut parts: Vec<Part> = self.parts.iter().filter(|part| part.kind != PartKind::Prepared).cloned().collect();
        parts.extend(
            prepared
                .into_iter()
                .map(|(name, bytes)| Part::new(container::prepared_name(&name), PartKind::Prepared, Bytes::copied(&bytes))),
        );
        Pack::new(Manifest::clone(&self.manifest), parts)
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
    hash.update(detector.digest().as_bytes());
    hash.update(recogniser.digest().as_bytes());
    hash.update(preprocessing.to_string().as_bytes());
    ModelId::from_bytes(hash.finalize().into())
}
