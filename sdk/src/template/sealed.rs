//! A template's bytes, encrypted for one key, one model and one purpose.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) over the bytes of [`Template::to_bytes`]. All numbers little-endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `VFST` |
//! | 4 | 4 | version, `u32`: 1 |
//! | 8 | 32 | model id |
//! | 40 | 4 | bytes of the purpose, P, `u32`, 1…255 |
//! | 44 | 4 | bytes of what is sealed, S, `u32` |
//! | 48 | 4 | where the key comes from, `u32`: 0 the caller, 1 a passphrase by Argon2id |
//! | 52 | 12 | Argon2id's memory in KiB, passes and lanes, `u32` each; zero for a caller's key |
//! | 64 | 16 | Argon2id's salt; zero for a caller's key |
//! | 80 | 24 | nonce |
//! | 104 | 32 | key check: SHA-256 of `veriface sealed template key\0`, the nonce and the key |
//! | 136 | P | purpose, UTF-8 |
//! | 136 + P | S | ciphertext, then the tag's 16 bytes |
//! | 136 + P + S | 32 | SHA-256 of all bytes before |
//!
//! Everything before the ciphertext is its associated data. The key check tells a wrong key from altered bytes, and commits to the key, which
//! Poly1305 alone does not. The checksum tells bytes that were lost from bytes that were changed; it is no protection, the tag is.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::secret::Derivation;
use super::{CHECKSUM, Header, Secret, Template};
use crate::embed::ModelId;
use crate::error::{Error, ErrorCode, Result};
use crate::random::random;
use crate::replace::replace_file;

const MAGIC: &[u8; 4] = b"VFST";
const VERSION: u32 = 1;
/// What stands before the purpose.
const HEAD: usize = 136;
const TAG: usize = 16;

/// A template that only the holder of a key can read.
///
/// It is bound to the template's model and to a purpose, a word of the caller's such as `"unlock the till"`: bytes that were sealed for one
/// do not open for another, so one app's database cannot be fed from another's. Model, purpose and length stand in the clear.
///
/// ```
/// # use veriface::{Embedding, ModelId, Result, SealedTemplate, SealingKey, Secret, Template};
/// # fn main() -> Result<()> {
/// # let model = ModelId::from_bytes([7; 32]);
/// # let template = Template::enrol(&[Embedding::from_raw(model, vec![0.6, 0.8])?])?.template;
/// let key = SealingKey::generate()?; // kept by the system's key store
/// let sealed = SealedTemplate::seal(&template, Secret::Key(&key), "unlock")?;
/// assert_eq!(sealed.unseal(Secret::Key(&key), model, "unlock")?, template);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct SealedTemplate {
    bytes: Vec<u8>,
    model: ModelId,
    derivation: Option<Derivation>,
    nonce: [u8; 24],
    key_check: [u8; 32],
    purpose: String,
    /// The ciphertext and its tag.
    sealed: Range<usize>,
}

impl SealedTemplate {
    /// The longest purpose, in bytes.
    pub const MAX_PURPOSE: usize = 255;

    /// The longest bytes of a sealed template.
    pub const MAX_BYTES: usize = HEAD + Self::MAX_PURPOSE + Template::MAX_BYTES + TAG + CHECKSUM;

    /// Seals a template for a purpose of 1 to [`SealedTemplate::MAX_PURPOSE`] bytes, under a new random nonce.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a purpose or passphrase that is empty or too long; [`ErrorCode::NoRandomness`].
    pub fn seal(template: &Template, secret: Secret<'_>, purpose: &str) -> Result<SealedTemplate> {
        check_purpose(purpose)?;
        let (derivation, key) = match secret {
            Secret::Key(key) => (None, Zeroizing::new(*key.as_bytes())),
            Secret::Passphrase(passphrase) => {
                let derivation = Derivation::new()?;
                (Some(derivation), derivation.key(passphrase)?)
            }
        };
        let (plain, nonce) = (Zeroizing::new(template.to_bytes()), random()?);
        let head = head(template.model(), purpose, plain.len() + TAG, derivation, &nonce, &key);
        let bytes = sealed_bytes(head, &key, &nonce, &plain)?;
        SealedTemplate::from_bytes(&bytes)
    }

