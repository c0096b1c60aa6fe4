//! `Native`'s functions for templates.

use jni::EnvUnowned;
use jni::objects::{JByteArray, JClass, JString};
use jni::sys::{jint, jlong};
use veriface::Template;
use veriface_bridge::TEMPLATES;

use crate::exception::call;
use crate::frame::{handle, number};

/// `Native.templateFromBytes`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_templateFromBytes<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    bytes: JByteArray<'l>,
) -> jlong {
    call(env, |env| Ok(number(TEMPLATES.open(Template::from_bytes(&env.convert_byte_array(bytes)?)?))))
}

/// `Native.templateToBytes`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_templateToBytes<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    template: jlong,
) -> JByteArray<'l> {
    call(env, |env| Ok(env.byte_array_from_slice(&TEMPLATES.get(handle(template))?.to_bytes())?))
}

/// `Native.templateSamples`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_templateSamples<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    template: jlong,
) -> jint {
    call(env, |_| Ok(jint::try_from(TEMPLATES.get(handle(template))?.samples()).unwrap_or(jint::MAX)))
}

/// `Native.templateModel`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_templateModel<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    template: jlong,
) -> JString<'l> {
    call(env, |env| Ok(JString::from_str(env, TEMPLATES.get(handle(template))?.model().hex())?))
}

/// `Native.closeTemplate`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Native_closeTemplate<'l>(env: EnvUnowned<'l>, _: JClass<'l>, template: jlong) {
    call(env, |_| {
        TEMPLATES.close(handle(template));
        Ok(())
    })
}
