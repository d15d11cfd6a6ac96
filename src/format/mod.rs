//! From points to bytes. A format is a file here.
//!
//! Pure.

#![forbid(unsafe_code)]

mod number;
mod pickle;
mod terminal;
mod text;

pub use pickle::Pickles;
pub use terminal::Screen;
pub use text::Lines;

use bytes::Bytes;

use crate::naming::Point;

/// Output leaves in pieces of at most so many bytes (and the rest of the line or message that
/// reaches beyond).
pub const CHUNK_BYTES: usize = 4 << 20;

/// The formats that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Graphite's text protocol.
    Text,
    /// Graphite's pickle protocol.
    Pickle,
    /// A table for people.
    Screen,
}

/// The formatted points of one flush.
#[derive(Clone, Debug, Default)]
pub struct Formatted {
    /// How many points there are.
    pub points: u64,
    /// Their bytes in order; a chunk ends where a line or a message ends.
    pub chunks: Vec<Bytes>,
}

/// Appends the path of a point.
fn push_path(point: &Point<'_>, into: &mut Vec<u8>) {
    into.extend_from_slice(point.head.as_bytes());
    into.extend_from_slice(point.name);
    into.extend_from_slice(point.stat.as_bytes());
    into.extend_from_slice(point.tags);
}
