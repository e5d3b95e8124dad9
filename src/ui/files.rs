//! Asking for files and folders without holding up the window.

use std::path::PathBuf;

/// What to ask the person for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRequest {
    /// Open a file, open a folder, or save.
    pub mode: FileMode,
    /// Title of the dialog.
    pub title: String,
    /// Kinds of files: a name and extensions without the dot.
    pub filters: Vec<(String, Vec<String>)>,
    /// Suggested name, for saving.
    pub file_name: Option<String>,
}

/// What kind of path is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    /// An existing file.
    OpenFile,
    /// An existing folder.
    OpenFolder,
    /// A file to write.
    Save,
    /// A folder to write into, perhaps a new one.
    SaveFolder,
}

impl FileRequest {
    fn new(mode: FileMode, title: impl Into<String>) -> Self {
        Self { mode, title: title.into(), filters: Vec::new(), file_name: None }
    }

    /// Asks for an existing file.
    pub fn open(title: impl Into<String>) -> Self {
        Self::new(FileMode::OpenFile, title)
    }

    /// Asks for an existing folder.
    pub fn folder(title: impl Into<String>) -> Self {
        Self::new(FileMode::OpenFolder, title)
    }

    /// Asks where to write a file.
    pub fn save(title: impl Into<String>, file_name: impl Into<String>) -> Self {
        Self { file_name: Some(file_name.into()), ..Self::new(FileMode::Save, title) }
    }

    /// Asks for a folder to write into.
    pub fn save_folder(title: impl Into<String>) -> Self {
        Self::new(FileMode::SaveFolder, title)
    }

    /// Limits the choice to these extensions (without the dot).
    #[must_use]
    pub fn filter(mut self, name: impl Into<String>, extensions: &[&str]) -> Self {
        self.filters.push((name.into(), extensions.iter().map(|e| (*e).to_owned()).collect()));
        self
    }
}

/// A path the person chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// The panel that asked; empty when the app itself did.
    pub panel: &'static str,
    /// The tag it asked with.
    pub tag: &'static str,
    /// The path.
    pub path: PathBuf,
}
