//! What a part's bytes hash to.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A hash of a part's bytes. Both are cryptographic and as long; BLAKE3 takes a third of the time, which counts where 30 MB are hashed
/// at every start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// FIPS 180-4: of every part that anybody compares with what was published.
    Sha256([u8; 32]),
    /// O'Connor, Aumasson, Neves, Wilcox-O'Hearn, "BLAKE3" (2020): of prepared parts, which each SDK makes for itself.
    Blake3([u8; 32]),
}

impl Digest {
    /// The SHA-256 of these bytes.
    pub(super) fn sha256(bytes: &[u8]) -> Digest {
        Digest::Sha256(Sha256::digest(bytes).into())
    }

    /// The BLAKE3 of these bytes.
    pub(super) fn blake3(bytes: &[u8]) -> Digest {
        Digest::Blake3(*blake3::hash(bytes).as_bytes())
    }

    /// The same hash of other bytes.
    pub(super) fn again(&self, bytes: &[u8]) -> Digest {
        match self {
            Digest::Sha256(_) => Digest::sha256(bytes),
            Digest::Blake3(_) => Digest::blake3(bytes),
        }
    }

    /// Its number in a pack's part table.
    pub(super) fn number(&self) -> u32 {
        match self {
            Digest::Sha256(_) => 0,
            Digest::Blake3(_) => 1,
        }
    }

    /// `SHA-256` or `BLAKE3`.
    pub fn name(&self) -> &'static str {
        match self {
            Digest::Sha256(_) => "SHA-256",
            Digest::Blake3(_) => "BLAKE3",
        }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        let (Digest::Sha256(bytes) | Digest::Blake3(bytes)) = self;
        bytes
    }
}

impl fmt::Display for Digest {
    /// The 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_hashes_of_abc() {
        // FIPS 180-4's example (NIST, "SHA_All", SHA-256 of "abc"), and b3sum's of the same three bytes.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let blake3 = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
        assert_eq!([Digest::sha256(b"abc"), Digest::blake3(b"abc")].map(|digest| digest.to_string()), [sha256, blake3]);
    }
}
