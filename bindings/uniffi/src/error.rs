//! Errors and the reasons for which a face is refused.

use veriface_bridge::{guarded, picture_number};

/// An error's number by name. The numbers are the same in every language; `docs/errors.md` lists them with what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
#[repr(u16)]
pub enum ErrorNumber {
    /// The bytes are no picture of a supported format.
    UnknownPictureFormat = 201,
    /// The picture's format is known, but not this variant of it.
    UnsupportedPicture = 202,
    /// The picture is damaged or cut short.
    DamagedPicture = 203,
    /// The picture is larger than the limits allow.
    PictureTooLarge = 204,
    /// The picture is too small to hold a face.
    PictureTooSmall = 205,
    /// A camera frame's planes do not fit its stated geometry.
    InvalidFrame = 206,
    /// No face was found.
    NoFace = 301,
    /// Several faces were found and no rule says which one is meant.
    MultipleFaces = 302,
    /// The face is not good enough for the quality policy.
    PoorQuality = 303,
    /// The five landmarks are not those of an upright face in the stated order.
    InvalidLandmarks = 304,
    /// The file is not a pack.
    NotAPack = 401,
    /// The pack's format version is not one this SDK reads.
    UnknownPackVersion = 402,
    /// The pack is cut short.
    TruncatedPack = 403,
    /// A part of the pack does not have the hash that the pack states.
    AlteredPack = 404,
    /// The pack, or a part of it, is larger than the limits allow.
    PackTooLarge = 405,
    /// The pack's manifest is not valid.
    InvalidManifest = 406,
    /// A part that the manifest names is missing or of the wrong kind.
    MissingPackPart = 407,
    /// A network of the pack cannot be loaded.
    UnusableNetwork = 408,
    /// The pack's self-test failed: this device computes something other than the pack states.
    SelfTestFailed = 409,
    /// The pack needs a newer SDK.
    PackNeedsNewerSdk = 411,
    /// The pack is not signed, and the caller trusts only a signed one.
    UnsignedPack = 412,
    /// The pack is signed with another key than the one that the caller trusts.
    WrongPackKey = 413,
    /// The pack's signature does not fit its contents.
    ForgedPack = 414,
    /// A network's output cannot be made a unit vector.
    InvalidEmbedding = 501,
    /// The two sides come from different models.
    ModelMismatch = 502,
    /// The bytes are not a template or gallery.
    NotATemplate = 503,
    /// The template's or gallery's format version is not one this SDK reads.
    UnknownTemplateVersion = 504,
    /// The template or gallery is cut short or altered.
    DamagedTemplate = 505,
    /// There is nothing to make a template from.
    NothingToEnrol = 506,
    /// The gallery has no such entry, or already has one of that name.
    GalleryEntry = 507,
    /// The key or passphrase is not the one that the template was sealed with.
    WrongKey = 508,
    /// The sealed template's bytes are not those that were sealed.
    AlteredTemplate = 509,
    /// The template was sealed for another purpose.
    PurposeMismatch = 510,
    /// The pack carries no calibration and the caller stated no threshold.
    Uncalibrated = 601,
    /// The pack has no threshold at this false-match rate.
    NoSuchOperatingPoint = 602,
    /// The network failed while running.
    NetworkFailed = 701,
    /// An argument is outside its range.
    InvalidArgument = 801,
    /// A file could not be read.
    CannotRead = 802,
    /// A file could not be written.
    CannotWrite = 803,
    /// A list of pairs is not in a known form.
    InvalidPairs = 804,
    /// There are too few comparisons for the figure asked for.
    TooFewComparisons = 805,
    /// The object was closed, or never was one.
    Closed = 806,
    /// A fault of the SDK, which stopped this call and nothing else.
    InternalFault = 807,
    /// The system gives no random numbers.
    NoRandomness = 808,
}

