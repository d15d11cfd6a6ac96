//! How long to wait before the next attempt to connect: twice as long each time, with jitter.

use std::time::Duration;

use super::Queue;

/// A growing delay. Many daemons that lost the same Graphite must not all come back at once, so
/// each delay is drawn from the whole range between the shortest and the current longest one.
#[derive(Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    ceiling: Duration,
}

impl Backoff {
    /// Delays from `min` on, never longer than `max`.
    ///
    /// # Panics
    /// If `min` is zero or longer than `max`.
    pub fn new(min: Duration, max: Duration) -> Backoff {
        assert!(!min.is_zero(), "attempts without any delay would spin");
        assert!(min <= max);
        Backoff {
            min,
            max,
            ceiling: min,
        }
    }

    /// No delay is longer than `max` from now on.
    ///
    /// # Panics
    /// If that is shorter than the shortest.
    pub fn limit(&mut self, max: Duration) {
        assert!(self.min <= max);
        self.max = max;
    }

    /// The delay before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        self.ceiling = (self.ceiling * 2).min(self.max);
        let range = self.ceiling - self.min;
        self.min + range.mul_f64(fastrand::f64())
    }

    /// Waits before the next attempt. The end of the daemon cuts a wait short, as little time is left
    /// then; a new slot does not.
    pub async fn pause(&mut self, queue: &Queue) {
        let delay = self.next_delay();
        if !queue.is_closed() {
            tokio::select! {
                () = tokio::time::sleep(delay) => return,
                () = queue.closed() => {}
            }
        }
        tokio::time::sleep(delay.min(LAST_PAUSE_MAX)).await;
    }

    /// The attempt led to something: the next delay is short again.
    pub fn reset(&mut self) {
        self.ceiling = self.min;
    }
}

/// The longest pause between attempts once the daemon stops.
const LAST_PAUSE_MAX: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_longest_and_never_leave_the_range() {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(30));
        let mut backoff = Backoff::new(min, max);
        let mut ceiling = min;
        for _ in 0..20 {
            ceiling = (ceiling * 2).min(max);
            let delay = backoff.next_delay();
            assert!(delay >= min && delay <= ceiling, "{delay:?} of {ceiling:?}");
        }
        let longest = (0..200).map(|_| backoff.next_delay()).max();
        assert!(longest.expect("200 delays") > max / 2);
        backoff.reset();
        assert!(backoff.next_delay() <= min * 2);
    }

    #[test]
    fn delays_differ() {
        let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_secs(1));
        let delays: std::collections::HashSet<_> = (0..50).map(|_| backoff.next_delay()).collect();
        assert!(delays.len() > 10);
    }
}
