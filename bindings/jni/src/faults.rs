//! `Faults`' functions, which only the tests' library has: what goes wrong on purpose, and threads that Java did not start.

use jni::objects::{JClass, JObject};
use jni::{EnvUnowned, jni_sig, jni_str};
use veriface::{Error, ErrorCode};

use crate::exception::{Failure, call};

/// `Faults.panic`: panics with words that nobody may see.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Faults_panic<'l>(env: EnvUnowned<'l>, _: JClass<'l>) {
    call(env, |_| -> Result<(), Failure> { panic!("0.125 is a value of somebody's embedding") })
}

/// `Faults.onNativeThread`: runs a `Runnable` on a thread that the library starts and attaches for the time of it, and waits for its end.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_veriface_Faults_onNativeThread<'l>(env: EnvUnowned<'l>, _: JClass<'l>, work: JObject<'l>) {
    call(env, |env| {
        let (vm, work) = (env.get_java_vm()?, env.new_global_ref(work)?);
        let ended = std::thread::spawn(move || {
            vm.attach_current_thread(|env| env.call_method(&work, jni_str!("run"), jni_sig!("()V"), &[]).map(|_| ()))
        })
        .join();
        match ended {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(Failure::Sdk(Error::new(ErrorCode::InternalFault, "the thread panicked"))),
        }
    })
}
