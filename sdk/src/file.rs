//! Files are replaced by rename: whoever reads sees the old file or the new one, whenever the writer dies.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, ErrorCode, Result};

/// Writes the bytes beside `path`, syncs them, and renames them over it.
///
/// # Errors
/// [`ErrorCode::CannotWrite`] naming the file; what stood there before is untouched.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.partial", std::process::id()));
    let beside = Path::new(&beside);
    let write = || {
        let mut file = File::create(beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(beside, path)
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(beside);
        Error::new(ErrorCode::CannotWrite, e.to_string()).in_file(path)
    })
}
