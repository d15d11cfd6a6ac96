//! Where points go out: addresses, queues and connections. A sink sees bytes, never a metric type.

use bytes::Bytes;

/// The formatted points of one flush for one sink.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The end of the slot, in seconds since 1970.
    pub end_unix_s: u64,
    /// How many points the chunks hold: lines of text, or tuples in pickles.
    pub lines: u64,
    /// The bytes, in order; each chunk ends where a line (or a pickle) ends.
    pub chunks: Vec<Bytes>,
}
