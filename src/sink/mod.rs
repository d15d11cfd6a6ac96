//! Where points go out: addresses, queues and connections. A sink sees bytes, never a metric type.

use bytes::Bytes;

pub mod address;
pub mod backlog;
pub mod backoff;
pub mod console;
pub mod counters;
pub mod dial;
pub mod graphite;
mod handle;
pub mod queue;
pub mod spool;
pub mod spooler;
pub mod stream;

pub use address::SinkAddress;
pub use counters::Counters;
pub use handle::SinkHandle;
pub use queue::Queue;

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

impl Slot {
    /// The size of all chunks, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }
}