    /// The template.
    ///
    /// # Errors
    /// [`ErrorCode::ModelMismatch`] when it is not of this model, and [`ErrorCode::PurposeMismatch`] when it was sealed for another purpose;
    /// [`ErrorCode::WrongKey`] for another key or passphrase, or a key where a passphrase was used; [`ErrorCode::AlteredTemplate`] when
    /// its bytes are not those that were sealed.
    pub fn unseal(&self, secret: Secret<'_>, model: ModelId, purpose: &str) -> Result<Template> {
        if self.model != model {
            return Err(self.model.mismatch(&model));
        }
        check_purpose(purpose)?;
        if self.purpose != purpose {
            return Err(Error::new(ErrorCode::PurposeMismatch, format!("{:?} and {purpose:?}", self.purpose)));
        }
        let key = match (secret, &self.derivation) {
            (Secret::Key(key), None) => Zeroizing::new(*key.as_bytes()),
            (Secret::Passphrase(passphrase), Some(derivation)) => derivation.key(passphrase)?,
            (Secret::Key(_), Some(_)) => return Err(Error::new(ErrorCode::WrongKey, "it asks for a passphrase")),
            (Secret::Passphrase(_), None) => return Err(Error::new(ErrorCode::WrongKey, "it asks for a key")),
        };
        if key_check(&self.nonce, &key) != self.key_check {
            return Err(Error::new(ErrorCode::WrongKey, ""));
        }
        let plain = open(&self.bytes, &self.sealed, &key, &self.nonce)?;
        let template = Template::from_bytes(&plain)?;
        template.embedding().require_model(model)?;
        Ok(template)
    }

    /// The model of the template inside.
    pub fn model(&self) -> ModelId {
        self.model
    }

    /// What it was sealed for. Before [`SealedTemplate::unseal`] has succeeded it is only what the bytes claim.
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// Whether a passphrase opens it, and not a key.
    pub fn asks_for_passphrase(&self) -> bool {
        self.derivation.is_some()
    }

    /// The portable bytes, in the form that `docs/template-format.md` describes; about 2.3 KB for 512 values.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes the bytes to a file, replacing an old one by rename.
    ///
    /// # Errors
    /// [`ErrorCode::CannotWrite`], naming the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        replace_file(path, |to| to.write_all(&self.bytes))
    }

    /// Reads a file that [`SealedTemplate::save`] wrote; it stays sealed.
    ///
    /// # Errors
    /// [`ErrorCode::CannotRead`], and those of [`SealedTemplate::from_bytes`]. All name the file.
    pub fn open(path: impl AsRef<Path>) -> Result<SealedTemplate> {
        let path = path.as_ref();
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            File::open(path)?.take(SealedTemplate::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read()
            .map_err(|error| Error::new(ErrorCode::CannotRead, error.to_string()))
            .and_then(|bytes| SealedTemplate::from_bytes(&bytes))
            .map_err(|error| error.in_file(path))
    }

    /// Reads what [`SealedTemplate::as_bytes`] gave; it stays sealed.
    ///
    /// # Errors
    /// [`ErrorCode::NotATemplate`], [`ErrorCode::UnknownTemplateVersion`]; [`ErrorCode::DamagedTemplate`] when cut short, longer, or of a
    /// senseless head; [`ErrorCode::AlteredTemplate`] when the checksum differs.
    pub fn from_bytes(bytes: &[u8]) -> Result<SealedTemplate> {
        let damaged = |detail: String| Error::new(ErrorCode::DamagedTemplate, detail);
        let short = || damaged(format!("cut short after {} bytes", bytes.len()));
        let Header { model, counts: [purpose, sealed] } = Header::parse(bytes, MAGIC, VERSION)?;
        let (purpose, sealed) = (purpose as usize, sealed as usize);
        if !(1..=Self::MAX_PURPOSE).contains(&purpose) || !(TAG..=Template::MAX_BYTES + TAG).contains(&sealed) {
            return Err(damaged(format!("a purpose of {purpose} bytes and {sealed} sealed bytes")));
        }
        // All three are bounded, so the sums cannot overflow.
        let sealed = HEAD + purpose..HEAD + purpose + sealed;
        if bytes.len() != sealed.end + CHECKSUM {
            return Err(damaged(format!("{} bytes instead of {}", bytes.len(), sealed.end + CHECKSUM)));
        }
        let (content, checksum) = bytes.split_at_checked(sealed.end).ok_or_else(short)?;
        if Sha256::digest(content)[..] != *checksum {
            return Err(Error::new(ErrorCode::AlteredTemplate, "the checksum differs"));
        }
        let number = |at: usize| field::<4>(bytes, at).map(u32::from_le_bytes).ok_or_else(short);
        let derivation = Derivation {
            memory: number(52)?,
            passes: number(56)?,
            lanes: number(60)?,
            salt: field(bytes, 64).ok_or_else(short)?,
        };
        let derivation = match number(48)? {
            0 if derivation == (Derivation { memory: 0, passes: 0, lanes: 0, salt: [0; 16] }) => None,
            1 if derivation.is_bounded() => Some(derivation),
            0 => return Err(damaged("a caller's key with a derivation".into())),
            1 => return Err(damaged(format!("a derivation of {} KiB, {} passes", derivation.memory, derivation.passes))),
            other => return Err(damaged(format!("a key of kind {other}"))),
        };
        let purpose = bytes.get(HEAD..sealed.start).and_then(|purpose| str::from_utf8(purpose).ok());
        Ok(SealedTemplate {
            model,
            derivation,
            nonce: field(bytes, 80).ok_or_else(short)?,
            key_check: field(bytes, 104).ok_or_else(short)?,
            purpose: purpose.ok_or_else(|| damaged("a purpose that is not UTF-8".into()))?.into(),
            bytes: bytes.to_vec(),
            sealed,
        })
    }
}

