//! Who vouches for a pack: Ed25519 (RFC 8032) over everything that the pack holds.
//!
//! What is signed: `veriface pack signature 1` and a zero byte; the SHA-256 of the manifest's bytes; the number of parts, `u32`; and of each
//! part, in the file's order, its kind, `u32`, the length of its name, `u32`, its name, its length, `u64`, and the number and the bytes of its hash. Numbers are
//! little-endian. The signature itself is a part of the file (`docs/pack-format.md`): the public key's 32 bytes, and the signature's 64.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::container::Part;
use crate::error::{Error, ErrorCode, Result};
use crate::random::random;

/// Whether a pack's maker must have signed it.
///
/// The hashes of a pack stop accidents; whoever rewrites a pack rewrites them too. A pack that came over a network, or lies where others can
/// write, is opened with its maker's key, which the app carries in its own code. What the app's own signature covers, such as an asset, may be
/// opened unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The pack must carry a signature of this key.
    SignedBy(PackKey),
    /// Anybody may have made the pack: the caller vouches for the bytes.
    Unsigned,
}

/// The public key of whoever makes packs. `Display` and `FromStr` have its 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PackKey(VerifyingKey);

impl PackKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] when they are no point of the curve, or one of the few that any signature fits.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<PackKey> {
        let refused = || Error::new(ErrorCode::InvalidArgument, "these 32 bytes are no public key of Ed25519");
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| refused())?;
        if key.is_weak() { Err(refused()) } else { Ok(PackKey(key)) }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// # Errors
    /// [`ErrorCode::UnsignedPack`], [`ErrorCode::WrongPackKey`], naming both, and [`ErrorCode::ForgedPack`].
    pub(super) fn check(&self, signature: Option<&PackSignature>, parts: &[Part]) -> Result<()> {
        let signature = signature.ok_or_else(|| Error::new(ErrorCode::UnsignedPack, format!("{self} is trusted")))?;
        if signature.key != *self.as_bytes() {
            let detail = format!("signed with {}, trusted is {self}", hex(&signature.key));
            return Err(Error::new(ErrorCode::WrongPackKey, detail));
        }
        let fits = self.0.verify_strict(&message(&signature.manifest, parts), &Signature::from_bytes(&signature.bytes));
        fits.map_err(|_| Error::new(ErrorCode::ForgedPack, format!("signed with {self}")))
    }
}

impl FromStr for PackKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<PackKey> {
        unhex(text).and_then(|bytes| PackKey::from_bytes(&bytes))
    }
}

impl fmt::Display for PackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.as_bytes()))
    }
}

impl fmt::Debug for PackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackKey({self})")
    }
}

/// The secret key of whoever makes packs. Wiped when dropped, and not shown by `Debug`; no app carries it.
pub struct PackSigningKey(SigningKey);

impl PackSigningKey {
    /// The key of these 32 bytes, RFC 8032's private key.
    pub fn from_bytes(bytes: &[u8; 32]) -> PackSigningKey {
        PackSigningKey(SigningKey::from_bytes(bytes))
    }

    /// A new key of the system's random bytes.
    ///
    /// # Errors
    /// [`ErrorCode::NoRandomness`].
    pub fn generate() -> Result<PackSigningKey> {
        random().map(Zeroizing::new).map(|bytes| PackSigningKey::from_bytes(&bytes))
    }

    /// Reads the key's text from a file.
    ///
    /// # Errors
    /// [`ErrorCode::CannotRead`], [`ErrorCode::InvalidArgument`]. Both name the file, and neither what stands in it.
    pub fn open(path: impl AsRef<Path>) -> Result<PackSigningKey> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| Error::new(ErrorCode::CannotRead, error.to_string()));
        text.and_then(|text| Zeroizing::new(text).parse()).map_err(|error| error.in_file(path))
    }

    /// The key as text, to be kept secret; `FromStr` reads it.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex(self.0.as_bytes()))
    }

    /// The key that apps pin.
    pub fn public(&self) -> PackKey {
        PackKey(self.0.verifying_key())
    }

    pub(super) fn sign(&self, manifest: &[u8], parts: &[Part]) -> PackSignature {
        let bytes = self.0.sign(&message(manifest, parts)).to_bytes();
        PackSignature { key: *self.public().as_bytes(), bytes, manifest: manifest.into() }
    }
}

impl FromStr for PackSigningKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<PackSigningKey> {
        unhex(text).map(|bytes| PackSigningKey::from_bytes(&bytes))
    }
}

