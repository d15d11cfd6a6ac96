//! Lines that lack what no line can do without: a value, a type, or the word behind its bar. They are
//! the shortest that anybody can send, and a datagram holds the more of them; so they are refused
//! many at once, and a flood of them costs no more than one of good lines. What else may be wrong
//! with a line is found on the long way, which would refuse these alike.

use super::block::{BLOCK_BYTES, Marks};
use super::counts::LineCounts;
use super::frame::MAGIC;
use super::line::{self, Record};
use crate::metric::Refusal;

/// Refuses the fragments that a text begins with, given the marks of its block. Returns where the first
/// line begins that is none, is not wholly in the block, or is a frame where these may be.
#[inline]
pub(super) fn refuse<'a>(
    text: &'a [u8],
    mut marks: Marks,
    among_frames: bool,
    counts: &mut LineCounts,
    record: &mut impl Record<'a>,
) -> usize {
    let mut start = 0;
    while let Some(end) = marks.end() {
        let Some(reason) = lack(marks, start, end) else {
            break;
        };
        if among_frames && text.get(start) == Some(&MAGIC) {
            break;
        }
        let line = line::trim(&text[start..end]);
        if !line.is_empty() {
            counts.lines += 1;
            match line::is_skipped(line) {
                true => counts.skipped += 1,
                false => record.refuse(reason, line),
            }
        }
        start = end + 1;
        if start == BLOCK_BYTES {
            break;
        }
        marks.feeds &= marks.feeds - 1;
    }
    start
}

/// What the line between these places lacks.
#[inline]
fn lack(marks: Marks, start: usize, end: usize) -> Option<Refusal> {
    let colon = first_from(start, marks.colons);
    if colon >= end {
        return Some(Refusal::NoValue);
    }
    match first_from(colon, marks.bars) {
        bar if bar >= end => Some(Refusal::NoType),
        bar if bar + 1 == end => Some(Refusal::BadType),
        _ => None,
    }
}

/// The first of some marks that is not before `start`, or the block's end.
#[inline]
fn first_from(start: usize, marks: u64) -> usize {
    (marks & u64::MAX << start).trailing_zeros() as usize
}