impl fmt::Debug for SealedTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedTemplate(for {:?}, of model {}, {} bytes)", self.purpose, self.model, self.bytes.len())
    }
}

fn check_purpose(purpose: &str) -> Result<()> {
    if (1..=SealedTemplate::MAX_PURPOSE).contains(&purpose.len()) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::InvalidArgument, format!("a purpose has 1 to {} bytes", SealedTemplate::MAX_PURPOSE)))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn key_check(nonce: &[u8; 24], key: &[u8; 32]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(b"veriface sealed template key\0").chain_update(nonce).chain_update(key);
    hash.finalize().into()
}

/// All that stands before the ciphertext, which it is the associated data of.
fn head(
    model: ModelId,
    purpose: &str,
    sealed: usize,
    derivation: Option<Derivation>,
    nonce: &[u8; 24],
    key: &[u8; 32],
) -> Vec<u8> {
    let kind = u32::from(derivation.is_some());
    let derivation = derivation.unwrap_or(Derivation { memory: 0, passes: 0, lanes: 0, salt: [0; 16] });
    let mut head = Vec::with_capacity(HEAD + purpose.len() + sealed + CHECKSUM);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(model.as_bytes());
    let numbers = [purpose.len() as u32, sealed as u32, kind, derivation.memory, derivation.passes, derivation.lanes];
    numbers.iter().for_each(|number| head.extend_from_slice(&number.to_le_bytes()));
    head.extend_from_slice(&derivation.salt);
    head.extend_from_slice(nonce);
    head.extend_from_slice(&key_check(nonce, key));
    head.extend_from_slice(purpose.as_bytes());
    head
}

/// The head with what is sealed and the checksum behind it.
fn sealed_bytes(head: Vec<u8>, key: &[u8; 32], nonce: &[u8; 24], plain: &[u8]) -> Result<Vec<u8>> {
    let ciphertext = XChaCha20Poly1305::new(key.into()).encrypt(nonce.into(), Payload { msg: plain, aad: &head });
    // Only a message of 256 GiB is refused.
    let ciphertext = ciphertext.map_err(|_| Error::new(ErrorCode::InternalFault, "encryption failed"))?;
    let mut bytes = head;
    bytes.extend_from_slice(&ciphertext);
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    Ok(bytes)
}

