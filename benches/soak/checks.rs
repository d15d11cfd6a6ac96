//! What must be so in the end, beside the account of samples.

use std::collections::BTreeMap;

use crate::listener::{OWN, Received};
use crate::traffic::Sent;

/// What is wrong.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    pub(crate) fn add(&mut self, fault: String) {
        self.0.push(fault);
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn faults(&self) -> &[String] {
        &self.0
    }
}

/// Numbers behind one of these words in the log are lines or datagrams that were lost and counted.
const LOSSES: [(&str, &str); 3] = [
    ("lost ", " lines"),
    ("dropped the oldest ", " lines"),
    ("the kernel dropped ", " datagrams"),
];

/// Each line that came is a point, and gauges have the level that was sent last.
pub(crate) fn received(sent: &Sent, received: &[Received; 2], findings: &mut Findings) {
    for sink in received {
        println!(
            "{}: {} lines over {} connections, {} points came again with another value",
            sink.name, sink.lines, sink.connections, sink.changed
        );
        if let Some(line) = sink.wrong.first() {
            let count = sink.wrong.len();
            findings.add(format!(
                "{}: {count} lines are no points: {line:?}",
                sink.name
            ));
        }
        gauges(sink, sent, findings);
    }
}

/// The last level of each gauge is what was sent last.
fn gauges(sink: &Received, sent: &Sent, findings: &mut Findings) {
    let mut levels: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    for ((path, time_unix_s), value) in &sink.points {
        if let Some(name) = path.strip_prefix("stats.gauges.") {
            let level = levels.entry(name).or_default();
            if *time_unix_s >= level.0 {
                *level = (*time_unix_s, *value);
            }
        }
    }
    for (name, level) in &sent.streamed.gauges {
        let got = levels.get(name.as_str()).map(|(_, value)| *value);
        if got != Some(*level as f64) {
            findings.add(format!(
                "{}: gauge {name} is {got:?}, not {level}",
                sink.name
            ));
        }
    }
}

/// What came in is what was taken and what was refused, in each slot.
pub(crate) fn own_metrics(received: &[Received; 2], findings: &mut Findings) {
    for sink in received {
        let mut slots: BTreeMap<u64, BTreeMap<&str, f64>> = BTreeMap::new();
        for ((path, end), value) in &sink.points {
            if let Some(name) = path.strip_prefix(OWN) {
                slots.entry(*end).or_default().insert(name, *value);
            }
        }
        for (end, own) in &slots {
            let of = |name: &str| own.get(name).copied().unwrap_or_default();
            let refused = own.iter().filter(|(name, _)| name.starts_with("refused."));
            let refused: f64 = refused.map(|(_, value)| value).sum();
            if of("lines") + of("chained") != of("samples") + refused + of("skipped") {
                findings.add(format!(
                    "{}: the slot up to {end} does not balance",
                    sink.name
                ));
            }
        }
        println!("{}: own metrics of {} slots", sink.name, slots.len());
        if slots.is_empty() {
            findings.add(format!("{}: no own metrics", sink.name));
        }
    }
}

/// Errors in the log are losses that are known; whatever else is one is a fault.
pub(crate) fn log(log: &str, findings: &mut Findings) {
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    for error in &errors {
        println!("log: {error}");
        let is_known = LOSSES.iter().any(|(before, _)| error.contains(before));
        if !is_known {
            findings.add(format!("in the log: {error}"));
        }
    }
}
