//! Lines of path, value and timestamp: Graphite's text protocol, with spaces between them, and what
//! statsite feeds a command, with `|`. Hot path: a line allocates nothing.

use bytes::BytesMut;

use super::buffers::Buffers;
use super::number::{VALUE_BYTES_MAX, put_digits, put_value};
use super::{CHUNK_BYTES, Formatted};
use crate::naming::{Point, Points};

/// Graphite's text protocol: `path value timestamp`.
pub type Lines = SeparatedLines<b' '>;

/// What statsite feeds a command: `path|value|timestamp`.
pub type StreamLines = SeparatedLines<b'|'>;

/// Writes points as lines, with a separator between path, value and timestamp.
#[derive(Debug, Default)]
pub struct SeparatedLines<const SEPARATOR: u8> {
    /// Lines up to `open_bytes`, and room for more.
    open: BytesMut,
    open_bytes: usize,
    open_points: u64,
    done: Formatted,
    buffers: Buffers,
    /// The end of the last line, which is that of most lines of a flush.
    ending: Ending<SEPARATOR>,
}

/// A time stamp as text, with the separator before and the line feed behind it.
#[derive(Debug, Default)]
struct Ending<const SEPARATOR: u8> {
    time_unix_s: u64,
    text: [u8; ENDING_BYTES_MAX],
    length: usize,
}

/// A separator, twenty digits and a line feed, and room for what [`put_digits`] may write beyond its end.
const ENDING_BYTES_MAX: usize = 32;

impl<const SEPARATOR: u8> Ending<SEPARATOR> {
    #[inline]
    fn of(&mut self, time_unix_s: u64) -> &[u8] {
        if self.length == 0 || self.time_unix_s != time_unix_s {
            self.renew(time_unix_s);
        }
        &self.text[..self.length]
    }

    #[cold]
    fn renew(&mut self, time_unix_s: u64) {
        self.time_unix_s = time_unix_s;
        self.text[0] = SEPARATOR;
        let end = 1 + put_digits(time_unix_s, &mut self.text[1..]);
        self.text[end] = b'\n';
        self.length = end + 1;
    }
}

impl<const SEPARATOR: u8> SeparatedLines<SEPARATOR> {
    /// What was written since the last call.
    pub fn take(&mut self) -> Formatted {
        self.close_chunk();
        self.take_full()
    }

    /// The chunks that are full.
    #[inline]
    pub fn take_full(&mut self) -> Formatted {
        std::mem::take(&mut self.done)
    }

    /// Whether there is a full chunk.
    #[inline]
    pub fn has_full(&self) -> bool {
        !self.done.chunks.is_empty()
    }

    fn close_chunk(&mut self) {
        if self.open_points > 0 {
            let buffer = std::mem::take(&mut self.open);
            let chunk = self.buffers.close(buffer, self.open_bytes);
            self.done.chunks.push(chunk);
            self.done.points += self.open_points;
        }
        (self.open_bytes, self.open_points) = (0, 0);
    }

    /// Goes on with a chunk that has room for a line of so many bytes.
    #[cold]
    fn open_chunk(&mut self, line_bytes: usize) {
        self.close_chunk();
        self.open = self.buffers.open(line_bytes.max(CHUNK_BYTES));
    }
}

impl<const SEPARATOR: u8> Points for SeparatedLines<SEPARATOR> {
    #[inline]
    fn point(&mut self, point: &Point<'_>) {
        let path = [
            point.head.as_bytes(),
            point.name,
            point.stat.as_bytes(),
            point.tags,
        ];
        let path_bytes: usize = path.iter().map(|part| part.len()).sum();
        let line_bytes_max = path_bytes + 1 + VALUE_BYTES_MAX + ENDING_BYTES_MAX;
        if self.open.len() - self.open_bytes < line_bytes_max {
            self.open_chunk(line_bytes_max);
        }
        let room = &mut self.open[self.open_bytes..];
        let mut end = 0;
        for part in path {
            end = put(part, room, end);
        }
        room[end] = SEPARATOR;
        end += 1;
        end += put_value(point.value, &mut room[end..]);
        end = put(self.ending.of(point.time_unix_s), room, end);
        self.open_bytes += end;
        self.open_points += 1;
    }
}

/// Copies a text of some ten bytes; returns where it ends. Two moves of a fixed size that overlap
/// in the middle take a third of the time of a call of `memcpy`, of which a line would need five.
#[inline]
fn put(text: &[u8], into: &mut [u8], at: usize) -> usize {
    let end = at + text.len();
    let into = &mut into[at..end];
    match text.len() {
        0 => {}
        1..4 => {
            for (to, from) in into.iter_mut().zip(text) {
                *to = *from;
            }
        }
        4..8 => put_ends::<4>(text, into),
        8..16 => put_ends::<8>(text, into),
        16..32 => put_ends::<16>(text, into),
        32..64 => put_ends::<32>(text, into),
        _ => into.copy_from_slice(text),
    }
    end
}

