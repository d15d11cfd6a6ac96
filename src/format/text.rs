//! Graphite's text protocol: `path value timestamp` and a line feed.

use bytes::Bytes;

use super::number::push_value;
use super::{CHUNK_BYTES, Formatted, push_path};
use crate::naming::{Point, Points};

/// Writes points as lines.
#[derive(Debug, Default)]
pub struct Lines {
    open: Vec<u8>,
    done: Formatted,
}

impl Lines {
    /// What was written since the last call.
    pub fn take(&mut self) -> Formatted {
        self.close_chunk();
        std::mem::take(&mut self.done)
    }

    fn close_chunk(&mut self) {
        if !self.open.is_empty() {
            let chunk = std::mem::take(&mut self.open);
            self.done.chunks.push(Bytes::from(chunk));
        }
    }
}

impl Points for Lines {
    fn point(&mut self, point: &Point<'_>) {
        push_path(point, &mut self.open);
        self.open.push(b' ');
        push_value(point.value, &mut self.open);
        self.open.push(b' ');
        let mut buffer = itoa::Buffer::new();
        self.open
            .extend_from_slice(buffer.format(point.time_unix_s).as_bytes());
        self.open.push(b'\n');
        self.done.points += 1;
        if self.open.len() >= CHUNK_BYTES {
            self.close_chunk();
        }
    }
}
