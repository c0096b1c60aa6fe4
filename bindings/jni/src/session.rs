//! `Native`'s functions for sessions.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jni::EnvUnowned;
use jni::objects::{JBooleanArray, JByteBuffer, JClass, JDoubleArray, JFloatArray, JIntArray};
use jni::sys::{jint, jlong};
use veriface::{Error, ErrorCode, Sighting, VerifierSession};
use veriface_bridge::{SESSIONS, TEMPLATES, VERIFIERS, guidance_number, purpose, reason_number};

use crate::exception::call;
use crate::frame::{Source, handle, number};
use crate::verifier::{FACE, decision, face, floats, template};

/// `Native.openSession`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_openSession<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    verifier: jlong,
    purpose: jint,
) -> jlong {
    call(env, |_| {
        let session = VerifierSession::new(&*VERIFIERS.get(handle(verifier))?, self::purpose(purpose)?)?;
        Ok(number(SESSIONS.open(Mutex::new(session))))
    })
}

/// `Native.sessionFrame`: guidance, reasons, ready, whether there is a face, and the face's numbers.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_sessionFrame<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    session: jlong,
    photo: jlong,
    numbers: JIntArray<'l>,
    first: JByteBuffer<'l>,
    second: JByteBuffer<'l>,
    third: JByteBuffer<'l>,
    points: JFloatArray<'l>,
    milliseconds: jlong,
) -> JFloatArray<'l> {
    call(env, |env| {
        let session = SESSIONS.get(handle(session))?;
        let source = Source::new(env, photo, &numbers, [&first, &second, &third], &points)?;
        let at = u64::try_from(milliseconds)
            .map_err(|_| Error::new(ErrorCode::InvalidArgument, format!("a time of {milliseconds} ms")))?;
        let progress = {
            let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
            session.frame(source.sample()?, Duration::from_millis(at))?
        };
        let reasons = progress.reasons.iter().fold(0u32, |bits, reason| bits | 1 << reason_number(*reason).min(31));
        let seen = match progress.sighting {
            Sighting::Nobody => None,
            Sighting::Seen { smooth, .. } => Some(smooth),
            Sighting::Expected(face) => Some(face),
        };
        let mut all = [0.0; 4 + FACE];
        let (state, place) = all.split_at_mut(4);
        state.copy_from_slice(&[
            guidance_number(progress.guidance).into(),
            reasons as f32,
            f32::from(u8::from(progress.ready)),
            f32::from(u8::from(seen.is_some())),
        ]);
        if let Some(seen) = &seen {
            place.copy_from_slice(&face(seen));
        }
        floats(env, &all)
    })
}

/// `Native.sessionDecide`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_sessionDecide<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    session: jlong,
    reference: jlong,
) -> JDoubleArray<'l> {
    call(env, |env| {
        let (session, reference) = (SESSIONS.get(handle(session))?, TEMPLATES.get(handle(reference))?);
        let made = session.lock().unwrap_or_else(PoisonError::into_inner).decide(&reference)?;
        decision(env, made)
    })
}

/// `Native.sessionEnrol`: `scores` and `outliers` have as many places as a session keeps frames, and are filled in.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_sessionEnrol<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    session: jlong,
    scores: JFloatArray<'l>,
    outliers: JBooleanArray<'l>,
) -> jlong {
    call(env, |env| {
        let session = SESSIONS.get(handle(session))?;
        let enrolment = session.lock().unwrap_or_else(PoisonError::into_inner).enrol()?;
        template(env, enrolment, &scores, &outliers)
    })
}

/// `Native.sessionReset`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_sessionReset<'l>(env: EnvUnowned<'l>, _: JClass<'l>, session: jlong) {
    call(env, |_| {
        SESSIONS.get(handle(session))?.lock().unwrap_or_else(PoisonError::into_inner).reset();
        Ok(())
    })
}

/// `Native.closeSession`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_closeSession<'l>(env: EnvUnowned<'l>, _: JClass<'l>, session: jlong) {
    call(env, |_| {
        SESSIONS.close(handle(session));
        Ok(())
    })
}