impl fmt::Debug for PackSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackSigningKey(… of {})", self.public())
    }
}

/// A signature as a pack carries it. What it says is believed only once it is checked.
#[derive(Clone)]
pub(super) struct PackSignature {
    key: [u8; 32],
    bytes: [u8; 64],
    /// The manifest as it was signed, byte for byte: another version of the SDK might write it otherwise.
    manifest: Arc<[u8]>,
}

impl PackSignature {
    /// # Errors
    /// [`ErrorCode::ForgedPack`] when it has another length than a signature and its key have.
    pub(super) fn read(bytes: &[u8], manifest: &[u8]) -> Result<PackSignature> {
        let read = || {
            let (key, rest) = bytes.split_first_chunk()?;
            Some(PackSignature { key: *key, bytes: rest.try_into().ok()?, manifest: manifest.into() })
        };
        read().ok_or_else(|| Error::new(ErrorCode::ForgedPack, format!("a signature of {} bytes instead of 96", bytes.len())))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [&self.key[..], &self.bytes[..]].concat()
    }

    pub(super) fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// The key that it names.
    pub(super) fn key(&self) -> Option<PackKey> {
        PackKey::from_bytes(&self.key).ok()
    }
}

fn message(manifest: &[u8], parts: &[Part]) -> Vec<u8> {
    let mut message = b"veriface pack signature 1\0".to_vec();
    message.extend_from_slice(&Sha256::digest(manifest));
    message.extend_from_slice(&(parts.len() as u32).to_le_bytes());
    for part in parts {
        message.extend_from_slice(&part.kind.number().to_le_bytes());
        message.extend_from_slice(&(part.name.len() as u32).to_le_bytes());
        message.extend_from_slice(part.name.as_bytes());
        message.extend_from_slice(&(part.size() as u64).to_le_bytes());
        message.extend_from_slice(&part.digest().number().to_le_bytes());
        message.extend_from_slice(part.digest().as_bytes());
    }
    message
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes of 64 hexadecimal digits, white space around them allowed as a file has it.
fn unhex(text: &str) -> Result<Zeroizing<[u8; 32]>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    let mut bytes = Zeroizing::new([0; 32]);
    let (pairs, rest) = text.trim().as_bytes().as_chunks::<2>();
    let parsed = (pairs.len() == bytes.len() && rest.is_empty()).then(|| {
        bytes.iter_mut().zip(pairs).try_for_each(|(byte, &[high, low])| {
            *byte = digit(high)? << 4 | digit(low)?;
            Some(())
        })
    });
    match parsed.flatten() {
        Some(()) => Ok(bytes),
        None => Err(Error::new(ErrorCode::InvalidArgument, "a key has 64 hexadecimal digits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc).
    #[test]
    fn ed25519_gives_the_rfc_s_signatures() {
        let cases = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
            (
                "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
                "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
                "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
            ),
        ];
        for (secret, public, text, signature) in cases {
            let text: Vec<u8> = (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect();
            let key: PackSigningKey = secret.parse().unwrap();
            let public: PackKey = public.parse().unwrap();
            assert_eq!(key.public(), public);
            let signed = key.0.sign(&text);
            assert_eq!(hex(&signed.to_bytes()), signature);
            assert!(public.0.verify_strict(&text, &signed).is_ok());
        }
    }

    #[test]
    fn keys_are_read_or_refused() {
        let code = |text: &str| text.parse::<PackKey>().err().map(|error| error.code());
        assert_eq!(code("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n"), None);
        for (what, text) in [
            ("empty", String::new()),
            ("a digit less", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511".into()),
            ("no digits", "zz".repeat(32)),
            ("no digits, but bytes", "é".repeat(32)),
            // The neutral element: every signature of R = [s]B fits it.
            ("the weak key", format!("01{}", "00".repeat(31))),
            ("no point of the curve", format!("02{}", "00".repeat(31))),
        ] {
            assert_eq!(code(&text), Some(ErrorCode::InvalidArgument), "{what}");
        }
        let key = PackSigningKey::generate().unwrap();
        assert_eq!(key.to_text().parse::<PackSigningKey>().unwrap().public(), key.public());
        assert_eq!(key.public().to_string().parse::<PackKey>().unwrap(), key.public());
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = PackSigningKey::from_bytes(&[0xab; 32]);
        assert!(!format!("{key:?}").contains("abab"));
    }
}
