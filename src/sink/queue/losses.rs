//! What a queue tells of lines that it gave up: a log line a minute for each reason.

use std::time::{Duration, Instant};

use crate::sink::DropReason;

/// Lines of each reason that no log line has told of yet, and when one last did.
#[derive(Debug, Default)]
pub(super) struct Losses([Loss; DropReason::ALL.len()]);

#[derive(Debug, Default)]
struct Loss {
    untold_lines: u64,
    told: Option<Instant>,
}

impl Losses {
    /// Notes lines; returns of how many to tell now.
    pub(super) fn add(&mut self, reason: DropReason, lines: u64, now: Instant) -> Option<u64> {
        let loss = &mut self.0[reason as usize];
        loss.untold_lines += lines;
        let is_quiet = loss.told.is_some_and(|told| now - told < TELL_EVERY);
        if loss.untold_lines == 0 || is_quiet {
            return None;
        }
        loss.told = Some(now);
        Some(std::mem::take(&mut loss.untold_lines))
    }

    /// What is left to be told when nothing more is given up.
    pub(super) fn take_rest(&mut self) -> Vec<(DropReason, u64)> {
        let rest = DropReason::ALL.map(|reason| {
            let loss = &mut self.0[reason as usize];
            (reason, std::mem::take(&mut loss.untold_lines))
        });
        rest.into_iter().filter(|(_, lines)| *lines > 0).collect()
    }
}

/// Writes the log line about so many lines.
pub(super) fn tell(reason: DropReason, sink: &str, lines: u64) {
    match reason {
        DropReason::QueueFull => log::error!(
            "sink {sink}: its queue is full: dropped the oldest {lines} lines; a larger \
                 queue_bytes or a spool bridges longer outages"
        ),
        DropReason::SpoolFull => log::error!(
            "sink {sink}: its spool is full: dropped the oldest {lines} lines; a larger \
                 spool_bytes holds more"
        ),
        DropReason::TooOld => log::error!(
            "sink {sink}: {lines} lines were in its spool for too long and are dropped; a longer \
                 spool_age keeps them"
        ),
        DropReason::Unreadable => log::error!(
            "sink {sink}: lost {lines} lines in a file of its spool that cannot be read"
        ),
        // Whoever has given them up tells of them.
        DropReason::NotTaken | DropReason::OutputGone | DropReason::AtTheEnd => {}
    }
}

/// The least time between two log lines for one reason.
const TELL_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_of_once_a_minute_with_what_came_together() {
        let mut losses = Losses::default();
        let start = Instant::now();
        let full = DropReason::QueueFull;
        assert_eq!(losses.add(full, 0, start), None);
        assert_eq!(losses.add(full, 5, start), Some(5));
        assert_eq!(losses.add(full, 5, start + TELL_EVERY / 2), None);
        assert_eq!(losses.add(DropReason::TooOld, 1, start), Some(1));
        assert_eq!(losses.add(full, 5, start + TELL_EVERY), Some(10));
        assert_eq!(losses.take_rest(), []);
        assert_eq!(losses.add(full, 7, start + TELL_EVERY), None);
        assert_eq!(losses.take_rest(), [(full, 7)]);
        assert_eq!(losses.take_rest(), []);
    }
}
