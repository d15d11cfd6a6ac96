//! Graphite's text protocol: `path value timestamp` and a line feed.

use bytes::Bytes;

use super::number::push_value;
use super::{CHUNK_BYTES, Formatted, push_path};
use crate::naming::{Point, Points};

/// Writes points as lines.
#[derive(Debug, Default)]
pub struct Lines {
    open: Vec<u8>,
    done: Formatted,
    /// The end of the last line, which is that of most lines of a flush.
    ending: Ending,
}

/// A time stamp as text, with the space before and the line feed behind it.
#[derive(Debug, Default)]
struct Ending {
    time_unix_s: u64,
    text: Vec<u8>,
}

impl Ending {
    fn of(&mut self, time_unix_s: u64) -> &[u8] {
        if self.text.is_empty() || self.time_unix_s != time_unix_s {
            self.time_unix_s = time_unix_s;
            self.text.clear();
            self.text.push(b' ');
            let mut buffer = itoa::Buffer::new();
            self.text
                .extend_from_slice(buffer.format(time_unix_s).as_bytes());
            self.text.push(b'\n');
        }
        &self.text
    }
}

impl Lines {
    /// What was written since the last call.
    pub fn take(&mut self) -> Formatted {
        self.close_chunk();
        std::mem::take(&mut self.done)
    }

    fn close_chunk(&mut self) {
        if !self.open.is_empty() {
            // The next chunk, or the next flush, will be about as long.
            let next = Vec::with_capacity(self.open.len());
            let chunk = std::mem::replace(&mut self.open, next);
            self.done.chunks.push(Bytes::from(chunk));
        }
    }
}

impl Points for Lines {
    fn point(&mut self, point: &Point<'_>) {
        push_path(point, &mut self.open);
        self.open.push(b' ');
        push_value(point.value, &mut self.open);
        self.open
            .extend_from_slice(self.ending.of(point.time_unix_s));
        self.done.points += 1;
        if self.open.len() >= CHUNK_BYTES {
            self.close_chunk();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::Value;

    #[test]
    fn each_line_ends_in_its_own_time_stamp() {
        let mut lines = Lines::default();
        for time_unix_s in [0, 1_700_000_000, 1_700_000_000, 5] {
            lines.point(&Point {
                head: "stats.",
                name: b"a",
                stat: ".b",
                tags: b";c=d",
                value: Value::Shortest(0.5),
                time_unix_s,
            });
        }
        let formatted = lines.take();
        assert_eq!(formatted.points, 4);
        assert_eq!(
            formatted.chunks.concat(),
            b"stats.a.b;c=d 0.5 0\nstats.a.b;c=d 0.5 1700000000\n\
              stats.a.b;c=d 0.5 1700000000\nstats.a.b;c=d 0.5 5\n"
        );
        assert_eq!(lines.take().points, 0);
    }

    #[test]
    fn a_chunk_ends_where_a_line_ends() {
        let mut lines = Lines::default();
        let name = [b'n'; 1000];
        for _ in 0..5000 {
            lines.point(&Point {
                head: "",
                name: &name,
                stat: "",
                tags: b"",
                value: Value::Whole(7.0),
                time_unix_s: 1,
            });
        }
        let chunks = lines.take().chunks;
        assert_eq!(chunks.len(), 2);
        assert!(chunks.iter().all(|chunk| chunk.ends_with(b" 7 1\n")));
        assert!(chunks[0].len() < CHUNK_BYTES + 2000);
    }
}
