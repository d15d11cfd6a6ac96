//! Receives the datagrams of a Unix socket.
//!
//! Not through the engines of the shards: they let datagrams gather for milliseconds, and the
//! kernel lets no more than net.unix.max_dgram_qlen of them wait (often 10) before it makes their
//! senders wait, or fail.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use rustix::net::RecvFlags;

use super::shared::Shared;
use crate::kernel::Watched;

/// Datagrams that are read before others have their turn.
const TURN_COUNT_MAX: usize = 64;

/// Turns at a stop: more than any queue holds, and an end for a sender that does not pause.
const LAST_TURNS_MAX: usize = 64;

/// Receives until the daemon stops, and then what has come by that time. Of a datagram that is
/// longer than the buffer the rest is cut off.
pub(super) async fn receive_all(socket: Watched, mut buffer: Vec<u8>, shared: Rc<Shared>) {
    loop {
        let turn = |socket: BorrowedFd<'_>| match take_some(socket, &mut buffer, &shared) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        };
        tokio::select! {
            received = socket.when_readable(turn) => if let Err(error) = received {
                shared.warn(format_args!("cannot wait for datagrams: {error}"));
                return;
            },
            () = shared.stopping() => break,
        }
        tokio::task::yield_now().await;
    }
    for _ in 0..LAST_TURNS_MAX {
        if take_some(socket.as_fd(), &mut buffer, &shared) < TURN_COUNT_MAX {
            break;
        }
    }
}

/// Reads what is there, and at most what is one's turn. Returns how many datagrams that were.
fn take_some(socket: BorrowedFd<'_>, buffer: &mut [u8], shared: &Shared) -> usize {
    for taken in 0..TURN_COUNT_MAX {
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        match rustix::net::recv(socket, &mut *buffer, flags) {
            // With TRUNC the second length is that of the whole datagram (recv(2)).
            Ok((bytes, whole_bytes)) => shared.datagram(&buffer[..bytes], whole_bytes - bytes),
            // Empty, or something that passes.
            Err(_) => return taken,
        }
    }
    TURN_COUNT_MAX
}
