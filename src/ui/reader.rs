//! Reads something away from the UI thread; a newer request makes an older one stop.

use crate::types::UserError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// Something that is being read into a `T`.
pub(super) struct Reader<T> {
    answer: Option<Receiver<Result<T, UserError>>>,
    stop: Arc<AtomicBool>,
}

impl<T> Default for Reader<T> {
    fn default() -> Self {
        Self { answer: None, stop: Arc::default() }
    }
}

impl<T: Send + 'static> Reader<T> {
    /// Starts reading. `work` is told by its argument whether it is still wanted; `wake` is called at the end.
    ///
    /// # Errors
    /// When the platform gives no thread.
    pub fn start(
        &mut self,
        work: impl FnOnce(&dyn Fn() -> bool) -> Result<T, UserError> + Send + 'static,
        wake: impl FnOnce() + Send + 'static,
    ) -> Result<(), UserError> {
        self.stop();
        let stop = Arc::new(AtomicBool::new(false));
        self.stop = Arc::clone(&stop);
        let (sender, receiver) = sync_channel(1);
        let read = move || {
            let answer = work(&|| !stop.load(Ordering::Relaxed));
            // Something else may have been asked for meanwhile: then nobody listens.
            let _ = sender.send(answer);
            wake();
        };
        std::thread::Builder::new().name("fovea-reader".to_owned()).spawn(read).map_err(|e| {
            UserError::new("The file was not read.", format!("No thread could be started: {e}."), "Try again.")
        })?;
        self.answer = Some(receiver);
        Ok(())
    }

    /// True while an answer is awaited.
    pub fn is_busy(&self) -> bool {
        self.answer.is_some()
    }

    /// Ends the work that is under way; its answer is forgotten.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.answer = None;
    }

    /// The answer, once.
    pub fn poll(&mut self) -> Option<Result<T, UserError>> {
        let answer = match self.answer.as_ref()?.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {
                let next = "Try another one; if it happens again, report it.";
                Err(UserError::new("The file was not read.", "The reader ended without an answer.", next))
            }
        };
        self.answer = None;
        Some(answer)
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
