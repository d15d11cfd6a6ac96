//! The binary stream of statsite, v0.8.0 (src/conn_handler.c, `stream_bin_writer`): for each point
//! a record, all numbers little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | the time stamp in seconds since 1970 |
//! | 1 | the type of the series |
//! | 1 | the statistic |
//! | 2 | how long the key is, its NUL included |
//! | 8 | the value, a double; for a bin its edge |
//! | | the key and a NUL |
//! | 4 | for a bin: how many values it holds |
//!
//! A statistic that has no number there goes under 0, and its word stays in the key. statsite does
//! not send the median this way, which is the quantile of a half.

use bytes::Bytes;

use super::{CHUNK_BYTES, Formatted};
use crate::metric::MetricType;
use crate::naming::{Point, Points, Statistic};

/// Writes points as records.
#[derive(Debug)]
pub struct Records {
    /// Whether what comes before the name of a series is part of the key.
    has_heads: bool,
    open: Vec<u8>,
    open_points: u64,
    done: Formatted,
}

impl Records {
    /// Without points.
    pub fn new(has_heads: bool) -> Records {
        Records {
            has_heads,
            open: Vec::new(),
            open_points: 0,
            done: Formatted::default(),
        }
    }

    /// What was written since the last call.
    pub fn take(&mut self) -> Formatted {
        self.close_chunk();
        self.take_full()
    }

    /// The chunks that are full.
    pub fn take_full(&mut self) -> Formatted {
        std::mem::take(&mut self.done)
    }

    /// Whether there is a full chunk.
    pub fn has_full(&self) -> bool {
        !self.done.chunks.is_empty()
    }

    fn close_chunk(&mut self) {
        if !self.open.is_empty() {
            let chunk = std::mem::take(&mut self.open);
            self.done.chunks.push(Bytes::from(chunk));
            self.done.points += std::mem::take(&mut self.open_points);
        }
    }
}

/// The bytes of a record beside its key.
const FIXED_BYTES_MAX: usize = 8 + 1 + 1 + 2 + 8 + 1 + 4;

impl Points for Records {
    fn point(&mut self, point: &Point<'_>) {
        let Some(number) = number_of(point.statistic) else {
            return;
        };
        let head = if self.has_heads { point.head } else { "" };
        let stat = if number == 0 { point.stat } else { "" };
        let key = [head.as_bytes(), point.name, stat.as_bytes(), point.tags];
        let key_bytes = key.iter().map(|part| part.len()).sum::<usize>() + 1;
        if self.open.len() + FIXED_BYTES_MAX + key_bytes > CHUNK_BYTES {
            self.close_chunk();
        }
        let key_bytes =
            u16::try_from(key_bytes).expect("names and what is around them are bounded");
        let value = point.value.number();
        let edge = edge_of(point.statistic);
        self.open
            .extend_from_slice(&point.time_unix_s.to_le_bytes());
        self.open
            .extend_from_slice(&[type_of(point.metric_type), number]);
        self.open.extend_from_slice(&key_bytes.to_le_bytes());
        self.open
            .extend_from_slice(&edge.unwrap_or(value).to_le_bytes());
        for part in key {
            self.open.extend_from_slice(part);
        }
        self.open.push(0);
        if edge.is_some() {
            self.open.extend_from_slice(&(value as u32).to_le_bytes());
        }
        self.open_points += 1;
    }
}

/// statsite's number of a type.
fn type_of(metric_type: MetricType) -> u8 {
    match metric_type {
        MetricType::KeyValue => 1,
        MetricType::Counter => 2,
        MetricType::Timer => 3,
        MetricType::Set => 4,
        MetricType::Gauge => 5,
    }
}

