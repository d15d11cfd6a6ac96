//! Tells monitors that the daemon lives: `YES` to each connection, as the Python statsite does.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_local;

use super::listener::{Accepting, PAUSE};
use super::shared::Shared;
use crate::kernel::Watched;

/// What is sent, without a line feed.
const ANSWER: &[u8] = b"YES";

/// A monitor may say something before it listens. A connection that is closed with that unread is
/// reset, and the answer with it, so its end is awaited for this long.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// Connections whose end is awaited; others are closed at once.
const FAREWELL_COUNT_MAX: usize = 64;

/// Answers connections until the daemon stops. The listener is in non-blocking mode.
pub(super) async fn answer_all(listener: Watched, shared: Rc<Shared>) {
    let farewells = Arc::new(Semaphore::new(FAREWELL_COUNT_MAX));
    let mut accepting = Accepting::new(listener);
    while let Some(accepted) = accepting.next(&shared).await {
        let Ok(connection) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // A peer that has gone already does not want to know.
        let Ok(connection) = answer(TcpStream::from(connection)) else {
            continue;
        };
        if let Ok(permit) = Arc::clone(&farewells).try_acquire_owned() {
            spawn_local(async move {
                // It is closed either way.
                let _ = tokio::time::timeout(FAREWELL_MAX, await_end(connection)).await;
                drop(permit);
            });
        }
    }
}

/// Sends the answer, which fits into the send buffer of any new connection.
fn answer(mut connection: TcpStream) -> io::Result<TcpStream> {
    connection.set_nonblocking(true)?;
    connection.write_all(ANSWER)?;
    connection.shutdown(Shutdown::Write)?;
    Ok(connection)
}

async fn await_end(connection: TcpStream) -> io::Result<()> {
    let watched = Watched::new(connection.try_clone()?.into()).map_err(|(_, error)| error)?;
    let mut ignored = [0; 512];
    let mut read = |_: std::os::fd::BorrowedFd<'_>| (&connection).read(&mut ignored);
    while watched.when_readable(&mut read).await? > 0 {}
    Ok(())
}
