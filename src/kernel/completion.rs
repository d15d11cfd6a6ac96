//! What a result of the kernel means: every errno of a receive and of an enter has its arm here.

use io_uring::cqueue;

/// What one completion of a multishot receive says, apart from whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A datagram lies in a buffer. `length_bytes` is the datagram's own length, which may be
    /// more than the buffer holds.
    Datagram { buffer: u16, length_bytes: usize },
    /// An empty datagram; it takes no buffer and ends the receive.
    Empty,
    /// No buffer was free; raised before the socket is read, so nothing is lost.
    OutOfBuffers,
    /// The receive was cancelled.
    Cancelled,
    /// The receive ended without a datagram for a passing reason.
    Again,
    /// The kernel had no memory for the request.
    NoMemory,
    /// The socket had an error to report, which reading it has cleared.
    SocketError,
    /// Nothing that arming again could mend.
    Fatal(i32),
}

impl Outcome {
    /// Sorts a completion by its result and flags.
    #[inline]
    pub(super) fn of(result: i32, flags: u32) -> Self {
        match (result, cqueue::buffer_select(flags)) {
            (0.., Some(buffer)) => Outcome::Datagram {
                buffer,
                length_bytes: result as usize,
            },
            (0, None) => Outcome::Empty,
            // Bytes without a buffer have been received nowhere.
            (1.., None) => Outcome::Fatal(libc::EPROTO),
            (..0, _) => Outcome::of_errno(-result),
        }
    }

    /// Sorts an errno of a receive, by io_uring or not.
    #[cold]
    pub(super) fn of_errno(errno: i32) -> Self {
        match errno {
            libc::ENOBUFS => Outcome::OutOfBuffers,
            libc::ECANCELED => Outcome::Cancelled,
            // A signal, or a poll that found nothing after all.
            libc::EINTR | libc::EAGAIN => Outcome::Again,
            libc::ENOMEM => Outcome::NoMemory,
            // The kernel or the request is not what we took it for; a plain recvmmsg may work.
            libc::EFAULT
            | libc::EINVAL
            | libc::EOPNOTSUPP
            | libc::ENOTSOCK
            | libc::EBADF
            | libc::EACCES
            | libc::ENOSYS => Outcome::Fatal(errno),
            // ECONNREFUSED, EHOSTUNREACH, ENETDOWN, EPERM of a packet filter and their like are
            // reports about single datagrams; the socket goes on.
            _ => Outcome::SocketError,
        }
    }
}

/// What a failed enter asks for. Completions may be there after each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EnterFault {
    /// ETIME: the normal end of a wait. EINTR: a signal. EBUSY: the completion queue is full.
    Reap,
    /// EAGAIN, ENOMEM: the kernel is short of memory; try again a little later.
    Pause,
    /// EBADR: completions were lost, and with them the buffers that they named (since 5.19).
    LostCompletions,
    /// Nothing that another enter could mend.
    Fatal,
}

impl EnterFault {
    pub(super) fn of(errno: i32) -> Self {
        match errno {
            libc::ETIME | libc::EINTR | libc::EBUSY => EnterFault::Reap,
            libc::EAGAIN | libc::ENOMEM => EnterFault::Pause,
            libc::EBADR => EnterFault::LostCompletions,
            // EBADF, EFAULT, EINVAL, EEXIST (another thread), EOPNOTSUPP, EPERM (seccomp).
            _ => EnterFault::Fatal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `IORING_CQE_F_BUFFER`, with the number of the buffer above bit 16.
    fn with_buffer(buffer: u32) -> u32 {
        1 | buffer << 16
    }

    #[test]
    fn a_length_beyond_the_buffer_is_the_datagrams_own() {
        assert_eq!(
            Outcome::of(300, with_buffer(7)),
            Outcome::Datagram {
                buffer: 7,
                length_bytes: 300
            }
        );
    }

    #[test]
    fn an_empty_datagram_comes_with_or_without_a_buffer() {
        assert_eq!(Outcome::of(0, 0), Outcome::Empty);
        assert_eq!(
            Outcome::of(0, with_buffer(2)),
            Outcome::Datagram {
                buffer: 2,
                length_bytes: 0
            }
        );
    }

    #[test]
    fn bytes_without_a_buffer_are_never_read() {
        assert_eq!(Outcome::of(12, 0), Outcome::Fatal(libc::EPROTO));
    }

    #[test]
    fn each_errno_of_a_receive_has_its_outcome() {
        for (errno, outcome) in [
            (libc::ENOBUFS, Outcome::OutOfBuffers),
            (libc::ECANCELED, Outcome::Cancelled),
            (libc::EINTR, Outcome::Again),
            (libc::EAGAIN, Outcome::Again),
            (libc::ENOMEM, Outcome::NoMemory),
            (libc::ECONNREFUSED, Outcome::SocketError),
            (libc::EHOSTUNREACH, Outcome::SocketError),
            (libc::ENETDOWN, Outcome::SocketError),
            (libc::EPERM, Outcome::SocketError),
            (libc::EFAULT, Outcome::Fatal(libc::EFAULT)),
            (libc::EINVAL, Outcome::Fatal(libc::EINVAL)),
            (libc::EOPNOTSUPP, Outcome::Fatal(libc::EOPNOTSUPP)),
            (libc::ENOTSOCK, Outcome::Fatal(libc::ENOTSOCK)),
            (libc::EBADF, Outcome::Fatal(libc::EBADF)),
            (libc::EACCES, Outcome::Fatal(libc::EACCES)),
        ] {
            assert_eq!(Outcome::of(-errno, 0), outcome, "errno {errno}");
        }
    }

    #[test]
    fn each_errno_of_an_enter_has_its_arm() {
        for (errno, fault) in [
            (libc::ETIME, EnterFault::Reap),
            (libc::EINTR, EnterFault::Reap),
            (libc::EBUSY, EnterFault::Reap),
            (libc::EAGAIN, EnterFault::Pause),
            (libc::ENOMEM, EnterFault::Pause),
            (libc::EBADR, EnterFault::LostCompletions),
            (libc::EBADF, EnterFault::Fatal),
            (libc::EFAULT, EnterFault::Fatal),
            (libc::EINVAL, EnterFault::Fatal),
            (libc::EEXIST, EnterFault::Fatal),
            (libc::EOPNOTSUPP, EnterFault::Fatal),
            (libc::EPERM, EnterFault::Fatal),
        ] {
            assert_eq!(EnterFault::of(errno), fault, "errno {errno}");
        }
    }
}
