//! What a shard does whose lines come over streams.

use super::Shard;
use super::recording::Recording;
use crate::kernel::Visit;
use crate::protocol::{self, Block, Broken, Framing};
use crate::simd::Baseline;

/// What became of the connections of one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Accepted and read.
    pub accepted: u64,
    /// Closed at once, because so many were open.
    pub refused: u64,
    /// Open at the end of the interval.
    pub open: u64,
    /// Pieces that had the end of a line: what etsy's statsd counts as packets (its servers/tcp.js).
    pub packets: u64,
}

impl ConnectionCounts {
    /// Adds what another shard counted.
    pub(super) fn merge(&mut self, other: &ConnectionCounts) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.open += other.open;
        self.packets += other.packets;
    }
}

impl Shard {
    /// Takes a piece of a stream.
    ///
    /// # Errors
    /// After a broken frame: nothing more of this stream can be understood.
    pub fn piece(&mut self, framing: &mut Framing, piece: &[u8]) -> Result<(), Broken> {
        self.batch();
        self.counts.bytes += piece.len() as u64;
        let mut is_packet = false;
        let fed = framing.feed(piece, |block| {
            is_packet = true;
            self.block(block)
        });
        self.counts.connections.packets += u64::from(is_packet);
        fed
    }

    /// Takes what is left of a stream that has ended.
    ///
    /// # Errors
    /// If a frame was cut.
    pub fn end_of_stream(&mut self, framing: Framing) -> Result<(), Broken> {
        self.batch();
        framing.finish(|block| self.block(block))
    }

    /// The counts of connections, for whoever accepts them.
    pub fn connections(&mut self) -> &mut ConnectionCounts {
        &mut self.counts.connections
    }

    fn block(&mut self, block: Block<'_>) -> Result<(), Broken> {
        if let (Some(tap), Block::Lines(lines)) = (&mut self.tap, block) {
            tap.lines(lines);
        }
        // Not at the shard's level: what a stream takes is spent on its system calls.
        let mut recording = Recording {
            vectors: Baseline,
            gathered: std::mem::take(&mut self.gathered),
            recorder: &mut self.recorder,
        };
        let read = protocol::read_block(Baseline, block, &mut self.counts.lines, &mut recording);
        recording.finish();
        self.gathered = recording.gathered.recycle();
        read
    }
}
