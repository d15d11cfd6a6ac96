//! The management console of etsy's statsd: commands over TCP, in a thread of their own. What only
//! the flusher knows is asked in the flusher's thread, between two flushes.

mod answer;
mod command;
mod connection;

use std::cell::Cell;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::task::spawn_local;

use crate::flusher::{Door, Status};
use crate::io::{Backend, Runtime};
use crate::snapshot::Merger;
use answer::Lines;
use command::{Command, Health};

/// The settings that are in use, as the console shows them.
#[derive(Clone, Debug, Default)]
pub struct ShownSettings(Arc<Mutex<String>>);

impl ShownSettings {
    /// Shows these lines from now on.
    pub fn set(&self, lines: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lines;
    }

    fn get(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.clone()
    }
}

/// Connections that are open at a time; one more is told so and closed.
const CONNECTIONS_MAX: usize = 16;

/// How long to wait where a connection cannot be accepted, as for lack of descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts the thread, which accepts connections until the process ends. When the flusher behind the
/// door has ended, connections that ask it something are closed.
///
/// # Errors
/// If there is no event loop or no thread to be had, or the sockets do not take to it.
pub fn start(listeners: Vec<TcpListener>, settings: ShownSettings, door: Door) -> io::Result<()> {
    for listener in &listeners {
        listener.set_nonblocking(true)?;
    }
    let start_unix_s = now_unix_s();
    // Not joined: it waits for clients for as long as there is a process.
    thread::Builder::new()
        .name("management".to_owned())
        .spawn(move || {
            // A few connections with a few bytes each: epoll does, and is everywhere.
            let runtime = match Runtime::new(Some(Backend::Tokio), "management", 0) {
                Ok(runtime) => runtime,
                Err(error) => {
                    log::error!("there is no management console: {error}");
                    return;
                }
            };
            let console = Rc::new(Console {
                settings,
                start_unix_s,
                health: Cell::default(),
                door,
            });
            runtime.block_on(accept_all(listeners, console));
        })?;
    Ok(())
}

async fn accept_all(listeners: Vec<TcpListener>, console: Rc<Console>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let (console, permits) = (Rc::clone(&console), Arc::clone(&permits));
            spawn_local(accept(listener, console, permits))
        })
        .collect();
    for task in accepting {
        // They do not end; a panic has ended the process.
        let _ = task.await;
    }
}

async fn accept(listener: TcpListener, console: Rc<Console>, permits: Arc<Semaphore>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!("there is no management console: {error}");
            return;
        }
    };
    loop {
        let mut connection = match listener.accept().await {
            Ok((connection, _)) => connection,
            Err(error) => {
                log::warn!("cannot accept a connection to the management console: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => {
                let console = Rc::clone(&console);
                spawn_local(async move {
                    // Whoever cuts the connection does not want to know.
                    let _ = connection::serve(connection, &console).await;
                    drop(permit);
                });
            }
            Err(_) => {
                let text = b"ERROR: too many connections\n";
                // It fits into the send buffer of any new connection, and is closed either way.
                let _ = connection.write_all(text).await;
            }
        }
    }
}

/// What answers.
struct Console {
    settings: ShownSettings,
    start_unix_s: u64,
    health: Cell<Health>,
    door: Door,
}

impl Console {
    /// The answer to a line; None if the connection is to be closed.
    async fn answer(&self, line: &str) -> Option<String> {
        Some(match Command::parse(line) {
            Command::Help => answer::HELP.to_owned(),
            Command::Config => format!("\n{}", self.settings.get()),
            Command::Health(change) => {
                if let Some(health) = change {
                    self.health.set(health);
                }
                format!("health: {}\n", self.health.get().word())
            }
            Command::Stats => {
                let start_unix_s = self.start_unix_s;
                let stats = move |_: &mut Merger, status: &Status| {
                    answer::stats(status, start_unix_s, now_unix_s())
                };
                self.ask(stats).await?
            }
            Command::List(listed) => {
                self.ask(move |merger, _| answer::list(merger, listed))
                    .await?
            }
            Command::Delete(metric_type, names) => {
                let mut lines = Lines::default();
                // One by one: each is a walk over all names, and a flush may come between two.
                for name in names {
                    lines = self
                        .ask(move |merger, _| {
                            answer::delete(merger, metric_type, &name, &mut lines);
                            lines
                        })
                        .await?;
                }
                lines.finish() + answer::END
            }
            Command::Quit => return None,
            Command::Unknown => answer::ERROR.to_owned(),
        })
    }

    /// Asks in the flusher's thread; None if that has ended.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Merger, &Status) -> T + Send + 'static,
    ) -> Option<T> {
        self.door.ask(question).await
    }
}

fn now_unix_s() -> u64 {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A clock that shows a time before 1970 is as good as one that shows 1970.
    wall.unwrap_or_default().as_secs()
}
