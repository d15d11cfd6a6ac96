//! How long datagrams gather before they are read, from what the last wait brought. Pure.

use std::time::Duration;

/// How many datagrams a wait should bring. Fewer make wake-ups dear, and more do not stay in a
/// cache until they are read: beyond some 2,000 small ones a datagram becomes dearer again, and
/// long ones fill a cache sooner.
const BATCH_DATAGRAMS: u32 = 1_024;

/// No wait is shorter, as timers end some 50 us late.
const WAIT_MIN: Duration = Duration::from_micros(50);

/// Decides between waiting and reading on, and how long the wait is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    max_wait: Duration,
    /// What the next wait follows from. Invariant: not above `max_wait`.
    last_wait: Duration,
    /// Datagrams since the last wait began.
    gathered: usize,
    /// From how many datagrams in a wait on they are a burst.
    burst_count: usize,
    in_burst: bool,
}

impl Pace {
    pub(super) fn new(max_wait: Duration, burst_count: usize) -> Self {
        Pace {
            max_wait,
            last_wait: max_wait,
            gathered: 0,
            burst_count,
            in_burst: false,
        }
    }

    /// Takes note of a turn. A burst lasts from a large batch until nothing is left: a fast
    /// reader finds but a few datagrams each time, so only an empty turn ends it.
    pub(super) fn note(&mut self, datagrams: usize) {
        self.gathered += datagrams;
        self.in_burst = datagrams > 0 && (self.in_burst || self.gathered >= self.burst_count);
    }

    /// Whether to read on without a wait, which is what fills a receive buffer in a burst.
    pub(super) fn in_burst(&self) -> bool {
        self.in_burst
    }

    /// Begins a wait and says how long it is: for [`BATCH_DATAGRAMS`] at the rate of the last
    /// one, at most `max_wait`. It is cut down at once and doubles at most, so that the pause
    /// between two bursts does not make the next one wait.
    pub(super) fn begin_wait(&mut self) -> Duration {
        let gathered = u32::try_from(std::mem::take(&mut self.gathered)).unwrap_or(u32::MAX);
        let ideal = self.last_wait.saturating_mul(BATCH_DATAGRAMS) / gathered.max(1);
        let doubled = self.last_wait.saturating_mul(2);
        self.last_wait = ideal.min(doubled).max(WAIT_MIN).min(self.max_wait);
        self.last_wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_WAIT: Duration = Duration::from_millis(20);

    /// The wait that a steady rate comes to.
    fn steady_wait(pace: &mut Pace, datagrams_per_second: u128) -> Duration {
        for _ in 0..20 {
            let wait = pace.begin_wait();
            let came = wait.as_nanos() * datagrams_per_second / 1_000_000_000;
            pace.note(came as usize);
        }
        pace.begin_wait()
    }

    #[test]
    fn a_low_rate_waits_as_long_as_allowed() {
        for rate in [0, 1, 1_000, 25_000] {
            let mut pace = Pace::new(MAX_WAIT, usize::MAX);
            assert_eq!(pace.begin_wait(), MAX_WAIT, "before anything came");
            assert_eq!(steady_wait(&mut pace, rate), MAX_WAIT, "{rate}");
        }
    }

    #[test]
    fn a_high_rate_waits_for_a_batch_and_no_longer() {
        for rate in [100_000, 400_000, 4_000_000] {
            let wait = steady_wait(&mut Pace::new(MAX_WAIT, usize::MAX), rate);
            let came = wait.as_nanos() * rate / 1_000_000_000;
            assert!((900..=1_100).contains(&came), "{came} at {rate}");
        }
    }

    #[test]
    fn a_flood_is_followed_by_long_waits_again() {
        let mut pace = Pace::new(MAX_WAIT, usize::MAX);
        pace.begin_wait();
        pace.note(10_000_000);
        assert_eq!(pace.begin_wait(), WAIT_MIN);
        let waits = std::iter::repeat_with(|| pace.begin_wait());
        assert_eq!(waits.take_while(|wait| *wait < MAX_WAIT).count(), 8);
    }

    #[test]
    fn no_wait_is_longer_than_allowed() {
        for max_wait in [Duration::ZERO, Duration::from_micros(7), Duration::MAX] {
            let mut pace = Pace::new(max_wait, 1);
            for datagrams in [0, 1, 1_000, 0, 1 << 32, 0, 0] {
                assert!(pace.begin_wait() <= max_wait);
                pace.note(datagrams);
            }
        }
    }

    #[test]
    fn a_burst_lasts_from_a_large_batch_to_an_empty_turn() {
        let mut pace = Pace::new(MAX_WAIT, 8);
        pace.begin_wait();
        for (datagrams, expected) in [(7, false), (1, true), (1, true), (0, false)] {
            pace.note(datagrams);
            assert_eq!(pace.in_burst(), expected, "after {datagrams}");
        }
        pace.begin_wait();
        pace.note(7);
        assert!(!pace.in_burst(), "each wait counts anew");
    }
}
