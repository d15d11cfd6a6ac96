//! Lines of the log about what peers do, of which a hostile one could cause any number.

use std::cell::Cell;
use std::fmt::Display;
use std::time::{Duration, Instant};

use log::Level;

/// Writes one line in ten seconds, and how many were left out before it.
#[derive(Debug)]
pub(super) struct SparseLog {
    level: Level,
    last: Cell<Option<Instant>>,
    left_out: Cell<u64>,
}

const PAUSE: Duration = Duration::from_secs(10);

impl SparseLog {
    pub(super) fn of(level: Level) -> SparseLog {
        SparseLog {
            level,
            last: Cell::default(),
            left_out: Cell::default(),
        }
    }

    pub(super) fn write(&self, text: impl Display) {
        let now = Instant::now();
        if let Some(left_out) = self.left_out_if_due(now) {
            match left_out {
                0 => log::log!(self.level, "{text}"),
                _ => log::log!(
                    self.level,
                    "{text}; {left_out} lines like this were left out"
                ),
            }
        }
    }

    /// Whether a line is due, and how many were not since the last one.
    fn left_out_if_due(&self, now: Instant) -> Option<u64> {
        let is_due = self.last.get().is_none_or(|last| now >= last + PAUSE);
        if is_due {
            self.last.set(Some(now));
            return Some(self.left_out.take());
        }
        self.left_out.set(self.left_out.get() + 1);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_written_and_then_one_for_each_pause() {
        let log = SparseLog::of(Level::Warn);
        let start = Instant::now();
        let due = |seconds| log.left_out_if_due(start + Duration::from_secs(seconds));
        assert_eq!(due(0), Some(0));
        assert_eq!((due(1), due(9)), (None, None));
        assert_eq!(due(10), Some(2));
        assert_eq!(due(20), Some(0));
    }
}
