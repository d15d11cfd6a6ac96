//! What samples add up to: the five metric types, each an aggregate of one interval with a verb
//! to record and a verb to merge, and the table that keeps them by series.
//!
//! Pure: no I/O, no clock, no log, no dialect.

#![forbid(unsafe_code)]

mod brakes;
mod column;
mod counter;
mod gathered;
mod gauge;
mod growth;
mod index;
mod key_value;
mod memory;
mod name;
mod names;
mod pattern;
mod refusal;
mod refused;
mod rules;
mod samples;
mod set;
mod sketch;
mod table;
mod texts;
mod timer;

pub use brakes::{Brakes, Grants, KnownSeries, Rule};
pub use column::{Aggregate, Column};
pub use counter::Counter;
pub use gathered::Gathered;
pub use gauge::Gauge;
pub use growth::{Growing, Growth};
pub use key_value::{KeyValueSample, KeyValues};
pub use name::{NAME_BYTES_MAX, SEGMENT_BYTES_MAX, SPELLING_BYTES_MAX};
pub use pattern::{Pattern, Quota};
pub use refusal::{Refusal, Refusals};
pub use rules::{InputRules, Limits, SafeNames};
pub use samples::{MetricType, Number, Sample, SampleRate, Samples, Values};
pub use set::{Set, SetHash, SetKeys, SetPrecision};
pub use sketch::{RELATIVE_ERROR, Sketch, SketchNumbers};
pub use table::{Birth, Interval, Silence, SlotId, Table, TableCounts};
pub use timer::{TimerCount, TimerPart, TimerValue, Timers};
