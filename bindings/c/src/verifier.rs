//! Verifiers: from two pictures to a decision.

use std::ffi::c_char;

use veriface::{Error, ErrorCode, Which};
use veriface_bridge::{Options, PackSource, TEMPLATES, VERIFIERS, face_choice, open_handles};

use crate::frame::{borrowed, photo, slice, vf_frame, words};
use crate::outcome::{answer, vf_decision, vf_error};
use crate::template::vf_template;

/// Several faces in a picture are an error.
pub const VF_FACE_ONLY: i32 = 0;
/// The face with the largest box is meant.
pub const VF_FACE_LARGEST: i32 = 1;
/// A face that is large and near the middle is meant.
pub const VF_FACE_MOST_CENTRAL: i32 = 2;

/// A verifier, by its handle. It may be used from several threads at once.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct vf_verifier {
    /// 0 is no verifier.
    pub id: u64,
}

/// How a verifier decides. All zeros are the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct vf_options {
    /// The false-match rate to decide at, one that the pack was measured at; 0 for the default, 1 in 10,000 where the pack has it.
    pub false_match_rate: f64,
    /// Whether `threshold` counts, instead of a rate.
    pub has_threshold: bool,
    /// A threshold that the caller answers for, -1…1.
    pub threshold: f32,
    /// One of `VF_FACE_…`.
    pub face_choice: i32,
    /// The key that a pack's file must be signed with, 64 hexadecimal digits; NULL where the caller vouches for the file.
    pub pack_key: *const c_char,
}

/// A face that was found: its box in pixels of the upright picture, which it may leave.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct vf_face {
    /// The left edge.
    pub left: f32,
    /// The top edge.
    pub top: f32,
    /// The right edge.
    pub right: f32,
    /// The bottom edge.
    pub bottom: f32,
    /// How sure the detector is that it is a face, 0…1.
    pub score: f32,
    /// x and y of the eye on the picture's left, the one on its right, the nose, the mouth's left and right corner.
    pub landmarks: [f32; 10],
}

impl From<veriface::Face> for vf_face {
    fn from(face: veriface::Face) -> vf_face {
        let mut landmarks = [0.0; 10];
        for (to, from) in landmarks.iter_mut().zip(face.landmarks.points().iter().flat_map(|point| [point.x, point.y])) {
            *to = from;
        }
        let bounds = face.bounding_box;
        vf_face { left: bounds.left, top: bounds.top, right: bounds.right, bottom: bounds.bottom, score: face.score.0, landmarks }
    }
}

/// Loads a pack and makes a verifier of it; close it by `vf_verifier_close`. `pack` is a file, or NULL for the pack that is built in;
/// `options` may be NULL.
///
/// # Safety
/// Each pointer is NULL or points to what its type says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_verifier_open(
    pack: *const c_char,
    options: *const vf_options,
    out: *mut vf_verifier,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        // SAFETY: it is null or may be read.
        let options = match unsafe { options.as_ref() } {
            None => Options::default(),
            Some(options) => Options {
                false_match_rate: (options.false_match_rate != 0.0).then_some(options.false_match_rate),
                stated_threshold: options.has_threshold.then_some(options.threshold),
                face_choice: face_choice(options.face_choice)?,
                pack_key: if options.pack_key.is_null() {
                    None
                } else {
                    // SAFETY: it is not null and ends with a zero.
                    Some(unsafe { words("pack_key", options.pack_key) }?.parse()?)
                },
            },
        };
        let pack = if pack.is_null() {
            PackSource::Embedded
        } else {
            // SAFETY: it is not null and ends with a zero.
            PackSource::File(unsafe { words("pack", pack) }?)
        };
        Ok(vf_verifier { id: VERIFIERS.open(options.verifier(pack)?) })
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Closes a verifier. Closing it twice, or while another thread uses it, is harmless.
#[unsafe(no_mangle)]
pub extern "C" fn vf_verifier_close(verifier: vf_verifier) {
    VERIFIERS.close(verifier.id);
}

