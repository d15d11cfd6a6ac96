//! What must be so in the end: samples in are samples out and counted losses.

use std::collections::BTreeMap;

use crate::listener::{OWN, Received, Slot};
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

/// What the daemon says that it lost: of this sink, or before any sink.
fn told_losses(log: &str, sink: &Received) -> u64 {
    let port = sink.name.rsplit('_').next().unwrap_or_default();
    let address = format!("127.0.0.1:{port}");
    let errors = log.lines().filter(|line| line.contains("ERROR"));
    let ours = errors.filter(|line| !line.contains("sink ") || line.contains(&address));
    let losses = ours.filter_map(|line| {
        LOSSES.iter().find_map(|(before, after)| {
            let (_, rest) = line.split_once(before)?;
            let (number, _) = rest.split_once(after)?;
            number.parse::<u64>().ok()
        })
    });
    losses.sum()
}

/// Sums of what a sink has in the end.
fn sum(received: &Received, begin: &str, end: &str) -> f64 {
    let points = received.points.iter();
    let ours = points.filter(|((path, _), _)| path.starts_with(begin) && path.ends_with(end));
    ours.map(|(_, value)| value).sum()
}

/// Every sample that was sent is in a value of each sink, or in one that was lost and counted.
pub(crate) fn samples(sent: &Sent, received: &[Received; 2], log: &str, findings: &mut Findings) {
    let (datagrams, streamed) = (&sent.datagrams, &sent.streamed);
    println!(
        "sent: {} datagrams of {} lines, {} lines over TCP",
        datagrams.datagrams, datagrams.lines, streamed.lines
    );
    let rows = [
        (
            "UDP counters",
            "stats.counters.service.",
            ".count",
            datagrams.counter_sum,
        ),
        (
            "UDP timers",
            "stats.timers.service.",
            ".count",
            datagrams.timers,
        ),
        (
            "UDP timer sums",
            "stats.timers.service.",
            ".sum",
            datagrams.timer_sum,
        ),
        (
            "TCP counters",
            "stats.counters.stream.",
            ".count",
            streamed.counter_sum,
        ),
        (
            "TCP timers",
            "stats.timers.stream.",
            ".count",
            streamed.timers,
        ),
        (
            "TCP timer sums",
            "stats.timers.stream.",
            ".sum",
            streamed.timer_sum,
        ),
    ];
    for sink in received {
        let losses = told_losses(log, sink);
        println!(
            "{}: {} lines over {} connections, {} points came again with another value, {losses} lines \
             told as lost",
            sink.name, sink.lines, sink.connections, sink.changed
        );
        for (what, begin, end, sent) in rows {
            let got = sum(sink, begin, end);
            let missing = sent as f64 - got;
            println!("  {what}: {sent} sent, {got} received, {missing} missing");
            if missing < 0.0 {
                findings.add(format!("{}: {what}: {} too many", sink.name, -missing));
            } else if missing > 0.0 && losses == 0 {
                findings.add(format!(
                    "{}: {what}: {missing} missing, and nothing was told as lost",
                    sink.name
                ));
            }
        }
        if let Some(line) = sink.wrong.first() {
            let count = sink.wrong.len();
            findings.add(format!(
                "{}: {count} lines are no points: {line:?}",
                sink.name
            ));
        }
        gauges(sink, sent, findings);
    }
    points(received, log, findings);
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

/// A point that one sink has and the other has not was told as lost.
fn points(received: &[Received; 2], log: &str, findings: &mut Findings) {
    let [first, second] = received;
    for (sink, other) in [(first, second), (second, first)] {
        let is_shared = |slot: &&Slot| !slot.0.starts_with(OWN);
        let missing = other.points.keys().filter(is_shared);
        let missing = missing
            .filter(|slot| !sink.points.contains_key(*slot))
            .count();
        let losses = told_losses(log, sink);
        println!(
            "{}: {missing} points of the other sink are not here",
            sink.name
        );
        if missing as u64 > losses {
            findings.add(format!(
                "{}: {missing} points are missing, {losses} were told as lost",
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
