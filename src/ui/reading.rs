//! Reads a file away from the UI thread.

use crate::types::UserError;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// A file that is being read into a `T`.
pub(super) struct Reading<T> {
    answer: Option<Receiver<Result<T, UserError>>>,
    /// What is read, at the start of a sentence.
    what: &'static str,
}

impl<T> Default for Reading<T> {
    fn default() -> Self {
        Self::of("The picture")
    }
}

impl<T> Reading<T> {
    /// A reader of something else than pictures; `what` begins a sentence.
    pub fn of(what: &'static str) -> Self {
        Self { answer: None, what }
    }
}

impl<T: Send + 'static> Reading<T> {
    /// Starts reading; the answer of an earlier reading is forgotten. `wake` is called once there is an answer.
    pub fn start(
        &mut self,
        path: PathBuf,
        read: fn(&Path) -> Result<T, UserError>,
        wake: impl FnOnce() + Send + 'static,
    ) -> Result<(), UserError> {
        let (sender, receiver) = sync_channel(1);
        let read = move || {
            // The panel may have asked for another file meanwhile: then nobody listens.
            let _ = sender.send(read(&path));
            wake();
        };
        std::thread::Builder::new().name("fovea-reader".to_owned()).spawn(read).map_err(|e| {
            let what = format!("{} was not opened.", self.what);
            UserError::new(what, format!("No thread could be started: {e}."), "Try again.")
        })?;
        self.answer = Some(receiver);
        Ok(())
    }

    /// True while an answer is awaited.
    pub fn is_busy(&self) -> bool {
        self.answer.is_some()
    }

    /// The answer, once.
    pub fn poll(&mut self) -> Option<Result<T, UserError>> {
        match self.answer.as_ref()?.try_recv() {
            Ok(answer) => {
                self.answer = None;
                Some(answer)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.answer = None;
                let why = "The reader ended without an answer.";
                Some(Err(UserError::new(format!("{} was not opened.", self.what), why, "Try another file.")))
            }
        }
    }
}
