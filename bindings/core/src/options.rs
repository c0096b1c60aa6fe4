//! What a verifier is made with, as it crosses a bridge.

use veriface::{Error, ErrorCode, FaceChoice, FalseMatchRate, Pack, Purpose, Result, Score, Verifier};

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
    /// The pack.
    ///
    /// # Errors
    /// Those of [`Pack::open`] and [`Pack::from_bytes`].
    pub fn open(self) -> Result<Pack> {
        match self {
            PackSource::Embedded => Pack::embedded(),
            PackSource::File(path) => Pack::open(path),
            PackSource::Bytes(bytes) => Pack::from_bytes(bytes),
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
}

impl Options {
    /// Loads the pack and makes the verifier.
    ///
    /// # Errors
    /// Those of [`Pack::open`] and [`veriface::VerifierBuilder::build`]; [`ErrorCode::InvalidArgument`] for a rate or score out of range.
    pub fn verifier(&self, pack: PackSource<'_>) -> Result<Verifier> {
        let mut builder = Verifier::builder(pack.open()?).face_choice(self.face_choice);
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
