//! Ends a program, in a test, before one of its changes on disk: that one and all later ones do not happen.

use std::cell::Cell;
use std::io::{Error, Result};

thread_local! {
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    static ENDED: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`, whose changes on disk stop after so many. Gives what it gave, and whether it was ended.
pub(crate) fn after<T>(steps: usize, work: impl FnOnce() -> T) -> (T, bool) {
    ENDED.set(false);
    LEFT.set(Some(steps));
    let done = work();
    LEFT.set(None);
    (done, ENDED.get())
}

pub(super) fn step() -> Result<()> {
    match LEFT.get() {
        None => Ok(()),
        Some(0) => {
            ENDED.set(true);
            Err(Error::other("the program was ended here"))
        }
        Some(left) => {
            LEFT.set(Some(left - 1));
            Ok(())
        }
    }
}
