//! The memory of chunks, used again when all sinks are done with it: a flush would otherwise wait
//! for the kernel to clear fresh pages, which takes as long as writing the lines.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::CHUNK_BYTES;

/// Buffers of [`CHUNK_BYTES`] that may be free again.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Nobody else has it.
    spare: Option<BytesMut>,
    /// Those that left as chunks, the oldest first.
    left: VecDeque<Bytes>,
}

/// How many buffers are remembered: more than a sink keeps to repeat (`sink/graphite.rs`), or none
/// would be free before the flush is over.
const LEFT_MAX: usize = (12 << 20) / CHUNK_BYTES;

impl Buffers {
    /// A buffer of so many bytes; what is in them is no matter.
    pub(super) fn open(&mut self, size_bytes: usize) -> BytesMut {
        if size_bytes != CHUNK_BYTES {
            return BytesMut::zeroed(size_bytes);
        }
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        match self.left.pop_front().map(Bytes::try_into_mut) {
            Some(Ok(free)) => return free,
            Some(Err(in_use)) => self.left.push_front(in_use),
            None => {}
        }
        BytesMut::zeroed(size_bytes)
    }

    /// Makes a chunk of the first so many bytes of a buffer.
    pub(super) fn close(&mut self, buffer: BytesMut, length: usize) -> Bytes {
        let is_usual = buffer.len() == CHUNK_BYTES;
        if length < buffer.len() - buffer.len() / 8 {
            // Only the last chunk of a flush is so short. Where chunks wait for long they must not hold
            // much more memory than is counted for them.
            let chunk = Bytes::copy_from_slice(&buffer[..length]);
            if is_usual {
                self.spare = Some(buffer);
            }
            return chunk;
        }
        let whole = buffer.freeze();
        let chunk = whole.slice(..length);
        if is_usual {
            if self.left.len() == LEFT_MAX {
                self.left.pop_front();
            }
            self.left.push_back(whole);
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_only_when_nobody_else_reads_it() {
        let mut buffers = Buffers::default();
        let mut first = buffers.open(CHUNK_BYTES);
        first.fill(b'a');
        let place = first.as_ptr();
        let chunk = buffers.close(first, CHUNK_BYTES - 1);
        assert_eq!(chunk.as_ptr(), place);
        let mut second = buffers.open(CHUNK_BYTES);
        second.fill(b'b');
        let step = if cfg!(miri) { 997 } else { 1 };
        assert!(chunk.iter().step_by(step).all(|&byte| byte == b'a'));
        drop(chunk);
        assert_eq!(buffers.open(CHUNK_BYTES).as_ptr(), place);
    }

    #[test]
    fn a_short_chunk_does_not_hold_a_buffer() {
        let mut buffers = Buffers::default();
        let buffer = buffers.open(CHUNK_BYTES);
        let place = buffer.as_ptr();
        let chunk = buffers.close(buffer, CHUNK_BYTES / 4 * 3);
        assert_eq!(chunk.len(), CHUNK_BYTES / 4 * 3);
        assert_eq!(buffers.open(CHUNK_BYTES).as_ptr(), place);
    }

    #[test]
    fn the_number_of_remembered_buffers_is_bounded() {
        let mut buffers = Buffers::default();
        for _ in 0..LEFT_MAX + 5 {
            let buffer = BytesMut::zeroed(CHUNK_BYTES);
            drop(buffers.close(buffer, CHUNK_BYTES));
        }
        assert_eq!(buffers.left.len(), LEFT_MAX);
    }
}
