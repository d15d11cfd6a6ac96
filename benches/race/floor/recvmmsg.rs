//! The floors that receive through recvmmsg(2).

#![allow(unsafe_code)]

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;
use std::thread;
use std::time::Duration;

use super::{STRIDE_BYTES, Taken};

/// Datagrams per call. The gain per datagram ends at 8 to 16.
const MESSAGES_PER_CALL: usize = 64;

/// Headers and the memory that they point to.
struct Messages {
    headers: Vec<libc::mmsghdr>,
    _vectors: Vec<libc::iovec>,
    /// Never read; pages that no datagram touches cost nothing.
    _bytes: Vec<u8>,
}

impl Messages {
    fn new() -> Self {
        let mut bytes = vec![0_u8; MESSAGES_PER_CALL * STRIDE_BYTES];
        let mut vectors: Vec<libc::iovec> = bytes
            .chunks_exact_mut(STRIDE_BYTES)
            .map(|buffer| libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: buffer.len(),
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
        Messages {
            headers,
            _vectors: vectors,
            _bytes: bytes,
        }
    }

    /// Receives once and counts; false if the empty datagram was there.
    fn receive(
        &mut self,
        socket: &UdpSocket,
        flags: i32,
        taken: &mut Taken,
    ) -> io::Result<Received> {
        // SAFETY: the headers are as many as said, each points to its vector and that to its
        // buffer; the heap memory of all three is owned by `self` and does not move.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as libc::c_uint,
                flags as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        let mut goes_on = true;
        for header in &self.headers[..count] {
            goes_on &= taken.count(header.msg_len as usize);
        }
        Ok(Received {
            goes_on,
            is_full: count == self.headers.len(),
        })
    }
}

/// What one call brought.
struct Received {
    /// Whether the empty datagram has not come yet.
    goes_on: bool,
    /// Whether there may be more.
    is_full: bool,
}

/// Blocks until there is a datagram, and takes up to 64 that are there.
pub(super) fn blocking(socket: &UdpSocket) -> io::Result<Taken> {
    let mut messages = Messages::new();
    let mut taken = Taken::default();
    while messages
        .receive(socket, libc::MSG_WAITFORONE, &mut taken)?
        .goes_on
    {}
    Ok(taken)
}

/// Waits for a datagram, sleeps, and takes all that are there by then.
pub(super) fn sleeping(socket: &UdpSocket, max_wait: Duration) -> io::Result<Taken> {
    let mut messages = Messages::new();
    let mut taken = Taken::default();
    loop {
        let mut received = messages.receive(socket, libc::MSG_WAITFORONE, &mut taken)?;
        while received.goes_on && received.is_full {
            received = match messages.receive(socket, libc::MSG_DONTWAIT, &mut taken) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                received => received?,
            };
        }
        if !received.goes_on {
            return Ok(taken);
        }
        thread::sleep(max_wait);
    }
}
