//! Writes each point once for every format that a sink asks for, and hands what is written to the
//! sinks as soon as a chunk is full, so that a flush of any size needs little memory. A command gets
//! its slot whole, at the end.

use super::Outlet;
use crate::format::{Encoding, Formatted, Lines, Pickles, Records, Screen, StreamLines};
use crate::naming::{Point, Points};
use crate::sink::Part;

/// The formats that are in use, and the sinks that take them.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    lines: Option<Lines>,
    pickles: Option<Pickles>,
    screen: Option<Screen>,
    stream: Option<StreamLines>,
    records: Option<Records>,
    prefixed_records: Option<Records>,
    outlets: Vec<Outlet>,
    end_unix_s: u64,
    /// By format: what left in this flush.
    left: [Left; Encoding::ALL.len()],
    /// By format: what waits for the end of this flush.
    whole: [Formatted; Encoding::ALL.len()],
    not_finite: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Left {
    parts: u32,
    points: u64,
}

impl Outputs {
    pub(super) fn new(outlets: Vec<Outlet>) -> Outputs {
        let mut outputs = Outputs::default();
        for outlet in &outlets {
            match outlet.encoding {
                Encoding::Text => outputs.lines = Some(Lines::default()),
                Encoding::Pickle => outputs.pickles = Some(Pickles::default()),
                Encoding::Screen => outputs.screen = Some(Screen::default()),
                Encoding::Stream => outputs.stream = Some(StreamLines::default()),
                Encoding::Binary => outputs.records = Some(Records::new(false)),
                Encoding::PrefixedBinary => outputs.prefixed_records = Some(Records::new(true)),
            }
        }
        Outputs { outlets, ..outputs }
    }

    /// Begins the flush of a slot with this end, in seconds since 1970.
    pub(super) fn begin(&mut self, end_unix_s: u64) {
        self.begin_slot(end_unix_s, false);
    }

    /// Begins the flush of a slot of which the process before has sent a part, and which is sent whole.
    pub(super) fn begin_again(&mut self, end_unix_s: u64) {
        self.begin_slot(end_unix_s, true);
    }

    fn begin_slot(&mut self, end_unix_s: u64, comes_again: bool) {
        self.end_unix_s = end_unix_s;
        self.left = Default::default();
        for outlet in &self.outlets {
            outlet.sink.begin_slot(comes_again);
        }
    }

    /// The sinks and their formats.
    pub(super) fn outlets(&self) -> &[Outlet] {
        &self.outlets
    }

    /// For the daemon's own metrics, which are not for people.
    pub(super) fn without_screen(&mut self) -> impl Points {
        WithoutScreen(self)
    }

    /// How many points had no finite number since the last call; they were not written.
    pub(super) fn take_not_finite(&mut self) -> u64 {
        std::mem::take(&mut self.not_finite)
    }

    /// Hands over the rest. The note is for people. Returns how many points each sink got in all; a
    /// terminal gets fewer.
    pub(super) fn finish(&mut self, note: &str) -> u64 {
        if let Some(lines) = &mut self.lines {
            let rest = lines.take();
            self.hand_over(Encoding::Text, &rest);
        }
        if let Some(pickles) = &mut self.pickles {
            let rest = pickles.take();
            self.hand_over(Encoding::Pickle, &rest);
        }
        if let Some(lines) = &mut self.stream {
            let rest = lines.take();
            self.hand_over(Encoding::Stream, &rest);
        }
        if let Some(records) = &mut self.records {
            let rest = records.take();
            self.hand_over(Encoding::Binary, &rest);
        }
        if let Some(records) = &mut self.prefixed_records {
            let rest = records.take();
            self.hand_over(Encoding::PrefixedBinary, &rest);
        }
        if let Some(screen) = &mut self.screen {
            let whole = screen.take(self.end_unix_s, note);
            self.hand_over(Encoding::Screen, &whole);
        }
        self.hand_over_whole();
        for outlet in &self.outlets {
            outlet.sink.end_slot();
        }
        let points = self.left.iter().map(|left| left.points);
        points.max().unwrap_or_default()
    }

    /// How many points each sink got of this slot, in the order of the outlets.
    pub(super) fn handed_over(&self) -> impl Iterator<Item = u64> {
        let outlets = self.outlets.iter();
        outlets.map(|outlet| self.left[outlet.encoding as usize].points)
    }

    /// Hands the chunks that are full over.
    #[cold]
    fn hand_over_full(&mut self) {
        if let Some(lines) = &mut self.lines {
            let full = lines.take_full();
            self.hand_over(Encoding::Text, &full);
        }
        if let Some(pickles) = &mut self.pickles {
            let full = pickles.take_full();
            self.hand_over(Encoding::Pickle, &full);
        }
        if let Some(lines) = &mut self.stream {
            let full = lines.take_full();
            self.hand_over(Encoding::Stream, &full);
        }
        if let Some(records) = &mut self.records {
            let full = records.take_full();
            self.hand_over(Encoding::Binary, &full);
        }
        if let Some(records) = &mut self.prefixed_records {
            let full = records.take_full();
            self.hand_over(Encoding::PrefixedBinary, &full);
        }
    }

