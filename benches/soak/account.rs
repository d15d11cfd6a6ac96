//! Samples in are samples out and counted losses, to the last one.

use std::collections::HashMap;

use crate::checks::Findings;
use crate::listener::{OWN, Received, Slot};
use crate::traffic::Sent;

/// Both sides: what was sent, and what came of it.
pub(crate) struct Account<'a> {
    sent: &'a Sent,
    /// The first has a spool, and gets everything.
    received: &'a [Received; 2],
    /// Lines that the daemon says it has lost, by sink.
    lost: [u64; 2],
    /// Datagrams that the kernel dropped.
    dropped: u64,
    /// Of each path and time the value of the slot when it was whole, wherever that came: sums only grow
    /// when a slot that a restart cut is sent again.
    whole: HashMap<&'a Slot, f64>,
}

/// The greatest value of a sample.
const VALUE_MAX: u64 = 999;

/// What the daemon says behind what a stop cost, which its own metrics cannot have any more.
const AT_THE_END: &str = " lines that it did not take in time";

/// Samples of one kind.
struct Row {
    what: &'static str,
    begin: &'static str,
    end: &'static str,
    sent: u64,
    /// The most that a line which the kernel dropped adds here; 0 if the kernel cannot drop it.
    per_line_max: u64,
}

impl<'a> Account<'a> {
    /// `dropped` is what the kernel says, if somebody held the sockets all the time; the daemon's own
    /// metrics have it otherwise.
    pub(crate) fn new(
        sent: &'a Sent,
        received: &'a [Received; 2],
        log: &str,
        dropped: Option<u64>,
    ) -> Self {
        let own = |name: &str| own_sum(&received[0], name);
        let lost = received.each_ref().map(|sink| {
            let of_sink = |what: &str| own(&format!("sink.{}.{what}", sink.name));
            // What was in doubt and given up may be absent as well.
            of_sink("dropped_lines") + of_sink("doubtful_lines") + lost_at_stops(log, sink)
        });
        let mut whole: HashMap<&Slot, f64> = HashMap::new();
        for (slot, value) in received.iter().flat_map(|sink| &sink.points) {
            if is_summed(&slot.0) {
                let highest = whole.entry(slot).or_insert(*value);
                *highest = highest.max(*value);
            }
        }
        Account {
            sent,
            received,
            lost,
            dropped: dropped.unwrap_or_else(|| own("kernel_drops")),
            whole,
        }
    }

    /// What was sent is what the daemon counted and what the kernel dropped.
    pub(crate) fn check_input(&self, findings: &mut Findings) {
        let own = |name: &str| own_sum(&self.received[0], name);
        let (sent, taken) = (self.sent.datagrams.datagrams, own("datagrams"));
        let dropped = self.dropped;
        println!(
            "datagrams: {sent} sent, {taken} taken, {dropped} dropped by the kernel ({} told)",
            own("kernel_drops")
        );
        if sent != taken + dropped {
            findings.add(format!(
                "of {sent} datagrams {taken} were taken and {dropped} dropped"
            ));
        }
        let (sent, taken) = (
            self.sent.datagrams.lines + self.sent.streamed.lines,
            own("lines"),
        );
        println!("lines: {sent} sent, {taken} taken");
        let (fewest, most) = self.sent.lines_of_datagram;
        let missing = sent.wrapping_sub(taken);
        if !(dropped * fewest..=dropped * most).contains(&missing) {
            findings.add(format!(
                "of {sent} lines {taken} were taken, with {dropped} datagrams of {fewest} to {most} \
                 lines dropped"
            ));
        }
    }

