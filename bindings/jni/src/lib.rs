//! The JNI interface: the native side of `android/veriface/src/main/kotlin/io/github/veriface/Native.kt`, function by function.
//!
//! Objects are handles of `veriface-bridge`, frames are direct `ByteBuffer`s that are read in place, and every failure is a
//! `VerifaceException`, whose class is looked up when the library is loaded: later, on a thread that Java did not start, it could not be
//! found.
#![deny(missing_docs)]
#![allow(non_snake_case)]
// A frame crosses as six arguments, so that no object is made or taken apart for it.
#![allow(clippy::too_many_arguments)]

mod exception;
#[cfg(feature = "faults")]
mod faults;
mod frame;
mod session;
mod template;
mod verifier;

use std::ffi::c_void;

use jni::EnvUnowned;
use jni::objects::{JClass, JString};
use jni::sys::{JNI_ERR, JNI_VERSION_1_6, jint};
use veriface::{ErrorCode, Guidance, Reason};

use exception::{call, remember_class};

/// Called by the JVM when the library is loaded. Without `VerifaceException`, as when a shrinker removed it, loading fails here and says
/// so, and not later at the first error.
///
/// # Safety
/// `vm` is the JVM's own.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn JNI_OnLoad(vm: *mut jni::sys::JavaVM, _: *mut c_void) -> jint {
    if vm.is_null() {
        return JNI_ERR;
    }
    // SAFETY: the JVM passes its own pointer, which is not null.
    let vm = unsafe { jni::JavaVM::from_raw(vm) };
    match vm.attach_current_thread(remember_class) {
        Ok(()) => JNI_VERSION_1_6,
        Err(_) => JNI_ERR,
    }
}

/// `Native.version`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_version<'l>(env: EnvUnowned<'l>, _: JClass<'l>) -> JString<'l> {
    call(env, |env| Ok(JString::from_str(env, env!("CARGO_PKG_VERSION"))?))
}

/// `Native.openHandles`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_openHandles<'l>(env: EnvUnowned<'l>, _: JClass<'l>) -> jint {
    call(env, |_| Ok(jint::try_from(veriface_bridge::open_handles()).unwrap_or(jint::MAX)))
}

/// `Native.errorName`: empty when the number is none.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_errorName<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    number: jint,
) -> JString<'l> {
    call(env, |env| Ok(JString::from_str(env, code(number).map_or("", ErrorCode::name))?))
}

/// `Native.errorAdvice`: empty when the number is none.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_errorAdvice<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    number: jint,
) -> JString<'l> {
    call(env, |env| Ok(JString::from_str(env, code(number).map_or("", ErrorCode::advice))?))
}

/// `Native.reasonSentence`: empty past the last.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_reasonSentence<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    place: jint,
) -> JString<'l> {
    call(env, |env| Ok(JString::from_str(env, at(Reason::ALL, place).map_or("", |reason| reason.sentence()))?))
}

/// `Native.guidanceSentence`: empty past the last.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_guidanceSentence<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    place: jint,
) -> JString<'l> {
    call(env, |env| Ok(JString::from_str(env, at(Guidance::ALL, place).map_or("", Guidance::sentence))?))
}

fn code(number: jint) -> Option<ErrorCode> {
    ErrorCode::ALL.iter().copied().find(|code| jint::from(code.number()) == number)
}

fn at<T: Copy>(all: &[T], place: jint) -> Option<T> {
    all.get(usize::try_from(place).ok()?).copied()
}