fn open(bytes: &[u8], sealed: &Range<usize>, key: &[u8; 32], nonce: &[u8; 24]) -> Result<Zeroizing<Vec<u8>>> {
    let (head, ciphertext) = (bytes.get(..sealed.start).unwrap_or_default(), bytes.get(sealed.clone()).unwrap_or_default());
    let plain = XChaCha20Poly1305::new(key.into()).decrypt(nonce.into(), Payload { msg: ciphertext, aad: head });
    plain.map(Zeroizing::new).map_err(|_| Error::new(ErrorCode::AlteredTemplate, "the tag does not fit"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::embed::Embedding;
    use crate::template::SealingKey;

    const MODEL: ModelId = ModelId::from_bytes([7; 32]);
    const OTHER: ModelId = ModelId::from_bytes([8; 32]);

    fn template() -> Template {
        let values: Vec<f32> = (0..16).map(|i| (i as f32 - 7.5) / 3.0).collect();
        Template::enrol(&[Embedding::from_raw(MODEL, values).unwrap()]).unwrap().template
    }

    fn key() -> SealingKey {
        SealingKey::from_bytes(std::array::from_fn(|i| 0x80 + i as u8))
    }

    fn sealed() -> SealedTemplate {
        SealedTemplate::seal(&template(), Secret::Key(&key()), "unlock").unwrap()
    }

    fn unsealed(bytes: &[u8]) -> Result<Template> {
        SealedTemplate::from_bytes(bytes)?.unseal(Secret::Key(&key()), MODEL, "unlock")
    }

    fn code<T>(result: Result<T>) -> Option<ErrorCode> {
        result.err().map(|error| error.code())
    }

    /// Bytes with another value at `offset`, and the checksum that fits.
    fn forged(offset: usize, value: &[u8]) -> Vec<u8> {
        let mut bytes = sealed().as_bytes().to_vec();
        bytes[offset..offset + value.len()].copy_from_slice(value);
        let end = bytes.len() - CHECKSUM;
        let checksum = Sha256::digest(&bytes[..end]);
        bytes[end..].copy_from_slice(&checksum);
        bytes
    }

    /// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn xchacha20_poly1305_gives_the_draft_s_ciphertext_and_tag() {
        let unhex = |text: &str| -> Vec<u8> {
            (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
        };
        let plain =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let aad = unhex("50515253c0c1c2c3c4c5c6c7");
        let nonce: [u8; 24] = std::array::from_fn(|i| 0x40 + i as u8);
        let expected = unhex(concat!(
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39",
            "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9",
            "21f9664c97637da9768812f615c68b13b52e",
            "c0875924c1c7987947deafd8780acf49",
        ));
        let bytes = sealed_bytes(aad.clone(), key().as_bytes(), &nonce, plain).unwrap();
        let end = bytes.len() - CHECKSUM;
        assert_eq!(bytes[aad.len()..end], expected);
        assert_eq!(open(&bytes, &(aad.len()..end), key().as_bytes(), &nonce).unwrap()[..], plain[..]);
    }

    #[test]
    fn what_is_sealed_is_unsealed_to_the_bit() {
        assert_eq!(unsealed(sealed().as_bytes()).unwrap(), template());
        assert_eq!((sealed().model(), sealed().purpose(), sealed().asks_for_passphrase()), (MODEL, "unlock", false));
        let longest =
            Template::enrol(&[Embedding::from_raw(MODEL, vec![1.0; Embedding::MAX_DIMENSION]).unwrap()]).unwrap().template;
        let purpose = "p".repeat(SealedTemplate::MAX_PURPOSE);
        let sealed = SealedTemplate::seal(&longest, Secret::Key(&key()), &purpose).unwrap();
        assert_eq!(sealed.as_bytes().len(), SealedTemplate::MAX_BYTES);
        assert_eq!(sealed.unseal(Secret::Key(&key()), MODEL, &purpose).unwrap(), longest);
    }

    #[test]
    fn a_passphrase_opens_what_it_sealed() {
        let sealed = SealedTemplate::seal(&template(), Secret::Passphrase("correct horse"), "export").unwrap();
        let open = |secret| sealed.unseal(secret, MODEL, "export");
        assert_eq!(open(Secret::Passphrase("correct horse")).unwrap(), template());
        assert_eq!(code(open(Secret::Passphrase("correct horsf"))), Some(ErrorCode::WrongKey));
        assert_eq!(code(open(Secret::Key(&key()))), Some(ErrorCode::WrongKey));
        assert!(sealed.asks_for_passphrase());
        // 64 MiB, 3 passes, 4 lanes.
        assert_eq!(sealed.as_bytes()[48..64], [1, 0, 0, 0, 0, 0, 1, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
    }

    #[test]
    fn no_two_seals_are_alike_and_none_shows_the_vector() {
        let (a, b) = (sealed(), sealed());
        assert_ne!(a.nonce, b.nonce);
        assert_ne!(a.as_bytes()[a.sealed.clone()], b.as_bytes()[b.sealed.clone()]);
        let value = template().embedding().values()[3].to_le_bytes();
        assert!(!a.as_bytes().windows(4).any(|bytes| bytes == value));
    }

    #[test]
    fn another_key_is_refused() {
        let other = SealingKey::from_bytes([1; 32]);
        assert_eq!(code(sealed().unseal(Secret::Key(&other), MODEL, "unlock")), Some(ErrorCode::WrongKey));
        assert_eq!(code(sealed().unseal(Secret::Passphrase("x"), MODEL, "unlock")), Some(ErrorCode::WrongKey));
    }

    #[test]
    fn another_model_is_refused() {
        assert_eq!(code(sealed().unseal(Secret::Key(&key()), OTHER, "unlock")), Some(ErrorCode::ModelMismatch));
    }

    #[test]
    fn another_purpose_is_refused_by_both_names() {
        let error = sealed().unseal(Secret::Key(&key()), MODEL, "open the door").unwrap_err();
        assert_eq!(error.code(), ErrorCode::PurposeMismatch);
        assert!(error.to_string().contains("\"unlock\"") && error.to_string().contains("\"open the door\""), "{error}");
        for purpose in ["", &"p".repeat(SealedTemplate::MAX_PURPOSE + 1)] {
            assert_eq!(code(SealedTemplate::seal(&template(), Secret::Key(&key()), purpose)), Some(ErrorCode::InvalidArgument));
            assert_eq!(code(sealed().unseal(Secret::Key(&key()), MODEL, purpose)), Some(ErrorCode::InvalidArgument));
        }
    }

    #[test]
    fn every_prefix_is_cut_short() {
        let bytes = sealed().as_bytes().to_vec();
        for length in 0..bytes.len() {
            let expected = if length == 0 { ErrorCode::NotATemplate } else { ErrorCode::DamagedTemplate };
            assert_eq!(code(unsealed(&bytes[..length])), Some(expected), "{length} bytes");
        }
        assert_eq!(code(unsealed(&[&bytes[..], &[0]].concat())), Some(ErrorCode::DamagedTemplate), "a byte more");
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let original = sealed().as_bytes().to_vec();
        for place in 0..original.len() {
            for bit in 0..8 {
                let mut bytes = original.clone();
                bytes[place] ^= 1 << bit;
                let expected = match place {
                    0..4 => ErrorCode::NotATemplate,
                    4..8 => ErrorCode::UnknownTemplateVersion,
                    40..48 => ErrorCode::DamagedTemplate,
                    _ => ErrorCode::AlteredTemplate,
                };
                assert_eq!(code(unsealed(&bytes)), Some(expected), "byte {place}, bit {bit}");
            }
        }
    }

    /// Whoever alters the bytes also writes the checksum that fits.
    #[test]
    fn forged_bytes_are_refused_by_the_tag() {
        let length = sealed().as_bytes().len();
        let code = |bytes: Vec<u8>| code(unsealed(&bytes));
        assert_eq!(code(forged(8, OTHER.as_bytes())), Some(ErrorCode::ModelMismatch));
        assert_eq!(code(forged(80, &[0; 24])), Some(ErrorCode::WrongKey), "another nonce");
        assert_eq!(code(forged(104, &[0; 32])), Some(ErrorCode::WrongKey), "another key check");
        assert_eq!(code(forged(HEAD, b"unlick")), Some(ErrorCode::PurposeMismatch));
        assert_eq!(code(forged(HEAD + 6, &[0; 16])), Some(ErrorCode::AlteredTemplate), "the ciphertext");
        assert_eq!(code(forged(length - CHECKSUM - TAG, &[0; TAG])), Some(ErrorCode::AlteredTemplate), "the tag");
        // The other model's or purpose's holder is told the same: the head is a part of what the tag covers.
        let (model, purpose) = (forged(8, OTHER.as_bytes()), forged(HEAD, b"unlick"));
        let opened = |bytes: &[u8], model, purpose| {
            SealedTemplate::from_bytes(bytes).unwrap().unseal(Secret::Key(&key()), model, purpose).unwrap_err().code()
        };
        assert_eq!(opened(&model, OTHER, "unlock"), ErrorCode::AlteredTemplate);
        assert_eq!(opened(&purpose, MODEL, "unlick"), ErrorCode::AlteredTemplate);
    }

    #[test]
    fn a_senseless_head_is_refused_before_anything_is_derived() {
        let code = |bytes: Vec<u8>| code(SealedTemplate::from_bytes(&bytes));
        assert_eq!(code(forged(40, &[0; 4])), Some(ErrorCode::DamagedTemplate), "no purpose");
        assert_eq!(code(forged(40, &[0xff; 4])), Some(ErrorCode::DamagedTemplate), "4 GiB of purpose");
        assert_eq!(code(forged(44, &[0xff; 4])), Some(ErrorCode::DamagedTemplate), "4 GiB of template");
        assert_eq!(code(forged(48, &2u32.to_le_bytes())), Some(ErrorCode::DamagedTemplate), "a kind of key that is not known");
        assert_eq!(code(forged(52, &1u32.to_le_bytes())), Some(ErrorCode::DamagedTemplate), "a key with a derivation");
        let derivation = |numbers: [u32; 4]| forged(48, &numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>());
        assert_eq!(code(derivation([1, u32::MAX, 3, 4])), Some(ErrorCode::DamagedTemplate), "4 TiB of memory");
        assert_eq!(code(derivation([1, 1 << 16, u32::MAX, 4])), Some(ErrorCode::DamagedTemplate), "years of passes");
        assert_eq!(code(derivation([1, 1 << 16, 3, 0])), Some(ErrorCode::DamagedTemplate), "no lane");
        assert_eq!(code(forged(HEAD, &[0xff])), Some(ErrorCode::DamagedTemplate), "a purpose that is not UTF-8");
    }

    #[test]
    fn other_files_are_named() {
        let error = SealedTemplate::from_bytes(&template().to_bytes()).unwrap_err();
        assert!(error.to_string().contains("this is a template"), "{error}");
        let error = Template::from_bytes(sealed().as_bytes()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::NotATemplate);
        assert!(error.to_string().contains("this is a sealed template"), "{error}");
    }

    #[test]
    fn a_file_is_written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.vfsealed");
        let sealed = sealed();
        sealed.save(&path).unwrap();
        assert_eq!(SealedTemplate::open(&path).unwrap(), sealed);
        std::fs::write(&path, &sealed.as_bytes()[..100]).unwrap();
        let error = SealedTemplate::open(&path).unwrap_err();
        assert_eq!((error.code(), error.file()), (ErrorCode::DamagedTemplate, Some(path.as_path())));
        assert_eq!(code(SealedTemplate::open(folder.path().join("none"))), Some(ErrorCode::CannotRead));
    }

    #[test]
    fn debug_shows_no_byte() {
        let sealed = sealed();
        let expected = format!("SealedTemplate(for \"unlock\", of model 0707070707070707, {} bytes)", sealed.as_bytes().len());
        assert_eq!(format!("{sealed:?}"), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(SealedTemplate::from_bytes(&bytes).is_err());
            prop_assert!(SealedTemplate::from_bytes(&[b"VFST\x01\0\0\0", &bytes[..]].concat()).is_err());
        }
    }
}