/// Decides whether two frames show the same person.
///
/// # Safety
/// Each pointer is NULL or points to what its type says; the frames' memory is not written during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_verify(
    verifier: vf_verifier,
    reference: *const vf_frame,
    probe: *const vf_frame,
    out: *mut vf_decision,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        let verifier = VERIFIERS.get(verifier.id)?;
        // SAFETY: the caller's frames may be read during the call.
        let reference = unsafe { borrowed(reference) }.map_err(|error| error.of(Which::Reference))?;
        // SAFETY: as above.
        let probe = unsafe { borrowed(probe) }.map_err(|error| error.of(Which::Probe))?;
        Ok(verifier.verify(reference, probe)?.decision.into())
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Decides whether two picture files show the same person.
///
/// # Safety
/// Each pointer is NULL or points to what its type says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_verify_files(
    verifier: vf_verifier,
    reference: *const c_char,
    probe: *const c_char,
    out: *mut vf_decision,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        let verifier = VERIFIERS.get(verifier.id)?;
        // SAFETY: each is null or ends with a zero.
        let reference = unsafe { photo(reference) }.map_err(|error| error.of(Which::Reference))?;
        // SAFETY: as above.
        let probe = unsafe { photo(probe) }.map_err(|error| error.of(Which::Probe))?;
        Ok(verifier.verify(&reference, &probe)?.decision.into())
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Decides whether a frame shows the person of a template.
///
/// # Safety
/// Each pointer is NULL or points to what its type says; the frame's memory is not written during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_verify_template(
    verifier: vf_verifier,
    reference: vf_template,
    probe: *const vf_frame,
    out: *mut vf_decision,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        let (verifier, reference) = (VERIFIERS.get(verifier.id)?, TEMPLATES.get(reference.id)?);
        // SAFETY: the caller's frame may be read during the call.
        let probe = unsafe { borrowed(probe) }.map_err(|error| error.of(Which::Probe))?;
        Ok(verifier.verify_template(&reference, probe)?.decision.into())
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Decides whether a picture file shows the person of a template.
///
/// # Safety
/// Each pointer is NULL or points to what its type says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_verify_template_file(
    verifier: vf_verifier,
    reference: vf_template,
    probe: *const c_char,
    out: *mut vf_decision,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        let (verifier, reference) = (VERIFIERS.get(verifier.id)?, TEMPLATES.get(reference.id)?);
        // SAFETY: it is null or ends with a zero.
        let probe = unsafe { photo(probe) }.map_err(|error| error.of(Which::Probe))?;
        Ok(verifier.verify_template(&reference, &probe)?.decision.into())
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Makes a template of one person's frames; close it by `vf_template_close`. An error names the frame by its place in the list.
///
/// # Safety
/// `frames` points to `count` frames whose memory is not written during the call; the other pointers are NULL or point to what their types
/// say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_enrol(
    verifier: vf_verifier,
    frames: *const vf_frame,
    count: usize,
    out: *mut vf_template,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        let verifier = VERIFIERS.get(verifier.id)?;
        // SAFETY: the caller has `count` frames there, and they may be read during the call.
        let frames = unsafe { slice(frames, count) }.iter().enumerate();
        let frames = frames
            // SAFETY: as above.
            .map(|(place, frame)| unsafe { borrowed(frame) }.map_err(|error| error.of(Which::Item(place))))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(vf_template { id: TEMPLATES.open(verifier.enrol(frames)?.template) })
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Makes a template of one person's picture files; close it by `vf_template_close`. An error names the file by its place in the list.
///
/// # Safety
/// `paths` points to `count` strings; the other pointers are NULL or point to what their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_enrol_files(
    verifier: vf_verifier,
    paths: *const *const c_char,
    count: usize,
    out: *mut vf_template,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        let verifier = VERIFIERS.get(verifier.id)?;
        // SAFETY: the caller has `count` strings there.
        let paths = unsafe { slice(paths, count) }.iter().enumerate();
        let photos = paths
            // SAFETY: each is null or ends with a zero.
            .map(|(place, path)| unsafe { photo(*path) }.map_err(|error| error.of(Which::Item(place))))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(vf_template { id: TEMPLATES.open(verifier.enrol(&photos)?.template) })
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Finds the faces of a frame, the surest first. At most `capacity` are written to `faces`; `out` is how many there are.
///
/// # Safety
/// `faces` is NULL or has room for `capacity` faces; the other pointers are NULL or point to what their types say; the frame's memory is not
/// written during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_detect(
    verifier: vf_verifier,
    frame: *const vf_frame,
    faces: *mut vf_face,
    capacity: usize,
    out: *mut usize,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        let verifier = VERIFIERS.get(verifier.id)?;
        // SAFETY: the caller's frame may be read during the call.
        let found = verifier.detect(*unsafe { borrowed(frame) }?.frame())?;
        if faces.is_null() && capacity > 0 {
            return Err(Error::new(ErrorCode::InvalidArgument, "`faces` is NULL and `capacity` is not 0"));
        }
        for (place, face) in found.iter().take(capacity).enumerate() {
            // SAFETY: `place` is below `capacity`, for which there is room.
            unsafe { faces.add(place).write((*face).into()) };
        }
        Ok(found.len())
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// How many verifiers, templates, pictures and sessions are open in this process.
#[unsafe(no_mangle)]
pub extern "C" fn vf_open_handles() -> usize {
    open_handles()
}
