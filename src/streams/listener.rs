//! Accepts connections.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use rustix::net::{SocketFlags, accept_with};

use super::shared::Shared;
use super::source::Origin;
use crate::kernel::Watched;

/// How long to wait where a connection cannot be accepted, as for lack of descriptors.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Connections that are accepted at a stop, because they may have brought something already.
const LAST_COUNT_MAX: usize = 4_096;

/// What a connection that was accepted is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Family {
    Tcp,
    Unix,
}

impl Family {
    fn origin(self, connection: OwnedFd) -> Origin {
        match self {
            Family::Tcp => Origin::Tcp(TcpStream::from(connection)),
            Family::Unix => Origin::Unix(UnixStream::from(connection)),
        }
    }
}

/// Accepts connections until the daemon stops, and then those that have come by that time. The
/// listener is in non-blocking mode.
pub(super) async fn accept_all(listener: Watched, family: Family, shared: Rc<Shared>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.when_readable(accept) => accepted,
            () = shared.stopping() => break,
        };
        match accepted {
            Ok(connection) => shared.welcome(family.origin(connection)),
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                shared.warn(&format!("cannot accept a connection: {error}"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    for _ in 0..LAST_COUNT_MAX {
        match accept(listener.as_fd()) {
            Ok(connection) => shared.welcome(family.origin(connection)),
            Err(error) if is_of_the_peer(&error) => {}
            Err(_) => break,
        }
    }
}

/// Accepts one connection, which is in blocking mode.
pub(super) fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(accept_with(listener, SocketFlags::CLOEXEC)?)
}

/// Whether the peer has given up before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
