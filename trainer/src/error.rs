//! Every way in which the trainer can fail, each with a sentence that says what to do.

use std::path::{Path, PathBuf};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the trainer stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be opened, read, written or renamed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A RecordIO file is damaged, or is something else.
    #[error("{}: byte {offset}: {reason}. Copy the set again, or write its .idx anew", path.display())]
    RecordIo {
        /// The `.rec` or `.idx` file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A data set, pair list or picture is not what it should be.
    #[error("{what}: {reason}")]
    Data {
        /// The set, list or picture.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration has an unknown key, a value out of range, or a contradiction.
    #[error("configuration: {0}")]
    Config(String),
    /// A checkpoint cannot be used.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// The teacher network cannot be loaded or run.
    #[error("teacher {}: {reason}", path.display())]
    Teacher {
        /// The ONNX file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// Too many steps in a row had a loss or gradient that is not finite.
    #[error(
        "step {step}: {cause} in {in_a_row} steps in a row. The last checkpoint is kept; \
         lower the learning rate, lengthen the warm-up, or train in fp32"
    )]
    NotFinite {
        /// The step at which the run stopped.
        step: u64,
        /// Which quantity was not finite.
        cause: String,
        /// How many steps in a row were skipped.
        in_a_row: u64,
    },
    /// The processes of a run do not come together.
    #[error("{0}")]
    Group(String),
    /// The SDK refused a picture, a pack, a pair list or a figure.
    #[error(transparent)]
    Sdk(#[from] veriface::Error),
    /// There is no libtorch, or another version; the sentence says what to do.
    #[error("{0}")]
    Libtorch(String),
    /// A plot could not be drawn.
    #[error("plot: {0}")]
    Plot(String),
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

impl Error {
    /// Wraps a system error with the file it is about: `.map_err(Error::file(path))`.
    pub fn file(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::File { path, source }
    }

    /// A data error about `what`.
    pub fn data(what: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Data { what: what.into(), reason: reason.into() }
    }
}
