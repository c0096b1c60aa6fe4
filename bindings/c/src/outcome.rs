//! What comes back: an error, a decision.

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

use veriface::{Decision, Error, ErrorCode, Guidance, Reason, Result};
use veriface_bridge::{guarded, picture_number, reason_number};

/// The error is about none of the call's pictures.
pub const VF_PICTURE_NONE: i32 = -1;
/// The error is about the reference picture.
pub const VF_PICTURE_REFERENCE: i32 = -2;
/// The error is about the probe picture.
pub const VF_PICTURE_PROBE: i32 = -3;

/// What went wrong. It never holds pixels or values of an embedding.
#[repr(C)]
pub struct vf_error {
    /// One of `VF_ERROR_…`, or 0.
    pub number: i32,
    /// The picture it is about: its place in a list from 0, or one of `VF_PICTURE_…`.
    pub picture: i32,
    /// Why a face was refused (`VF_ERROR_POOR_QUALITY`): bit i stands for reason i, see `vf_reason_sentence`.
    pub reasons: u32,
    /// What went wrong with its particulars, in UTF-8, cut where it would be longer.
    pub message: [c_char; 500],
}

/// Whether two faces are the same person's, at a named threshold.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct vf_decision {
    /// Whether the score reaches the threshold.
    pub same: bool,
    /// Whether the person was found to be alive at the camera. Always false: nobody looks, so a photo of the person passes.
    pub liveness_assessed: bool,
    /// The comparison score, -1…1: a cosine, and no percentage.
    pub score: f32,
    /// The least score of a match.
    pub threshold: f32,
    /// The false-match rate that the threshold was measured at; 0 when the caller stated the threshold.
    pub false_match_rate: f64,
}

impl From<Decision> for vf_decision {
    fn from(decision: Decision) -> vf_decision {
        vf_decision {
            same: decision.same,
            liveness_assessed: false,
            score: decision.score.get(),
            threshold: decision.threshold.get(),
            false_match_rate: decision.fmr.map_or(0.0, |fmr| fmr.get()),
        }
    }
}

/// Runs a call, and writes its outcome where the caller wants it.
///
/// # Safety
/// `out` is null or may be written; the same holds for `error`.
pub(crate) unsafe fn answer<T>(out: *mut T, error: *mut vf_error, call: impl FnOnce() -> Result<T>) -> i32 {
    let outcome = guarded(|| {
        if out.is_null() {
            Err(Error::new(ErrorCode::InvalidArgument, "there is no place for the result: `out` is NULL"))
        } else {
            call()
        }
    });
    // SAFETY: `out` is not null here, and `answer`'s caller has it that it may be written.
    let outcome = outcome.map(|value| unsafe { out.write(value) });
    // SAFETY: the caller's promise.
    unsafe { report(outcome, error) }
}

/// Writes an error out, if there is one, and gives its number.
///
/// # Safety
/// `error` is null or may be written.
pub(crate) unsafe fn report(outcome: Result<()>, error: *mut vf_error) -> i32 {
    let number = outcome.as_ref().err().map_or(0, |error| i32::from(error.code().number()));
    if !error.is_null() {
        let record = match outcome {
            Ok(()) => vf_error { number, picture: VF_PICTURE_NONE, reasons: 0, message: text("") },
            Err(error) => vf_error {
                number,
                picture: picture_number(error.which()),
                reasons: reason_bits(error.reasons()),
                message: text(&error.to_string()),
            },
        };
        // SAFETY: it is not null, and the caller has it that it may be written.
        unsafe { error.write(record) };
    }
    number
}

pub(crate) fn reason_bits(reasons: &[Reason]) -> u32 {
    reasons.iter().fold(0, |bits, reason| bits | 1u32.checked_shl(reason_number(*reason).into()).unwrap_or(0))
}

/// The text in a C array, cut at a character where it does not fit.
fn text<const N: usize>(words: &str) -> [c_char; N] {
    let mut array = [0; N];
    let mut end = words.len().min(N.saturating_sub(1));
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    for (to, from) in array.iter_mut().zip(words.as_bytes().iter().take(end)) {
        *to = *from as c_char;
    }
    array
}

/// The name of an error number, such as `NoFace`; NULL when it is none. The string is the library's own and lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn vf_error_name(number: i32) -> *const c_char {
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    constant(&NAMES, ErrorCode::ALL, place_of(number), ErrorCode::name)
}

/// What to do about an error, in one sentence; NULL when the number is none. The string is the library's own and lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn vf_error_advice(number: i32) -> *const c_char {
    static ADVICE: OnceLock<Vec<CString>> = OnceLock::new();
    constant(&ADVICE, ErrorCode::ALL, place_of(number), ErrorCode::advice)
}

/// What to tell the person about reason `place`, a bit of `vf_error.reasons`; NULL past the last. The string is the library's own and lives
/// for ever.
#[unsafe(no_mangle)]
pub extern "C" fn vf_reason_sentence(place: u32) -> *const c_char {
    static SENTENCES: OnceLock<Vec<CString>> = OnceLock::new();
    constant(&SENTENCES, Reason::ALL, usize::try_from(place).ok(), |reason: Reason| reason.sentence())
}

/// What to tell the person, by `vf_progress.guidance`; NULL past the last. The string is the library's own and lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn vf_guidance_sentence(guidance: u32) -> *const c_char {
    static SENTENCES: OnceLock<Vec<CString>> = OnceLock::new();
    constant(&SENTENCES, Guidance::ALL, usize::try_from(guidance).ok(), Guidance::sentence)
}

/// The library's version, such as `0.1.0`. The string is the library's own and lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn vf_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

fn place_of(number: i32) -> Option<usize> {
    ErrorCode::ALL.iter().position(|code| i32::from(code.number()) == number)
}

fn constant<T: Copy>(
    texts: &'static OnceLock<Vec<CString>>,
    all: &[T],
    place: Option<usize>,
    text: impl Fn(T) -> &'static str,
) -> *const c_char {
    let texts = texts.get_or_init(|| all.iter().map(|one| CString::new(text(*one)).unwrap_or_default()).collect());
    place.and_then(|place| texts.get(place)).map_or(std::ptr::null(), |text| text.as_ptr())
}
