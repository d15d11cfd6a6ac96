//! What commands are answered with, in the words of etsy's statsd (stats.js, lib/mgmt_console.js and
//! `util.inspect`, which prints its lists).

use std::fmt::{self, Display};

use super::command::Listed;
use crate::flusher::Status;
use crate::metric::MetricType;
use crate::sink::Counters;
use crate::snapshot::{Merger, SeriesName, TimerValues};

pub(super) const HELP: &str = "Commands: stats, counters, timers, gauges, delcounters, deltimers, \
                               delgauges, health, config, quit\n\n";

/// What is not understood.
pub(super) const ERROR: &str = "ERROR\n";

/// Behind most answers.
pub(super) const END: &str = "END\n\n";

/// The size of an answer, from which on lines are counted instead.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The values of a timer that are shown.
const TIMER_VALUES_MAX: usize = 100;

/// Lines of an answer, as far as there is room.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    left_out_count: u64,
}

impl Lines {
    pub(super) fn push(&mut self, line: impl Display) {
        if self.text.len() >= ANSWER_BYTES_MAX {
            self.left_out_count += 1;
            return;
        }
        self.text.push_str(&format!("{line}\n"));
    }

    /// The text, with a line for those that had no room.
    pub(super) fn finish(mut self) -> String {
        if self.left_out_count > 0 {
            let left_out = format!("... {} more items\n", self.left_out_count);
            self.text.push_str(&left_out);
        }
        self.text
    }
}

/// `stats`: what became of lines, and of the Graphite server that was written to last.
pub(super) fn stats(status: &Status, start_unix_s: u64, now_unix_s: u64) -> String {
    let since = |unix_s: u64| now_unix_s.saturating_sub(unix_s);
    let mut lines = Lines::default();
    lines.push(format_args!("uptime: {}", since(start_unix_s)));
    let last_line = since(status.lines_unix_s.unwrap_or(start_unix_s));
    lines.push(format_args!("messages.last_msg_seen: {last_line}"));
    lines.push(format_args!(
        "messages.bad_lines_seen: {}",
        status.refused_count
    ));
    let written_at = |sink: &&Counters| sink.last_slot.written_unix_s;
    if let Some(sink) = status.sinks.iter().max_by_key(written_at) {
        let slot = sink.last_slot;
        let last_flush = match slot.written_unix_s {
            0 => since(start_unix_s),
            written_unix_s => since(written_unix_s),
        };
        lines.push(format_args!("graphite.last_flush: {last_flush}"));
        // Without any failure that is the time since 1970, as in etsy's statsd.
        let last_failure = since(sink.last_failure_unix_s);
        lines.push(format_args!("graphite.last_exception: {last_failure}"));
        lines.push(format_args!(
            "graphite.flush_time: {}",
            slot.took.as_millis()
        ));
        lines.push(format_args!("graphite.flush_length: {}", slot.size_bytes));
    }
    lines.finish() + END
}

/// `counters`, `timers` and `gauges`: all series of a type.
pub(super) fn list(merger: &Merger, listed: Listed) -> String {
    let mut lines = Lines::default();
    lines.push("{");
    match listed {
        Listed::Counters => {
            for (name, sum) in merger.sums() {
                lines.push(format_args!("  '{}': {sum},", Name(name)));
            }
        }
        Listed::Timers => {
            for (name, values) in merger.timer_values() {
                lines.push(format_args!("  '{}': {},", Name(name), Values(values)));
            }
        }
        Listed::Gauges => {
            for (name, level) in merger.levels() {
                lines.push(format_args!("  '{}': {level},", Name(name)));
            }
        }
    }
    lines.finish() + "}\n" + END
}

/// Deletes the series of a name, or those below it, and says which they were.
pub(super) fn delete(merger: &mut Merger, metric_type: MetricType, name: &str, lines: &mut Lines) {
    let mut is_found = false;
    merger.forget(metric_type, name.as_bytes(), |name| {
        is_found = true;
        lines.push(format_args!("deleted: {}", Name(name)));
    });
    if !is_found {
        lines.push(format_args!("metric {name} not found"));
    }
}

struct Name<'a>(SeriesName<'a>);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SeriesName { path, tags } = self.0;
        write!(f, "{}{}", path.escape_ascii(), tags.escape_ascii())
    }
}

struct Values<'a>(TimerValues<'a>);

impl Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TimerValues { values, received } = self.0;
        if received == 0 {
            return f.write_str("[]");
        }
        let shown = &values[..values.len().min(TIMER_VALUES_MAX)];
        let mut texts: Vec<String> = shown.iter().map(ToString::to_string).collect();
        let left_out = received.saturating_sub(shown.len() as u64);
        if left_out > 0 {
            texts.push(format!("... {left_out} more items"));
        }
        write!(f, "[ {} ]", texts.join(", "))
    }
}

#[cfg(test)]
mod tests;
