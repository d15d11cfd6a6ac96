//! Reads whole lines and whole frames, mixed as they come: what a stream is cut into, and datagrams
//! that begin with a frame.

use super::counts::LineCounts;
use super::frame::{self, Broken, MAGIC};
use super::line::Record;
use super::lines;
use crate::metric::Refusal;
use crate::simd::Vectors;

/// A part of a stream that can be read by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// Whole lines, none of them a frame. The last one may lack its line feed.
    Lines(&'a [u8]),
    /// Whole lines and frames, or a broken frame at the end.
    Mixed(&'a [u8]),
    /// The beginning of a line or frame that is too long; what follows of it comes in no block.
    TooLong(&'a [u8]),
}

/// Reads a block.
///
/// # Errors
/// If a frame in it is broken. It was refused, and nothing behind it was read.
#[inline(always)]
pub fn read_block<'a>(
    vectors: impl Vectors,
    block: Block<'a>,
    counts: &mut LineCounts,
    record: &mut impl Record<'a>,
) -> Result<(), Broken> {
    match block {
        Block::Lines(bytes) => lines::read_lines(vectors, bytes, counts, record),
        Block::Mixed(bytes) => return read_mixed(bytes, counts, record),
        Block::TooLong(beginning) => {
            counts.lines += 1;
            record.refuse(Refusal::TooLong, beginning);
        }
    }
    Ok(())
}

/// Reads lines and frames up to the first that is broken. A frame counts as a line.
#[cold]
#[inline(never)]
pub(super) fn read_mixed<'a>(
    bytes: &'a [u8],
    counts: &mut LineCounts,
    record: &mut impl Record<'a>,
) -> Result<(), Broken> {
    let mut start = 0;
    while start < bytes.len() {
        if bytes[start] != MAGIC {
            start = lines::read_any(bytes, start, true, counts, record);
            continue;
        }
        let rest = &bytes[start..];
        counts.lines += 1;
        let read = match frame::length(rest) {
            Some(Ok(length)) if length <= rest.len() => {
                frame::read(&rest[..length], record).map(|()| length)
            }
            Some(_) | None => Err(Broken),
        };
        match read {
            Ok(length) => start += length,
            Err(broken) => {
                record.refuse(Refusal::BadFrame, rest);
                return Err(broken);
            }
        }
    }
    Ok(())
}
