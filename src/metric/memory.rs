//! How a ceiling for memory is shared out in a table, and what its parts are charged with.
//!
//! A charge is what a thing takes at most, wherever it stands: in the table, in the interval that is
//! merged while the next one fills, and in what is merged. So the bound needs no look at the
//! allocator, and holds for the table and its part of the merger together.

use super::samples::MetricType;
use super::set::SetPrecision;

/// The parts of a table's share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Bytes for names and for what each series takes.
    pub(super) series_bytes: usize,
    /// Timer values, and as many key-values.
    pub(super) values: usize,
    /// Bins of sketches.
    pub(super) bins: usize,
    /// Bytes for members of sets, as allocated in one interval.
    pub(super) sets_bytes: usize,
}

/// A byte of a text: in the table, where half may be free; in a newborn series' name; in the
/// merger, where half may be of names that were removed.
const TEXT_BYTE: usize = 5;

/// A spelling in an index of buckets, which has two entries a bucket after it grew, while the old one
/// with four a bucket is still there. A small index has fewer a bucket, which takes 100 KiB an index at most.
const SPELLING_BYTES: usize = 48;

/// A series of any type: its slot, its birth, its seat and its entry in the merger, by slot and by
/// name.
const SERIES_BYTES: usize = 128;

/// What a series of a type takes besides: its aggregate in two intervals and merged; a timer also
/// takes a sketch with one bin, twice.
fn aggregate_bytes(metric_type: MetricType) -> usize {
    match metric_type {
        MetricType::Counter => 2 * 16 + 16,
        MetricType::Gauge => 2 * 48 + 2 * 48 + 8,
        MetricType::Timer => 2 * 16 + 32 + 2 * 310,
        MetricType::Set => 3 * 40,
        MetricType::KeyValue => 2 * 4,
    }
}

/// A timer value with its weight in two intervals, merged, and sorted; or a key-value.
const VALUE_BYTES: usize = 80;

/// A bin in half-full nodes of a tree, in two intervals and merged, and as a sorted pair.
const BIN_BYTES: usize = 96;

/// Members of sets are there in two intervals and merged.
const SET_COPIES: usize = 3;

/// However small the ceiling is, so many values and bins are kept before they are folded: folding
/// fewer at a time would cost as much as a flush. Fewer under Miri, where that takes minutes.
const VALUES_MIN: usize = if cfg!(miri) { 256 } else { 16_384 };

impl Budget {
    /// A half for series, a quarter for values, an eighth each for bins and for members of sets.
    pub(super) fn new(share_bytes: usize, max_timer_values: usize) -> Budget {
        let within = |count: usize| max_timer_values.min(count.max(VALUES_MIN));
        Budget {
            series_bytes: share_bytes / 2,
            values: within(share_bytes / 4 / VALUE_BYTES),
            bins: within(share_bytes / 8 / BIN_BYTES),
            sets_bytes: share_bytes / 8 / SET_COPIES,
        }
    }
}

/// What the names of a type are charged with.
pub(super) fn charge(
    metric_type: MetricType,
    text_bytes: usize,
    spellings: usize,
    series: usize,
) -> usize {
    text_bytes * TEXT_BYTE
        + spellings * SPELLING_BYTES
        + series * (SERIES_BYTES + aggregate_bytes(metric_type))
}

/// What an estimate of a set takes, with its allocation.
pub(super) fn estimate_bytes(precision: SetPrecision) -> usize {
    // 6 bits a register.
    precision.registers() / 4 * 3 + 128
}
