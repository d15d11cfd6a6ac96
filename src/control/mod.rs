//! The control socket: a Unix socket where `ringstat ledger` asks, one request for each connection. A
//! thread of its own answers: a client that does not read keeps nobody waiting.

pub mod client;
mod json;
mod request;
mod table;

use std::io;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::flusher::{Door, Status};
use crate::io::{Backend, Runtime};
use crate::snapshot::Merger;
use request::{REQUEST_BYTES_MAX, Request};

/// Connections that are open at a time; one more is told so and closed.
const CONNECTIONS_MAX: usize = 16;

/// How long a connection may take, from its first byte to the last of its answer. It may have to wait
/// for a flush.
const CONNECTION_MAX: Duration = Duration::from_secs(30);

/// How long to wait where a connection cannot be accepted, as for lack of descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts the thread, which answers until the process ends.
///
/// # Errors
/// If there is no event loop or no thread to be had.
pub fn start(listener: UnixListener, door: Door) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    // Not joined: it waits for clients for as long as there is a process.
    thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            // Few connections: epoll does, and is everywhere.
            let runtime = match Runtime::new(Some(Backend::Tokio), "control", 0) {
                Ok(runtime) => runtime,
                Err(error) => {
                    log::error!("nobody answers at the control socket: {error}");
                    return;
                }
            };
            runtime.block_on(accept(listener, door));
        })?;
    Ok(())
}

async fn accept(listener: UnixListener, door: Door) {
    let listener = match tokio::net::UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!("nobody answers at the control socket: {error}");
            return;
        }
    };
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let mut connection = match listener.accept().await {
            Ok((connection, _)) => connection,
            Err(error) => {
                log::warn!("cannot accept a connection to the control socket: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => {
                let door = door.clone();
                spawn_local(async move {
                    // Whoever cuts the connection or is too slow does not want to know.
                    let _ = timeout(CONNECTION_MAX, serve(connection, &door)).await;
                    drop(permit);
                });
            }
            Err(_) => {
                // It fits into the send buffer of any new connection, and is closed either way.
                let _ = connection.write_all(b"error: too many connections\n").await;
            }
        }
    }
}

/// Reads a request and answers it.
async fn serve(mut connection: UnixStream, door: &Door) -> io::Result<()> {
    let mut line = Vec::new();
    let (reading, _) = connection.split();
    let reading = reading.take(REQUEST_BYTES_MAX);
    BufReader::new(reading).read_until(b'\n', &mut line).await?;
    let answer = match Request::parse(&String::from_utf8_lossy(&line)) {
        Ok(request) => answer(request, door).await,
        Err(wrong) => format!("error: {wrong}\n"),
    };
    connection.write_all(answer.as_bytes()).await?;
    connection.shutdown().await
}

/// The line `ok` with how many of all slots do not balance, and what was asked for.
async fn answer(request: Request, door: &Door) -> String {
    let ledger = |_: &mut Merger, status: &Status| status.ledger.clone();
    // Written here and not there: it may be megabytes, and the flusher has better things to do.
    let Some(ledger) = door.ask(ledger).await else {
        return "error: the daemon is stopping\n".to_owned();
    };
    let records: Vec<_> = ledger.records().cloned().collect();
    let unbalanced: Vec<_> = records
        .iter()
        .filter(|record| !record.imbalances().is_empty())
        .cloned()
        .collect();
    let shown = match request.last {
        0 => &records[..],
        last => &records[records.len().saturating_sub(last)..],
    };
    let text = match request.as_json {
        true => json::lines(shown),
        false => table::write(shown, records.len(), &unbalanced),
    };
    format!("ok {}\n{text}", unbalanced.len())
}
