//! Graphite's pickle protocol: messages of a four-byte big-endian length and a pickled list of
//! (path, (timestamp, value)). <https://graphite.readthedocs.io/en/latest/feeding-carbon.html>

use bytes::Bytes;

use super::{CHUNK_BYTES, Formatted, push_path};
use crate::naming::{Point, Points};

/// Points in one message: carbon refuses messages of more than a mebibyte, and a path has at most
/// some 1.6 kB, of which a name may take 1,024 bytes and a prefix 512.
const MESSAGE_POINTS: usize = 500;

/// Writes points as pickles.
#[derive(Debug, Default)]
pub struct Pickles {
    message: Vec<(String, (u64, f64))>,
    /// Whole messages, and how many points they hold.
    open: Vec<u8>,
    open_points: u64,
    done: Formatted,
}

impl Pickles {
    /// What was written since the last call.
    pub fn take(&mut self) -> Formatted {
        self.close_message();
        self.close_chunk();
        self.take_full()
    }

    /// The chunks that are full.
    pub fn take_full(&mut self) -> Formatted {
        std::mem::take(&mut self.done)
    }

    /// Whether there is a full chunk.
    pub fn has_full(&self) -> bool {
        !self.done.chunks.is_empty()
    }

    fn close_message(&mut self) {
        if self.message.is_empty() {
            return;
        }
        // Protocol 2: the newest that Python 2 reads.
        let options = serde_pickle::SerOptions::new().proto_v2();
        let pickle = serde_pickle::to_vec(&self.message, options)
            .expect("strings and numbers can always be pickled");
        let length = u32::try_from(pickle.len()).expect("a message is bounded");
        if self.open.len() + pickle.len() + 4 > CHUNK_BYTES {
            self.close_chunk();
        }
        self.open.extend_from_slice(&length.to_be_bytes());
        self.open.extend_from_slice(&pickle);
        self.open_points += self.message.len() as u64;
        self.message.clear();
    }

    fn close_chunk(&mut self) {
        if !self.open.is_empty() {
            let chunk = std::mem::take(&mut self.open);
            self.done.chunks.push(Bytes::from(chunk));
            self.done.points += std::mem::take(&mut self.open_points);
        }
    }
}

impl Points for Pickles {
    fn point(&mut self, point: &Point<'_>) {
        let mut path = Vec::new();
        push_path(point, &mut path);
        let path = String::from_utf8(path).expect("names are made safe: they are ASCII");
        self.message
            .push((path, (point.time_unix_s, point.value.number())));
        if self.message.len() == MESSAGE_POINTS {
            self.close_message();
        }
    }
}
