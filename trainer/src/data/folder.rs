//! A folder of pictures with one subfolder a person: `ROOT/IDENTITY/PICTURE.jpg`.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The endings of picture files, in lower case; a file with another ending is no part of a set.
const ENDINGS: [&str; 6] = ["jpg", "jpeg", "jfif", "png", "webp", "bmp"];

/// The pictures of a folder, sorted by identity and then by name, so that every machine numbers them alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    root: PathBuf,
    names: Vec<String>,
    pictures: Vec<(PathBuf, u32)>,
}

impl Folder {
    /// Lists `root`. Subfolders without a picture are no identity. Names are compared byte by byte; hidden files are left out.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref().to_path_buf();
        let mut folder = Folder { root, names: Vec::new(), pictures: Vec::new() };
        for path in sorted(&folder.root)? {
            if !path.is_dir() {
                if is_picture(&path) {
                    let reason = "this picture lies in no person's folder: put it into ROOT/PERSON/";
                    return Err(Error::data(path.display().to_string(), reason));
                }
                continue;
            }
            let identity = folder.names.len() as u32;
            let before = folder.pictures.len();
            let files = sorted(&path)?.into_iter().filter(|file| is_picture(file) && file.is_file());
            let relative = |file: PathBuf| file.strip_prefix(&folder.root).map(Path::to_path_buf).unwrap_or(file);
            folder.pictures.extend(files.map(|file| (relative(file), identity)));
            if folder.pictures.len() > before {
                folder.names.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
            }
        }
        if folder.pictures.is_empty() {
            let reason = "no picture here; expected ROOT/PERSON/PICTURE.jpg (or png, webp, bmp)";
            return Err(Error::data(folder.root.display().to_string(), reason));
        }
        Ok(folder)
    }

    /// Each picture's path below the root, and its identity.
    pub fn pictures(&self) -> &[(PathBuf, u32)] {
        &self.pictures
    }

    /// Each identity's name: its subfolder's.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Sixteen hexadecimal digits that change when a picture's path, length or identity does.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for (picture, (relative, identity)) in self.pictures.iter().enumerate() {
            let path = self.path(picture);
            hash.update(relative.to_string_lossy().as_bytes());
            hash.update(std::fs::metadata(&path).map_err(Error::file(&path))?.len().to_le_bytes());
            hash.update(identity.to_le_bytes());
        }
        Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The path of a picture that can be opened.
    pub fn path(&self, picture: usize) -> PathBuf {
        self.root.join(&self.pictures[picture].0)
    }
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut paths: Vec<PathBuf> = entries.map_err(Error::file(folder))?.iter().map(std::fs::DirEntry::path).collect();
    paths.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    paths.sort();
    Ok(paths)
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    ENDINGS.contains(&ending.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, b"").expect("written");
        }
        root
    }

    #[test]
    fn identities_and_pictures_are_numbered_in_the_order_of_their_names() {
        let root = folder(&["b/2.PNG", "b/10.jpg", "a/1.webp", "empty/notes.txt", "readme.md", "b/.hidden.jpg", "c/x.jpeg"]);
        let folder = Folder::open(root.path()).expect("a folder");
        assert_eq!(folder.names(), ["a", "b", "c"]);
        let expected = [("a/1.webp", 0), ("b/10.jpg", 1), ("b/2.PNG", 1), ("c/x.jpeg", 2)];
        assert_eq!(folder.pictures(), expected.map(|(path, identity)| (PathBuf::from(path), identity)));
        assert_eq!(folder.path(3), root.path().join("c/x.jpeg"));
    }

    #[test]
    fn what_is_no_such_folder_is_refused() {
        let refused = |root: &Path| Folder::open(root).expect_err("refused").to_string();
        assert!(refused(folder(&["a.jpg", "b/1.jpg"]).path()).contains("no person's folder"));
        assert!(refused(folder(&["a/b/1.jpg"]).path()).contains("no picture here"));
        assert!(refused(Path::new("/no/such/folder")).contains("/no/such/folder"));
    }
}
