//! Splits a datagram at newlines; empty lines are skipped. Hot path.

use super::counts::LineCounts;
use super::line::{self, Record};
use super::plain;

/// Reads all lines of a datagram.
#[inline]
pub fn read<'a>(datagram: &'a [u8], counts: &mut LineCounts, record: &mut impl Record<'a>) {
    let mut start = 0;
    while start < datagram.len() {
        if let Some((sample, next)) = plain::read(datagram, start) {
            counts.lines += 1;
            record.sample(&sample);
            start = next;
        } else {
            start = read_any(datagram, start, counts, record);
        }
    }
}

/// Reads the line that begins at `start`, whatever it is. Returns where the next one begins.
#[inline(never)]
fn read_any<'a>(
    datagram: &'a [u8],
    start: usize,
    counts: &mut LineCounts,
    record: &mut impl Record<'a>,
) -> usize {
    let rest = &datagram[start..];
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let line = line::trim(&rest[..end]);
    if !line.is_empty() {
        counts.lines += 1;
        line::read(line, counts, record);
    }
    start + end + 1
}
