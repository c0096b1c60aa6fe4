//! The border that panics do not cross.

use std::panic::{AssertUnwindSafe, catch_unwind};

use veriface::{Error, ErrorCode, Result};

/// Runs one bridged call. A panic becomes [`ErrorCode::InternalFault`]; its message, which nobody has vetted for privacy, goes no
/// further than the process's own panic hook.
///
/// What the call shares with others is safe to use afterwards: a `Verifier` and a `Template` never change, and a session is behind a
/// lock whose state the next call takes as it is.
pub fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(Error::new(ErrorCode::InternalFault, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_number_without_its_message() {
        let error = guarded::<()>(|| panic!("0.123 is a value of somebody's embedding")).unwrap_err();
        assert_eq!(error.code().number(), 807);
        assert!(!error.to_string().contains("0.123"));
        assert_eq!(guarded(|| Ok(3)), Ok(3));
    }
}