    fn hand_over(&mut self, encoding: Encoding, formatted: &Formatted) {
        if formatted.chunks.is_empty() {
            return;
        }
        let left = &mut self.left[encoding as usize];
        let mut is_for_the_end = false;
        for outlet in self.outlets.iter().filter(|o| o.encoding == encoding) {
            if outlet.sink.takes_whole_slots() {
                is_for_the_end = true;
                continue;
            }
            outlet.sink.push(Part {
                end_unix_s: self.end_unix_s,
                index: left.parts,
                lines: formatted.points,
                chunks: formatted.chunks.clone(),
            });
        }
        if is_for_the_end {
            let whole = &mut self.whole[encoding as usize];
            whole.points += formatted.points;
            whole.chunks.extend_from_slice(&formatted.chunks);
        }
        left.parts += 1;
        left.points += formatted.points;
    }

    /// Hands over the slots that leave as one part, those without points too.
    fn hand_over_whole(&mut self) {
        let whole = std::mem::take(&mut self.whole);
        for outlet in &self.outlets {
            if outlet.sink.takes_whole_slots() {
                let slot = &whole[outlet.encoding as usize];
                outlet.sink.push(Part {
                    end_unix_s: self.end_unix_s,
                    index: 0,
                    lines: slot.points,
                    chunks: slot.chunks.clone(),
                });
            }
        }
    }

    #[inline]
    fn write(&mut self, point: &Point<'_>, on_screen: bool) {
        if !point.value.number().is_finite() {
            self.not_finite += 1;
            return;
        }
        let mut is_full = false;
        if let Some(lines) = &mut self.lines {
            lines.point(point);
            is_full = lines.has_full();
        }
        if let Some(pickles) = &mut self.pickles {
            pickles.point(point);
            is_full |= pickles.has_full();
        }
        if let Some(lines) = &mut self.stream {
            lines.point(point);
            is_full |= lines.has_full();
        }
        let records = [&mut self.records, &mut self.prefixed_records];
        for records in records.into_iter().flatten() {
            records.point(point);
            is_full |= records.has_full();
        }
        if on_screen && let Some(screen) = &mut self.screen {
            screen.point(point);
        }
        if is_full {
            self.hand_over_full();
        }
    }
}

impl Points for Outputs {
    #[inline]
    fn point(&mut self, point: &Point<'_>) {
        self.write(point, true);
    }
}

struct WithoutScreen<'a>(&'a mut Outputs);

impl Points for WithoutScreen<'_> {
    fn point(&mut self, point: &Point<'_>) {
        self.0.write(point, false);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::format::CHUNK_BYTES;
    use crate::metric::MetricType;
    use crate::naming::{Statistic, Value};
    use crate::sink::backlog::Order;
    use crate::sink::{Queue, SinkHandle};

    fn outlet(address: &str) -> Outlet {
        let order = Order::Arrival;
        let queue = Arc::new(Queue::new(address.to_owned(), order, 64 << 20));
        let address = address.parse().expect("an address");
        Outlet {
            sink: SinkHandle::new(address, "test".to_owned(), queue),
            encoding: Encoding::Text,
        }
    }

    /// Goal: a command, which is started for each part, is started once for each flush. Method: a flush
    /// of several chunks, and one without points, for a command and for a sink of the same format.
    #[test]
    fn a_command_gets_one_part_for_each_flush() {
        let (command, other) = (outlet("command:cat"), outlet("localhost:2003"));
        let queues = [&command, &other].map(|outlet| Arc::clone(outlet.sink.queue()));
        let mut outputs = Outputs::new(vec![command, other]);
        outputs.begin(10);
        let name = vec![b'x'; 100];
        let count = 3 * CHUNK_BYTES as u64 / 100;
        for _ in 0..count {
            outputs.point(&Point {
                head: "stats.",
                name: &name,
                stat: "",
                tags: b"",
                value: Value::Shortest(1.0),
                time_unix_s: 10,
                metric_type: MetricType::Gauge,
                statistic: Statistic::Other,
            });
        }
        assert_eq!(outputs.finish(""), count);
        let [whole, parts] = queues.each_ref().map(|queue| {
            let mut parts = Vec::new();
            while queue.waiting_count() > 0 {
                parts.extend(queue.take_blocking());
                queue.sent();
            }
            parts
        });
        assert_eq!((whole.len(), parts.len()), (1, 4));
        let slot = &whole[0];
        assert_eq!((slot.end_unix_s, slot.index, slot.lines), (10, 0, count));
        let bytes = |parts: &[Part]| parts.iter().flat_map(|part| part.chunks.concat()).collect();
        let (one, several): (Vec<u8>, Vec<u8>) = (bytes(&whole), bytes(&parts));
        assert!(one == several);

        outputs.begin(20);
        assert_eq!(outputs.finish(""), 0);
        assert_eq!(queues.each_ref().map(|queue| queue.waiting_count()), [1, 0]);
        let slot = queues[0].take_blocking().expect("it is there");
        assert_eq!((slot.end_unix_s, slot.lines, slot.size_bytes()), (20, 0, 0));
    }
}
