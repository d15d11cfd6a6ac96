//! Where points go out: addresses, queues and connections. A sink sees bytes, never a metric type.

use bytes::Bytes;

pub mod address;
pub mod backlog;
pub mod backoff;
pub mod command;
mod connection;
pub mod console;
pub mod counters;
pub mod dial;
pub mod graphite;
mod handle;
pub mod queue;
pub mod spool;
pub mod spooler;
pub mod spread;
pub mod stream;

pub use address::{Lifetime, SinkAddress};
pub use counters::{Counters, DropReason, Dropped, LastSlot};
pub use handle::SinkHandle;
pub use queue::Queue;
pub use spread::Spread;

/// A part of the formatted points of one flush for one sink. A small flush has only one.
#[derive(Clone, Debug)]
pub struct Part {
    /// The end of the flush's slot, in seconds since 1970.
    pub end_unix_s: u64,
    /// Its place among the parts of its slot; 0 begins a slot.
    pub index: u32,
    /// How many points the chunks hold: lines of text, or tuples in pickles.
    pub lines: u64,
    /// The bytes, in order; each chunk ends where a line (or a pickle) ends.
    pub chunks: Vec<Bytes>,
}

impl Part {
    /// Whether it belongs to the slot of a part that went before it.
    pub fn continues(&self, earlier: &Part) -> bool {
        // Slots of one second may end at the same time, but each of them begins with 0.
        self.end_unix_s == earlier.end_unix_s && self.index > earlier.index
    }

    /// The size of all chunks, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }
}