/// statsite's number of a statistic; None for what it leaves out.
fn number_of(statistic: Statistic) -> Option<u8> {
    Some(match statistic {
        Statistic::Median => return None,
        Statistic::Other => 0,
        Statistic::Sum => 1,
        Statistic::SumSquares => 2,
        Statistic::Mean => 3,
        Statistic::Count => 4,
        Statistic::Deviation => 5,
        Statistic::Lower => 6,
        Statistic::Upper => 7,
        Statistic::BinBelow(_) => 8,
        Statistic::Bin(_) => 9,
        Statistic::BinAbove(_) => 10,
        Statistic::Rate => 11,
        Statistic::SampleRate => 12,
        Statistic::Quantile(percent) => 0x80 | percent,
    })
}

fn edge_of(statistic: Statistic) -> Option<f64> {
    match statistic {
        Statistic::BinBelow(edge) | Statistic::Bin(edge) | Statistic::BinAbove(edge) => Some(edge),
        Statistic::Other
        | Statistic::Median
        | Statistic::Sum
        | Statistic::SumSquares
        | Statistic::Mean
        | Statistic::Count
        | Statistic::Deviation
        | Statistic::Lower
        | Statistic::Upper
        | Statistic::Rate
        | Statistic::SampleRate
        | Statistic::Quantile(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::Value;

    fn point(metric_type: MetricType, stat: &'static str, statistic: Statistic) -> Point<'static> {
        Point {
            head: "gp.",
            name: b"api",
            stat,
            tags: b"",
            value: Value::Whole(3.0),
            time_unix_s: 0x0102_0304,
            metric_type,
            statistic,
        }
    }

    fn record(has_heads: bool, point: &Point<'_>) -> Vec<u8> {
        let mut records = Records::new(has_heads);
        records.point(point);
        records.take().chunks.concat()
    }

    #[test]
    fn a_record_is_laid_out_as_statsite_does() {
        let rate = point(MetricType::Counter, ".rate", Statistic::Rate);
        let time = [4, 3, 2, 1, 0, 0, 0, 0];
        let three = [0, 0, 0, 0, 0, 0, 8, 64];
        let without = [&time[..], &[2, 11, 4, 0], &three, b"api\0"].concat();
        assert_eq!(record(false, &rate), without);
        let with = [&time[..], &[2, 11, 7, 0], &three, b"gp.api\0"].concat();
        assert_eq!(record(true, &rate), with);
    }

    #[test]
    fn a_bin_has_its_edge_for_a_value_and_its_count_behind_the_key() {
        let bin = point(MetricType::Timer, ".bin_0.50", Statistic::Bin(0.5));
        let bytes = record(false, &bin);
        assert_eq!(bytes[8..10], [3, 9]);
        assert_eq!(bytes[12..20], 0.5f64.to_le_bytes());
        assert_eq!(&bytes[20..], b"api\0\x03\0\0\0");
    }

    #[test]
    fn a_statistic_without_a_number_keeps_its_word_and_a_median_goes_unsaid() {
        let std = point(MetricType::Timer, ".std", Statistic::Other);
        assert_eq!(&record(false, &std)[8..12], [3, 0, 8, 0]);
        assert_eq!(&record(false, &std)[20..], b"api.std\0");
        let percent = point(MetricType::Timer, ".p99_9", Statistic::Quantile(99));
        assert_eq!(record(false, &percent)[9], 0x80 | 99);
        let median = point(MetricType::Timer, ".median", Statistic::Median);
        assert_eq!(record(false, &median), b"");
    }

    #[test]
    fn a_chunk_ends_where_a_record_ends() {
        let mut records = Records::new(true);
        let gauge = point(MetricType::Gauge, "", Statistic::Other);
        let record_bytes = record(true, &gauge).len();
        while records.done.chunks.len() < 2 {
            records.point(&gauge);
        }
        let full = records.take_full();
        assert!(
            full.chunks
                .iter()
                .all(|chunk| chunk.len() % record_bytes == 0)
        );
        assert!(full.chunks.iter().all(|chunk| chunk.len() <= CHUNK_BYTES));
        assert_eq!(
            full.points * record_bytes as u64,
            full.chunks.concat().len() as u64
        );
        assert_eq!(records.take().points, 1);
    }
}
