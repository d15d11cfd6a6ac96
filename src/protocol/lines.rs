//! Splits a datagram at newlines; empty lines are skipped. Hot path.

use super::counts::LineCounts;
use super::line::{self, Record};

/// Reads all lines of a datagram.
#[inline]
pub fn read(datagram: &[u8], counts: &mut LineCounts, record: &mut impl Record) {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', datagram) {
        read_line(&datagram[start..end], counts, record);
        start = end + 1;
    }
    read_line(&datagram[start..], counts, record);
}

#[inline]
fn read_line(text: &[u8], counts: &mut LineCounts, record: &mut impl Record) {
    let text = line::trim(text);
    if !text.is_empty() {
        counts.lines += 1;
        line::read(text, counts, record);
    }
}
