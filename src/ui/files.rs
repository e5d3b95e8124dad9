//! Asking for files and folders without holding up the window: every dialog has a thread of its own, and its answer comes
//! back through a queue that the app drains with the engine's events.

use crate::types::UserError;
use crate::ui::PanelId;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// A dialog that is over sooner than this was never on screen: there is no portal and no dialog program.
const NEVER_SHOWN: Duration = Duration::from_millis(300);
/// Answers that may wait; more than one dialog at a time is rare.
const ANSWERS: usize = 16;

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

    /// Shows the platform's dialog and waits for it.
    fn show(&self) -> Option<PathBuf> {
        let mut dialog = rfd::FileDialog::new().set_title(&self.title);
        for (name, extensions) in &self.filters {
            dialog = dialog.add_filter(name, extensions);
        }
        if let Some(name) = &self.file_name {
            dialog = dialog.set_file_name(name);
        }
        match self.mode {
            FileMode::OpenFile => dialog.pick_file(),
            FileMode::OpenFolder => dialog.pick_folder(),
            FileMode::Save => dialog.save_file(),
            FileMode::SaveFolder => dialog.set_can_create_directories(true).pick_folder(),
        }
    }
}

/// Writes one file.
pub type Write = Box<dyn FnOnce(&Path) -> Result<(), UserError> + Send>;

/// What happens with the path.
pub enum Purpose {
    /// It is handed to the panel that asked; without one it is for the app itself.
    Pick {
        /// The panel.
        panel: Option<PanelId>,
        /// The tag it asked with.
        tag: &'static str,
    },
    /// It is written to.
    Write(Write),
}

/// How a dialog ended.
pub enum Answer {
    /// A path for a panel.
    Picked {
        /// The panel.
        panel: Option<PanelId>,
        /// The tag it asked with.
        tag: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// A file was written.
    Written(PathBuf),
    /// A file could not be written.
    Failed(UserError),
    /// The person changed their mind.
    Cancelled,
    /// This desktop shows no dialogs: ask for a typed path instead.
    Unavailable(FileRequest, Purpose),
}

/// Starts dialogs and collects their answers.
pub struct Dialogs {
    native: bool,
    sender: SyncSender<Answer>,
    receiver: Receiver<Answer>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Dialogs {
    /// `native` false never shows the platform's dialogs and asks for typed paths instead. `wake` is called when an answer
    /// has come.
    pub fn new(native: bool, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (sender, receiver) = sync_channel(ANSWERS);
        Self { native, sender, receiver, wake: Arc::new(wake) }
    }

    /// Asks for a path.
    pub fn ask(&self, request: FileRequest, purpose: Purpose) {
        if !self.native {
            // A queue that is full holds as many questions already; one more would not be seen.
            let _ = self.sender.try_send(Answer::Unavailable(request, purpose));
            (self.wake)();
            return;
        }
        self.on_thread(move || {
            let shown = Instant::now();
            match request.show() {
                Some(path) => finish(path, purpose),
                None if shown.elapsed() < NEVER_SHOWN => Answer::Unavailable(request, purpose),
                None => Answer::Cancelled,
            }
        });
    }

    /// Goes on with a path that was typed.
    pub fn typed(&self, path: PathBuf, purpose: Purpose) {
        self.on_thread(move || finish(path, purpose));
    }

    /// The next answer, if one has come.
    pub fn try_recv(&self) -> Option<Answer> {
        self.receiver.try_recv().ok()
    }

    fn on_thread(&self, work: impl FnOnce() -> Answer + Send + 'static) {
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        let thread = std::thread::Builder::new().name("fovea-dialog".to_owned()).spawn(move || {
            // The app may be gone by the time a person answers; then there is nobody to tell.
            let _ = sender.send(work());
            wake();
        });
        if let Err(error) = thread {
            log::error!("no thread for a file dialog: {error}");
        }
    }
}

fn finish(path: PathBuf, purpose: Purpose) -> Answer {
    match purpose {
        Purpose::Pick { panel, tag } => Answer::Picked { panel, tag, path },
        Purpose::Write(write) => match write(&path) {
            Ok(()) => Answer::Written(path),
            Err(error) => Answer::Failed(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(dialogs: &Dialogs) -> Answer {
        dialogs.receiver.recv_timeout(Duration::from_secs(10)).expect("an answer within ten seconds")
    }

    #[test]
    fn without_dialogs_a_typed_path_does_the_same() {
        let dialogs = Dialogs::new(false, || ());
        dialogs.ask(FileRequest::open("Open text"), Purpose::Pick { panel: Some(PanelId::Prompt), tag: "rows" });
        let Answer::Unavailable(request, purpose) = answer(&dialogs) else { panic!("asked natively") };
        assert_eq!(request.title, "Open text");
        dialogs.typed("rows.csv".into(), purpose);
        let Answer::Picked { panel, tag, path } = answer(&dialogs) else { panic!("not picked") };
        assert_eq!((panel, tag, path), (Some(PanelId::Prompt), "rows", PathBuf::from("rows.csv")));
    }

    #[test]
    fn a_failed_write_tells_why() {
        let dialogs = Dialogs::new(false, || ());
        let write = |path: &Path| {
            std::fs::write(path, "x")
                .map_err(|e| UserError::new("Not written.", e.to_string(), "Choose another folder."))
        };
        dialogs.typed("/nonexistent/folder/figure.svg".into(), Purpose::Write(Box::new(write)));
        let Answer::Failed(error) = answer(&dialogs) else { panic!("no error") };
        assert_eq!(error.what, "Not written.");
    }
}
