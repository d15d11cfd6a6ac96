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

/// Connections that are accepted before others have their turn: accepting never waits while peers
/// connect faster than that.
const TURN_COUNT_MAX: u32 = 64;

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

/// What becomes of connections that have come at a stop and were not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// They are accepted and read, or they would be reset with what they brought.
    Accepted,
    /// They wait for the next process that accepts from this socket, which somebody else holds.
    LeftToOthers,
}

/// Accepts connections until the daemon stops, and then the last ones. The listener is in non-blocking
/// mode.
pub(super) async fn accept_all(listener: Watched, family: Family, last: Last, shared: Rc<Shared>) {
    let mut accepting = Accepting::new(listener);
    while let Some(accepted) = accepting.next(&shared).await {
        match accepted {
            Ok(connection) => shared.welcome(family.origin(connection)),
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                shared.warn(format_args!("cannot accept a connection: {error}"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    if last == Last::LeftToOthers {
        return;
    }
    for _ in 0..LAST_COUNT_MAX {
        match accept(accepting.listener.as_fd()) {
            Ok(connection) => shared.welcome(family.origin(connection)),
            Err(error) if is_of_the_peer(&error) => {}
            Err(_) => break,
        }
    }
}

/// Accepts connections one after the other, and leaves others their turn.
pub(super) struct Accepting {
    listener: Watched,
    in_turn: u32,
}

impl Accepting {
    /// The listener is in non-blocking mode.
    pub(super) fn new(listener: Watched) -> Accepting {
        Accepting {
            listener,
            in_turn: 0,
        }
    }

    /// The next connection, in blocking mode, or why there is none; None when the daemon stops.
    pub(super) async fn next(&mut self, shared: &Shared) -> Option<io::Result<OwnedFd>> {
        self.in_turn += 1;
        if self.in_turn == TURN_COUNT_MAX {
            self.in_turn = 0;
            tokio::task::yield_now().await;
        }
        tokio::select! {
            accepted = self.listener.when_readable(accept) => Some(accepted),
            () = shared.stopping() => None,
        }
    }
}

/// Accepts one connection, which is in blocking mode.
fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::*;
    use crate::io::Backend;
    use crate::metric::{Limits, SetHash};
    use crate::naming::Dialect;
    use crate::shard::{Shard, ShardSettings};
    use crate::tap::TapRules;

    fn shard() -> Shard {
        Shard::new(ShardSettings {
            shard: 0,
            rules: Dialect::Etsy.input_rules(true, false),
            limits: Limits::default(),
            set_hash: SetHash::new(),
            refused_lines_max: 0,
            brakes: Default::default(),
            epoch: Instant::now(),
            tap: TapRules::default(),
        })
    }

    /// Regression: while connections came faster than they were accepted, nothing else was read.
    /// Method: 300 of them wait, and another task counts what is accepted when its turn comes.
    #[test]
    fn many_connections_at_once_leave_others_their_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        rustix::net::listen(&listener, 1_024).unwrap();
        let address = listener.local_addr().unwrap();
        let _waiting: Vec<TcpStream> = (0..300)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        LocalSet::new().block_on(&runtime, async {
            let shared = Rc::new(Shared::new(shard(), Backend::Tokio, 0));
            let watched = Watched::new(listener.into()).unwrap();
            drop(spawn_local(accept_all(
                watched,
                Family::Tcp,
                Last::Accepted,
                Rc::clone(&shared),
            )));
            let refused = || shared.with_shard(|shard| shard.connections().refused);
            let mut seen = 0;
            while seen < 300 {
                yield_now().await;
                let now = refused();
                assert!(
                    now - seen <= u64::from(TURN_COUNT_MAX),
                    "{now} after {seen}"
                );
                seen = now;
            }
        });
    }
}
