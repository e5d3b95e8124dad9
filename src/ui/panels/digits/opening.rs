//! Reads a picture of a digit away from the UI thread.

use crate::engine::read_digit_image;
use crate::types::{DigitImage, UserError};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// A picture that is being read.
#[derive(Default)]
pub(super) struct Opening {
    answer: Option<Receiver<Result<DigitImage, UserError>>>,
}

impl Opening {
    /// Starts reading; the answer of an earlier reading is forgotten. `wake` is called once there is an answer.
    pub fn start(&mut self, path: PathBuf, wake: impl FnOnce() + Send + 'static) -> Result<(), UserError> {
        let (sender, receiver) = sync_channel(1);
        let read = move || {
            // The panel may have asked for another picture meanwhile: then nobody listens.
            let _ = sender.send(read_digit_image(&path));
            wake();
        };
        std::thread::Builder::new().name("read digit image".to_owned()).spawn(read).map_err(|e| {
            UserError::new("The picture was not opened.", format!("No thread could be started: {e}."), "Try again.")
        })?;
        self.answer = Some(receiver);
        Ok(())
    }

    /// The answer, once.
    pub fn poll(&mut self) -> Option<Result<DigitImage, UserError>> {
        match self.answer.as_ref()?.try_recv() {
            Ok(answer) => {
                self.answer = None;
                Some(answer)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.answer = None;
                let why = "The reader ended without an answer.";
                Some(Err(UserError::new("The picture was not opened.", why, "Try another picture.")))
            }
        }
    }
}
