//! Whether the system lets all threads of a team run at once.
//!
//! Threads that wait for each other from barrier to barrier are fast only while each has a processor. Where other programs take
//! processors away, at almost every barrier somebody waits for a thread that does not run, and all together are many times slower than
//! one thread alone. So waits that the work does not explain are counted, and after a few of them the team rests for a while.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A wait that is no longer than this may have any reason.
const SHORT: Duration = Duration::from_millis(1);
/// A wait that is no longer than so many of one's own pieces may be for pieces that are larger.
const PIECES: u32 = 4;
/// So many long waits, within so many microseconds, are no accident if they take half of these.
const MOST: u32 = 3;
const WINDOW: u64 = 60_000;
/// Microseconds for which the team then rests. Trying again costs as much as one computation that is stalled.
const REST: u64 = 1_000_000;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The long waits of a team. Which of two threads writes last does not matter: it is about many.
pub(super) struct Stalls {
    /// When the first of those that are counted began, in microseconds.
    since: AtomicU64,
    count: AtomicU32,
    /// How long they took together, in microseconds.
    waited: AtomicU64,
    /// Until when the team rests; 0 while it does not.
    rests_until: AtomicU64,
}

/// What a thread has done of its own before it waits.
pub(super) struct Work {
    begun: Instant,
    pieces: u32,
}

impl Work {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), pieces: 0 }
    }

    /// Counts a piece.
    pub(super) fn count(&mut self) {
        self.pieces += 1;
    }

    /// What a piece took, where it had any.
    fn piece(&self, until: Instant) -> Option<Duration> {
        (until - self.begun).checked_div(self.pieces)
    }
}

impl Stalls {
    pub(super) const fn none() -> Self {
        Self {
            since: AtomicU64::new(0),
            count: AtomicU32::new(0),
            waited: AtomicU64::new(0),
            rests_until: AtomicU64::new(0),
        }
    }

    /// True while all that is to be done is better done by one thread.
    pub(super) fn team_rests(&self) -> bool {
        let until = self.rests_until.load(Ordering::Relaxed);
        if until == 0 {
            return false;
        }
        let rests = now() < until;
        if !rests {
            self.rests_until.store(0, Ordering::Relaxed);
        }
        rests
    }

    /// Counts a wait that began at `from` after some work, if it is longer than it should be.
    pub(super) fn waited(&self, from: Instant, work: &Work) {
        let wait = from.elapsed();
        if work.piece(from).is_some_and(|piece| is_long(wait, piece)) {
            self.count(now(), u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// Counts a long wait that has just ended.
    fn count(&self, now: u64, wait: u64) {
        if now.saturating_sub(self.since.load(Ordering::Relaxed)) > WINDOW {
            self.since.store(now.saturating_sub(wait), Ordering::Relaxed);
            self.count.store(0, Ordering::Relaxed);
            self.waited.store(0, Ordering::Relaxed);
        }
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let waited = self.waited.fetch_add(wait, Ordering::Relaxed) + wait;
        if count >= MOST && waited >= WINDOW / 2 {
            self.since.store(0, Ordering::Relaxed);
            self.rests_until.store(now + REST, Ordering::Relaxed);
        }
    }
}

fn is_long(wait: Duration, piece: Duration) -> bool {
    wait > SHORT && wait > piece * PIECES
}

/// Microseconds since some moment.
fn now() -> u64 {
    u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_take_half_of_the_time_make_a_team_rest() {
        let start = now() + 10 * WINDOW;
        let rests_after = |waits: &[(u64, u64)]| {
            let stalls = Stalls::none();
            waits.iter().for_each(|(at, wait)| stalls.count(start + at, *wait));
            stalls.rests_until.load(Ordering::Relaxed) != 0
        };
        assert!(rests_after(&[(0, 10_000), (15_000, 10_000), (30_000, 10_000)]));
        assert!(!rests_after(&[(0, 10_000), (15_000, 10_000)]));
        assert!(
            !rests_after(&[(0, 2_000), (10_000, 2_000), (20_000, 2_000), (30_000, 2_000)]),
            "short beside the time"
        );
        assert!(!rests_after(&[(0, 40_000), (WINDOW, 40_000), (2 * WINDOW, 40_000)]), "few and far between");
    }

    #[test]
    fn a_team_that_rests_tries_again() {
        let stalls = Stalls::none();
        assert!(!stalls.team_rests());
        stalls.rests_until.store(now() + REST, Ordering::Relaxed);
        assert!(stalls.team_rests());
        stalls.rests_until.store(1, Ordering::Relaxed);
        while now() < 2 {}
        assert!(!stalls.team_rests());
    }

    #[test]
    fn a_wait_is_long_beside_the_work() {
        let ms = Duration::from_millis;
        assert!(is_long(ms(3), Duration::from_micros(20)));
        assert!(!is_long(Duration::from_micros(300), Duration::from_micros(20)));
        assert!(!is_long(ms(30), ms(10)), "a piece of another size");
        let begun = Instant::now();
        let work = |pieces| Work { begun, pieces };
        assert_eq!(work(4).piece(begun + ms(8)), Some(ms(2)));
        assert_eq!(work(0).piece(begun + ms(8)), None, "who had no piece cannot tell");
    }
}
