//! What the kernel says about a socket's receive buffer, and how long a batch may be awaited
//! without overfilling it.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// What a small datagram takes of the receive buffer: the memory of its packet, not its length.
/// Measured over loopback for up to 100 bytes; network drivers differ.
pub const SMALL_DATAGRAM_BYTES: usize = 832;

/// The rate of small datagrams that a wait must leave room for.
const DATAGRAMS_PER_SECOND_MAX: u64 = 2_000_000;

/// A socket's receive memory, as `SO_MEMINFO` reports it (since 4.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketMemory {
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
            queue_bytes: answer[QUEUE] as usize,
            receive_buffer_bytes: answer[RECEIVE_BUFFER] as usize,
            drops: answer[DROPS],
        })
    }
}

/// How long a batch may be awaited: as long as asked, but never longer than small datagrams at
/// two million a second need to fill half of the receive buffer.
///
/// Waiting saves wake-ups, and a small buffer overflows meanwhile: of 1,000 datagrams at once
/// into 212,992 bytes a wait of 1 ms loses a third.
pub fn bounded_wait(receive_buffer_bytes: usize, asked: Duration) -> Duration {
    let half_datagrams = (receive_buffer_bytes / SMALL_DATAGRAM_BYTES / 2) as u64;
    let bound_ns = half_datagrams.saturating_mul(1_000_000_000 / DATAGRAMS_PER_SECOND_MAX);
    asked.min(Duration::from_nanos(bound_ns))
}

/// From how many datagrams on a batch begins a burst: a 32nd of what the receive buffer holds.
///
/// A burst announces itself by a first batch of some tens of datagrams, which come while the
/// thread wakes. A buffer of a few hundred has no room for a wait in the middle of it, since
/// waits end late: by the timer's slack of 50 us and the way to the processor.
pub(super) fn burst_count(receive_buffer_bytes: usize) -> usize {
    (receive_buffer_bytes / SMALL_DATAGRAM_BYTES / 32).max(1)
}

/// Whether to read on without a wait: from the first large batch until nothing is left. A fast
/// reader finds but a few datagrams each time, so only an empty turn ends the burst.
pub(super) fn still_in_burst(was_burst: bool, datagrams: usize, burst_count: usize) -> bool {
    datagrams >= burst_count || (was_burst && datagrams > 0)
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
    fn what_comes_at_two_million_a_second_fills_at_most_half() {
        for receive_buffer_bytes in [0, 831, 2_304, 106_496, 212_992, 8 << 20, 64 << 20] {
            let wait = bounded_wait(receive_buffer_bytes, Duration::from_secs(1));
            let datagrams = wait.as_nanos() * 2_000_000 / 1_000_000_000;
            assert!(datagrams as usize * SMALL_DATAGRAM_BYTES <= receive_buffer_bytes / 2);
        }
    }

    #[test]
    fn a_burst_is_a_small_part_of_the_receive_buffer() {
        assert_eq!(burst_count(212_992), 8);
        assert_eq!(burst_count(64 << 20), 2_520);
        assert_eq!(burst_count(0), 1);
    }

    #[test]
    fn a_burst_lasts_from_a_large_batch_to_an_empty_one() {
        let mut in_burst = false;
        let turns = [(7, false), (8, true), (1, true), (0, false), (7, false)];
        for (datagrams, expected) in turns {
            in_burst = still_in_burst(in_burst, datagrams, 8);
            assert_eq!(in_burst, expected, "after {datagrams}");
        }
    }

    #[test]
    fn no_wait_stays_no_wait() {
        assert_eq!(bounded_wait(64 << 20, Duration::ZERO), Duration::ZERO);
    }
}
