//! The daemon's own metrics in our own words: what it took in, what became of it, and what was lost
//! and why.
//!
//! They balance. Per flush: `datagrams = datagrams.parsed + datagrams.skipped` and
//! `lines + chained = samples + refused.* + skipped`. Over time, for each sink:
//! the sum of `points` = the sum of `lines`, `dropped_lines` and `superseded_lines` + `queued_lines` +
//! `spooled_lines` (lines that a spool held at start are beside that).

use std::time::Duration;

use super::{FlushCounts, SlotCounts};
use crate::metric::{MetricType, Refusal};
use crate::naming::{Point, Points, Statistic, Value};
use crate::sink::{Counters, DropReason};

/// Writes own metrics; remembers what it wrote last time of what is counted for ever.
#[derive(Clone, Debug)]
pub struct Ringstat {
    prefix: String,
    /// By sink: its name and its counters at the last flush.
    sinks: Vec<(String, Counters)>,
    /// Points handed to each sink in the last flush.
    points: u64,
}

impl Ringstat {
    /// Own metrics under a prefix, for sinks of these names, of whose counters so much was
    /// told already.
    pub(super) fn new(prefix: &str, sinks: impl Iterator<Item = (String, Counters)>) -> Ringstat {
        Ringstat {
            prefix: prefix.to_owned(),
            sinks: sinks.collect(),
            points: 0,
        }
    }

    /// Writes the metrics of one flush. `sinks` are the sinks' counters before its points are
    /// handed over, in the order of their names.
    pub(super) fn write(
        &mut self,
        flush: &FlushCounts,
        sinks: &[Counters],
        end_unix_s: u64,
        slot: &mut SlotCounts,
        out: &mut impl Points,
    ) {
        let mut writer = Writer {
            prefix: &self.prefix,
            end_unix_s,
            slot,
            out,
        };
        let shards = &flush.shards;
        writer.total("datagrams", shards.datagrams);
        let parsed = shards.datagrams - shards.datagrams_skipped;
        writer.total("datagrams.parsed", parsed);
        writer.total("datagrams.skipped", shards.datagrams_skipped);
        writer.total("datagrams.truncated", shards.datagrams_truncated);
        writer.total("bytes", shards.bytes);
        writer.total("connections.accepted", shards.connections.accepted);
        writer.total("connections.refused", shards.connections.refused);
        writer.count("connections.open", shards.connections.open);
        writer.total("lines", shards.lines.lines);
        writer.total("chained", shards.lines.chained);
        writer.total("skipped", shards.lines.skipped);
        writer.total("samples", shards.samples);
        for reason in Refusal::ALL {
            let path = format!("refused.{}", reason.word());
            writer.total(&path, shards.refusals.of(reason));
        }
        let brakes = &flush.brakes;
        for (head, counts) in [
            ("denied", &brakes.denied),
            ("over_quota", &brakes.over_quota),
        ] {
            for (word, count) in counts {
                writer.total(&format!("{head}.{word}"), *count);
            }
        }
        for (word, count) in &brakes.quota_series {
            writer.count(&format!("quota_series.{word}"), *count);
        }
        writer.total("kernel_drops", flush.kernel_drops);
        writer.count("receive_queue_bytes", flush.receive_queue_bytes);
        writer.total("receive.enters", flush.receive.enters);
        writer.total("receive.out_of_buffers", flush.receive.out_of_buffers);
        writer.total("receive.rebuilds", flush.receive.rebuilds);
        writer.total("receive.socket_errors", flush.receive.socket_errors);
        writer.total("repeat.datagrams", flush.repeated.datagrams);
        writer.total("repeat.dropped", flush.repeated.dropped);
        for (metric_type, count) in MetricType::ALL.into_iter().zip(flush.merger.reported) {
            writer.count(&format!("series.{}", metric_type.word()), count);
        }
        writer.total("series.new", flush.merger.new);
        writer.total("series.expired", flush.merger.expired);
        let refused = shards.refusals.of(Refusal::SeriesLimit);
        writer.total("series.refused", refused);
        writer.count("timers.folded", flush.merger.timers_folded);
        writer.total("timers.values_coarse", flush.merger.timer_values_coarse);
        writer.count("sets.estimated", flush.merger.sets_estimated);
        writer.total("points", self.points);
        writer.count("points.not_finite", flush.points_not_finite);
        writer.count("ledger.unbalanced", flush.ledger_unbalanced.into());
        writer.number("flush.duration_ms", milliseconds(flush.duration));
        writer.number("flush.late_ms", milliseconds(flush.late));
        writer.total("flush.skipped_slots", flush.slots_skipped);
        writer.total("flush.repeated_slots", flush.slots_repeated);
        writer.total("flush.halved_slots", flush.slots_halved);
        let percent = (flush.busiest_shard * 1000.0).round() / 10.0;
        writer.number("busiest_shard_percent", percent);
        for ((name, last), now) in self.sinks.iter_mut().zip(sinks) {
            writer.sink(name, last, now);
            *last = *now;
        }
    }

    /// So many points, own metrics included, were handed to each sink in this flush.
    pub(super) fn handed_over(&mut self, points: u64) {
        self.points = points;
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

struct Writer<'a, P> {
    prefix: &'a str,
    end_unix_s: u64,
    slot: &'a mut SlotCounts,
    out: &'a mut P,
}

impl<P: Points> Writer<'_, P> {
    fn number(&mut self, path: &str, number: f64) {
        self.out.point(&Point {
            head: self.prefix,
            name: b".",
            stat: path,
            tags: b"",
            value: Value::Shortest(number),
            time_unix_s: self.end_unix_s,
            metric_type: MetricType::Gauge,
            statistic: Statistic::Other,
        });
    }

    fn count(&mut self, path: &str, count: u64) {
        self.number(path, count as f64);
    }

    /// A count that goes on over a restart in mid-slot.
    fn total(&mut self, path: &str, count: u64) {
        let total = self.slot.add(path, count);
        self.count(path, total);
    }

    fn sink(&mut self, name: &str, last: &Counters, now: &Counters) {
        let path = |word: &str| format!("sink.{name}.{word}");
        self.total(&path("lines"), now.lines_sent - last.lines_sent);
        self.total(&path("bytes"), now.bytes_sent - last.bytes_sent);
        self.count(&path("queued_lines"), now.lines_queued);
        self.count(&path("queued_bytes"), now.bytes_queued);
        self.count(&path("spooled_lines"), now.lines_spooled);
        self.count(&path("spooled_bytes"), now.bytes_spooled);
        let dropped = now.lines_dropped - last.lines_dropped;
        self.total(&path("dropped_lines"), dropped);
        let by_reason = now.lines_dropped_by.since(&last.lines_dropped_by);
        for reason in DropReason::ALL {
            let path = path(&format!("dropped_lines.{}", reason.word()));
            self.total(&path, by_reason.of(reason));
        }
        let superseded = now.lines_superseded - last.lines_superseded;
        self.total(&path("superseded_lines"), superseded);
        let doubtful = now.lines_doubtful - last.lines_doubtful;
        self.total(&path("doubtful_lines"), doubtful);
        self.total(&path("spool_errors"), now.spool_errors - last.spool_errors);
        self.total(
            &path("spool_damaged"),
            now.spool_damaged - last.spool_damaged,
        );
        self.total(&path("reconnects"), now.reconnects - last.reconnects);
    }
}
