//! From an error, or a panic, to a `VerifaceException`.

use std::any::Any;
use std::sync::OnceLock;

use jni::errors::ErrorPolicy;
use jni::objects::{JClass, JString, JThrowable, JValue};
use jni::refs::Global;
use jni::{Env, EnvUnowned, jni_sig, jni_str};
use veriface::{Error, ErrorCode};
use veriface_bridge::{picture_number, reason_number};

static EXCEPTION: OnceLock<Global<JClass<'static>>> = OnceLock::new();

/// Looks the exception's class up once, with the class loader of whoever loads the library.
pub fn remember_class(env: &mut Env<'_>) -> jni::errors::Result<()> {
    let class = env.find_class(jni_str!("io/github/veriface/VerifaceException"))?;
    let class = env.new_global_ref(class)?;
    EXCEPTION.get_or_init(|| class);
    Ok(())
}

/// Why a native method failed.
pub enum Failure {
    /// The SDK's own error.
    Sdk(Error),
    /// The JVM's, such as a null that should be none.
    Jni(jni::errors::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Sdk(error)
    }
}

impl From<jni::errors::Error> for Failure {
    fn from(error: jni::errors::Error) -> Failure {
        Failure::Jni(error)
    }
}

/// Runs one native method; an error or a panic becomes an exception, and the value null or 0.
pub fn call<'l, T: Default>(mut env: EnvUnowned<'l>, body: impl FnOnce(&mut Env<'l>) -> Result<T, Failure>) -> T {
    env.with_env(body).resolve::<Throw>()
}

struct Throw;

impl<T: Default> ErrorPolicy<T, Failure> for Throw {
    type Captures<'unowned: 'method, 'method> = ();

    fn on_error<'unowned: 'method, 'method>(
        env: &mut Env<'unowned>,
        (): &mut Self::Captures<'unowned, 'method>,
        failure: Failure,
    ) -> jni::errors::Result<T> {
        throw(
            env,
            &match failure {
                Failure::Sdk(error) => error,
                Failure::Jni(jni::errors::Error::NullPtr(what)) => {
                    Error::new(ErrorCode::InvalidArgument, format!("null: {what}"))
                }
                Failure::Jni(error) => Error::new(ErrorCode::InternalFault, error.to_string()),
            },
        )
    }

    fn on_panic<'unowned: 'method, 'method>(
        env: &mut Env<'unowned>,
        (): &mut Self::Captures<'unowned, 'method>,
        _: Box<dyn Any + Send + 'static>,
    ) -> jni::errors::Result<T> {
        // The panic's message goes no further: nobody has vetted it for privacy.
        throw(env, &Error::new(ErrorCode::InternalFault, ""))
    }
}

/// Throws, unless an exception is under way, which then takes precedence.
fn throw<T: Default>(env: &mut Env<'_>, error: &Error) -> jni::errors::Result<T> {
    if let (false, Some(class)) = (env.exception_check(), EXCEPTION.get()) {
        let sentence = JString::from_str(env, error.to_string())?;
        let reasons =
            error.reasons().iter().fold(0, |bits, reason| bits | 1i32.checked_shl(reason_number(*reason).into()).unwrap_or(0));
        let arguments = [
            JValue::Int(error.code().number().into()),
            JValue::Object(&sentence),
            JValue::Int(picture_number(error.which())),
            JValue::Int(reasons),
        ];
        let exception = env.new_object(class, jni_sig!("(ILjava/lang/String;II)V"), &arguments)?;
        let exception = env.cast_local::<JThrowable<'_>>(exception)?;
        // Says that an exception is under way, which is what was wanted.
        let _ = env.throw(exception);
    }
    Ok(T::default())
}
