//! Why a link was refused. Every refusal is counted under its reason.

/// Why a link of a line was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Refusal {
    /// Nothing is left of the name once it is made safe.
    EmptyName,
    /// The name is longer than [`super::NAME_BYTES_MAX`], or its spelling than
    /// [`super::SPELLING_BYTES_MAX`].
    NameTooLong,
    /// A segment of the path is longer than [`super::SEGMENT_BYTES_MAX`]: no file could be named so.
    SegmentTooLong,
    /// A line without a `:`.
    NoValue,
    /// A link without a `|`.
    NoType,
    /// A type that no dialect knows, or none.
    BadType,
    /// A value that is not a finite decimal number, or an empty one.
    BadValue,
    /// A sample rate that is not above 0 and at most 1.
    BadRate,
    /// A key-value's time stamp that is no time in seconds.
    BadTime,
    /// A field that looks like no known extension, an empty one, or one given twice.
    BadField,
    /// A line or a frame of a stream that is longer than a datagram could be.
    TooLong,
    /// A binary frame after which nobody can tell where the next one begins.
    BadFrame,
    /// The table is full of live series (`max_series`).
    SeriesLimit,
    /// The interval holds as many key-values as it may (`max_timer_values`).
    ValueLimit,
    /// The name is denied (`deny`).
    Denied,
    /// As many series as may have such names are there (`quota`).
    Quota,
    /// What the table may take is taken (`max_memory`).
    MemoryLimit,
}

impl Refusal {
    /// All reasons, in the order of their discriminants.
    pub const ALL: [Refusal; 17] = [
        Refusal::EmptyName,
        Refusal::NameTooLong,
        Refusal::SegmentTooLong,
        Refusal::NoValue,
        Refusal::NoType,
        Refusal::BadType,
        Refusal::BadValue,
        Refusal::BadRate,
        Refusal::BadTime,
        Refusal::BadField,
        Refusal::TooLong,
        Refusal::BadFrame,
        Refusal::SeriesLimit,
        Refusal::ValueLimit,
        Refusal::Denied,
        Refusal::Quota,
        Refusal::MemoryLimit,
    ];

    /// The word for it in our own metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Refusal::EmptyName => "empty_name",
            Refusal::NameTooLong => "name_too_long",
            Refusal::SegmentTooLong => "segment_too_long",
            Refusal::NoValue => "no_value",
            Refusal::NoType => "no_type",
            Refusal::BadType => "bad_type",
            Refusal::BadValue => "bad_value",
            Refusal::BadRate => "bad_rate",
            Refusal::BadTime => "bad_time",
            Refusal::BadField => "bad_field",
            Refusal::TooLong => "too_long",
            Refusal::BadFrame => "bad_frame",
            Refusal::SeriesLimit => "series_limit",
            Refusal::ValueLimit => "value_limit",
            Refusal::Denied => "denied",
            Refusal::Quota => "quota",
            Refusal::MemoryLimit => "memory_limit",
        }
    }
}

/// How often each reason was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals([u64; Refusal::ALL.len()]);

impl Refusals {
    /// One more for this reason.
    pub fn count(&mut self, reason: Refusal) {
        self.0[reason as usize] += 1;
    }

    /// How often this reason was met.
    pub fn of(&self, reason: Refusal) -> u64 {
        self.0[reason as usize]
    }

    /// How often any reason was met.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds another account to this one.
    pub fn merge(&mut self, other: &Refusals) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_and_a_word_of_its_own() {
        let mut words = std::collections::HashSet::new();
        for (index, reason) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(index, reason as usize);
            assert!(words.insert(reason.word()));
            let mut refusals = Refusals::default();
            refusals.count(reason);
            assert_eq!((refusals.of(reason), refusals.total()), (1, 1));
        }
    }
}
