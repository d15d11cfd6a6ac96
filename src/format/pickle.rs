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
    open: Vec<u8>,
    done: Formatted,
}

impl Pickles {
    /// What was written since the last call.
    pub fn take(&mut self) -> Formatted {
        self.close_message();
        self.close_chunk();
        std::mem::take(&mut self.done)
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
        self.open.extend_from_slice(&length.to_be_bytes());
        self.open.extend_from_slice(&pickle);
        self.message.clear();
    }

    fn close_chunk(&mut self) {
        if !self.open.is_empty() {
            let chunk = std::mem::take(&mut self.open);
            self.done.chunks.push(Bytes::from(chunk));
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
        self.done.points += 1;
        if self.message.len() == MESSAGE_POINTS {
            self.close_message();
        }
        if self.open.len() >= CHUNK_BYTES {
            self.close_chunk();
        }
    }
}
