//! Runs work that may panic and turns a panic into a value.
//!
//! Burn asserts shapes and panics on a lost device, and a driver may fail in ways nobody foresaw. None of that may take the
//! app with it: the worker runs every step and every device check in here. Must not know: jobs, models or queues.

use crate::types::UserError;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};

/// Prefix of the names of threads whose panics are kept instead of printed: the worker and its compute threads.
pub(crate) const THREAD_PREFIX: &str = "fovea-";

/// What a panic said, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panicked {
    /// The message.
    pub message: String,
    /// `file:line`, when it is known.
    pub location: Option<String>,
}

impl Panicked {
    /// Message and place on one line.
    pub(crate) fn detail(&self) -> String {
        match &self.location {
            Some(location) => format!("{} ({location})", self.message),
            None => self.message.clone(),
        }
    }

    /// The error to show beside the job that panicked.
    pub(crate) fn user_error(&self, job_name: &str) -> UserError {
        UserError::new(
            format!("{job_name} ended with an internal error."),
            "A part of Fovea met a situation it was not made for.",
            "Try again; if it happens again, please report the detail.",
        )
        .with_detail(self.detail())
    }
}

thread_local! {
    static LAST_HERE: RefCell<Option<Panicked>> = const { RefCell::new(None) };
}
/// A panic on a compute thread is thrown again on the worker without its location, so it is kept here as well.
static LAST_ON_COMPUTE_THREAD: Mutex<Option<Panicked>> = Mutex::new(None);

/// Runs `work`; a panic inside becomes an `Err`.
///
/// # Errors
/// What the panic said.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    keep_panics_of_own_threads();
    LAST_HERE.with_borrow_mut(Option::take);
    // A half-changed value is possible after a panic; the callers drop the task, and models are replaced whole.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = message_of(payload.as_ref());
        let kept = LAST_HERE.with_borrow_mut(Option::take);
        let kept = kept.or_else(|| LAST_ON_COMPUTE_THREAD.lock().unwrap_or_else(PoisonError::into_inner).take());
        kept.filter(|kept| kept.message == message).unwrap_or(Panicked { message, location: None })
    })
}

fn message_of(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}

fn keep_panics_of_own_threads() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current();
            match thread.name() {
                Some(name) if name.starts_with(THREAD_PREFIX) => keep(info, name),
                _ => print(info),
            }
        }));
    });
}

fn keep(info: &PanicHookInfo<'_>, thread: &str) {
    let panicked = Panicked {
        message: message_of(info.payload()),
        location: info.location().map(|place| format!("{}:{}", place.file(), place.line())),
    };
    log::error!("panic on {thread}: {}", panicked.detail());
    *LAST_ON_COMPUTE_THREAD.lock().unwrap_or_else(PoisonError::into_inner) = Some(panicked.clone());
    LAST_HERE.with_borrow_mut(|last| *last = Some(panicked));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_own_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let name = format!("{THREAD_PREFIX}guard-test");
        std::thread::Builder::new().name(name).spawn(work).unwrap().join().unwrap()
    }

    #[test]
    fn a_panic_becomes_a_value_with_message_and_place() {
        let panicked = on_own_thread(|| guarded(|| panic!("no {}", "luck")).unwrap_err());
        assert_eq!(panicked.message, "no luck");
        assert!(panicked.location.unwrap().contains("guard.rs:"));
    }

    #[test]
    fn work_that_does_not_panic_gives_its_value() {
        assert_eq!(on_own_thread(|| guarded(|| 7)), Ok(7));
    }

    #[test]
    fn an_earlier_panic_does_not_lend_its_place_to_a_later_one() {
        let panicked = on_own_thread(|| {
            guarded(|| panic!("first")).unwrap_err();
            guarded(|| std::panic::resume_unwind(Box::new("second"))).unwrap_err()
        });
        assert_eq!(panicked, Panicked { message: "second".into(), location: None });
    }
}
