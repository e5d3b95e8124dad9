//! The speed of a download, smoothed so that the time left can be read.

use std::time::Duration;

/// Seconds over which the speed is averaged: a change is nearly fully felt after three times as long.
const MEMORY_S: f64 = 3.0;
/// Shorter stretches say little: they are added to the next.
const SHORTEST_S: f64 = 0.2;

/// Bytes a second, as an exponentially weighted mean over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    last: Option<(Duration, u64)>,
    rate: Option<f64>,
}

impl Meter {
    /// Takes in how far the download is at a time since some fixed moment. Bytes that were there before the first call
    /// do not count.
    pub(super) fn update(&mut self, at: Duration, done: u64) {
        let Some((before, had)) = self.last else {
            self.last = Some((at, done));
            return;
        };
        let elapsed = at.saturating_sub(before).as_secs_f64();
        if elapsed < SHORTEST_S {
            return;
        }
        let now = done.saturating_sub(had) as f64 / elapsed;
        let keep = (-elapsed / MEMORY_S).exp();
        self.rate = Some(self.rate.map_or(now, |rate| keep * rate + (1.0 - keep) * now));
        self.last = Some((at, done));
    }

    /// Bytes a second; 0 until there is something to average.
    pub(super) fn rate(&self) -> f64 {
        self.rate.unwrap_or(0.0)
    }

    /// Forgets where it was, as after a wait; the speed stays.
    pub(super) fn restart(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_steady_stream_has_its_own_speed_and_old_bytes_do_not_count() {
        let mut meter = Meter::default();
        for step in 0..100 {
            meter.update(at(f64::from(step) * 0.25), 5_000_000 + u64::from(step as u32) * 1000);
        }
        assert!((meter.rate() - 4000.0).abs() < 1e-6, "{}", meter.rate());
    }

    #[test]
    fn a_change_of_speed_is_felt_gradually() {
        let mut meter = Meter::default();
        meter.update(at(0.0), 0);
        meter.update(at(1.0), 1000);
        meter.update(at(1.05), 900_000);
        assert_eq!(meter.rate(), 1000.0, "a short stretch waits for the next");
        meter.update(at(2.0), 3000);
        let expected = (-1.0f64 / 3.0).exp() * 1000.0 + (1.0 - (-1.0f64 / 3.0).exp()) * 2000.0;
        assert!((meter.rate() - expected).abs() < 1e-6);
        meter.restart();
        meter.update(at(60.0), 3000);
        assert!((meter.rate() - expected).abs() < 1e-6, "a wait is no slowness");
    }
}