/// Copies the first and the last so many bytes, which are all if there are at most twice as many.
#[inline]
fn put_ends<const N: usize>(text: &[u8], into: &mut [u8]) {
    debug_assert!(text.len() <= 2 * N && text.len() == into.len());
    if let (Some(from), Some(to)) = (text.first_chunk::<N>(), into.first_chunk_mut::<N>()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (text.last_chunk::<N>(), into.last_chunk_mut::<N>()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::metric::MetricType;
    use crate::naming::{Statistic, Value};

    fn point(name: &[u8], time_unix_s: u64) -> Point<'_> {
        Point {
            head: "stats.",
            name,
            stat: ".b",
            tags: b";c=d",
            value: Value::Shortest(0.5),
            time_unix_s,
            metric_type: MetricType::Gauge,
            statistic: Statistic::Other,
        }
    }

    #[test]
    fn each_line_ends_in_its_own_time_stamp() {
        let mut lines = Lines::default();
        for time_unix_s in [0, 1_700_000_000, 1_700_000_000, 5, u64::MAX] {
            lines.point(&point(b"a", time_unix_s));
        }
        let formatted = lines.take();
        assert_eq!(formatted.points, 5);
        let text = String::from_utf8(formatted.chunks.concat()).expect("lines are ASCII");
        assert_eq!(
            text,
            "stats.a.b;c=d 0.5 0\nstats.a.b;c=d 0.5 1700000000\n\
             stats.a.b;c=d 0.5 1700000000\nstats.a.b;c=d 0.5 5\n\
             stats.a.b;c=d 0.5 18446744073709551615\n"
        );
        assert_eq!(lines.take().points, 0);
    }

    #[test]
    fn a_command_reads_paths_values_and_times_with_bars_between_them() {
        let mut lines = StreamLines::default();
        lines.point(&point(b"a", 1_700_000_000));
        lines.point(&Point {
            value: Value::Fixed(2.0),
            ..point(b"b", 5)
        });
        let text = lines.take().chunks.concat();
        assert_eq!(
            text,
            b"stats.a.b;c=d|0.5|1700000000\nstats.b.b;c=d|2.000000|5\n"
        );
    }

    #[test]
    fn names_of_every_length_are_copied_whole() {
        let length_max = if cfg!(miri) { 100 } else { 300 };
        let alphabet: Vec<u8> = (b'a'..=b'z').cycle().take(length_max).collect();
        let mut lines = Lines::default();
        let mut expected = String::new();
        for length in 0..alphabet.len() {
            let name = &alphabet[..length];
            lines.point(&point(name, 7));
            let name = String::from_utf8_lossy(name);
            expected.push_str(&format!("stats.{name}.b;c=d 0.5 7\n"));
        }
        let text = lines.take().chunks.concat();
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn a_chunk_ends_where_a_line_ends_and_leaves_when_it_is_full() {
        let mut lines = Lines::default();
        let name = [b'n'; 1000];
        let mut chunks: Vec<Bytes> = Vec::new();
        let mut points = 0;
        while chunks.len() < 3 {
            lines.point(&point(&name, 1));
            if lines.has_full() {
                let full = lines.take_full();
                points += full.points;
                chunks.extend(full.chunks);
            }
        }
        let rest = lines.take();
        assert_eq!(rest.points, 1, "the line that a full chunk had no room for");
        points += rest.points;
        chunks.extend(rest.chunks);
        assert!(chunks.iter().all(|chunk| chunk.ends_with(b" 0.5 1\n")));
        assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK_BYTES));
        assert!(chunks[0].len() > CHUNK_BYTES - 2000);
        let line_count = chunks
            .concat()
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        assert_eq!(line_count as u64, points);
    }

    #[test]
    fn a_line_longer_than_a_chunk_is_whole() {
        let mut lines = Lines::default();
        let name = vec![b'n'; 2 * CHUNK_BYTES];
        lines.point(&point(b"a", 1));
        lines.point(&point(&name, 1));
        let formatted = lines.take();
        assert_eq!(formatted.points, 2);
        let lengths: Vec<usize> = formatted.chunks.iter().map(Bytes::len).collect();
        let long = name.len() + b"stats..b;c=d 0.5 1\n".len();
        assert_eq!(lengths, [b"stats.a.b;c=d 0.5 1\n".len(), long]);
    }
}
