//! What the race is meant to show, and whether it did: one line for each aim.

use crate::figure::{Entry, Figure, spread};
use crate::peers::{BRUBECK, FLOOR, RINGSTAT, RINGSTAT_RECVMMSG, STATSITE};
use crate::report::number;
use crate::scenario::Scenario;

/// Something that is to be reached in a scenario.
struct Target {
    of: Of,
    bound: Bound,
}

/// What of the medians a target is about.
#[derive(Clone, Copy)]
enum Of {
    /// A figure of ringstat's.
    Own(Figure),
    /// The first contestant's figure by that of the second.
    Ratio(Figure, &'static str, &'static str),
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};
use Of::{Own, Ratio};

fn targets(scenario: Scenario) -> Vec<Target> {
    let engines = |figure| (Ratio(figure, RINGSTAT_RECVMMSG, RINGSTAT), AtMost(1.25));
    let line = Figure::NsPerLine;
    let datagram = Figure::NsPerDatagram;
    let delivered = Figure::NsPerDelivered;
    let lossless = Figure::LosslessLines;
    let targets = match scenario {
        Scenario::Packed => vec![
            (Ratio(line, STATSITE, RINGSTAT), AtLeast(13.0)),
            (Ratio(line, BRUBECK, RINGSTAT), AtLeast(7.5)),
            (Ratio(line, RINGSTAT, FLOOR), AtMost(1.7)),
            engines(line),
        ],
        Scenario::PackedSlow => vec![engines(line)],
        Scenario::Single => vec![
            (Ratio(datagram, STATSITE, RINGSTAT), AtLeast(3.2)),
            (Ratio(datagram, BRUBECK, RINGSTAT), AtLeast(2.3)),
            (Ratio(datagram, RINGSTAT, FLOOR), AtMost(1.2)),
            engines(datagram),
        ],
        Scenario::SingleSlow => vec![engines(datagram)],
        Scenario::Wide => vec![
            (Ratio(delivered, RINGSTAT, STATSITE), AtMost(0.25)),
            (Own(Figure::DeliveredPercent), AtLeast(100.0)),
            engines(delivered),
        ],
        Scenario::FlatOut => vec![
            (Own(lossless), AtLeast(16e6)),
            (Ratio(lossless, RINGSTAT, STATSITE), AtLeast(9.0)),
            (Ratio(lossless, RINGSTAT, BRUBECK), AtLeast(8.0)),
        ],
        Scenario::Idle => vec![
            (Own(Figure::ResidentMib), AtMost(10.0)),
            // Nothing wakes it from the end of one flush to the beginning of the next.
            (Own(Figure::QuietMs), AtLeast(1_900.0)),
        ],
        // In a shard's table and in the flusher's.
        Scenario::Memory => vec![(Own(Figure::BytesPerSeries), AtMost(64.0 + 64.0))],
        Scenario::Flush => vec![
            (Own(Figure::NsPerOutputLine), AtMost(60.0)),
            (Own(Figure::FlushMs), AtMost(300.0)),
            // A look each millisecond, and a wait of 5.
            (Own(Figure::PauseMs), AtMost(7.0)),
        ],
    };
    let target = |(of, bound)| Target { of, bound };
    targets.into_iter().map(target).collect()
}

/// A line for each target of a scenario whose contestants took part.
pub(crate) fn lines(scenario: Scenario, entries: &[Entry]) -> Vec<String> {
    let line = |target: &Target| target.line(entries);
    targets(scenario).iter().filter_map(line).collect()
}

impl Target {
    fn line(&self, entries: &[Entry]) -> Option<String> {
        let median = |contestant, figure| {
            let spread = spread(entries, contestant, figure)?;
            Some(spread.median)
        };
        let (what, value) = match self.of {
            Own(figure) => (
                format!("{RINGSTAT}: {}", figure.heading()),
                median(RINGSTAT, figure)?,
            ),
            Ratio(figure, above, below) => (
                format!("{above} / {below}: {}", figure.heading()),
                median(above, figure)? / median(below, figure)?,
            ),
        };
        let (is_reached, words, bound) = match self.bound {
            AtLeast(bound) => (value >= bound, "at least", bound),
            AtMost(bound) => (value <= bound, "at most", bound),
        };
        let verdict = if is_reached { "reached" } else { "missed" };
        let (value, bound) = match self.of {
            Own(figure) => (number(figure, value), number(figure, bound)),
            Ratio(..) => (format!("{value:.2}"), format!("{bound}")),
        };
        Some(format!("{what}: {value}, {words} {bound}: {verdict}"))
    }
}
