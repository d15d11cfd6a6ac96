//! What is measured: names, units, and the values of a round.

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// CPU time for each line sent; flushes of the time are in it.
    NsPerLine,
    /// The same for each datagram sent.
    NsPerDatagram,
    /// CPU time from the first datagram until everything was accounted for that ever was, for each
    /// line of that.
    NsPerDelivered,
    /// How much of what was sent the daemon accounted for.
    DeliveredPercent,
    /// Datagrams for which the receive buffer had no room.
    Drops,
    /// Part of one core that was busy.
    CpuPercent,
    /// Lines sent to Graphite in a second.
    OutputLines,
    /// Resident memory at the end.
    ResidentMib,
    /// Part of the rate that the sender kept.
    RatePercent,
    /// The highest rate at which nothing is lost.
    LosslessLines,
    /// The same in datagrams.
    LosslessDatagrams,
    /// What the sender offers without a limit.
    OfferedLines,
    /// What the daemon accounts for of that.
    ThroughLines,
    /// Context switches in a flush interval without traffic.
    SwitchesPerFlush,
    /// The longest time without one.
    QuietMs,
    /// Resident memory for each counter, without its name.
    BytesPerSeries,
    /// CPU time of a flush for each line that it writes.
    NsPerOutputLine,
    /// From the first work of a flush until its last line is at the Graphite server.
    FlushMs,
    /// Lines of that flush.
    FlushLines,
    /// The longest time in which no datagram left the receive buffer, although some waited.
    PauseMs,
}

impl Figure {
    /// What it is called in tables; with the unit.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Figure::NsPerLine => "ns/line",
            Figure::NsPerDatagram => "ns/datagram",
            Figure::NsPerDelivered => "ns/line delivered",
            Figure::DeliveredPercent => "delivered %",
            Figure::Drops => "kernel drops",
            Figure::CpuPercent => "CPU %",
            Figure::OutputLines => "output lines/s",
            Figure::ResidentMib => "resident MiB",
            Figure::RatePercent => "rate kept %",
            Figure::LosslessLines => "lossless lines/s",
            Figure::LosslessDatagrams => "lossless datagrams/s",
            Figure::OfferedLines => "offered lines/s",
            Figure::ThroughLines => "through lines/s",
            Figure::SwitchesPerFlush => "switches/flush",
            Figure::QuietMs => "longest quiet ms",
            Figure::BytesPerSeries => "bytes/series beyond its name",
            Figure::NsPerOutputLine => "ns/output line",
            Figure::FlushMs => "flush ms",
            Figure::FlushLines => "output lines",
            Figure::PauseMs => "longest pause ms",
        }
    }

    /// Whether more is better.
    pub(crate) fn is_better_when_high(self) -> bool {
        match self {
            Figure::DeliveredPercent
            | Figure::RatePercent
            | Figure::LosslessLines
            | Figure::LosslessDatagrams
            | Figure::OfferedLines
            | Figure::ThroughLines
            | Figure::QuietMs => true,
            Figure::NsPerLine
            | Figure::NsPerDatagram
            | Figure::NsPerDelivered
            | Figure::Drops
            | Figure::CpuPercent
            | Figure::OutputLines
            | Figure::ResidentMib
            | Figure::SwitchesPerFlush
            | Figure::BytesPerSeries
            | Figure::NsPerOutputLine
            | Figure::FlushMs
            | Figure::FlushLines
            | Figure::PauseMs => false,
        }
    }

    /// Digits behind the point.
    pub(crate) fn decimals(self) -> usize {
        match self {
            Figure::NsPerLine
            | Figure::NsPerDelivered
            | Figure::DeliveredPercent
            | Figure::CpuPercent
            | Figure::ResidentMib
            | Figure::RatePercent
            | Figure::SwitchesPerFlush
            | Figure::BytesPerSeries
            | Figure::NsPerOutputLine
            | Figure::PauseMs => 1,
            Figure::NsPerDatagram
            | Figure::Drops
            | Figure::OutputLines
            | Figure::LosslessLines
            | Figure::LosslessDatagrams
            | Figure::OfferedLines
            | Figure::ThroughLines
            | Figure::QuietMs
            | Figure::FlushMs
            | Figure::FlushLines => 0,
        }
    }
}

/// One contestant in one round.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) contestant: &'static str,
    /// Counted from 1.
    pub(crate) round: usize,
    pub(crate) values: Vec<(Figure, f64)>,
}

/// The middle and the ends of a figure's values over the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

/// The values of a figure that a contestant reached, if it has any.
pub(crate) fn spread(entries: &[Entry], contestant: &str, figure: Figure) -> Option<Spread> {
    let mut values: Vec<f64> = entries
        .iter()
        .filter(|entry| entry.contestant == contestant)
        .flat_map(|entry| &entry.values)
        .filter(|(of, _)| *of == figure)
        .map(|(_, value)| *value)
        .collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let median = match values.len() {
        0 => return None,
        count if count % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    };
    Some(Spread {
        min: values[0],
        median,
        max: values[values.len() - 1],
    })
}

/// Everyone who has an entry, in the order of their first ones.
pub(crate) fn contestants(entries: &[Entry]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for entry in entries {
        if !names.contains(&entry.contestant) {
            names.push(entry.contestant);
        }
    }
    names
}
