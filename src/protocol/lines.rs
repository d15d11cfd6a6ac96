//! Splits a datagram at newlines; empty lines are skipped. Hot path.

use super::line::{self, Record};

/// How many lines there were, and of which kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Lines that are not empty.
    pub lines: u64,
    /// Links beyond the first of their line, and values beyond the first of their link: so
    /// `lines + chained` are as many as samples, refusals and skipped lines together.
    pub chained: u64,
    /// Lines of a known kind that holds no samples: events and service checks.
    pub skipped: u64,
}

impl LineCounts {
    /// Adds another account to this one.
    pub fn merge(&mut self, other: &LineCounts) {
        self.lines += other.lines;
        self.chained += other.chained;
        self.skipped += other.skipped;
    }
}

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
