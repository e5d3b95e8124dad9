//! What survives a crash and a restart: everything that was typed and drawn, which model was open, which theme.
//!
//! The app hands over a snapshot at most twice a second; a thread of its own writes it, first beside the old file and then
//! over it, so that a crash while writing leaves the old one whole.

use super::ThemeChoice;
use crate::types::DeviceChoice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

const FILE: &str = "session.json";
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
    pub recent: Vec<PathBuf>,
    /// The models in use, in the order in which they were chosen.
    pub models: Vec<PathBuf>,
    /// What each panel wants to keep, by panel id.
    pub panels: BTreeMap<String, serde_json::Value>,
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
            panels: BTreeMap::new(),
        }
    }
}

/// The folder of the session file: `FOVEA_STATE_DIR`, else the platform's place for application data.
#[must_use]
pub fn state_dir() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("FOVEA_STATE_DIR") {
        return Some(dir.into());
    }
    directories::ProjectDirs::from("", "", "fovea").map(|dirs| dirs.data_dir().to_owned())
}

/// Reads the session. A missing file gives the defaults; a broken one is put aside and gives the defaults with a word of
/// what happened.
#[must_use]
pub fn load(dir: &Path) -> (Session, Option<String>) {
    let path = dir.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (Session::default(), None),
        Err(e) => return (Session::default(), Some(format!("The last session could not be read: {e}."))),
    };
    match serde_json::from_str::<Session>(&text) {
        Ok(session) if session.models.is_empty() => (Session { models: slots(&text), ..session }, None),
        Ok(session) => (session, None),
        Err(e) => {
            let aside = dir.join("session.broken.json");
            let kept = std::fs::rename(&path, &aside).is_ok();
            let rest = if kept { " It was kept as session.broken.json." } else { "" };
            (Session::default(), Some(format!("The last session could not be understood ({e}).{rest}")))
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
    load(dir).0.recent.into_iter().filter(|path| path.is_dir()).collect()
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
}

impl Writer {
    /// Starts the thread. `last` is what the file holds now.
    ///
    /// # Errors
    /// When the platform gives no thread.
    pub fn start(dir: PathBuf, last: Session) -> std::io::Result<Self> {
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
        Ok(Self { sender: Some(sender), thread: Some(thread), last })
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
