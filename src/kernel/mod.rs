//! Takes datagrams off the kernel: through io_uring, or through recvmmsg where io_uring is not
//! to be had. The only home of unsafe code.

use std::io;
use std::net::UdpSocket;

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
    /// for a bounded time. Returns false if the bound was hit and datagrams may be left.
    ///
    /// # Errors
    /// As [`Receive::receive`].
    fn drain(&mut self, visitor: &mut impl Visit) -> io::Result<bool>;

    /// The sockets that datagrams come from.
    fn sockets(&self) -> &[UdpSocket];
}
