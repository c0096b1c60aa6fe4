//! What a verifier is made with, as it crosses a bridge.

use veriface::{Error, ErrorCode, FaceChoice, FalseMatchRate, Pack, PackKey, Purpose, Result, Score, Trust, Verifier};

/// Where a pack comes from.
#[derive(Debug, Clone, Copy)]
pub enum PackSource<'a> {
    /// The one that is built in.
    Embedded,
    /// A file.
    File(&'a str),
    /// Bytes in memory, such as an app's asset.
    Bytes(&'a [u8]),
}

impl PackSource<'_> {
    /// The pack; with a key, one that is signed with it, where it is not the built-in one.
    ///
    /// # Errors
    /// Those of [`Pack::open`] and [`Pack::from_bytes`].
    pub fn open(self, key: Option<PackKey>) -> Result<Pack> {
        let trust = key.map_or(Trust::Unsigned, Trust::SignedBy);
        match self {
            PackSource::Embedded => Pack::embedded(),
            PackSource::File(path) => Pack::open(path, trust),
            PackSource::Bytes(bytes) => Pack::from_bytes(bytes, trust),
        }
    }
}

/// How a verifier decides.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Options {
    /// The false-match rate to decide at; the default of the SDK and pack when none is stated.
    pub false_match_rate: Option<f64>,
    /// A threshold that the caller answers for, instead of a rate.
    pub stated_threshold: Option<f32>,
    /// Which face is meant when a picture shows several.
    pub face_choice: FaceChoice,
    /// The key that a pack's file or bytes must be signed with. Without one the caller vouches for them, as an app does for its own assets.
    pub pack_key: Option<PackKey>,
}

impl Options {
    /// Loads the pack and makes the verifier.
    ///
    /// # Errors
    /// Those of [`Pack::open`] and [`veriface::VerifierBuilder::build`]; [`ErrorCode::InvalidArgument`] for a rate or score out of range.
    pub fn verifier(&self, pack: PackSource<'_>) -> Result<Verifier> {
        let pack = pack.open(self.pack_key)?;
        let mut builder = Verifier::builder(pack).face_choice(self.face_choice);
        if let Some(rate) = self.false_match_rate {
            builder = builder.false_match_rate(FalseMatchRate::new(rate)?);
        }
        if let Some(score) = self.stated_threshold {
            builder = builder.stated_threshold(Score::new(score)?);
        }
        builder.build()
    }
}

/// The face choice with this number: 0 only, 1 largest, 2 most central.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`].
pub fn face_choice(number: i32) -> Result<FaceChoice> {
    match number {
        0 => Ok(FaceChoice::Only),
        1 => Ok(FaceChoice::Largest),
        2 => Ok(FaceChoice::MostCentral),
        other => Err(Error::new(ErrorCode::InvalidArgument, format!("a face choice is 0, 1 or 2, not {other}"))),
    }
}

/// The purpose with this number: 0 enrol, 1 verify.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`].
pub fn purpose(number: i32) -> Result<Purpose> {
    match number {
        0 => Ok(Purpose::Enrol),
        1 => Ok(Purpose::Verify),
        other => Err(Error::new(ErrorCode::InvalidArgument, format!("a purpose is 0 (enrol) or 1 (verify), not {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use veriface::PackSigningKey;

    use super::*;

    #[test]
    fn a_pack_key_is_asked_of_bytes_and_not_of_the_built_in_pack() {
        let key = PackSigningKey::from_bytes(&[7; 32]);
        let options = Options { pack_key: Some(key.public()), ..Options::default() };
        let code = |source: PackSource<'_>| options.verifier(source).err().map(|error| error.code());
        let pack = Pack::embedded().unwrap();
        assert_eq!(code(PackSource::Embedded), None);
        assert_eq!(code(PackSource::Bytes(&pack.to_bytes().unwrap())), Some(ErrorCode::UnsignedPack));
        assert_eq!(code(PackSource::Bytes(&pack.signed(&key).to_bytes().unwrap())), None);
        let other = pack.signed(&PackSigningKey::from_bytes(&[8; 32])).to_bytes().unwrap();
        assert_eq!(code(PackSource::Bytes(&other)), Some(ErrorCode::WrongPackKey));
    }
}
