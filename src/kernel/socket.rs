//! What the kernel says about a socket's receive buffer, and how long a batch may be awaited
//! without overfilling it.

use std::io;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// What a small datagram takes of the receive buffer: the memory of its packet, not its length.
/// Measured over loopback for up to 100 bytes; network drivers differ.
pub const SMALL_DATAGRAM_BYTES: usize = 832;

/// Small datagrams a second that a wait must leave room for: about as many as one thread takes
/// off a socket, so that more would be lost without any wait.
const DATAGRAMS_PER_SECOND_MAX: u64 = 1_500_000;

/// How late a wait ends: by the timer's slack of 50 us and the way to the processor.
const LATENESS: Duration = Duration::from_micros(64);

/// A socket's receive memory, as `SO_MEMINFO` reports it (since 4.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketMemory {
    /// Which socket it is of, unlike any other as long as the machine runs (`SO_COOKIE`, since 4.6).
    pub cookie: u64,
    /// What the queued datagrams take, in bytes of the receive buffer.
    pub queue_bytes: usize,
    /// The size of the receive buffer in bytes, twice what was set.
    pub receive_buffer_bytes: usize,
    /// Datagrams that the kernel dropped since the socket was made. Wraps around at 2^32.
    pub drops: u32,
}

impl SocketMemory {
    /// Asks the kernel about a socket.
    ///
    /// # Errors
    /// ENOPROTOOPT on kernels before 4.12.
    pub fn of(socket: &UdpSocket) -> io::Result<Self> {
        // The places of `SK_MEMINFO_*` in the answer, which later kernels may make longer.
        const QUEUE: usize = 0;
        const RECEIVE_BUFFER: usize = 1;
        const DROPS: usize = 8;
        let mut answer = [0_u32; 9];
        let mut answer_bytes = size_of_val(&answer) as libc::socklen_t;
        // SAFETY: the kernel writes at most `answer_bytes` into `answer`, which is that long.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                answer.as_mut_ptr().cast(),
                &mut answer_bytes,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(SocketMemory {
            cookie: rustix::net::sockopt::socket_cookie(socket)?,
            queue_bytes: answer[QUEUE] as usize,
            receive_buffer_bytes: answer[RECEIVE_BUFFER] as usize,
            drops: answer[DROPS],
        })
    }
}

/// Bytes that were written into a connection and that the peer's kernel has not acknowledged
/// (`SIOCOUTQ`, see tcp(7)).
///
/// # Errors
/// What ioctl(2) answers, for a socket that is none of TCP.
pub fn unacknowledged_bytes(connection: &TcpStream) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // The number of SIOCOUTQ. SAFETY: the kernel writes one int, and `bytes` is one.
    let result = unsafe { libc::ioctl(connection.as_raw_fd(), libc::TIOCOUTQ, &mut bytes) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or_default())
}

/// How long a batch may be awaited: as long as asked, but never longer than small datagrams at
/// 1.5 million a second need to fill three quarters of the receive buffer, less what a wait may
/// end late (half of that time at most).
///
/// Waiting saves wake-ups, and a small buffer overflows meanwhile: of 1,000 datagrams at once
/// into 212,992 bytes a wait of 1 ms loses a third. The last quarter is not to be counted on,
/// because the kernel returns the memory of what was read to the socket in steps of a quarter.
pub fn bounded_wait(receive_buffer_bytes: usize, asked: Duration) -> Duration {
    let room_datagrams = usable_datagrams(receive_buffer_bytes) as u64;
    let filled_ns = room_datagrams.saturating_mul(1_000_000_000) / DATAGRAMS_PER_SECOND_MAX;
    let filled = Duration::from_nanos(filled_ns);
    asked.min(filled.saturating_sub(LATENESS).max(filled / 2))
}

/// From how many datagrams in a wait on they are a burst, in which a wait is a danger: as many
/// as would overfill the receive buffer if the wait ended a millisecond late. At least a 32nd of
/// what the buffer holds.
///
/// A burst announces itself by a first batch of some tens of datagrams, which come while the
/// thread wakes. A buffer of a few hundred has no room for a wait in the middle of it.
pub(super) fn burst_count(receive_buffer_bytes: usize, wait: Duration) -> usize {
    let wait_us = wait.as_micros();
    let room_datagrams = usable_datagrams(receive_buffer_bytes) as u128;
    let at_this_rate = room_datagrams - room_datagrams * 1_000 / (wait_us + 1_000);
    let least = receive_buffer_bytes / SMALL_DATAGRAM_BYTES / 32;
    usize::try_from(at_this_rate).map_or(usize::MAX, |count| count.max(least).max(1))
}

/// Three quarters of the small datagrams that a receive buffer holds.
fn usable_datagrams(receive_buffer_bytes: usize) -> usize {
    receive_buffer_bytes / SMALL_DATAGRAM_BYTES / 4 * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_receive_buffer_shortens_the_wait_to_64_microseconds() {
        let asked = Duration::from_millis(5);
        assert_eq!(bounded_wait(212_992, asked), Duration::from_micros(64));
    }

    #[test]
    fn a_large_receive_buffer_leaves_the_wait_as_asked() {
        let asked = Duration::from_millis(5);
        assert_eq!(bounded_wait(64 << 20, asked), asked);
        assert_eq!(bounded_wait(usize::MAX, asked), asked);
    }

    #[test]
    fn what_comes_at_the_highest_rate_and_a_late_end_fits() {
        for receive_buffer_bytes in [0, 831, 2_304, 106_496, 212_992, 8 << 20, 64 << 20] {
            let wait = bounded_wait(receive_buffer_bytes, Duration::from_secs(1));
            let late = wait + LATENESS.min(wait);
            let datagrams = late.as_nanos() * 1_500_000 / 1_000_000_000;
            let filled_bytes = datagrams as usize * SMALL_DATAGRAM_BYTES;
            assert!(filled_bytes <= receive_buffer_bytes / 4 * 3);
        }
    }

    #[test]
    fn what_most_systems_allow_holds_a_wait_of_5_ms() {
        // 4 MiB, a usual limit, as the kernel counts them.
        let wait = bounded_wait(8 << 20, Duration::from_secs(1));
        assert_eq!(wait.as_micros(), 4_976);
    }

    #[test]
    fn a_burst_is_what_a_late_end_would_lose() {
        let wait = |bytes| bounded_wait(bytes, Duration::from_millis(20));
        let count = |bytes| burst_count(bytes, wait(bytes));
        assert_eq!(count(212_992), 12);
        assert_eq!(count(8 << 20), 6_295);
        assert_eq!(count(0), 1);
        assert_eq!(burst_count(212_992, Duration::ZERO), 8);
        assert_eq!(
            burst_count(usize::MAX, Duration::MAX) as u64,
            u64::MAX / 832 / 4 * 3
        );
    }

    #[test]
    fn no_wait_stays_no_wait() {
        assert_eq!(bounded_wait(64 << 20, Duration::ZERO), Duration::ZERO);
    }
}
