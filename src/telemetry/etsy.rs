//! The lines that etsy's statsd sends about itself: lib/process_metrics.js, stats.js and
//! backends/graphite.js of v0.10.2.
//!
//! Its counters and its gauge go the way of all counters and gauges, and count in `numStats`.

use std::time::Duration;

use super::{FlushCounts, OwnLines, SlotCounts};
use crate::metric::MetricType;
use crate::naming::{Dialect, FlushTime, Naming, Point, Points, Statistic, Value};
use crate::sink::Counters;
use crate::snapshot::{SeriesName, Summary};

/// Writes etsy's lines.
#[derive(Clone, Debug)]
pub struct Etsy {
    prefix: String,
    /// Before the prefix, their dots included.
    head: String,
    head_of_num_stats: String,
    /// Behind the statistic, its dot included.
    suffix: String,
    /// When the first slot began, in seconds since 1970: the time of the last flush until there is
    /// one.
    start_unix_s: Option<u64>,
    /// The end of the last slot, in seconds since 1970; None before the first.
    last_end_unix_s: Option<u64>,
}

impl Etsy {
    pub(super) fn new(own: &OwnLines) -> Etsy {
        let (head, head_of_num_stats) = match own.dialect {
            Dialect::EtsyLegacy => ("stats.".to_owned(), String::new()),
            Dialect::Etsy => {
                let head = match own.namespace.as_str() {
                    "" => String::new(),
                    namespace => format!("{namespace}."),
                };
                (head.clone(), head)
            }
            Dialect::Gstatsd | Dialect::Statsite | Dialect::PythonStatsite => {
                unreachable!("the configuration allows etsy's words to etsy only")
            }
        };
        Etsy {
            prefix: own.prefix.clone(),
            head,
            head_of_num_stats,
            suffix: match own.suffix.as_str() {
                "" => String::new(),
                suffix => format!(".{suffix}"),
            },
            start_unix_s: None,
            last_end_unix_s: None,
        }
    }

    /// Goes on from what was written under other settings.
    pub(super) fn follow(&mut self, before: &Etsy) {
        self.start_unix_s = before.start_unix_s;
        self.last_end_unix_s = before.last_end_unix_s;
    }

    pub(super) fn write(
        &mut self,
        flush: &FlushCounts,
        sinks: &[Counters],
        naming: &Naming,
        time: FlushTime,
        slot: &mut SlotCounts,
        out: &mut impl Points,
    ) {
        let end_unix_s = time.end_unix_s;
        let mut series = |metric_type, word: &str, summary: &Summary<'_>| {
            let path = format!("{}.{word}", self.prefix);
            let name = SeriesName {
                path: path.as_bytes(),
                tags: b"",
            };
            naming.points(metric_type, name, summary, time, out);
        };
        let shards = &flush.shards;
        let counters = [
            ("bad_lines_seen", shards.refusals.total()),
            (
                "packets_received",
                shards.datagrams + shards.connections.packets,
            ),
            ("metrics_received", shards.lines.lines),
        ];
        for (word, count) in counters {
            let count = slot.add(word, count);
            series(
                MetricType::Counter,
                word,
                &Summary::Counter {
                    sum: count as f64,
                    samples: count as f64,
                },
            );
        }
        let mut num_stats = flush.merger.reported.iter().sum::<u64>() + counters.len() as u64;
        if let Some(last) = self.last_end_unix_s {
            let lag = end_unix_s as f64 - last as f64 - time.interval_s;
            series(MetricType::Gauge, "timestamp_lag", &Summary::Gauge(lag));
            num_stats += 1;
        }
        let began_unix_s = end_unix_s.saturating_sub(time.length_s as u64);
        let start_unix_s = *self.start_unix_s.get_or_insert(began_unix_s);
        self.last_end_unix_s = Some(end_unix_s);

        let mut line = |head: &str, stat: &str, number: u64| {
            out.point(&Point {
                head,
                name: self.prefix.as_bytes(),
                stat: &format!(".{stat}{}", self.suffix),
                tags: b"",
                value: Value::Shortest(number as f64),
                time_unix_s: end_unix_s,
                metric_type: MetricType::Gauge,
                statistic: Statistic::Other,
            });
        };
        line(&self.head_of_num_stats, "numStats", num_stats);
        let mut line = |stat, number| line(&self.head, stat, number);
        let naming_took = flush.duration.saturating_sub(flush.collecting);
        line("graphiteStats.calculationtime", milliseconds(naming_took));
        line("processing_time", milliseconds(flush.collecting));
        // etsy's statsd has one Graphite server; of several, this tells of the one that was written
        // to last.
        let sink = sinks
            .iter()
            .max_by_key(|sink| sink.last_slot.written_unix_s);
        let sink = sink.copied().unwrap_or_default();
        let last_flush_unix_s = match sink.last_slot.written_unix_s {
            0 => start_unix_s,
            written_unix_s => written_unix_s,
        };
        line("graphiteStats.last_exception", sink.last_failure_unix_s);
        line("graphiteStats.last_flush", last_flush_unix_s);
        let flush_time = milliseconds(sink.last_slot.took);
        line("graphiteStats.flush_time", flush_time);
        line("graphiteStats.flush_length", sink.last_slot.size_bytes);
    }
}

