//! recvmmsg(2): many datagrams of one socket in one call, without blocking.
//!
//! Hot path: no allocation, lock or logging.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;

use super::buffers::Buffers;
use super::completion::Outcome;
use super::counters::ReceiveCounters;
use super::ledger::Batch;
use super::{Datagram, Visit};

/// Datagrams per call. The gain per datagram ends at 8 to 16.
const MESSAGES_PER_CALL: usize = 64;

/// Errors of one socket after which a turn leaves it alone, so that none can hold the thread.
pub(super) const ERRORS_IN_A_ROW_MAX: u32 = 100;

/// The headers and buffers that one call fills.
pub(super) struct Messages {
    headers: Vec<libc::mmsghdr>,
    /// What the headers point to; never touched again.
    _vectors: Vec<libc::iovec>,
    buffers: Buffers,
    /// How many headers the last call filled. Only these say anything.
    filled: usize,
}

/// Why [`Messages::take`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The socket had no more to give.
    Empty,
    /// The last call brought less than it had room for: empty, unless an error stood between.
    Short,
    /// As many datagrams as were asked for; there may be more.
    Limit,
    /// Nothing but errors, or no memory in the kernel: try again later.
    Failing,
}

impl Messages {
    pub(super) fn new(buffer_bytes: usize) -> io::Result<Self> {
        let buffers = Buffers::new(0, MESSAGES_PER_CALL, buffer_bytes)?;
        let mut vectors: Vec<libc::iovec> = (0..MESSAGES_PER_CALL)
            .map(|index| libc::iovec {
                iov_base: buffers.address(index).cast(),
                iov_len: buffer_bytes,
            })
            .collect();
        let headers = vectors
            .iter_mut()
            .map(|vector| {
                // SAFETY: all-zero is a valid header: no name, no vector, no control data.
                let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
                header.msg_hdr.msg_iov = ptr::from_mut(vector);
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        Ok(Messages {
            headers,
            _vectors: vectors,
            buffers,
            filled: 0,
        })
    }

    /// Hands over what lies in a socket's queue: about `limit` datagrams at most.
    ///
    /// # Errors
    /// What reading the socket again could not mend.
    pub(super) fn take(
        &mut self,
        socket: &UdpSocket,
        limit: usize,
        batch: &mut Batch,
        counters: &mut ReceiveCounters,
        visitor: &mut impl Visit,
    ) -> io::Result<End> {
        let mut taken = 0;
        let mut errors = 0;
        while taken < limit {
            counters.enters += 1;
            let Err(error) = self.receive(socket) else {
                self.hand_over(batch, counters, visitor);
                taken += self.filled;
                if self.filled < self.headers.len() {
                    return Ok(End::Short);
                }
                continue;
            };
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            match Outcome::of_errno(errno) {
                Outcome::Again if errno == libc::EINTR => {}
                Outcome::Again => return Ok(End::Empty),
                Outcome::NoMemory | Outcome::OutOfBuffers => {
                    counters.no_memory += 1;
                    return Ok(End::Failing);
                }
                Outcome::SocketError | Outcome::Cancelled => {
                    counters.socket_errors += 1;
                    errors += 1;
                    if errors >= ERRORS_IN_A_ROW_MAX {
                        return Ok(End::Failing);
                    }
                }
                Outcome::Fatal(_) | Outcome::Datagram { .. } | Outcome::Empty => {
                    return Err(error);
                }
            }
        }
        Ok(End::Limit)
    }

    fn receive(&mut self, socket: &UdpSocket) -> io::Result<()> {
        self.filled = 0;
        // The timeout argument is not used: it is looked at after a datagram only (man page,
        // BUGS). MSG_TRUNC makes a length the datagram's own.
        // SAFETY: the headers are as many as said, each points to its vector and that to its
        // buffer, all owned by `self`; no slice of a buffer outlives `hand_over`.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as libc::c_uint,
                (libc::MSG_DONTWAIT | libc::MSG_TRUNC) as _,
                ptr::null_mut(),
            )
        };
        self.filled = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        Ok(())
    }

    fn hand_over(
        &self,
        batch: &mut Batch,
        counters: &mut ReceiveCounters,
        visitor: &mut impl Visit,
    ) {
        for (index, header) in self.headers[..self.filled].iter().enumerate() {
            let length_bytes = header.msg_len as usize;
            // SAFETY: the call that filled the buffer has returned, and no other is made while
            // the slice borrows `self`.
            let bytes = unsafe { self.buffers.bytes(index, length_bytes) };
            let cut_bytes = length_bytes - bytes.len();
            counters.note(length_bytes, cut_bytes);
            batch.visit(Datagram { bytes, cut_bytes }, visitor);
        }
    }
}