    /// Each sample that was taken is in a point, and each point came to each sink or was counted as lost.
    pub(crate) fn check_samples(&self, findings: &mut Findings) {
        let lines_dropped = self.dropped * self.sent.lines_of_datagram.1;
        for row in self.rows() {
            let got = self.sum(&row);
            let Row { what, sent, .. } = row;
            println!("{what}: {sent} sent, {got} received");
            let missing_max = (lines_dropped * row.per_line_max) as f64;
            let missing = sent as f64 - got;
            if !(0.0..=missing_max).contains(&missing) {
                findings.add(format!(
                    "{what}: {missing} missing, at most {missing_max} were dropped by the kernel"
                ));
            }
        }
        for (sink, lost) in self.received.iter().zip(self.lost) {
            let here = |slot: &Slot| sink.points.get(slot);
            let differ = self.whole.iter();
            let differ = differ.filter(|(slot, value)| here(slot) != Some(*value));
            let differ = differ.count() as u64;
            let absent = self.absent(sink);
            println!(
                "{}: {lost} lines counted as lost; {absent} points are not here, and {differ} sums \
                 are not whole",
                sink.name
            );
            if absent > lost || differ > lost {
                findings.add(format!(
                    "{}: {absent} points are missing and {differ} sums are not whole, {lost} lines \
                     were counted as lost",
                    sink.name
                ));
            }
        }
        if self.lost[0] > 0 {
            findings.add("a sink with a spool has lost lines".to_owned());
        }
    }

    /// Points of either sink that this one has not. What the daemon says of itself may differ: it tells of
    /// losses where these are known.
    fn absent(&self, sink: &Received) -> u64 {
        let all = self.received.iter().flat_map(|other| other.points.keys());
        let absent =
            all.filter(|slot| !slot.0.starts_with(OWN) && !sink.points.contains_key(*slot));
        absent.count() as u64
    }

    fn sum(&self, row: &Row) -> f64 {
        let ours = self.whole.iter();
        let ours =
            ours.filter(|((path, _), _)| path.starts_with(row.begin) && path.ends_with(row.end));
        ours.map(|(_, value)| value).sum()
    }

    fn rows(&self) -> [Row; 6] {
        let (datagrams, streamed) = (&self.sent.datagrams, &self.sent.streamed);
        let row = |what, begin, end, sent, per_line_max| Row {
            what,
            begin,
            end,
            sent,
            per_line_max,
        };
        [
            row(
                "UDP counters",
                "stats.counters.service.",
                ".count",
                datagrams.counter_sum,
                VALUE_MAX,
            ),
            row(
                "UDP timers",
                "stats.timers.service.",
                ".count",
                datagrams.timers,
                1,
            ),
            row(
                "UDP timer sums",
                "stats.timers.service.",
                ".sum",
                datagrams.timer_sum,
                VALUE_MAX,
            ),
            row(
                "TCP counters",
                "stats.counters.stream.",
                ".count",
                streamed.counter_sum,
                0,
            ),
            row(
                "TCP timers",
                "stats.timers.stream.",
                ".count",
                streamed.timers,
                0,
            ),
            row(
                "TCP timer sums",
                "stats.timers.stream.",
                ".sum",
                streamed.timer_sum,
                0,
            ),
        ]
    }
}

/// Whether values of a path add up over slots to what was sent.
fn is_summed(path: &str) -> bool {
    let is_one = |begin: &str, end: &str| path.starts_with(begin) && path.ends_with(end);
    is_one("stats.counters.", ".count")
        || is_one("stats.timers.", ".count")
        || is_one("stats.timers.", ".sum")
}

/// The sum of an own metric over all slots.
fn own_sum(received: &Received, name: &str) -> u64 {
    let points = received.points.iter();
    let ours = points.filter(|((path, _), _)| path.strip_prefix(OWN) == Some(name));
    ours.map(|(_, value)| *value as u64).sum()
}

/// Lines of a sink that were lost when a process stopped.
fn lost_at_stops(log: &str, sink: &Received) -> u64 {
    let port = sink.name.rsplit('_').next().unwrap_or_default();
    let address = format!("127.0.0.1:{port}");
    let ours = log.lines().filter(|line| line.contains(&address));
    let numbers = ours.filter_map(|line| {
        let (before, _) = line.split_once(AT_THE_END)?;
        let (_, number) = before.rsplit_once("lost ")?;
        number.parse::<u64>().ok()
    });
    numbers.sum()
}
