//! Random bytes of the system's generator, for keys, salts and nonces.

use crate::error::{Error, ErrorCode, Result};

/// # Errors
/// [`ErrorCode::NoRandomness`] when the system gives none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(ErrorCode::NoRandomness, error.to_string()))?;
    Ok(bytes)
}
