//! The scenarios: which traffic, and what is asked of the daemons.

use std::time::Duration;

use clap::ValueEnum;

use crate::figure::Figure;
use crate::load::{Pool, Shape};

/// What is raced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// CPU time: datagrams of some 45 lines, 1,000 names of each type, 10,000 datagrams/s
    Packed,
    /// The same at 2,000 datagrams/s
    PackedSlow,
    /// CPU time: one line in each datagram, 100,000 datagrams/s
    Single,
    /// The same at 20,000 datagrams/s
    SingleSlow,
    /// As packed with 1,000,000 names of each type
    Wide,
    /// As packed, at the highest rate without loss, and as fast as the sender can
    FlatOut,
    /// Memory and wake-ups without traffic
    Idle,
    /// Memory for each of 1,000,000 counters
    Memory,
    /// A flush of 1,000,000 counters: CPU time for each output line, duration, pauses
    Flush,
}

/// What a round consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Traffic at this many datagrams a second.
    Steady(f64),
    FlatOut,
    Idle,
    Memory,
    Flush,
}

/// Series of each type where the number does not matter.
const FEW_NAMES: u64 = 1_000;
/// Series of each type where it does.
const MANY_NAMES: u64 = 1_000_000;

/// Different datagrams of some 45 lines: enough that no cache or predictor can learn the order of
/// the names.
const PACKED_DATAGRAMS: u64 = 8_192;
/// The same in lines, one in each.
const SINGLE_DATAGRAMS: u64 = 200_000;
/// With many names, as many as are sent in a round.
const WIDE_DATAGRAMS: u64 = 80_000;

/// A flush interval with room for a million counters to come in, and some quiet behind them.
const LONG_FLUSH: Duration = Duration::from_secs(10);

impl Scenario {
    /// The word on the command line, which also names the record.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("no scenario is hidden");
        value.get_name().to_owned()
    }

    /// What its record is called.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Scenario::Packed => "Packed datagrams, 10,000 a second",
            Scenario::PackedSlow => "Packed datagrams, 2,000 a second",
            Scenario::Single => "One line a datagram, 100,000 a second",
            Scenario::SingleSlow => "One line a datagram, 20,000 a second",
            Scenario::Wide => "Packed datagrams, 1,000,000 names of each type",
            Scenario::FlatOut => "What saturates a core",
            Scenario::Idle => "Nothing to do",
            Scenario::Memory => "Memory for each counter",
            Scenario::Flush => "A flush of 1,000,000 counters",
        }
    }

    /// What was done, in a sentence or two.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Scenario::Packed | Scenario::PackedSlow => {
                "Datagrams of up to 1,432 bytes with some 45 lines: 60 % counters, 30 % timers, \
                 10 % gauges, of 1,000 names each, drawn at random. CPU time is user and system of \
                 all threads of the daemon, flushes included."
            }
            Scenario::Single | Scenario::SingleSlow => {
                "One line in each datagram: 60 % counters, 30 % timers, 10 % gauges, of 1,000 \
                 names each, drawn at random. CPU time is user and system of all threads of the \
                 daemon, flushes included."
            }
            Scenario::Wide => {
                "Datagrams of up to 1,432 bytes with some 45 lines, 10,000 a second: 60 % \
                 counters, 30 % timers, 10 % gauges, of 1,000,000 names each, drawn at random. CPU \
                 time is by line that the daemon has accounted for at the Graphite server; \
                 daemons differ in how many lines they send for a timer, so those stand beside it."
            }
            Scenario::FlatOut => {
                "The highest rate of packed datagrams that a daemon takes on one core, with \
                 nothing lost, nothing left waiting, and all of it accounted for at the Graphite \
                 server. Then as much as the sender can send from the other core, and what the \
                 daemon accounts for of that. Where single datagrams are too slow, the kernel cuts \
                 them from long messages, some 45 at once."
            }
            Scenario::Idle => {
                "No traffic. Context switches of all threads of the daemon, and the longest time \
                 between two of them."
            }
            Scenario::Memory => {
                "Resident memory after a flush with 1,000,000 counters, less that without any, by \
                 counter, less the 23 bytes of a name."
            }
            Scenario::Flush => {
                "1,000,000 counters, each sent once, and then a flush, while 1,000 datagrams a \
                 second go on. CPU time by line that is sent, time until the last line is at the \
                 Graphite server, and the longest time in which datagrams waited and none was \
                 taken."
            }
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Scenario::Packed | Scenario::Wide => Kind::Steady(10_000.0),
            Scenario::PackedSlow => Kind::Steady(2_000.0),
            Scenario::Single => Kind::Steady(100_000.0),
            Scenario::SingleSlow => Kind::Steady(20_000.0),
            Scenario::FlatOut => Kind::FlatOut,
            Scenario::Idle => Kind::Idle,
            Scenario::Memory => Kind::Memory,
            Scenario::Flush => Kind::Flush,
        }
    }

    /// Makes what is sent.
    pub(crate) fn pool(self) -> Pool {
        match self {
            Scenario::Packed | Scenario::PackedSlow | Scenario::Idle => {
                Pool::new(Shape::packed(FEW_NAMES), PACKED_DATAGRAMS)
            }
            Scenario::FlatOut => Pool::new(Shape::packed_equally(FEW_NAMES), PACKED_DATAGRAMS),
            Scenario::Single | Scenario::SingleSlow => {
                Pool::new(Shape::single(FEW_NAMES), SINGLE_DATAGRAMS)
            }
            Scenario::Wide => Pool::new(Shape::packed(MANY_NAMES), WIDE_DATAGRAMS),
            Scenario::Memory | Scenario::Flush => {
                Pool::of_lines(Shape::counters_in_turn(MANY_NAMES), MANY_NAMES)
            }
        }
    }

    /// Whether there are so many series that a daemon's limits and sizes have to be raised.
    pub(crate) fn is_wide(self) -> bool {
        match self {
            Scenario::Wide | Scenario::Memory | Scenario::Flush => true,
            Scenario::Packed
            | Scenario::PackedSlow
            | Scenario::Single
            | Scenario::SingleSlow
            | Scenario::FlatOut
            | Scenario::Idle => false,
        }
    }

    /// Most series of all types together.
    pub(crate) fn series_max(self) -> u64 {
        3 * if self.is_wide() {
            MANY_NAMES
        } else {
            FEW_NAMES
        }
    }

    /// The flush interval, where it is not the one that was asked for.
    pub(crate) fn flush(self) -> Option<Duration> {
        (self == Scenario::Flush).then_some(LONG_FLUSH)
    }

    /// The figure that decides.
    pub(crate) fn lead(self) -> Figure {
        match self {
            Scenario::Packed | Scenario::PackedSlow => Figure::NsPerLine,
            Scenario::Single | Scenario::SingleSlow => Figure::NsPerDatagram,
            Scenario::Wide => Figure::NsPerDelivered,
            Scenario::FlatOut => Figure::LosslessLines,
            Scenario::Idle => Figure::ResidentMib,
            Scenario::Memory => Figure::BytesPerSeries,
            Scenario::Flush => Figure::NsPerOutputLine,
        }
    }
}