/// In whole milliseconds, as a difference of two `Date.now()` is.
fn milliseconds(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Refusal;
    use crate::naming::NamingSettings;
    use crate::sink::LastSlot;
    use crate::telemetry::{OwnWords, Telemetry};

    #[derive(Default)]
    struct Lines(Vec<String>);

    impl Points for Lines {
        fn point(&mut self, point: &Point<'_>) {
            let name = String::from_utf8_lossy(point.name);
            let (head, stat, number) = (point.head, point.stat, point.value.number());
            let time = point.time_unix_s;
            self.0.push(format!("{head}{name}{stat} {number} {time}"));
        }
    }

    fn telemetry(dialect: Dialect, prefix: &str, namespace: &str, suffix: &str) -> Telemetry {
        let own = OwnLines {
            words: OwnWords::Etsy,
            dialect,
            prefix: prefix.to_owned(),
            namespace: namespace.to_owned(),
            suffix: suffix.to_owned(),
        };
        Telemetry::new(&own, std::iter::empty())
    }

    /// The lines of a flush of 8 series of which 2 are timers, with 3 datagrams, 5 lines and a bad one.
    fn flush(telemetry: &mut Telemetry, dialect: Dialect, end_unix_s: u64) -> Vec<String> {
        let mut flush = FlushCounts {
            collecting: Duration::from_millis(7),
            duration: Duration::from_millis(12),
            ..FlushCounts::default()
        };
        flush.shards.datagrams = 3;
        flush.shards.lines.lines = 5;
        flush.shards.refusals.count(Refusal::BadValue);
        flush.merger.reported[0] = 6;
        flush.merger.reported[1] = 2;
        let sinks = [
            Counters::default(),
            Counters {
                last_slot: LastSlot {
                    written_unix_s: 999,
                    took: Duration::from_micros(2_700),
                    size_bytes: 1_234,
                },
                last_failure_unix_s: 888,
                ..Counters::default()
            },
        ];
        let time = FlushTime {
            end_unix_s,
            length_s: 10.0,
            interval_s: 10.0,
        };
        let mut lines = Lines::default();
        let naming = Naming::new(&NamingSettings::new(dialect));
        let slot = &mut SlotCounts::default();
        telemetry.write(&flush, &sinks, &naming, time, slot, &mut lines);
        lines.0
    }

    #[test]
    fn the_legacy_namespace_has_num_stats_outside_of_stats() {
        let mut telemetry = telemetry(Dialect::EtsyLegacy, "statsd", "not.used", "");
        let lines = flush(&mut telemetry, Dialect::EtsyLegacy, 1_000);
        assert_eq!(
            lines,
            [
                "stats.statsd.bad_lines_seen 0.1 1000",
                "stats_counts.statsd.bad_lines_seen 1 1000",
                "stats.statsd.packets_received 0.3 1000",
                "stats_counts.statsd.packets_received 3 1000",
                "stats.statsd.metrics_received 0.5 1000",
                "stats_counts.statsd.metrics_received 5 1000",
                "statsd.numStats 11 1000",
                "stats.statsd.graphiteStats.calculationtime 5 1000",
                "stats.statsd.processing_time 7 1000",
                "stats.statsd.graphiteStats.last_exception 888 1000",
                "stats.statsd.graphiteStats.last_flush 999 1000",
                "stats.statsd.graphiteStats.flush_time 2 1000",
                "stats.statsd.graphiteStats.flush_length 1234 1000",
            ]
        );
    }

    #[test]
    fn the_lag_is_a_gauge_from_the_second_flush_on() {
        let mut telemetry = telemetry(Dialect::EtsyLegacy, "statsd", "", "");
        flush(&mut telemetry, Dialect::EtsyLegacy, 1_000);
        let lines = flush(&mut telemetry, Dialect::EtsyLegacy, 1_012);
        assert_eq!(lines[6], "stats.gauges.statsd.timestamp_lag 2 1012");
        assert_eq!(lines[7], "statsd.numStats 12 1012");
    }

    // After each reload the lag was missing once, and the last flush was the reload until a sink wrote.
    #[test]
    fn the_lag_goes_on_under_other_settings() {
        let mut before = telemetry(Dialect::EtsyLegacy, "statsd", "", "");
        flush(&mut before, Dialect::EtsyLegacy, 1_000);
        let mut after = telemetry(Dialect::EtsyLegacy, "other", "", "");
        after.follow(&before);
        let lines = flush(&mut after, Dialect::EtsyLegacy, 1_012);
        assert_eq!(lines[6], "stats.gauges.other.timestamp_lag 2 1012");
    }

    #[test]
    fn the_other_namespace_has_what_was_set_around_every_line() {
        let mut telemetry = telemetry(Dialect::Etsy, "self", "acme", "web1");
        let lines = flush(&mut telemetry, Dialect::Etsy, 1_000);
        assert_eq!(lines[6], "acme.self.numStats.web1 11 1000");
        let graphite = "acme.self.graphiteStats.calculationtime.web1 5 1000";
        assert_eq!(lines[7], graphite);
        assert_eq!(lines[8], "acme.self.processing_time.web1 7 1000");
    }

    #[test]
    fn a_namespace_may_be_empty() {
        let mut telemetry = telemetry(Dialect::Etsy, "statsd", "", "");
        let lines = flush(&mut telemetry, Dialect::Etsy, 1_000);
        assert_eq!(lines[6], "statsd.numStats 11 1000");
    }

    #[test]
    fn before_the_first_write_the_last_flush_is_the_start() {
        let mut telemetry = telemetry(Dialect::EtsyLegacy, "statsd", "", "");
        let time = FlushTime {
            end_unix_s: 1_000,
            length_s: 10.0,
            interval_s: 10.0,
        };
        let naming = Naming::new(&NamingSettings::new(Dialect::EtsyLegacy));
        let mut lines = Lines::default();
        let slot = &mut SlotCounts::default();
        telemetry.write(
            &FlushCounts::default(),
            &[],
            &naming,
            time,
            slot,
            &mut lines,
        );
        let last_flush = "stats.statsd.graphiteStats.last_flush 990 1000";
        assert!(
            lines.0.iter().any(|line| line == last_flush),
            "{lines:?}",
            lines = lines.0
        );
    }
}
