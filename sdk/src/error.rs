//! Every error of the SDK: its number, its sentence, its advice.
//!
//! Numbers are stable across versions and identical in every binding. The hundreds digit is the family, which the command also
//! uses as its exit code. Errors carry sizes, names and file paths; never pixels and never embeddings.

mod reason;

use std::fmt;
use std::path::PathBuf;

pub use reason::Reason;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which of the pictures handed to a call an error or a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The enrolled side: the first picture of a verification.
    Reference,
    /// The side presented now: the second picture of a verification.
    Probe,
    /// The picture at this place of a list, from 0.
    Item(usize),
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Reference => f.write_str("the reference picture"),
            Which::Probe => f.write_str("the probe picture"),
            Which::Item(index) => write!(f, "picture {}", index + 1),
        }
    }
}

/// The families of errors; the number is the hundreds digit of [`ErrorCode::number`] and the exit code of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Family {
    /// Files and pixels that could not be read.
    Picture = 2,
    /// The picture is readable, but there is no face that may be decided on.
    Face = 3,
    /// The pack: the file with the models and thresholds.
    Pack = 4,
    /// Templates, embeddings and galleries.
    Template = 5,
    /// Thresholds and decisions.
    Decision = 6,
    /// The network runtime.
    Network = 7,
    /// Arguments, files and the system.
    Usage = 8,
}

