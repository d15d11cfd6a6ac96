//! Merges the intervals of all shards into one, and keeps what outlives an interval: which series
//! there are, how long they have been silent, and the levels of gauges.
//!
//! Pure: the flusher tells it the time by counting flushes.

#![forbid(unsafe_code)]

mod directory;
mod distribution;
mod idle;
mod merger;
mod partial;
mod quotas;
mod texts;
mod timers;

pub use distribution::{Distribution, Middle, SumOrder, Totals, Window};
pub use idle::{Idle, IdleRules, IdleTimes};
pub use merger::{
    BrakeCounts, Lasting, Merger, MergerCounts, MergerSettings, Summary, TimerValues,
};
pub use partial::{Partial, Piece};
pub use texts::SeriesName;
