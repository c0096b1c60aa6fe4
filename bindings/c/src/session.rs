//! Sessions: one person before a camera.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use veriface::{Sighting, VerifierSession};
use veriface_bridge::{SESSIONS, TEMPLATES, VERIFIERS, guarded, guidance_number, purpose};

use crate::frame::{borrowed, vf_frame};
use crate::outcome::{answer, reason_bits, report, vf_decision, vf_error};
use crate::template::vf_template;
use crate::verifier::{vf_face, vf_verifier};

/// The frames are for a template: stricter.
pub const VF_PURPOSE_ENROL: i32 = 0;
/// The frames are compared once.
pub const VF_PURPOSE_VERIFY: i32 = 1;

/// A session, by its handle. One call at a time has it; others wait.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct vf_session {
    /// 0 is no session.
    pub id: u64,
}

/// What one frame brought.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct vf_progress {
    /// What to tell the person: see `vf_guidance_sentence`.
    pub guidance: u32,
    /// What speaks against this frame: bit i stands for reason i, see `vf_reason_sentence`.
    pub reasons: u32,
    /// Whether as many fit frames are kept as a decision asks for.
    pub ready: bool,
    /// Whether somebody is followed, and `face` says where to draw it.
    pub has_face: bool,
    /// The face that is followed.
    pub face: vf_face,
}

/// Begins a session; close it by `vf_session_close`. `purpose` is `VF_PURPOSE_ENROL` or `VF_PURPOSE_VERIFY`.
///
/// # Safety
/// The pointers are NULL or point to what their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_session_open(verifier: vf_verifier, purpose: i32, out: *mut vf_session, error: *mut vf_error) -> i32 {
    let call = || {
        let session = VerifierSession::new(&*VERIFIERS.get(verifier.id)?, self::purpose(purpose)?)?;
        Ok(vf_session { id: SESSIONS.open(Mutex::new(session)) })
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Takes the next frame; `milliseconds` is its time since any fixed moment. A frame without a face is no error: the guidance says so.
///
/// # Safety
/// The pointers are NULL or point to what their types say; the frame's memory is not written during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_session_frame(
    session: vf_session,
    frame: *const vf_frame,
    milliseconds: u64,
    out: *mut vf_progress,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        let session = SESSIONS.get(session.id)?;
        // SAFETY: the caller's frame may be read during the call.
        let frame = unsafe { borrowed(frame) }?;
        let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = session.frame(frame, Duration::from_millis(milliseconds))?;
        let face = match progress.sighting {
            Sighting::Nobody => None,
            Sighting::Seen { smooth, .. } => Some(smooth),
            Sighting::Expected(face) => Some(face),
        };
        let nowhere = vf_face { left: 0.0, top: 0.0, right: 0.0, bottom: 0.0, score: 0.0, landmarks: [0.0; 10] };
        Ok(vf_progress {
            guidance: guidance_number(progress.guidance).into(),
            reasons: reason_bits(&progress.reasons),
            ready: progress.ready,
            has_face: face.is_some(),
            face: face.map_or(nowhere, vf_face::from),
        })
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Decides whether the person followed is that of the template, by the best frames. Once, when `vf_progress.ready`.
///
/// # Safety
/// The pointers are NULL or point to what their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_session_decide(
    session: vf_session,
    reference: vf_template,
    out: *mut vf_decision,
    error: *mut vf_error,
) -> i32 {
    let call = || {
        let (session, reference) = (SESSIONS.get(session.id)?, TEMPLATES.get(reference.id)?);
        let session = session.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(session.decide(&reference)?.into())
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Makes a template of the best frames; close it by `vf_template_close`.
///
/// # Safety
/// The pointers are NULL or point to what their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_session_enrol(session: vf_session, out: *mut vf_template, error: *mut vf_error) -> i32 {
    let call = || {
        let session = SESSIONS.get(session.id)?;
        let session = session.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(vf_template { id: TEMPLATES.open(session.enrol()?.template) })
    };
    // SAFETY: the pointers are the caller's.
    unsafe { answer(out, error, call) }
}

/// Forgets the person, for the next one.
///
/// # Safety
/// `error` is NULL or points to an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vf_session_reset(session: vf_session, error: *mut vf_error) -> i32 {
    let outcome = guarded(|| {
        SESSIONS.get(session.id)?.lock().unwrap_or_else(PoisonError::into_inner).reset();
        Ok(())
    });
    // SAFETY: the caller's pointer.
    unsafe { report(outcome, error) }
}

/// Closes a session. Closing it twice, or while another thread uses it, is harmless.
#[unsafe(no_mangle)]
pub extern "C" fn vf_session_close(session: vf_session) {
    SESSIONS.close(session.id);
}
