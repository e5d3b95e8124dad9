//! What a template may use: work, memory and time. A template is a program from somebody else; whatever size it chooses is
//! looked at here before memory is asked for.

use super::engine::LARGEST_OUTPUT;
use minijinja::{Error, ErrorKind, State};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest that a person waits for a template. Real ones take milliseconds.
pub(super) const LONGEST: Duration = Duration::from_secs(2);
/// Bytes of text that one unit of fuel pays for, as minijinja counts.
const BYTES_A_UNIT: usize = 64;
/// Units of fuel an item of a list costs.
const ITEM: u64 = 1;

/// When the rendering has to be over.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    end: Instant,
    is_stopped: Arc<AtomicBool>,
}

thread_local! {
    /// A rendering has a thread of its own, and the clock is the thread's: functions of a template are handed nothing else that
    /// is the rendering's.
    static CLOCK: RefCell<Option<Clock>> = const { RefCell::new(None) };
}

impl Clock {
    /// Runs from now on.
    pub(super) fn start(longest: Duration) -> Self {
        Self { end: Instant::now() + longest, is_stopped: Arc::default() }
    }

    /// Nobody waits for the rendering any more.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed) || Instant::now() >= self.end
    }

    /// How much of the time is left.
    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Makes it the clock of this thread.
    pub(super) fn rule_here(&self) {
        CLOCK.with_borrow_mut(|clock| *clock = Some(self.clone()));
    }
}

/// Ends the template when its time is over.
pub(super) fn look(state: &State<'_, '_>) -> Result<(), Error> {
    let is_over = CLOCK.with_borrow(|clock| clock.as_ref().is_some_and(Clock::is_over));
    if is_over { state.consume_fuel(u64::MAX) } else { Ok(()) }
}

/// Pays for so many bytes of text that are read.
pub(super) fn pay(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    look(state)?;
    state.consume_fuel((bytes / BYTES_A_UNIT) as u64)
}

/// Pays for looking at so many items.
pub(super) fn pay_items(state: &State<'_, '_>, items: usize) -> Result<(), Error> {
    look(state)?;
    state.consume_fuel((items as u64).saturating_mul(ITEM))
}

/// Pays for a text of so many bytes before it is made.
pub(super) fn room(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    if bytes > LARGEST_OUTPUT {
        return Err(wrong(format!(
            "a text of {} MB is asked for, and {} MB is what a template may write",
            bytes.div_ceil(1 << 20),
            LARGEST_OUTPUT >> 20
        )));
    }
    pay(state, bytes)
}

/// What the template does wrong.
pub(super) fn wrong(problem: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}