impl From<veriface::ErrorCode> for ErrorNumber {
    fn from(code: veriface::ErrorCode) -> ErrorNumber {
        use veriface::ErrorCode;
        match code {
            ErrorCode::UnknownPictureFormat => ErrorNumber::UnknownPictureFormat,
            ErrorCode::UnsupportedPicture => ErrorNumber::UnsupportedPicture,
            ErrorCode::DamagedPicture => ErrorNumber::DamagedPicture,
            ErrorCode::PictureTooLarge => ErrorNumber::PictureTooLarge,
            ErrorCode::PictureTooSmall => ErrorNumber::PictureTooSmall,
            ErrorCode::InvalidFrame => ErrorNumber::InvalidFrame,
            ErrorCode::NoFace => ErrorNumber::NoFace,
            ErrorCode::MultipleFaces => ErrorNumber::MultipleFaces,
            ErrorCode::PoorQuality => ErrorNumber::PoorQuality,
            ErrorCode::InvalidLandmarks => ErrorNumber::InvalidLandmarks,
            ErrorCode::NotAPack => ErrorNumber::NotAPack,
            ErrorCode::UnknownPackVersion => ErrorNumber::UnknownPackVersion,
            ErrorCode::TruncatedPack => ErrorNumber::TruncatedPack,
            ErrorCode::AlteredPack => ErrorNumber::AlteredPack,
            ErrorCode::PackTooLarge => ErrorNumber::PackTooLarge,
            ErrorCode::InvalidManifest => ErrorNumber::InvalidManifest,
            ErrorCode::MissingPackPart => ErrorNumber::MissingPackPart,
            ErrorCode::UnusableNetwork => ErrorNumber::UnusableNetwork,
            ErrorCode::SelfTestFailed => ErrorNumber::SelfTestFailed,
            ErrorCode::PackNeedsNewerSdk => ErrorNumber::PackNeedsNewerSdk,
            ErrorCode::UnsignedPack => ErrorNumber::UnsignedPack,
            ErrorCode::WrongPackKey => ErrorNumber::WrongPackKey,
            ErrorCode::ForgedPack => ErrorNumber::ForgedPack,
            ErrorCode::InvalidEmbedding => ErrorNumber::InvalidEmbedding,
            ErrorCode::ModelMismatch => ErrorNumber::ModelMismatch,
            ErrorCode::NotATemplate => ErrorNumber::NotATemplate,
            ErrorCode::UnknownTemplateVersion => ErrorNumber::UnknownTemplateVersion,
            ErrorCode::DamagedTemplate => ErrorNumber::DamagedTemplate,
            ErrorCode::NothingToEnrol => ErrorNumber::NothingToEnrol,
            ErrorCode::GalleryEntry => ErrorNumber::GalleryEntry,
            ErrorCode::WrongKey => ErrorNumber::WrongKey,
            ErrorCode::AlteredTemplate => ErrorNumber::AlteredTemplate,
            ErrorCode::PurposeMismatch => ErrorNumber::PurposeMismatch,
            ErrorCode::Uncalibrated => ErrorNumber::Uncalibrated,
            ErrorCode::NoSuchOperatingPoint => ErrorNumber::NoSuchOperatingPoint,
            ErrorCode::NetworkFailed => ErrorNumber::NetworkFailed,
            ErrorCode::InvalidArgument => ErrorNumber::InvalidArgument,
            ErrorCode::CannotRead => ErrorNumber::CannotRead,
            ErrorCode::CannotWrite => ErrorNumber::CannotWrite,
            ErrorCode::InvalidPairs => ErrorNumber::InvalidPairs,
            ErrorCode::TooFewComparisons => ErrorNumber::TooFewComparisons,
            ErrorCode::Closed => ErrorNumber::Closed,
            ErrorCode::InternalFault => ErrorNumber::InternalFault,
            ErrorCode::NoRandomness => ErrorNumber::NoRandomness,
            // A code that this list lacks; a test says that there is none.
            _ => ErrorNumber::InternalFault,
        }
    }
}

/// Why a face is not fit to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Reason {
    /// The eyes are too few pixels apart.
    TooSmall,
    /// The face is cut by the edge of the picture.
    CutByFrame,
    /// The head is turned to the side.
    TurnedSideways,
    /// The head is tilted up or down.
    TiltedUpOrDown,
    /// The head leans towards a shoulder.
    LeaningToShoulder,
    /// The face is blurred.
    Blurred,
    /// The face is too dark.
    TooDark,
    /// The face is too bright.
    TooBright,
    /// The face has too little contrast.
    LowContrast,
    /// There is more than one face.
    SeveralFaces,
    /// The detector is not sure that it is a face.
    UncertainDetection,
}

