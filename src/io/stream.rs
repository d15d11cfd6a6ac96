//! One connection type with two back ends: tokio-uring, and plain tokio for hosts that forbid it.

use std::io;
use std::net::{Shutdown, TcpStream};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Backend;
use crate::kernel::unacknowledged_bytes;
use crate::sink;

/// A connected TCP stream of either back end.
pub struct Stream {
    /// The same socket once more, for what needs no back end.
    socket: TcpStream,
    driven: Driven,
}

enum Driven {
    Uring(tokio_uring::net::TcpStream),
    Tokio(tokio::net::TcpStream),
}

impl Stream {
    /// Takes a connected socket over; to be called inside the runtime of that back end.
    ///
    /// # Errors
    /// If the socket's mode cannot be set or no file descriptor is left.
    pub fn adopt(backend: Backend, stream: TcpStream) -> io::Result<Stream> {
        let socket = stream.try_clone()?;
        let driven = match backend {
            Backend::Uring => {
                // A non-blocking socket would make the kernel answer EAGAIN instead of waiting.
                stream.set_nonblocking(false)?;
                Driven::Uring(tokio_uring::net::TcpStream::from_std(stream))
            }
            Backend::Tokio => {
                stream.set_nonblocking(true)?;
                Driven::Tokio(tokio::net::TcpStream::from_std(stream)?)
            }
        };
        Ok(Stream { socket, driven })
    }
}

impl sink::stream::Stream for Stream {
    async fn read(&self, mut buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        match &self.driven {
            Driven::Uring(stream) => stream.read(buffer).await,
            Driven::Tokio(stream) => loop {
                if let Err(error) = stream.readable().await {
                    return (Err(error), buffer);
                }
                match stream.try_read(&mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return (result, buffer),
                }
            },
        }
    }

    async fn write(&self, bytes: Bytes) -> io::Result<usize> {
        match &self.driven {
            Driven::Uring(stream) => stream.write(bytes).submit().await.0,
            Driven::Tokio(stream) => loop {
                stream.writable().await?;
                match stream.try_write(&bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            },
        }
    }

    fn has_ended(&self) -> bool {
        // HUP and ERR are told of unasked.
        let mut events = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // If it cannot be asked, the read that is under way tells.
        poll(&mut events, Some(&at_once)).is_ok_and(|count| count > 0)
    }

    fn unacknowledged_bytes(&self) -> u64 {
        // If it cannot be asked, nobody knows more than that it was sent.
        unacknowledged_bytes(&self.socket).map_or(u64::MAX, |bytes| bytes as u64)
    }

    fn finish(&self) {
        // As below.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    fn shutdown(&self) {
        // It fails only where the connection has ended already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
