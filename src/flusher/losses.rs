//! Says of a shard what the kernel dropped in front of it, and what would help: at once, and then
//! once a minute as long as it goes on.

use std::time::{Duration, Instant};

/// So often at most.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// A shard that computes for more than this share of its time cannot take what comes.
const SATURATED_SHARE: f64 = 0.9;

/// Drops in front of one shard that were not told yet.
#[derive(Debug, Default)]
pub(super) struct Losses {
    datagrams: u64,
    /// The most that the shard was busy in an interval with drops.
    busy_share: f64,
    now: Option<Instant>,
    said: Option<Instant>,
}

impl Losses {
    /// Takes what was dropped in an interval in which the shard was busy for this share of it.
    pub(super) fn take(&mut self, datagrams: u64, busy_share: f64, now: Instant) {
        self.now = Some(now);
        self.datagrams += datagrams;
        if datagrams > 0 {
            self.busy_share = self.busy_share.max(busy_share.min(1.0));
        }
    }

    /// From here on nothing more comes: what is left is to be said whenever it was said last.
    pub(super) fn end(&mut self) {
        self.said = None;
    }

    /// What is to be said now. The size of the receive buffer is that which the kernel counts with.
    pub(super) fn say(&mut self, shard: usize, receive_buffer_bytes: usize) -> Option<String> {
        let is_due = match (self.now, self.said) {
            (Some(now), Some(said)) => now.duration_since(said) >= SAY_EVERY,
            _ => true,
        };
        if self.datagrams == 0 || !is_due {
            return None;
        }
        let datagrams = std::mem::take(&mut self.datagrams);
        let percent = 100.0 * std::mem::take(&mut self.busy_share);
        self.said = self.now;
        let why = match percent >= 100.0 * SATURATED_SHARE {
            true => format!(
                "it was busy for {percent:.0} % of the time, so that a larger buffer would not help: \
                 more shards, or fewer and fuller datagrams, would"
            ),
            false => format!(
                "it was busy for {percent:.0} % of the time, so that these were short bursts: a larger \
                 receive_buffer would help (the kernel gives {receive_buffer_bytes} bytes now; without \
                 CAP_NET_ADMIN at most twice sysctl net.core.rmem_max)"
            ),
        };
        Some(format!(
            "shard {shard}: the kernel dropped {datagrams} datagrams because the receive buffer of \
             its socket was full; {why}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_told_at_once_and_then_once_a_minute_with_what_fits() {
        let mut losses = Losses::default();
        let start = Instant::now();
        let mut at = |seconds: u64, datagrams: u64, busy: f64| {
            losses.take(datagrams, busy, start + Duration::from_secs(seconds));
            losses.say(3, 425_984)
        };
        assert_eq!(at(0, 0, 1.0), None);
        let first = at(10, 7, 0.2).expect("at once");
        assert!(
            first.starts_with("shard 3: the kernel dropped 7 datagrams"),
            "{first}"
        );
        assert!(first.contains("net.core.rmem_max"), "{first}");
        assert_eq!(at(20, 5, 0.99), None);
        assert_eq!(at(60, 0, 0.1), None);
        let second = at(70, 1, 0.3).expect("a minute later");
        assert!(second.contains("dropped 6 datagrams"), "{second}");
        assert!(second.contains("more shards"), "{second}");
        assert_eq!(at(200, 0, 0.1), None, "nothing is left to be told");
    }

    #[test]
    fn at_the_end_the_rest_is_told() {
        let mut losses = Losses::default();
        let now = Instant::now();
        for (datagrams, is_told) in [(3, true), (4, false)] {
            losses.take(datagrams, 0.5, now);
            assert_eq!(losses.say(0, 1).is_some(), is_told);
        }
        losses.end();
        let said = losses.say(0, 1).expect("the rest");
        assert!(said.contains("dropped 4 datagrams"), "{said}");
        losses.end();
        assert_eq!(losses.say(0, 1), None);
    }
}
