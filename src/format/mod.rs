//! From points to bytes. A format is a file here.
//!
//! Pure.

#![forbid(unsafe_code)]

mod binary;
mod buffers;
mod number;
mod pickle;
mod terminal;
mod text;

pub use binary::Records;
pub use pickle::Pickles;
pub use terminal::Screen;
pub use text::{Lines, SeparatedLines, StreamLines};

use bytes::Bytes;

use crate::naming::Point;

/// Output leaves in chunks of at most so many bytes, unless one line or message is longer. Measured
/// with the write to a socket: 64 KiB cost a quarter more, 1 MiB costs the same, and with 4 MiB a
/// flush takes longer, as the sink begins late. Less under Miri, which takes minutes to fill one.
pub const CHUNK_BYTES: usize = if cfg!(miri) { 16 << 10 } else { 256 << 10 };

/// The formats that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Graphite's text protocol.
    Text,
    /// Graphite's pickle protocol.
    Pickle,
    /// A table for people.
    Screen,
    /// The lines that statsite feeds a command.
    Stream,
    /// The records that statsite feeds a command, with the names of series.
    Binary,
    /// The same with all that comes before the names.
    PrefixedBinary,
}

impl Encoding {
    /// All formats.
    pub const ALL: [Encoding; 6] = [
        Encoding::Text,
        Encoding::Pickle,
        Encoding::Screen,
        Encoding::Stream,
        Encoding::Binary,
        Encoding::PrefixedBinary,
    ];
}

/// Formatted points.
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
