//! What survives a crash and a restart: everything that was typed and drawn, which model was open, which theme.
//!
//! The app hands over a snapshot at most twice a second; a thread of its own writes it, first beside the old file and then
//! over it, so that a crash while writing leaves the old one whole.

use super::edits::Kept;
use super::{ThemeChoice, lenient, paths};
use crate::disk::Lock;
use crate::types::{AdapterSetting, DeviceChoice};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

const FILE: &str = "session.json";
/// There while a window is coming to life.
const STARTING: &str = "session.starting";
/// Held by the window that keeps the session.
const LOCK: &str = "session.lock";
/// Paths in the list of recent models.
pub const RECENT_KEPT: usize = 8;

/// The contents of the session file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Theme.
    pub theme: ThemeChoice,
    /// Device asked for.
    pub device: DeviceChoice,
    /// Id of the panel shown.
    pub panel: String,
    /// True when the inspector is open.
    pub inspector: bool,
    /// Model folders opened lately, newest first.
    #[serde(with = "paths::several")]
    pub recent: Vec<PathBuf>,
    /// The models in use, in the order in which they were chosen.
    #[serde(with = "paths::several")]
    pub models: Vec<PathBuf>,
    /// The adapters of models in use.
    pub adapters: Vec<KeptAdapter>,
    /// Edits of the model, and sets of them.
    pub edits: Kept,
    /// What each panel wants to keep, by panel id.
    pub panels: BTreeMap<String, Value>,
}

/// An adapter that was put on a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptAdapter {
    /// Which of [`Session::models`].
    pub model: usize,
    /// Its own folder.
    #[serde(with = "paths::one")]
    pub path: Option<PathBuf>,
    /// How it was used.
    pub setting: AdapterSetting,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::default(),
            device: DeviceChoice::default(),
            panel: "prompt".to_owned(),
            inspector: true,
            recent: Vec::new(),
            models: Vec::new(),
            adapters: Vec::new(),
            edits: Kept::default(),
            panels: BTreeMap::new(),
        }
    }
}

/// Reads the session, as much of it as is understood; what is not has the defaults, and a copy of the file is kept. A missing
/// file gives the defaults. The second value says what happened.
#[must_use]
pub fn load(dir: &Path) -> (Session, Option<String>) {
    match read(dir) {
        (session, None) => (session, None),
        (session, Some(problem)) => (session, Some(format!("{problem}{}", set_aside(dir)))),
    }
}

/// The same without keeping anything: the session, and what was wrong with its file.
fn read(dir: &Path) -> (Session, Option<String>) {
    let path = dir.join(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (Session::default(), None),
        Err(e) => return (Session::default(), Some(format!("The last session could not be read: {e}."))),
    };
    let text = String::from_utf8_lossy(&bytes);
    let saved: Value = match serde_json::from_str(&text) {
        Ok(saved) => saved,
        Err(e) => {
            return (Session::default(), Some(format!("The last session could not be understood ({e}).")));
        }
    };
    let (mut session, is_whole): (Session, bool) = lenient::read(&saved);
    if session.models.is_empty() {
        session.models = slots(&text);
    }
    let is_text = matches!(text, std::borrow::Cow::Borrowed(_));
    let problem = "Some of the last session could not be understood and has its defaults.";
    (session, (!is_whole || !is_text).then(|| problem.to_owned()))
}

/// Keeps a copy of the session file under a name of its own, once. A sentence that says where, or nothing where there is no copy.
pub(super) fn set_aside(dir: &Path) -> String {
    let name = |number: usize| match number {
        1 => "session.broken.json".to_owned(),
        n => format!("session.broken-{n}.json"),
    };
    let Ok(bytes) = std::fs::read(dir.join(FILE)) else { return String::new() };
    for copy in (1..).map(|number| dir.join(name(number))) {
        let is_kept = match std::fs::read(&copy) {
            Ok(kept) => kept == bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if crate::disk::write(&copy, &bytes).is_err() {
                    return String::new();
                }
                true
            }
            Err(_) => false,
        };
        if is_kept {
            return format!(" The file as it was is kept as {}.", copy.display());
        }
    }
    String::new()
}

/// Notes that a window is coming to life, until [`Self::succeeded`]. A start that never got so far has left its note.
#[derive(Debug, Default)]
pub struct Starting {
    note: Option<(PathBuf, Lock)>,
}