/// The reasons in the SDK's order.
const REASONS: [(Reason, veriface::Reason); 11] = [
    (Reason::TooSmall, veriface::Reason::TooSmall),
    (Reason::CutByFrame, veriface::Reason::CutByFrame),
    (Reason::TurnedSideways, veriface::Reason::TurnedSideways),
    (Reason::TiltedUpOrDown, veriface::Reason::TiltedUpOrDown),
    (Reason::LeaningToShoulder, veriface::Reason::LeaningToShoulder),
    (Reason::Blurred, veriface::Reason::Blurred),
    (Reason::TooDark, veriface::Reason::TooDark),
    (Reason::TooBright, veriface::Reason::TooBright),
    (Reason::LowContrast, veriface::Reason::LowContrast),
    (Reason::SeveralFaces, veriface::Reason::SeveralFaces),
    (Reason::UncertainDetection, veriface::Reason::UncertainDetection),
];

impl Reason {
    /// The same of the SDK's. One that this list lacks is left out; a test says that there is none.
    pub(crate) fn all_of(reasons: &[veriface::Reason]) -> Vec<Reason> {
        reasons.iter().filter_map(|reason| REASONS.iter().find(|(_, of)| of == reason).map(|(reason, _)| *reason)).collect()
    }
}

/// What to tell the person in front of the camera.
#[uniffi::export]
pub fn reason_sentence(reason: Reason) -> String {
    REASONS.iter().find(|(one, _)| *one == reason).map_or_else(String::new, |(_, of)| of.sentence().into())
}

/// What to do about an error, in one sentence.
#[uniffi::export]
pub fn error_advice(number: ErrorNumber) -> String {
    let code = veriface::ErrorCode::ALL.iter().find(|code| code.number() == number as u16);
    code.map_or_else(String::new, |code| code.advice().into())
}

/// Which of a call's pictures an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum PictureOfCall {
    /// The enrolled side.
    Reference,
    /// The side presented now.
    Probe,
    /// The one at this place of a list, from 0.
    Item {
        /// The place.
        place: u32,
    },
}

/// What went wrong. It never holds pixels or values of an embedding.
#[derive(Debug, Clone, PartialEq, uniffi::Error)]
pub enum VerifaceError {
    /// A call failed.
    Failed {
        /// The number.
        number: ErrorNumber,
        /// What went wrong, with its particulars.
        sentence: String,
        /// The picture that it is about.
        picture: Option<PictureOfCall>,
        /// Why a face was refused, for `ErrorNumber::PoorQuality`.
        reasons: Vec<Reason>,
    },
}

impl std::fmt::Display for VerifaceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let VerifaceError::Failed { sentence, .. } = self;
        f.write_str(sentence)
    }
}

impl std::error::Error for VerifaceError {}

impl From<veriface::Error> for VerifaceError {
    fn from(error: veriface::Error) -> VerifaceError {
        let picture = match picture_number(error.which()) {
            veriface_bridge::REFERENCE => Some(PictureOfCall::Reference),
            veriface_bridge::PROBE => Some(PictureOfCall::Probe),
            place => u32::try_from(place).ok().map(|place| PictureOfCall::Item { place }),
        };
        VerifaceError::Failed {
            number: error.code().into(),
            sentence: error.to_string(),
            picture,
            reasons: Reason::all_of(error.reasons()),
        }
    }
}

/// Runs one call of this interface.
pub(crate) fn bridged<T>(call: impl FnOnce() -> veriface::Result<T>) -> Result<T, VerifaceError> {
    guarded(call).map_err(VerifaceError::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_the_sdk_s() {
        for code in veriface::ErrorCode::ALL {
            let number = ErrorNumber::from(*code);
            assert_eq!((format!("{number:?}").as_str(), number as u16), (code.name(), code.number()));
            assert_eq!(error_advice(number), code.advice());
        }
    }

    #[test]
    fn reasons_are_the_sdk_s() {
        let found: Vec<String> = Reason::all_of(veriface::Reason::ALL).into_iter().map(reason_sentence).collect();
        assert!(veriface::Reason::ALL.iter().map(|reason| reason.sentence()).eq(&found));
    }

    #[test]
    fn a_panic_is_an_error_without_its_words() {
        let error = bridged::<()>(|| panic!("0.25 0.75")).unwrap_err();
        let VerifaceError::Failed { number, sentence, .. } = &error;
        assert_eq!(*number, ErrorNumber::InternalFault);
        assert!(!sentence.contains("0.25"));
    }
}
