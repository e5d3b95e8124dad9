//! The worker that owns device, models and caches.

mod protocol;

pub use protocol::{Command, Event, Outcome, PromptInput};
