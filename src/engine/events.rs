//! The way out of the engine: a bounded queue and a wake call.

use super::Event;
use std::cell::Cell;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

/// Called after every event, from the engine's threads; the window asks for a repaint with it.
pub type Wake = Box<dyn Fn() + Send>;

/// Where the engine's threads send events. Sending waits while the queue is full; the window never does.
pub(crate) struct EventSink {
    queue: SyncSender<Event>,
    wake: Arc<Mutex<Wake>>,
    closed: Cell<bool>,
}

impl EventSink {
    /// A sink into `queue`.
    pub(crate) fn new(queue: SyncSender<Event>, wake: Wake) -> Self {
        Self { queue, wake: Arc::new(Mutex::new(wake)), closed: Cell::new(false) }
    }

    /// The same sink for another thread.
    pub(crate) fn for_other_thread(&self) -> Self {
        Self { queue: self.queue.clone(), wake: Arc::clone(&self.wake), closed: Cell::new(false) }
    }

    /// Sends an event. Once nobody listens, events vanish and [`Self::is_closed`] says so.
    pub(crate) fn send(&self, event: Event) {
        if self.closed.get() {
            return;
        }
        if self.queue.send(event).is_err() {
            self.closed.set(true);
            return;
        }
        (self.wake.lock().unwrap_or_else(PoisonError::into_inner))();
    }

    /// True once the other end is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }
}