macro_rules! error_codes {
    ($($(#[doc = $sentence:literal])+ $name:ident = $number:literal, $advice:literal;)+) => {
        /// The number of an error. [`ErrorCode::ALL`] lists every one; `docs/errors.md` is generated from it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u16)]
        #[non_exhaustive]
        pub enum ErrorCode { $($(#[doc = $sentence])+ $name = $number,)+ }

        impl ErrorCode {
            /// Every code, in the order of the numbers.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name,)+];

            /// The code's name as it stands in every binding.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorCode::$name => stringify!($name),)+ }
            }

            /// What the error means, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(ErrorCode::$name => concat!($($sentence),+),)+ }
            }

            /// What to do about it, in one sentence.
            pub const fn advice(self) -> &'static str {
                match self { $(ErrorCode::$name => $advice,)+ }
            }
        }
    };
}

error_codes! {
    /// The bytes are no picture of a supported format.
    UnknownPictureFormat = 201, "Give a JPEG, PNG, WebP or BMP file; HEIC must be converted first.";
    /// The picture's format is known, but not this variant of it.
    UnsupportedPicture = 202, "Save the picture again as an 8-bit JPEG or PNG.";
    /// The picture is damaged or cut short.
    DamagedPicture = 203, "Fetch or export the file again; it does not decode to its end.";
    /// The picture is larger than the limits allow.
    PictureTooLarge = 204, "Shrink the picture, or raise `Limits` if the device has the memory.";
    /// The picture is too small to hold a face.
    PictureTooSmall = 205, "Give a picture in which the face is at least 40 pixels high.";
    /// A camera frame's planes do not fit its stated geometry.
    InvalidFrame = 206, "Pass the plane lengths, row strides and pixel strides exactly as the camera reports them.";

    /// No face was found.
    NoFace = 301, "Let the face fill more of the picture, upright and lit from the front.";
    /// Several faces were found and no rule says which one is meant.
    MultipleFaces = 302, "Let one person into the picture, or choose a rule such as `FaceChoice::Largest`.";
    /// The face is not good enough for the quality policy.
    PoorQuality = 303, "Follow the reasons: each has a sentence to show to the person.";
    /// The five landmarks are not those of an upright face in the stated order.
    InvalidLandmarks = 304, "Order the points as they lie in the upright picture: left eye, right eye, nose, left and right mouth corner; undo the mirror first.";

    /// The file is not a pack.
    NotAPack = 401, "Give a `.vfpack` file, made with `veriface pack make`.";
    /// The pack's format version is not one this SDK reads.
    UnknownPackVersion = 402, "Update the SDK, or make the pack again with this version.";
    /// The pack is cut short.
    TruncatedPack = 403, "Copy the pack again; the file ends before its parts do.";
    /// A part of the pack does not have the hash that the pack states.
    AlteredPack = 404, "Copy the pack again from its source; its bytes were changed.";
    /// The pack, or a part of it, is larger than the limits allow.
    PackTooLarge = 405, "Check that the file is a pack; if it is, raise the limit when opening it.";
    /// The pack's manifest is not valid.
    InvalidManifest = 406, "Make the pack again; the message names the field.";
    /// A part that the manifest names is missing or of the wrong kind.
    MissingPackPart = 407, "Make the pack again with every part that its manifest names.";
    /// A network of the pack cannot be loaded.
    UnusableNetwork = 408, "Export the network to ONNX with supported operators; the message names the one that failed.";
    /// The pack's self-test failed: this device computes something other than the pack states.
    SelfTestFailed = 409, "Do not decide on this device; report device, build and pack to the pack's maker.";
    /// The pack needs a newer SDK.
    PackNeedsNewerSdk = 411, "Update the SDK to the version that the message names.";
    /// The pack is not signed, and the caller trusts only a signed one.
    UnsignedPack = 412, "Get the pack from its maker with its signature, or sign it with `veriface pack sign`.";
    /// The pack is signed with another key than the one that the caller trusts.
    WrongPackKey = 413, "Do not use the pack unless its maker confirms the new key by another way.";
    /// The pack's signature does not fit its contents.
    ForgedPack = 414, "Do not use the pack: somebody changed it after it was signed.";

    /// A network's output cannot be made a unit vector.
    InvalidEmbedding = 501, "The output is zero or not finite: check the recogniser and the chip's normalisation.";
    /// The two sides come from different models.
    ModelMismatch = 502, "Enrol again with the current pack; scores across models mean nothing.";
    /// The bytes are not a template or gallery.
    NotATemplate = 503, "Give bytes that `Template::to_bytes` or `Gallery::save` wrote.";
    /// The template's or gallery's format version is not one this SDK reads.
    UnknownTemplateVersion = 504, "Update the SDK, or enrol again.";
    /// The template or gallery is cut short or altered.
    DamagedTemplate = 505, "Restore the file from a backup, or enrol again.";
    /// There is nothing to make a template from.
    NothingToEnrol = 506, "Give at least one picture with one good face.";
    /// The gallery has no such entry, or already has one of that name.
    GalleryEntry = 507, "List the gallery's entries; remove the old one before adding it again.";
    /// The key or passphrase is not the one that the template was sealed with.
    WrongKey = 508, "Give the key or passphrase that it was sealed with; without it the person must be enrolled again.";
    /// The sealed template's bytes are not those that were sealed.
    AlteredTemplate = 509, "Restore the file from a backup; if nobody damaged it by accident, somebody tried to forge it.";
    /// The template was sealed for another purpose.
    PurposeMismatch = 510, "Use it for the purpose that it was sealed for, or enrol the person for this one.";

    /// The pack carries no calibration and the caller stated no threshold.
    Uncalibrated = 601, "Calibrate the pack with `trainer pack`, or state a threshold yourself.";
    /// The pack has no threshold at this false-match rate.
    NoSuchOperatingPoint = 602, "Choose one of the false-match rates that `veriface info` lists.";

    /// The network failed while running.
    NetworkFailed = 701, "Report the pack and the input's size; the message holds the runtime's words.";

    /// An argument is outside its range.
    InvalidArgument = 801, "Correct the argument; the message names it and its range.";
    /// A file could not be read.
    CannotRead = 802, "Check that the file exists and may be read.";
    /// A file could not be written.
    CannotWrite = 803, "Check the folder's permissions and free space; the old file is untouched.";
    /// A list of pairs is not in a known form.
    InvalidPairs = 804, "Use LFW's pairs.txt, or lines of: path, tab, path, tab, 0 or 1.";
    /// There are too few comparisons for the figure asked for.
    TooFewComparisons = 805, "Give more impostor pairs: a false-match rate of 1/n needs at least 3n of them.";
    /// The object was closed, or never was one.
    Closed = 806, "Make the object again, and close it after its last use; closing twice is harmless.";
    /// A fault of the SDK, which stopped this call and nothing else.
    InternalFault = 807, "Report it with the steps that led to it; no input should do this.";
    /// The system gives no random numbers.
    NoRandomness = 808, "Try again when the device has started up; nothing was made or written.";
}

impl ErrorCode {
    /// The number, stable across versions and bindings.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The family: the hundreds digit of the number.
    pub const fn family(self) -> Family {
        match self.number() / 100 {
            2 => Family::Picture,
            3 => Family::Face,
            4 => Family::Pack,
            5 => Family::Template,
            6 => Family::Decision,
            7 => Family::Network,
            _ => Family::Usage,
        }
    }
}

/// What went wrong. [`Error::code`] is its number, `Display` its sentence with the particulars, [`Error::advice`] what to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    code: ErrorCode,
    detail: String,
    which: Option<Which>,
    file: Option<PathBuf>,
    reasons: Vec<Reason>,
}

impl Error {
    /// An error of this code; `detail` gives the particulars (sizes, names, limits) and may be empty.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Error {
        Error { code, detail: detail.into(), which: None, file: None, reasons: Vec::new() }
    }

    /// The same error, said of one of the call's pictures. An error that already says so keeps its word.
    pub fn of(mut self, which: Which) -> Error {
        self.which.get_or_insert(which);
        self
    }

    /// The same error, said of this file. An error that already names one keeps it.
    pub fn in_file(mut self, path: impl Into<PathBuf>) -> Error {
        self.file.get_or_insert_with(|| path.into());
        self
    }

    /// The same error with the reasons for which a face was refused.
    pub fn with_reasons(mut self, reasons: Vec<Reason>) -> Error {
        self.reasons = reasons;
        self
    }

    /// The error's number and name.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The particulars, without the code's own sentence.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The picture of the call that the error is about.
    pub fn which(&self) -> Option<Which> {
        self.which
    }

    /// The file that the error is about.
    pub fn file(&self) -> Option<&std::path::Path> {
        self.file.as_deref()
    }

    /// Why the face was refused, for [`ErrorCode::PoorQuality`]; empty otherwise.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// What to do about it, in one sentence.
    pub fn advice(&self) -> &'static str {
        self.code.advice()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{}", self.code.number())?;
        if let Some(which) = self.which {
            write!(f, ", {which}")?;
        }
        if let Some(file) = &self.file {
            write!(f, ", {}", file.display())?;
        }
        write!(f, ": {}", self.code.meaning().trim())?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_sorted_and_within_their_family() {
        let numbers: Vec<u16> = ErrorCode::ALL.iter().map(|c| c.number()).collect();
        assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
        for code in ErrorCode::ALL {
            assert_eq!(code.family() as u16, code.number() / 100, "{}", code.name());
            assert!(code.advice().ends_with('.') && code.meaning().trim().ends_with('.'), "{}", code.name());
        }
    }

    #[test]
    fn display_names_code_picture_and_file() {
        let error = Error::new(ErrorCode::NoFace, "best score 0.12").of(Which::Probe).of(Which::Reference).in_file("b.jpg");
        assert_eq!(error.to_string(), "E301, the probe picture, b.jpg: No face was found. (best score 0.12)");
        assert_eq!(error.which(), Some(Which::Probe));
    }
}