impl Starting {
    /// Begins a start: the session to go on with, and what happened. A session that ended the last start at once is kept beside,
    /// and does not come back.
    #[must_use]
    pub fn begin(dir: &Path) -> (Self, Session, Option<String>) {
        let path = dir.join(STARTING);
        let failed_before = path.exists();
        let held = std::fs::create_dir_all(dir).and_then(|()| Lock::take(&path)).ok().flatten();
        if failed_before && held.is_some() && dir.join(FILE).is_file() {
            let kept = set_aside(dir);
            let removed = !kept.is_empty() && std::fs::remove_file(dir.join(FILE)).is_ok();
            if removed {
                let word = format!("The last start ended before the window was there, so it begins anew.{kept}");
                return (Self { note: held.map(|lock| (path, lock)) }, Session::default(), Some(word));
            }
        }
        let (session, word) = load(dir);
        (Self { note: held.map(|lock| (path, lock)) }, session, word)
    }

    /// The window is there and has been painted.
    pub fn succeeded(&mut self) {
        self.note = None;
    }

    /// True until the window was painted.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.note.is_some()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        // The program ends before the window was there: the note stays.
        if let Some((_, lock)) = self.note.take() {
            lock.leave();
        }
    }
}

/// The models in use as a session of before wrote them: one slot for each kind, and which kind was chosen last.
fn slots(text: &str) -> Vec<PathBuf> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Slots {
        text_model: Option<PathBuf>,
        digit_model: Option<PathBuf>,
        encoder_model: Option<PathBuf>,
        image_model: Option<PathBuf>,
        focus: Option<String>,
    }
    let slots: Slots = serde_json::from_str(text).unwrap_or_default();
    let mut models = [
        ("CausalLm", slots.text_model),
        ("DigitClassifier", slots.digit_model),
        ("TextEncoder", slots.encoder_model),
        ("ImageClassifier", slots.image_model),
    ];
    models.sort_by_key(|(kind, _)| slots.focus.as_deref() == Some(*kind));
    models.into_iter().filter_map(|(_, path)| path).collect()
}

/// Model folders opened lately in the window, newest first; those that are gone are left out.
#[must_use]
pub fn recent_models(dir: &Path) -> Vec<PathBuf> {
    read(dir).0.recent.into_iter().filter(|path| path.exists()).collect()
}

/// Writes a session over the old one in one step.
///
/// # Errors
/// When the folder cannot be made or written.
pub fn store(dir: &Path, session: &Session) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let text = serde_json::to_string(session).map_err(std::io::Error::other)?;
    crate::disk::write(&dir.join(FILE), text.as_bytes())
}

/// Writes sessions on a thread of its own; the newest one wins. Dropping it writes the last one and waits for that.
pub struct Writer {
    sender: Option<SyncSender<Session>>,
    thread: Option<JoinHandle<()>>,
    last: Session,
    /// Keeps other windows from writing over what this one keeps.
    _lock: Lock,
}

