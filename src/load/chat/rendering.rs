//! A template at work, on a thread of its own with a stack of its own. Whoever asked looks now and then, and goes away when the time is
//! over: what the template does then is nobody's business, and it ends at the next thing it asks for.

use super::conversation::Conversation;
use super::error::{ChatError, Place};
use super::limits::Clock;
use crate::types::RenderedChat;
use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// A value nested to its limit, a macro that calls itself to its limit and an expression as long as a whole template find
/// room in it. Memory is taken only as far as it is used.
const STACK: usize = 64 << 20;

/// What the thread tells.
#[derive(Debug)]
pub(super) enum Part {
    /// The text, or why there is none.
    Text(Result<RenderedChat, ChatError>),
    /// Where the messages' words stand in it.
    Places(Vec<(usize, Range<usize>)>),
}

/// A conversation on its way to text. Dropping it ends the template.
#[derive(Debug)]
pub struct Rendering {
    parts: Receiver<Part>,
    clock: Clock,
    file: String,
    /// The text, before its places are known.
    text: Option<RenderedChat>,
}

impl Rendering {
    pub(super) fn start(conversation: Conversation, longest: Duration) -> Result<Self, ChatError> {
        // The text and its places.
        let (sender, parts) = sync_channel(2);
        let clock = Clock::start(longest);
        let file = conversation.source.file.clone();
        let own = clock.clone();
        let work = move || {
            own.rule_here();
            // Nobody may be there any more.
            conversation.write(&|part| drop(sender.send(part)));
        };
        let thread = std::thread::Builder::new().name("fovea-template".to_owned()).stack_size(STACK);
        match thread.spawn(work) {
            Ok(_) => Ok(Self { parts, clock, file, text: None }),
            Err(error) => Err(ChatError::Crashed { file, problem: error.to_string() }),
        }
    }

    /// What came of it; nothing while it is not over. Waits for `patience` at most.
    pub fn wait(&mut self, patience: Duration) -> Option<Result<RenderedChat, ChatError>> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now()).min(self.clock.left());
            match self.parts.recv_timeout(left) {
                Ok(Part::Text(Ok(text))) => self.text = Some(text),
                Ok(Part::Text(Err(error))) => return Some(Err(error)),
                Ok(Part::Places(spans)) => {
                    let text = self.text.take()?;
                    return Some(Ok(RenderedChat { spans, ..text }));
                }
                Err(RecvTimeoutError::Timeout) if !self.clock.is_over() => return None,
                // The text is there; that its places could not be found in time is no reason to lose it.
                Err(end) => return Some(self.text.take().ok_or_else(|| self.lost(end))),
            }
        }
    }

    /// What came of it. Waits until it is over.
    ///
    /// # Errors
    /// When the template refuses the conversation, is wrong, or does not come to an end; each with its line.
    pub fn finish(mut self) -> Result<RenderedChat, ChatError> {
        loop {
            if let Some(result) = self.wait(self.clock.left()) {
                return result;
            }
        }
    }

    fn lost(&self, end: RecvTimeoutError) -> ChatError {
        let file = self.file.clone();
        match end {
            RecvTimeoutError::Timeout => ChatError::Endless { place: Place { file, ..Place::default() } },
            RecvTimeoutError::Disconnected => {
                ChatError::Crashed { file, problem: "the template engine failed".to_owned() }
            }
        }
    }
}

impl Drop for Rendering {
    fn drop(&mut self) {
        self.clock.stop();
    }
}
