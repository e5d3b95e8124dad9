//! When to try again, and how long to wait before.

use super::HubError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How broken connections are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries without a single new byte before giving up.
    pub tries: u32,
    /// Wait before the second try; doubles with every further one.
    pub first_wait: Duration,
    /// Longest wait.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { tries: 6, first_wait: Duration::from_secs(1), longest_wait: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// Wait after the given number of failures in a row, from 1. A server that names a time is believed, up to the
    /// longest wait.
    #[must_use]
    pub fn wait_after(&self, failures: u32, asked_for: Option<Duration>) -> Duration {
        let doubled = self.first_wait.saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.max(asked_for.unwrap_or_default()).min(self.longest_wait)
    }

    /// Runs `work` until it succeeds, fails for good, or has failed too often. `waiting` is told each wait.
    pub(super) fn run<T>(
        &self,
        stop: &AtomicBool,
        mut waiting: impl FnMut(Duration),
        mut work: impl FnMut() -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        for failures in 1.. {
            match work() {
                Err(_) if stop.load(Ordering::Relaxed) => return Err(HubError::Cancelled),
                Err(error) if error.may_pass() && failures < self.tries => {
                    let wait = self.wait_after(failures, error.asks_to_wait());
                    waiting(wait);
                    pause(wait, stop)?;
                }
                result => return result,
            }
        }
        unreachable!("the last failure is returned")
    }
}

/// Waits, but not when told to stop.
pub(super) fn pause(wait: Duration, stop: &AtomicBool) -> Result<(), HubError> {
    const LOOK_UP: Duration = Duration::from_millis(50);
    let until = Instant::now() + wait;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(HubError::Cancelled);
        }
        match until.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => std::thread::sleep(left.min(LOOK_UP)),
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let waits: Vec<u64> = (1..8).map(|n| policy.wait_after(n, None).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(policy.wait_after(1, Some(Duration::from_secs(7))).as_secs(), 7);
        assert_eq!(policy.wait_after(1, Some(Duration::from_secs(7_000))).as_secs(), 30);
    }
}
