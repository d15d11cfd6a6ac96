//! Lets the kernel cut one long message into datagrams (UDP_SEGMENT, Linux 4.18), which takes a
//! sender a fraction of the time that single datagrams take.

#![allow(unsafe_code)]

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// The longest message that is cut: the longest datagram of IPv4.
pub(super) const MESSAGE_BYTES_MAX: usize = 65_507;

/// Most datagrams that one message is cut into (UDP_MAX_SEGMENTS; 128 since Linux 6.9).
pub(super) const SEGMENTS_MAX: u64 = 64;

/// Has all messages of a socket cut into datagrams of one size.
///
/// # Errors
/// ENOPROTOOPT before Linux 4.18.
pub(super) fn cut_into(socket: &UdpSocket, datagram_bytes: usize) -> io::Result<()> {
    let value = datagram_bytes as libc::c_int;
    // SAFETY: the kernel reads one integer, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
