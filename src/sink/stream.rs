//! What a sink needs of a connection; `io` provides it, by io_uring or by plain tokio.

use std::future::Future;
use std::io;

use bytes::Bytes;

/// A connected byte stream. Its futures are never dropped before they are done: under io_uring
/// the operation would go on without them. Whoever wants one to end calls [`Stream::shutdown`].
pub trait Stream: 'static {
    /// Reads into the whole of `buffer` and gives it back; 0 bytes mean that the peer closed.
    fn read(&self, buffer: Vec<u8>) -> impl Future<Output = (io::Result<usize>, Vec<u8>)>;

    /// Writes the start of `bytes` and says how many bytes that were.
    fn write(&self, bytes: Bytes) -> impl Future<Output = io::Result<usize>>;

    /// Whether the peer has ended the connection, or its half of it, seen before a read tells so.
    fn has_ended(&self) -> bool;

    /// How many of the bytes that were written the peer's kernel has not acknowledged; as many as there
    /// may be if nobody knows.
    fn unacknowledged_bytes(&self) -> u64;

    /// Says that nothing more is written; what was is still delivered, and reads go on.
    fn finish(&self);

    /// Ends both directions: futures under way finish with an error or with 0 bytes. What was
    /// written before is still delivered.
    fn shutdown(&self);
}
