//! One stream of bytes, a connection or the standard input, with two back ends: tokio-uring, and
//! plain tokio for hosts that forbid it.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::io::Backend;
use crate::kernel::Watched;

/// What a stream comes from.
#[derive(Debug)]
pub(super) enum Origin {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// A file descriptor of any kind: a pipe, a terminal, a file, a socket.
    Stdin(OwnedFd),
}

/// A stream of either back end. Its descriptor stays in blocking mode: with io_uring the kernel
/// would answer EAGAIN otherwise, and that of the standard input is shared with other processes.
pub(super) enum Source {
    UringTcp(tokio_uring::net::TcpStream),
    UringUnix(tokio_uring::net::UnixStream),
    UringFile(tokio_uring::fs::File),
    Tokio(Watched),
    /// A regular file, for which epoll has no use; to read it does not block.
    Plain(OwnedFd),
}

/// Reads from where the last read has ended, as without an offset (since 5.6).
const GO_ON: u64 = u64::MAX;

impl Source {
    /// Takes a stream over; to be called inside the runtime of that back end.
    ///
    /// # Errors
    /// If a mode cannot be set, or the event loop does not take the descriptor.
    pub(super) fn adopt(backend: Backend, origin: Origin) -> io::Result<Source> {
        match &origin {
            Origin::Tcp(stream) => stream.set_nonblocking(false)?,
            Origin::Unix(stream) => stream.set_nonblocking(false)?,
            Origin::Stdin(_) => {}
        }
        let descriptor: OwnedFd = match (backend, origin) {
            (Backend::Uring, Origin::Tcp(stream)) => {
                let stream = tokio_uring::net::TcpStream::from_std(stream);
                return Ok(Source::UringTcp(stream));
            }
            (Backend::Uring, Origin::Unix(stream)) => {
                let stream = tokio_uring::net::UnixStream::from_std(stream);
                return Ok(Source::UringUnix(stream));
            }
            (Backend::Uring, Origin::Stdin(descriptor)) => {
                let file = tokio_uring::fs::File::from_std(File::from(descriptor));
                return Ok(Source::UringFile(file));
            }
            (Backend::Tokio, Origin::Tcp(stream)) => stream.into(),
            (Backend::Tokio, Origin::Unix(stream)) => stream.into(),
            (Backend::Tokio, Origin::Stdin(descriptor)) => descriptor,
        };
        match Watched::new(descriptor) {
            Ok(descriptor) => Ok(Source::Tokio(descriptor)),
            Err((descriptor, error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(Source::Plain(descriptor))
            }
            Err((_, error)) => Err(error),
        }
    }

    /// Waits for bytes and reads them into the room of an empty buffer. 0 bytes are the end.
    pub(super) async fn read(&self, mut buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        debug_assert!(buffer.is_empty());
        match self {
            Source::UringTcp(stream) => stream.read(buffer).await,
            Source::UringUnix(stream) => stream.read(buffer).await,
            Source::UringFile(file) => file.read_at(buffer, GO_ON).await,
            Source::Tokio(descriptor) => {
                // One that has always something to read takes turns with the others.
                tokio::task::yield_now().await;
                let attempt = |descriptor: BorrowedFd<'_>| match has_something(descriptor) {
                    true => read_now(descriptor, &mut buffer),
                    false => Err(io::ErrorKind::WouldBlock.into()),
                };
                let read = descriptor.when_readable(attempt).await;
                (read, buffer)
            }
            Source::Plain(descriptor) => {
                // A read that always has an answer must not keep the others waiting.
                tokio::task::yield_now().await;
                let read = read_now(descriptor, &mut buffer);
                (read, buffer)
            }
        }
    }
}

/// Whether a read would return at once.
fn has_something(descriptor: impl AsFd) -> bool {
    let mut descriptor = [PollFd::new(&descriptor, PollFlags::IN)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // ENOMEM passes.
    poll(&mut descriptor, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

fn read_now(descriptor: impl AsFd, buffer: &mut Vec<u8>) -> io::Result<usize> {
    Ok(rustix::io::read(
        descriptor,
        rustix::buffer::spare_capacity(buffer),
    )?)
}
