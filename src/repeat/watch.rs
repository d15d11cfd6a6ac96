//! Says in the log what could not be repeated, at a limited rate.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::RepeatCounts;

/// How often the log says that datagrams are still dropped.
const AGAIN: Duration = Duration::from_secs(60);

/// Adds up what shards counted, and remembers what was said of each destination.
#[derive(Debug, Default)]
pub struct Watch {
    destinations: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    /// Of the flush that is being collected.
    counts: RepeatCounts,
    /// Dropped since the log said so.
    unsaid: u64,
    /// When it last did; None if all went well since.
    said: Option<Instant>,
}

/// What all shards repeated in one flush, to all destinations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeated {
    /// Datagrams that the kernel took.
    pub datagrams: u64,
    /// Datagrams that it did not take.
    pub dropped: u64,
}

impl Watch {
    /// Adds the counts of a shard.
    pub fn add(&mut self, counts: &[RepeatCounts]) {
        for counts in counts {
            let sum = &mut self.of(counts.address).counts;
            sum.datagrams += counts.datagrams;
            sum.dropped += counts.dropped;
            sum.reason = counts.reason.or(sum.reason);
        }
    }

    /// The sums since the last call, which are told to the log too: a loss when it begins, once a
    /// minute while it goes on, and when it is over.
    pub fn finish(&mut self, now: Instant) -> Repeated {
        let mut repeated = Repeated::default();
        for destination in &mut self.destinations {
            repeated.datagrams += destination.counts.datagrams;
            repeated.dropped += destination.counts.dropped;
            if let Some(line) = destination.finish(now) {
                log::warn!("{line}");
            }
        }
        repeated
    }

    fn of(&mut self, address: SocketAddr) -> &mut Watched {
        let known = self.destinations.iter();
        let place = known.take_while(|known| known.counts.address != address);
        let place = place.count();
        if place == self.destinations.len() {
            self.destinations.push(Watched {
                counts: RepeatCounts::none(address),
                unsaid: 0,
                said: None,
            });
        }
        &mut self.destinations[place]
    }
}

impl Watched {
    fn finish(&mut self, now: Instant) -> Option<String> {
        let none = RepeatCounts::none(self.counts.address);
        let counts = std::mem::replace(&mut self.counts, none);
        let address = counts.address;
        self.unsaid += counts.dropped;
        if counts.dropped == 0 {
            // Without traffic nothing is known.
            if counts.datagrams == 0 {
                return None;
            }
            self.said.take()?;
            let unsaid = std::mem::take(&mut self.unsaid);
            return Some(format!(
                "datagrams are repeated to {address} again; {unsaid} more were not"
            ));
        }
        if self.said.is_some_and(|said| now - said < AGAIN) {
            return None;
        }
        self.said = Some(now);
        let unsaid = std::mem::take(&mut self.unsaid);
        let reason = counts.reason.map(|errno| errno.to_string());
        let reason = reason.unwrap_or_else(|| "it refused before".to_owned());
        Some(format!(
            "at least {unsaid} datagrams could not be repeated to {address}: {reason}; what ringstat itself \
             counts is complete"
        ))
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    fn counts(datagrams: u64, dropped: u64) -> RepeatCounts {
        RepeatCounts {
            address: "127.0.0.1:9".parse().unwrap(),
            datagrams,
            dropped,
            reason: (dropped > 0).then_some(Errno::CONNREFUSED),
        }
    }

    #[test]
    fn a_loss_is_said_when_it_begins_once_a_minute_and_when_it_is_over() {
        let mut watched = Watched {
            counts: counts(0, 0),
            unsaid: 0,
            said: None,
        };
        let start = Instant::now();
        let mut said = |second, datagrams, dropped| {
            watched.counts = counts(datagrams, dropped);
            watched.finish(start + Duration::from_secs(second))
        };
        assert_eq!(said(0, 5, 0), None);
        let first = said(10, 5, 3).expect("a loss begins");
        assert!(
            first.starts_with("at least 3 datagrams could not"),
            "{first}"
        );
        assert!(first.contains("127.0.0.1:9: Connection refused"), "{first}");
        assert_eq!(said(20, 0, 4), None, "too soon");
        assert_eq!(said(30, 0, 0), None, "no traffic");
        let later = said(70, 0, 2).expect("a minute later");
        assert!(
            later.starts_with("at least 6 datagrams could not"),
            "{later}"
        );
        assert_eq!(said(75, 1, 1), None);
        let over = said(80, 5, 0).expect("it is over");
        assert!(over.contains("again; 1 more were not"), "{over}");
        assert_eq!(said(90, 5, 0), None);
    }

    #[test]
    fn shards_and_destinations_are_added_up() {
        let mut watch = Watch::default();
        let other = RepeatCounts {
            address: "127.0.0.1:8".parse().unwrap(),
            ..counts(7, 0)
        };
        watch.add(&[counts(1, 2), other]);
        watch.add(&[counts(10, 20), other]);
        let sums = watch.finish(Instant::now());
        assert_eq!((sums.datagrams, sums.dropped), (25, 22));
        assert_eq!(watch.finish(Instant::now()), Repeated::default());
    }
}
