//! What a template is sealed with: a key, or a passphrase that a key is derived from.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorCode, Result};
use crate::random::random;

/// The 32 bytes of XChaCha20-Poly1305's key. Wiped when dropped, and not shown by `Debug`.
///
/// Keep it where the system keeps keys: Android's Keystore, Apple's Keychain, a key service. Beside the sealed template it protects nothing.
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    /// A key that the caller keeps. Its bytes must be drawn at random; a password is none: see [`Secret::Passphrase`].
    pub fn from_bytes(bytes: [u8; 32]) -> SealingKey {
        SealingKey(Zeroizing::new(bytes))
    }

    /// A new key of the system's random bytes.
    ///
    /// # Errors
    /// [`ErrorCode::NoRandomness`].
    pub fn generate() -> Result<SealingKey> {
        Ok(SealingKey::from_bytes(random()?))
    }

    /// The bytes, to be kept.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

/// What a template is sealed with, and opened with again.
#[derive(Clone, Copy)]
pub enum Secret<'s> {
    /// A key. The right choice wherever the system keeps keys.
    Key(&'s SealingKey),
    /// A passphrase of 1 to [`Secret::MAX_PASSPHRASE`] bytes, for what a person carries from one device to another. The key is derived by
    /// Argon2id with RFC 9106's second recommended parameters: 64 MiB, 3 passes, 4 lanes, a salt of 16 random bytes that the sealed bytes
    /// carry. The bytes count, so the caller brings its letters into one Unicode form first.
    Passphrase(&'s str),
}

impl Secret<'_> {
    /// The longest passphrase, in bytes.
    pub const MAX_PASSPHRASE: usize = 1024;
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Secret::Key(_) => "Secret::Key(…)",
            Secret::Passphrase(_) => "Secret::Passphrase(…)",
        })
    }
}

/// How a key is derived from a passphrase: Argon2id, version 0x13.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Derivation {
    /// KiB.
    pub memory: u32,
    pub passes: u32,
    pub lanes: u32,
    pub salt: [u8; 16],
}

impl Derivation {
    /// What a file may ask of the device that opens it: 256 MiB, and a few seconds.
    const MAX_MEMORY: u32 = 1 << 18;
    const MAX_PASSES: u32 = 8;
    const MAX_LANES: u32 = 16;

    /// RFC 9106, section 4, the second recommended option.
    pub(super) fn new() -> Result<Derivation> {
        Ok(Derivation { memory: 1 << 16, passes: 3, lanes: 4, salt: random()? })
    }

    /// Whether it lies within the bounds above and those of Argon2 itself.
    pub(super) fn is_bounded(&self) -> bool {
        (1..=Self::MAX_LANES).contains(&self.lanes)
            && (1..=Self::MAX_PASSES).contains(&self.passes)
            && (8 * self.lanes..=Self::MAX_MEMORY).contains(&self.memory)
    }

    /// # Errors
    /// [`ErrorCode::InvalidArgument`] when the passphrase is empty or too long, or when there is no memory for it.
    pub(super) fn key(&self, passphrase: &str) -> Result<Zeroizing<[u8; 32]>> {
        let refused = |detail: String| Error::new(ErrorCode::InvalidArgument, detail);
        if !(1..=Secret::MAX_PASSPHRASE).contains(&passphrase.len()) {
            return Err(refused(format!("a passphrase has 1 to {} bytes", Secret::MAX_PASSPHRASE)));
        }
        derive(passphrase.as_bytes(), &self.salt, (self.memory, self.passes, self.lanes))
            .map_err(|error| refused(error.to_string()))
    }
}

fn derive(passphrase: &[u8], salt: &[u8], (memory, passes, lanes): (u32, u32, u32)) -> argon2::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    let params = Params::new(memory, passes, lanes, Some(key.len()))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(passphrase, salt, &mut key[..])?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use argon2::{AssociatedData, ParamsBuilder};

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 9106, section 5.3. It has a secret and associated data, which sealing does not use.
    #[test]
    fn argon2id_gives_the_rfc_s_tag() {
        let params = ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(AssociatedData::new(&[4; 12]).unwrap())
            .output_len(32)
            .build()
            .unwrap();
        let mut tag = [0; 32];
        Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params)
            .unwrap()
            .hash_password_into(&[1; 32], &[2; 16], &mut tag)
            .unwrap();
        assert_eq!(hex(&tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }

    /// The reference implementation's test vectors (P-H-C/phc-winner-argon2, src/test.c): version 0x13, t = 2, m = 2^16 and 2^8, p = 1 and 2.
    #[test]
    fn a_derived_key_is_the_reference_implementation_s() {
        let key = |parameters| hex(&*derive(b"password", b"somesalt", parameters).unwrap());
        assert_eq!(key((1 << 16, 2, 1)), "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7");
        assert_eq!(key((1 << 8, 2, 1)), "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe");
        assert_eq!(key((1 << 8, 2, 2)), "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037");
    }

    #[test]
    fn what_is_derived_is_what_the_page_says() {
        let derivation = Derivation::new().unwrap();
        assert_eq!((derivation.memory, derivation.passes, derivation.lanes), (65_536, 3, 4));
        assert!(derivation.is_bounded());
        assert_ne!(derivation.salt, Derivation::new().unwrap().salt);
        let with = |memory, passes, lanes| Derivation { memory, passes, lanes, ..derivation }.is_bounded();
        assert!(with(8, 1, 1) && with(1 << 18, 8, 16));
        assert!(!with((1 << 18) + 1, 3, 4) && !with(65_536, 9, 4) && !with(65_536, 3, 17));
        assert!(!with(7, 1, 1) && !with(65_536, 0, 4) && !with(65_536, 3, 0) && !with(u32::MAX, u32::MAX, u32::MAX));
    }

    #[test]
    fn passphrases_are_bounded() {
        let derivation = Derivation { memory: 8, passes: 1, lanes: 1, salt: [0; 16] };
        let code = |passphrase: &str| derivation.key(passphrase).err().map(|error| error.code());
        assert_eq!(code(""), Some(ErrorCode::InvalidArgument));
        assert_eq!(code(&"x".repeat(Secret::MAX_PASSPHRASE + 1)), Some(ErrorCode::InvalidArgument));
        assert_eq!(code(&"x".repeat(Secret::MAX_PASSPHRASE)), None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SealingKey::from_bytes([0xab; 32]);
        let shown = format!("{key:?} {:?} {:?}", Secret::Key(&key), Secret::Passphrase("open sesame"));
        assert_eq!(shown, "SealingKey(…) Secret::Key(…) Secret::Passphrase(…)");
    }
}