impl Writer {
    /// Starts the thread. `last` is what the file holds now.
    ///
    /// # Errors
    /// When the platform gives no thread, the folder cannot be written, or another window keeps its session there.
    pub fn start(dir: PathBuf, last: Session) -> std::io::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        let busy = || std::io::Error::other("another window of Fovea is open, and keeps its own session");
        let lock = Lock::take(&dir.join(LOCK))?.ok_or_else(busy)?;
        let (sender, receiver) = sync_channel::<Session>(1);
        let thread = std::thread::Builder::new().name("fovea-session".to_owned()).spawn(move || {
            let mut told = false;
            while let Ok(session) = receiver.recv() {
                if let Err(e) = store(&dir, &session) {
                    // Once is enough: a full disk stays full.
                    if !std::mem::replace(&mut told, true) {
                        log::warn!("the session could not be saved in {}: {e}", dir.display());
                    }
                }
            }
        })?;
        Ok(Self { sender: Some(sender), thread: Some(thread), last, _lock: lock })
    }

    /// Hands over a snapshot unless it equals the last one. Never waits: while the thread is busy the next call tries again.
    pub fn offer(&mut self, session: Session) {
        if session == self.last {
            return;
        }
        let Some(sender) = &self.sender else { return };
        match sender.try_send(session.clone()) {
            Ok(()) => self.last = session,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Writes a last snapshot and waits until it is on disk.
    pub fn finish(&mut self, session: Session) {
        if let Some(sender) = self.sender.take()
            && session != self.last
        {
            // Waits at most for the one write that is under way.
            let _ = sender.send(session);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut session = Session { theme: ThemeChoice::Light, ..Session::default() };
        session.panels.insert("prompt".into(), serde_json::json!({ "query": "Once" }));
        let mut writer = Writer::start(dir.path().to_owned(), Session::default()).unwrap();
        writer.finish(session.clone());
        assert_eq!(load(dir.path()), (session, None));
    }

    #[test]
    fn a_broken_file_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "{\"theme\": ").unwrap();
        let (session, word) = load(dir.path());
        assert_eq!(session, Session::default());
        assert!(word.unwrap().contains("session.broken.json"));
        assert!(dir.path().join("session.broken.json").exists());
        // Looking for recent models leaves nothing behind.
        let _ = recent_models(dir.path());
        assert!(!dir.path().join("session.broken-2.json").exists());
        // Another one has a name of its own.
        std::fs::write(dir.path().join(FILE), "{\"theme\": 2").unwrap();
        assert!(load(dir.path()).1.unwrap().contains("session.broken-2.json"));
        assert_eq!(std::fs::read_to_string(dir.path().join("session.broken.json")).unwrap(), "{\"theme\": ");
    }

    #[test]
    fn a_word_of_a_newer_version_or_a_bad_byte_costs_nothing_else_and_a_copy_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let saved: [&[u8]; 2] = [
            br#"{"theme":"sepia","device":"npu","panel":"lab","panels":{"prompt":{"query":"Once"}}}"#,
            b"{\"panel\":\"lab\",\"inspector\":\"no\",\"panels\":{\"prompt\":{\"query\":\"Once\"},\"x\":\"\xff\"}}",
        ];
        for (number, bytes) in saved.iter().enumerate() {
            std::fs::write(dir.path().join(FILE), bytes).unwrap();
            let (session, word) = load(dir.path());
            assert_eq!((session.theme, session.inspector, session.panel.as_str()), (ThemeChoice::System, true, "lab"));
            assert_eq!(session.panels["prompt"]["query"], "Once");
            let copy = if number == 0 { "session.broken.json" } else { "session.broken-2.json" };
            assert!(word.unwrap().contains(copy));
            assert_eq!(std::fs::read(dir.path().join(copy)).unwrap(), *bytes);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_whose_name_is_no_text_does_not_keep_the_session_from_being_saved() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let odd = PathBuf::from(std::ffi::OsStr::from_bytes(b"/models/caf\xe9"));
        let session = Session { models: vec![odd.clone()], recent: vec![odd], ..Session::default() };
        store(dir.path(), &session).unwrap();
        assert_eq!(load(dir.path()), (session, None));
    }

    #[test]
    fn a_session_that_ended_the_last_start_does_not_come_back_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let session = Session { panel: "lab".into(), ..Session::default() };
        store(dir.path(), &session).unwrap();
        // A start that succeeds changes nothing.
        let (mut starting, loaded, word) = Starting::begin(dir.path());
        assert_eq!((loaded, word), (session, None));
        starting.succeeded();
        assert!(!dir.path().join(STARTING).exists());
        // One that never gets so far leaves its note, which nobody holds once the program has ended.
        let other = tempfile::tempdir().unwrap();
        drop(Starting::begin(other.path()));
        assert!(other.path().join(STARTING).exists());
        std::fs::write(dir.path().join(STARTING), "").unwrap();
        let (_, loaded, word) = Starting::begin(dir.path());
        assert_eq!(loaded, Session::default());
        assert!(word.unwrap().contains("session.broken.json"));
        assert!(std::fs::read_to_string(dir.path().join("session.broken.json")).unwrap().contains("lab"));
    }

    #[test]
    fn a_second_window_does_not_write_over_the_first_ones_session() {
        let dir = tempfile::tempdir().unwrap();
        let first = Writer::start(dir.path().to_owned(), Session::default()).unwrap();
        let error = Writer::start(dir.path().to_owned(), Session::default()).err().unwrap();
        assert!(error.to_string().contains("another window"), "{error}");
        drop(first);
        assert!(Writer::start(dir.path().to_owned(), Session::default()).is_ok());
    }

    #[test]
    fn a_session_of_another_version_keeps_what_is_known() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), r#"{"theme":"dark","new_field":1}"#).unwrap();
        assert_eq!(load(dir.path()).0.theme, ThemeChoice::Dark);
    }

    #[test]
    fn a_session_with_a_slot_for_each_kind_keeps_its_models_and_which_was_chosen_last() {
        let dir = tempfile::tempdir().unwrap();
        let text =
            r#"{"text_model":"t","digit_model":null,"encoder_model":"e","image_model":"i","focus":"TextEncoder"}"#;
        std::fs::write(dir.path().join(FILE), text).unwrap();
        assert_eq!(load(dir.path()).0.models, ["t", "i", "e"].map(PathBuf::from));
    }
}
