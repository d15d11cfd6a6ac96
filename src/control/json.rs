//! The ledger for scripts: a line of JSON for each slot.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::ledger::{Output, Record};
use crate::metric::Refusal;

/// A slot; all counts are of this slot alone, but for what waits.
#[derive(Serialize)]
struct Slot<'a> {
    slot: u64,
    length_s: f64,
    balances: bool,
    imbalances: Vec<String>,
    datagrams: Datagrams,
    lines: Lines,
    samples: u64,
    refused: BTreeMap<&'static str, u64>,
    points_not_finite: u64,
    sinks: Vec<Sink<'a>>,
}

#[derive(Serialize)]
struct Datagrams {
    delivered: u64,
    dropped: u64,
    read: u64,
    empty: u64,
    truncated: u64,
}

#[derive(Serialize)]
struct Lines {
    read: u64,
    chained: u64,
    skipped: u64,
}

#[derive(Serialize)]
struct Sink<'a> {
    name: &'a str,
    points: u64,
    waited: u64,
    pushed: u64,
    sent: u64,
    queued: u64,
    spooled: u64,
    dropped: u64,
    dropped_by: BTreeMap<&'static str, u64>,
    doubtful: u64,
    superseded: u64,
}

/// The slots, oldest first.
pub(super) fn lines(records: &[Arc<Record>]) -> String {
    let mut lines = String::new();
    for record in records {
        let line = serde_json::to_string(&slot(record));
        lines.push_str(&line.expect("numbers and texts have a form in JSON"));
        lines.push('\n');
    }
    lines
}

fn slot(record: &Record) -> Slot<'_> {
    let input = &record.input;
    let imbalances = record.imbalances();
    let refused = Refusal::ALL.into_iter().filter_map(|reason| {
        let count = input.refusals.of(reason);
        (count > 0).then(|| (reason.word(), count))
    });
    Slot {
        slot: record.end_unix_s,
        length_s: record.length_s,
        balances: imbalances.is_empty(),
        imbalances: imbalances.iter().map(ToString::to_string).collect(),
        datagrams: Datagrams {
            delivered: input.datagrams_delivered,
            dropped: input.datagrams_dropped,
            read: input.datagrams_read,
            empty: input.datagrams_empty,
            truncated: input.datagrams_truncated,
        },
        lines: Lines {
            read: input.lines,
            chained: input.chained,
            skipped: input.skipped,
        },
        samples: input.samples,
        refused: refused.collect(),
        points_not_finite: record.points_not_finite,
        sinks: record.outputs.iter().map(sink).collect(),
    }
}

fn sink(output: &Output) -> Sink<'_> {
    let dropped_by = output.dropped_by.iter();
    let dropped_by = dropped_by.map(|(reason, lines)| (reason.word(), lines));
    Sink {
        name: &output.sink,
        points: output.points,
        waited: output.waited,
        pushed: output.pushed,
        sent: output.sent,
        queued: output.queued,
        spooled: output.spooled,
        dropped: output.dropped,
        dropped_by: dropped_by.collect(),
        doubtful: output.doubtful,
        superseded: output.superseded,
    }
}
