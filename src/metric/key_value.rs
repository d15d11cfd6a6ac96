//! Key-values are not aggregated: every sample becomes a point, in order of arrival.

use super::column::{Aggregate, Column};

/// One key-value sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyValueSample {
    /// The slot of its series.
    pub slot: u32,
    /// Its value.
    pub value: f64,
    /// Its own time stamp in seconds since 1970, if it brought one.
    pub time_unix_s: Option<u64>,
}

/// How many samples a series got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyValueCount(u32);

impl Aggregate for KeyValueCount {
    fn is_touched(&self) -> bool {
        self.0 > 0
    }
}

/// The key-values of one interval.
#[derive(Clone, Debug, Default)]
pub struct KeyValues {
    /// How many samples each slot got.
    pub counts: Column<KeyValueCount>,
    /// The samples in order of arrival.
    pub log: Vec<KeyValueSample>,
}

impl KeyValues {
    /// Appends one sample of a series.
    pub fn record(&mut self, sample: KeyValueSample) {
        let Some(count) = self.counts.open(sample.slot) else {
            return;
        };
        count.0 = count.0.saturating_add(1);
        self.log.push(sample);
    }

    /// Forgets the samples, and keeps the memory.
    pub fn reset(&mut self) {
        self.counts.reset();
        self.log.clear();
    }
}
