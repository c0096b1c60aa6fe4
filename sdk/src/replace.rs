//! Files that are replaced, never half written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use zeroize::Zeroizing;

use crate::error::{Error, ErrorCode, Result};

/// Writes a file by way of a neighbour: `write` fills a temporary file in the same folder, which is flushed to the disk and then
/// renamed. Whoever is killed at any moment leaves the old file or the new one; at worst the temporary file stays, whose name begins
/// with a dot and ends in `.tmp`. An old file's permissions are kept.
///
/// # Errors
/// [`ErrorCode::CannotWrite`], naming the file; the old file is untouched then.
pub fn replace_file(path: impl AsRef<Path>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let path = path.as_ref();
    let failed = |error: io::Error| Error::new(ErrorCode::CannotWrite, error.to_string()).in_file(path);
    let temporary = neighbour(path).ok_or_else(|| failed(io::Error::from(io::ErrorKind::InvalidFilename)))?;
    let result = fill(&temporary, path, write).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = result {
        // Best effort: the error that led here is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(failed(error));
    }
    persist_name(path);
    Ok(())
}

/// A name in the same folder that no other call and no other process uses.
fn neighbour(path: &Path) -> Option<PathBuf> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(format!(".{}-{}.tmp", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed)));
    Some(path.with_file_name(name))
}

fn fill(temporary: &Path, path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 16, OpenOptions::new().write(true).create_new(true).open(temporary)?);
    if let Ok(old) = fs::metadata(path) {
        fs::set_permissions(temporary, old.permissions())?;
    }
    let written = write(&mut file).and_then(|()| file.flush());
    // What passes through may be a template: the buffer is wiped, also when it was not written.
    let (file, buffer) = file.into_parts();
    drop(Zeroizing::new(buffer.unwrap_or_else(|panicked| panicked.into_inner())));
    written?;
    file.sync_all()
}

/// Flushes the folder, in which the new name stands. Not every system lets a folder be opened; the rename itself is done.
fn persist_name(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        replace_file(&path, |to| to.write_all(b"old")).unwrap();
        let error = replace_file(&path, |to| {
            to.write_all(b"half of the ne")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert_eq!((error.code(), error.file()), (ErrorCode::CannotWrite, Some(path.as_path())));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        replace_file(&path, |to| to.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn places_that_cannot_be_written_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("missing/a.bin"), folder.path().join(".."), PathBuf::new()] {
            assert_eq!(replace_file(&path, |_| Ok(())).unwrap_err().code(), ErrorCode::CannotWrite, "{path:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        replace_file(&path, |_| Ok(())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        replace_file(&path, |to| to.write_all(b"new")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
