//! What can be wrong with data a person brings: digit images, IDX folders, text files, tables of examples.

use crate::load::data::unpacked::UnpackError;
use crate::types::UserError;
use std::path::{Path, PathBuf};

/// Why data could not be used. Every variant names the file or folder.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file or folder does not exist or cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder lacks an IDX file.
    #[error("{folder} has no {name}")]
    MissingIdx {
        /// The folder.
        folder: PathBuf,
        /// The file's usual name.
        name: &'static str,
    },
    /// A file is not in IDX format, or holds something else than expected.
    #[error("{path} is not a usable IDX file: {why}")]
    BadIdx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Images and labels do not belong together.
    #[error("{folder}: {images} images but {labels} labels")]
    CountMismatch {
        /// The folder.
        folder: PathBuf,
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// There is nothing to learn from or to measure on.
    #[error("{path} is empty: {why}")]
    Empty {
        /// The file or folder.
        path: PathBuf,
        /// What was looked for.
        why: String,
    },
    /// A text file is neither UTF-8 nor UTF-16 with its byte order mark.
    #[error("{path} is not UTF-8 text: byte {at}, in line {line}, is no character")]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Offset of the first bad byte.
        at: usize,
        /// The line it stands in, from 1.
        line: usize,
    },
    /// A zipped file cannot be unpacked.
    #[error("{path}: {why}")]
    BadArchive {
        /// The file.
        path: PathBuf,
        /// Cut short, or too large.
        why: String,
    },
    /// A file holds no table of question–answer pairs.
    #[error("{path} is no table of pairs: {why}")]
    BadTable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, naming the line where there is one.
        why: String,
    },
    /// A file holds no list of texts.
    #[error("{path} is no list of texts: {why}")]
    BadTexts {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, naming the line where there is one.
        why: String,
    },
    /// A file holds no learning curve.
    #[error("{path} holds no learning curve: {why}")]
    BadCurve {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file holds no texts with labels.
    #[error("{path} holds no texts with labels: {why}")]
    BadLabelled {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, naming the line where there is one.
        why: String,
    },
    /// A picture cannot be decoded.
    #[error("{path} is not a PNG, JPEG or WebP picture: {why}")]
    BadImage {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        why: String,
    },
    /// A picture is of a kind that is not read, whatever its name says.
    #[error("{path} is a {kind} picture")]
    OtherPicture {
        /// The file.
        path: PathBuf,
        /// What its content is.
        kind: &'static str,
    },
    /// A picture shows nothing that could be a digit.
    #[error("{path} shows no digit: {why}")]
    BlankImage {
        /// The file.
        path: PathBuf,
        /// Why nothing was found.
        why: String,
    },
}

impl DataError {
    pub(in crate::load) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(in crate::load) fn bad_idx(path: &Path, why: impl Into<String>) -> Self {
        Self::BadIdx { path: path.to_owned(), why: why.into() }
    }

    pub(in crate::load) fn bad_table(path: &Path, why: impl Into<String>) -> Self {
        Self::BadTable { path: path.to_owned(), why: why.into() }
    }

    pub(in crate::load) fn bad_archive(path: &Path, problem: &UnpackError) -> Self {
        Self::BadArchive { path: path.to_owned(), why: problem.to_string() }
    }

    pub(in crate::load) fn empty(path: &Path, why: impl Into<String>) -> Self {
        Self::Empty { path: path.to_owned(), why: why.into() }
    }
}

impl From<DataError> for UserError {
    fn from(error: DataError) -> Self {
        let detail = error.to_string();
        let (what, why, next) = match error {
            DataError::Read { path, source } => (
                format!("{} cannot be read.", path.display()),
                source.to_string(),
                "Check that it exists and that you may read it.",
            ),
            DataError::MissingIdx { folder, name } => (
                format!("{} is no MNIST folder.", folder.display()),
                format!("It has no file {name}, plain or with .gz, and none in raw or MNIST/raw below it."),
                "Choose the folder that holds the four IDX files.",
            ),
            DataError::BadIdx { path, why } => (
                format!("{} is not a usable IDX file.", path.display()),
                why,
                "Get the file again; it may have been cut short or renamed.",
            ),
            DataError::CountMismatch { folder, images, labels } => (
                format!("The images and labels in {} do not belong together.", folder.display()),
                format!("There are {images} images and {labels} labels."),
                "Put images and labels of the same set into the folder.",
            ),
            DataError::Empty { path, why } => (
                format!("There is nothing to use in {}.", path.display()),
                why,
                "Choose another file or folder, or add data to this one.",
            ),
            DataError::NotUtf8 { path, at, line } => (
                format!("{} is not UTF-8 text.", path.display()),
                format!("The byte at position {at}, in line {line}, does not belong to any character."),
                "Save the file as UTF-8, or choose another one.",
            ),
            DataError::BadArchive { path, why } => (
                format!("{} cannot be unpacked.", path.display()),
                format!("Its content is zipped, and {why}."),
                "Unpack it yourself and look whether it is what you want, or get it again.",
            ),
            DataError::BadTable { path, why } => (
                format!("{} cannot be read as a table of examples.", path.display()),
                why,
                "Use one pair a line: TSV or CSV with two columns, or JSON objects with input and output, in UTF-8 or UTF-16.",
            ),
            DataError::BadTexts { path, why } => (
                format!("{} cannot be read as a list of texts.", path.display()),
                why,
                "Use a text a line, or CSV, TSV or JSON lines with --column NAME; --format says which it is.",
            ),
            DataError::BadCurve { path, why } => (
                format!("{} cannot be read as a learning curve.", path.display()),
                why,
                "Use the trainer_state.json of a run, an event file of TensorBoard, or a folder that holds one.",
            ),
            DataError::BadLabelled { path, why } => (
                format!("{} cannot be read as texts with labels.", path.display()),
                why,
                "Use CSV, TSV or JSON lines with a column of texts and one of labels, and name the two where they are called otherwise.",
            ),
            DataError::BadImage { path, why } => {
                (format!("{} cannot be opened as a picture.", path.display()), why, "Choose a PNG, JPEG or WebP file.")
            }
            DataError::OtherPicture { path, kind } => (
                format!("{} is a {kind} picture.", path.display()),
                "PNG, JPEG and WebP pictures are read; what it is follows from its content, whatever its name ends with."
                    .to_owned(),
                "Save it as PNG, JPEG or WebP.",
            ),
            DataError::BlankImage { path, why } => (
                format!("{} shows no digit.", path.display()),
                why,
                "Choose a picture of one dark digit on light paper, or the other way round.",
            ),
        };
        Self::new(what, why, next).with_detail(detail)
    }
}
