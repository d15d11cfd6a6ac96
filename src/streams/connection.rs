//! Reads one stream to its end, into the shard of all streams.

use std::io;
use std::time::Duration;

use super::shared::Shared;
use super::source::Source;
use crate::protocol::{Broken, Framing};

/// The sizes of a buffer in bytes. A read that fills one is followed by one with the next, so that
/// a connection which is silent, or sends a few lines at a time, holds the first. What is read at
/// once is what the others wait for.
const BUFFER_BYTES: [usize; 3] = [512, 8 << 10, 64 << 10];

/// How long a stream may be silent at a stop before it is taken for empty. What a peer has sent may
/// be on its way: to shut a socket down for reading would cut off what waits in the peer's send
/// buffer, which on loopback can be megabytes.
const SILENCE_AT_STOP: Duration = Duration::from_millis(100);

/// How a stream ended.
#[derive(Debug)]
pub(super) enum End {
    /// The peer closed it, or the daemon stops.
    Closed,
    /// The peer, or the network, cut it off.
    Failed(io::Error),
    /// A frame was broken, so that nothing more can be understood.
    Broken,
}

/// Reads until the peer closes, or until it falls silent at a stop. What it sent last counts
/// without a line feed, too, whatever ends the stream but a broken frame.
pub(super) async fn read_to_end(source: &Source, shared: &Shared) -> End {
    let mut stream = Stream::default();
    loop {
        let turn = tokio::select! {
            turn = stream.turn(source, shared) => turn,
            () = async {
                shared.stopping().await;
                tokio::time::sleep(SILENCE_AT_STOP).await;
            } => Turn::End(End::Closed),
        };
        match turn {
            Turn::More => {}
            Turn::End(end) => return stream.finish(end, shared),
        }
    }
}

/// A stream on its way into the shard.
#[derive(Default)]
struct Stream {
    framing: Framing,
    buffer: Vec<u8>,
    /// Which of the sizes the next buffer has.
    size: usize,
}

enum Turn {
    More,
    End(End),
}

impl Stream {
    /// Reads once.
    async fn turn(&mut self, source: &Source, shared: &Shared) -> Turn {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        if buffer.capacity() != BUFFER_BYTES[self.size] {
            buffer = Vec::with_capacity(BUFFER_BYTES[self.size]);
        }
        let (read, buffer) = source.read(buffer).await;
        let turn = match read {
            Ok(0) => Turn::End(End::Closed),
            Ok(bytes) => {
                self.size = match bytes == buffer.capacity() {
                    true => (self.size + 1).min(BUFFER_BYTES.len() - 1),
                    false => 0,
                };
                match shared.feed(&mut self.framing, &buffer[..bytes]) {
                    Ok(()) => Turn::More,
                    Err(Broken) => Turn::End(End::Broken),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Turn::More,
            Err(error) => Turn::End(End::Failed(error)),
        };
        self.buffer = buffer;
        turn
    }

    fn finish(self, end: End, shared: &Shared) -> End {
        match shared.finish(self.framing) {
            Ok(()) => end,
            Err(Broken) => End::Broken,
        }
    }
}
