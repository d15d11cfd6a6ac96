//! What the lines of a load look like.

use super::random::Random;
use super::totals::Totals;

/// What a counter's name begins with; so many digits follow.
const COUNTER: &str = "service.counter.";
/// What a timer's name begins with.
const TIMER: &str = "service.timer.";
/// What a gauge's name begins with.
const GAUGE: &str = "service.gauge.";
/// Digits behind the beginning of a name.
pub(crate) const NAME_DIGITS: usize = 7;
/// The length of a counter's name.
pub(crate) const COUNTER_NAME_BYTES: usize = COUNTER.len() + NAME_DIGITS;
/// Values are whole numbers from 1 up to this one, so that sums are exact in every daemon, and
/// each line shows in them.
const VALUE_MAX: u64 = 999;

/// Everything that decides about the bytes of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Series of each type.
    pub(crate) names: u64,
    pub(crate) mix: Mix,
    pub(crate) draw: Draw,
    /// A datagram is closed before the line that would make it longer than this.
    pub(crate) datagram_bytes_max: usize,
    /// A datagram is closed when it has so many lines.
    pub(crate) lines_max: u64,
    /// Whether values get leading zeros until all datagrams are exactly so long as the longest
    /// may be.
    pub(crate) equal_bytes: bool,
    pub(crate) seed: u64,
}

/// Of so many lines in all, how many are of a type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    pub(crate) counters: u64,
    pub(crate) timers: u64,
    pub(crate) gauges: u64,
}

/// Which name comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draw {
    /// Any, at random.
    Random,
    /// One after the other, from the first to the last and again.
    InTurn,
}

/// What fits into an Ethernet frame, as most clients pack it.
pub(crate) const PACKED_BYTES: usize = 1_432;

impl Shape {
    /// Packed datagrams with names drawn at random.
    pub(crate) fn packed(names: u64) -> Self {
        Shape {
            names,
            mix: Mix {
                counters: 6,
                timers: 3,
                gauges: 1,
            },
            draw: Draw::Random,
            datagram_bytes_max: PACKED_BYTES,
            lines_max: u64::MAX,
            equal_bytes: false,
            seed: 1,
        }
    }

    /// Packed datagrams that are all of one length.
    pub(crate) fn packed_equally(names: u64) -> Self {
        Shape {
            equal_bytes: true,
            ..Shape::packed(names)
        }
    }

    /// Packed datagrams of counters, each name in turn.
    pub(crate) fn counters_in_turn(names: u64) -> Self {
        Shape {
            mix: Mix {
                counters: 1,
                timers: 0,
                gauges: 0,
            },
            draw: Draw::InTurn,
            ..Shape::packed(names)
        }
    }

    /// A single gauge in each datagram.
    pub(crate) fn gauge() -> Self {
        Shape {
            mix: Mix {
                counters: 0,
                timers: 0,
                gauges: 1,
            },
            ..Shape::single(1)
        }
    }

    /// One line in each datagram.
    pub(crate) fn single(names: u64) -> Self {
        Shape {
            lines_max: 1,
            ..Shape::packed(names)
        }
    }
}

/// Writes the lines of a shape, one after the other.
pub(super) struct Lines {
    shape: Shape,
    random: Random,
    next_name: u64,
}

impl Lines {
    pub(super) fn new(shape: Shape) -> Self {
        assert!(shape.names > 0, "a line needs a name");
        assert!(shape.mix.total() > 0, "a line is of some type");
        Lines {
            shape,
            random: Random::new(shape.seed),
            next_name: 0,
        }
    }

    /// Puts the next line, with its line feed, into `line`, and returns what it holds.
    pub(super) fn write(&mut self, line: &mut Vec<u8>) -> Totals {
        let Mix {
            counters, timers, ..
        } = self.shape.mix;
        let name = match self.shape.draw {
            Draw::Random => self.random.below(self.shape.names),
            Draw::InTurn => {
                let name = self.next_name;
                self.next_name = (name + 1) % self.shape.names;
                name
            }
        };
        let value = 1 + self.random.below(VALUE_MAX);
        let place = self.random.below(self.shape.mix.total());
        let mut totals = Totals {
            lines: 1,
            ..Totals::default()
        };
        let (head, suffix) = if place < counters {
            totals.counters = 1;
            totals.counter_sum = value;
            (COUNTER, "c")
        } else if place < counters + timers {
            totals.timers = 1;
            totals.timer_sum = value;
            (TIMER, "ms")
        } else {
            totals.gauges = 1;
            (GAUGE, "g")
        };
        line.clear();
        line.extend_from_slice(format!("{head}{name:0NAME_DIGITS$}:{value}|{suffix}\n").as_bytes());
        totals.bytes = line.len() as u64;
        totals
    }
}

impl Mix {
    fn total(self) -> u64 {
        self.counters + self.timers + self.gauges
    }
}
