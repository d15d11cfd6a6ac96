//! Takes datagrams off the kernel: through io_uring, or through recvmmsg where io_uring is not
//! to be had.
//!
//! Unsafe code is at home here. What keeps it sound:
//!
//! - No function of the public face is unsafe, and none takes or returns a raw pointer. A
//!   datagram is borrowed from its buffer for the length of one call of a visitor.
//! - The kernel writes into lent buffers only. A buffer is lent, or it is ours: `buffers` keeps
//!   which, and a completion that the kernel made is what moves it back. Completions are made
//!   from the ring's queue by `ring` alone.
//! - A slice is never longer than its buffer, whatever length a completion tells, and all memory
//!   of buffers is initialised because it is mapped as zero.
//! - No other request names memory of ours: receives name the group of buffers, the waker is
//!   polled instead of read.
//! - Buffers are unmapped after the last completion of every request was seen; if that does not
//!   come they are leaked (`multishot`'s `Drop`). recvmmsg keeps nothing after its return.

mod buffers;
mod completion;
mod counters;
mod cpu;
mod drain;
mod engine;
mod ledger;
mod messages;
mod multishot;
mod pace;
mod probe;
mod recvmmsg;
mod ring;
mod select;
mod socket;
mod waker;
mod watched;

#[cfg(test)]
mod tests;

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

pub use buffers::DATAGRAM_BYTES_MAX;
pub use counters::ReceiveCounters;
pub use cpu::{allowed_cpus, pin_to};
pub use drain::Latecomers;
pub use engine::{Engine, ReceiveSettings};
pub use select::{EngineChoice, EngineKind, SelectError, Selection, select};
pub use socket::{SMALL_DATAGRAM_BYTES, SocketMemory, bounded_wait, unacknowledged_bytes};
pub use waker::Waker;
pub use watched::Watched;

/// One datagram as the kernel delivered it, borrowed from a buffer that is lent again afterwards.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The bytes that arrived; a datagram longer than a buffer is cut to the buffer.
    pub bytes: &'a [u8],
    /// How many bytes the cut took away; 0 for a whole datagram.
    pub cut_bytes: usize,
}

/// What a receiver hands its datagrams to.
pub trait Visit {
    /// A wait has ended and the datagrams that it brought follow: the moment to read a clock.
    fn batch(&mut self);
    /// One datagram, in order of arrival per socket.
    fn datagram(&mut self, datagram: Datagram<'_>);
}

/// What one call of [`Receive::receive`] brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Datagrams handed to the visitor.
    pub datagrams: usize,
    /// Whether the waker was pulled since the last call.
    pub woken: bool,
}

/// Something that datagrams come from: an engine, or a script that stands in for the kernel.
pub trait Receive {
    /// Waits for datagrams or for the waker, without end if neither comes, and hands over at most
    /// one batch. An empty datagram is handed over like any other.
    ///
    /// # Errors
    /// Only what no engine can go on after.
    fn receive(&mut self, visitor: &mut impl Visit) -> io::Result<Turn>;

    /// Stops waiting for good and hands over what the kernel already holds, without blocking and
    /// for a bounded time. Returns false if the bound was hit and datagrams may be lost.
    ///
    /// # Errors
    /// As [`Receive::receive`].
    fn drain(&mut self, visitor: &mut impl Visit) -> io::Result<bool>;

    /// The sockets that datagrams come from.
    fn sockets(&self) -> &[UdpSocket];

    /// What was counted since it was opened.
    fn counters(&self) -> ReceiveCounters;

    /// Lets datagrams gather for this long from the next wait on. A receiver that does not wait
    /// takes no notice.
    fn set_max_wait(&mut self, _max_wait: Duration) {}
}
