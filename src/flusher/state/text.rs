//! The state file as text: what it is of, a line for each series that outlives a slot, the part of a
//! slot that was cut in two, and a checksum. A person can read it; nobody should edit it.
//!
//! ```text
//! ringstat state 2
//! of WRITTEN_MS END_NS INTERVAL_NS        times since 1970, and the flush interval
//! c SILENT_MS NAME                        a counter; ms and s likewise
//! g SILENT_MS LEVEL NAME
//! slot END_NS LENGTH_NS                   from here on of that slot
//! keys K K K K CHECK                      of the hash of sets
//! count NUMBER PATH                       what own metrics have counted in it
//! +c SUM SAMPLES NAME
//! +ms WEIGHT NAME VALUE VALUE*WEIGHT ... ~ GROWTH COUNT SUM SQUARES LOW HIGH BIN*WEIGHT ...
//! +g LEVEL NAME
//! +s exact|BITS NAME HASH HASH ...
//! +kv VALUE TIME|- NAME
//! crc32 CHECKSUM                          of all bytes before this line
//! ```
//!
//! `reading` reads it.

use std::fmt::Write as _;
use std::time::Duration;

use crate::metric::{Counter, MetricType, SetKeys, SketchNumbers};
use crate::snapshot::{Lasting, Piece, SeriesName};
use crate::telemetry::SlotCounts;

/// The first line: what it is, and its version.
pub(super) const HEADING: &str = "ringstat state 2\n";

/// What the last line begins with.
pub(super) const CHECKSUM: &str = "crc32 ";

/// What a state is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// When it was written, as time since 1970.
    pub written: Duration,
    /// The end of the last slot that was flushed, as time since 1970.
    pub end: Duration,
    /// The flush interval; zero if it is not known.
    pub interval: Duration,
}

/// Writes a state.
#[derive(Debug)]
pub struct StateText(String);

/// Writes the slot that was cut in two.
#[derive(Debug)]
pub struct SlotText(String);

impl StateText {
    /// Begins with what it is of.
    pub fn new(head: Head) -> StateText {
        let (written, end) = (head.written.as_millis(), head.end.as_nanos());
        let interval = head.interval.as_nanos();
        StateText(format!("{HEADING}of {written} {end} {interval}\n"))
    }

    /// Adds a series.
    pub fn series(&mut self, series: &Lasting<'_>) {
        let (word, silent_ms) = (word(series.metric_type), series.silent.as_millis());
        put(&mut self.0, format_args!("{word} {silent_ms}"));
        if let Some(level) = series.level {
            put(&mut self.0, format_args!(" {level:?}"));
        }
        put_name(&mut self.0, series.name);
        self.0.push('\n');
    }

    /// Ends with the slot, if there is one, and a checksum.
    pub fn finish(mut self, slot: Option<SlotText>) -> Vec<u8> {
        if let Some(SlotText(text)) = slot {
            self.0.push_str(&text);
        }
        seal(self.0)
    }
}

impl SlotText {
    /// Begins a slot with its end, its length and the keys that members of sets are hashed with,
    /// if they are known.
    pub fn new(end: Duration, length: Duration, keys: Option<SetKeys>) -> SlotText {
        let mut text = format!("slot {} {}\n", end.as_nanos(), length.as_nanos());
        if let Some(SetKeys { keys, check }) = keys {
            let [one, two, three, four] = keys;
            put(
                &mut text,
                format_args!("keys {one:x} {two:x} {three:x} {four:x} {check:x}\n"),
            );
        }
        SlotText(text)
    }

    /// Adds what own metrics have counted.
    pub fn counts(&mut self, counts: &SlotCounts) {
        for (path, count) in counts.iter() {
            put(&mut self.0, format_args!("count {count} {path}\n"));
        }
    }

    /// Adds what a series came to.
    pub fn piece(&mut self, name: SeriesName<'_>, piece: &Piece<'_>) {
        let text = &mut self.0;
        put(text, format_args!("+{}", word(piece.metric_type())));
        match piece {
            Piece::Counter(Counter { sum, count }) => {
                put(text, format_args!(" {sum:?} {count:?}"));
                put_name(text, name);
            }
            Piece::Timer(part) => {
                put(text, format_args!(" {:?}", part.weight));
                put_name(text, name);
                for (index, value) in part.values.iter().enumerate() {
                    put(text, format_args!(" {value:?}"));
                    if let Some(weight) = part.weights.get(index) {
                        put(text, format_args!("*{weight:?}"));
                    }
                }
                if let Some(sketch) = part.sketch {
                    put_sketch(text, &sketch.numbers());
                }
            }
            Piece::Gauge(level) => {
                put(text, format_args!(" {level:?}"));
                put_name(text, name);
            }
            Piece::Set(set) => {
                let (precision, hashes) = set.hashes();
                match precision {
                    None => put(text, format_args!(" exact")),
                    Some(precision) => put(text, format_args!(" {}", precision.bits())),
                }
                put_name(text, name);
                for hash in hashes {
                    put(text, format_args!(" {hash:x}"));
                }
            }
            Piece::KeyValue { value, time_unix_s } => {
                put(text, format_args!(" {value:?}"));
                match time_unix_s {
                    None => put(text, format_args!(" -")),
                    Some(time) => put(text, format_args!(" {time}")),
                }
                put_name(text, name);
            }
        }
        text.push('\n');
    }
}

/// Text with its checksum behind it.
pub fn seal(mut text: String) -> Vec<u8> {
    let checksum = crc32fast::hash(text.as_bytes());
    put(&mut text, format_args!("{CHECKSUM}{checksum:08x}\n"));
    text.into_bytes()
}

fn put(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).expect("a string takes everything");
}

fn put_name(text: &mut String, name: SeriesName<'_>) {
    text.push(' ');
    for part in [name.path, name.tags] {
        text.push_str(std::str::from_utf8(part).expect("a safe name is ASCII"));
    }
}

fn put_sketch(text: &mut String, sketch: &SketchNumbers) {
    let SketchNumbers {
        growth,
        count,
        sum,
        sum_squares,
        bounds: (low, high),
        bins,
    } = sketch;
    put(
        text,
        format_args!(" ~ {growth:?} {count} {sum:?} {sum_squares:?} {low:?} {high:?}"),
    );
    for (bin, weight) in bins {
        put(text, format_args!(" {bin}*{weight:?}"));
    }
}

fn word(metric_type: MetricType) -> &'static str {
    match metric_type {
        MetricType::Counter => "c",
        MetricType::Timer => "ms",
        MetricType::Gauge => "g",
        MetricType::Set => "s",
        MetricType::KeyValue => "kv",
    }
}
