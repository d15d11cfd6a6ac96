//! What a number of datagrams holds, exactly.

/// Counts and sums of a stretch of traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) datagrams: u64,
    /// Payload bytes.
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    /// Lines that are counters.
    pub(crate) counters: u64,
    /// Lines that are timers.
    pub(crate) timers: u64,
    /// Lines that are gauges.
    pub(crate) gauges: u64,
    /// The sum of the values of all counters.
    pub(crate) counter_sum: u64,
    /// The sum of the values of all timers.
    pub(crate) timer_sum: u64,
}

impl Totals {
    /// What came after an earlier look.
    pub(crate) fn since(self, earlier: Totals) -> Totals {
        self.zip(earlier, |now, before| now - before)
    }

    pub(super) fn plus(self, other: Totals) -> Totals {
        self.zip(other, |a, b| a + b)
    }

    pub(super) fn times(self, count: u64) -> Totals {
        self.zip(self, |a, _| a * count)
    }

    fn zip(self, other: Totals, of: impl Fn(u64, u64) -> u64) -> Totals {
        Totals {
            datagrams: of(self.datagrams, other.datagrams),
            bytes: of(self.bytes, other.bytes),
            lines: of(self.lines, other.lines),
            counters: of(self.counters, other.counters),
            timers: of(self.timers, other.timers),
            gauges: of(self.gauges, other.gauges),
            counter_sum: of(self.counter_sum, other.counter_sum),
            timer_sum: of(self.timer_sum, other.timer_sum),
        }
    }
}
