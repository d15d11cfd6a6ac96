//! The io thread: drives sink connections, waits for signals, and ends in order.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local};

use crate::sink::address::{Place, SpoolSettings};
use crate::sink::backlog::Order;
use crate::sink::command::{self, CommandSink};
use crate::sink::dial::{Resolve, system_resolver};
use crate::sink::graphite::{Graphite, Patience};
use crate::sink::spool::Spool;
use crate::sink::{Queue, SinkAddress, SinkHandle, console, spooler};

mod runtime;
mod signals;
mod stream;

pub use runtime::{Backend, Runtime};
pub use signals::Stop;
pub use stream::Stream;

/// What the io thread starts with.
pub struct Settings {
    /// Where points go.
    pub sinks: Vec<SinkAddress>,
    /// How many bytes a sink may queue that does not say so itself.
    pub queue_bytes: u64,
    /// The time between two flushes, which paces what is sent after an outage.
    pub flush_interval: Duration,
    /// `None`: io_uring, and tokio where that is blocked.
    pub backend: Option<Backend>,
    /// How long a Graphite sink waits for what.
    pub patience: Patience,
    /// How long a command sink waits for what.
    pub command_patience: command::Patience,
    /// How host names become addresses.
    pub resolve: Resolve,
}

impl Settings {
    /// The settings of a daemon with these sinks.
    pub fn new(sinks: Vec<SinkAddress>, queue_bytes: u64, flush_interval: Duration) -> Settings {
        Settings {
            sinks,
            queue_bytes,
            flush_interval,
            backend: None,
            patience: Patience::default(),
            command_patience: command::Patience::new(flush_interval),
            resolve: system_resolver(),
        }
    }
}

/// What a sink had not delivered when the time was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The sink's name in own metrics.
    pub name: String,
    /// Lines lost.
    pub lines: u64,
}

/// The running io thread.
pub struct IoHandle {
    sinks: Vec<SinkHandle>,
    spoolers: Vec<thread::JoinHandle<()>>,
    backend: Backend,
    close: oneshot::Sender<Instant>,
    done: mpsc::Receiver<()>,
}

/// Starts the io thread and the sinks; a daemon that forks does so before, as threads do not
/// survive it. `on_stop` is called on the io thread at SIGTERM and at
/// SIGINT, each time one arrives; without it signals keep their usual effect.
///
/// # Errors
/// If neither back end can be had, a spool cannot be used, a signal cannot be caught, or the system
/// gives no thread.
pub fn run(
    settings: Settings,
    on_stop: Option<Box<dyn FnMut(Stop) + Send>>,
) -> io::Result<IoHandle> {
    let sinks = make_sinks(&settings);
    let mut spoolers = Vec::new();
    let mut drivers = Vec::new();
    for sink in &sinks {
        if let Some(spool) = &sink.address().spool {
            spoolers.push(start_spooler(sink, spool)?);
        }
        let queue = Arc::clone(sink.queue());
        match &sink.address().place {
            Place::Server { host, port } => drivers.push(Driver::Graphite(Graphite {
                host: host.clone(),
                port: *port,
                lifetime: sink.address().lifetime,
                queue,
                resolve: Arc::clone(&settings.resolve),
                patience: settings.patience,
            })),
            Place::Command(command) => drivers.push(Driver::Command(CommandSink {
                command: command.clone(),
                queue,
                patience: settings.command_patience,
            })),
            // It ends by itself; `close_and_wait` asks its queue.
            Place::Output => drop(console::start(queue, io::stdout())?),
        }
    }
    let (close, closed) = oneshot::channel();
    let (started, starts) = mpsc::channel();
    let (finished, done) = mpsc::channel();
    let wanted = settings.backend;
    thread::Builder::new()
        .name("io".to_owned())
        .spawn(move || {
            let runtime = match Runtime::new(wanted, "sinks", SINK_OPERATIONS_MAX) {
                Ok(runtime) => runtime,
                Err(error) => {
                    // `run` waits for this answer.
                    let _ = started.send(Err(error));
                    return;
                }
            };
            let backend = runtime.backend();
            runtime.block_on(async move {
                let watched = on_stop.map_or(Ok(()), signals::watch);
                let failed = watched.is_err();
                // As above.
                let _ = started.send(watched.map(|()| backend));
                if !failed {
                    drive(drivers, backend, closed).await;
                }
            });
            drop(runtime);
            // Nobody waits any more if the wait for us was too long.
            let _ = finished.send(());
        })?;
    let backend = starts
        .recv()
        .map_err(|_| io::Error::other("the io thread ended at start"))??;
    Ok(IoHandle {
        sinks,
        spoolers,
        backend,
        close,
        done,
    })
}

impl IoHandle {
    /// The sinks, in the order of their addresses.
    pub fn sinks(&self) -> &[SinkHandle] {
        &self.sinks
    }

    /// What drives the connections.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// To be called after the last push: delivers what is queued for at most `patience`, then
    /// ends the thread, writes the rest to spools, and returns (and logs) what is lost per sink,
    /// sinks that lost nothing left out.
    pub fn close_and_wait(self, patience: Duration) -> Vec<Left> {
        let IoHandle {
            sinks,
            spoolers,
            close,
            done,
            ..
        } = self;
        let deadline = Instant::now() + patience;
        for sink in &sinks {
            sink.queue().close();
        }
        // The thread has ended already only if it panicked; then there is nothing to wait for.
        let _ = close.send(deadline);
        // A little longer than the thread itself waits: it still has to put things away.
        let _ = done.recv_timeout(patience + CLOSING_MAX);
        for sink in &sinks {
            if sink.address().place == Place::Output {
                sink.queue().wait_until_empty(deadline);
            }
        }
        let dropped_before: Vec<u64> = sinks
            .iter()
            .map(|sink| sink.counters().lines_dropped)
            .collect();
        for sink in &sinks {
            sink.queue().spool_rest();
        }
        for spooler in spoolers {
            // One that panicked has written nothing more, which the counters show.
            let _ = spooler.join();
        }
        let mut left = Vec::new();
        for (sink, dropped_before) in sinks.iter().zip(dropped_before) {
            let counters = sink.counters();
            let lines = counters.lines_queued + counters.lines_dropped - dropped_before;
            if lines > 0 {
                log::error!(
                    "sink {}: lost {lines} lines that it did not take within {patience:?}",
                    sink.address()
                );
                left.push(Left {
                    name: sink.name().to_owned(),
                    lines,
                });
            }
        }
        left
    }
}

fn start_spooler(sink: &SinkHandle, spool: &SpoolSettings) -> io::Result<thread::JoinHandle<()>> {
    let opened = Spool::open(&spool.folder, sink.name(), spool.bytes_max).map_err(|error| {
        let folder = spool.folder.display();
        let text = format!("cannot use {folder} as a spool: {error}; make it writable for us");
        io::Error::new(error.kind(), text)
    })?;
    let found = opened.size();
    if found.lines > 0 {
        log::info!(
            "sink {}: {} lines wait in its spool since an earlier run",
            sink.address(),
            found.lines
        );
    }
    spooler::start(Arc::clone(sink.queue()), opened)
}

fn make_sinks(settings: &Settings) -> Vec<SinkHandle> {
    let mut sinks: Vec<SinkHandle> = Vec::new();
    for address in &settings.sinks {
        let base = address.name();
        let name = (1..)
            .map(|nth| match nth {
                1 => base.clone(),
                _ => format!("{base}_{nth}"),
            })
            .find(|name| sinks.iter().all(|sink| sink.name() != name))
            .expect("there are more numbers than sinks");
        let order = match address.place {
            Place::Output | Place::Command(_) => Order::Arrival,
            Place::Server { .. } => Order::LiveFirst {
                flush_interval: settings.flush_interval,
            },
        };
        let bytes_max = address.queue_bytes.unwrap_or(settings.queue_bytes);
        let queue = Arc::new(Queue::new(address.to_string(), order, bytes_max));
        sinks.push(SinkHandle::new(address.clone(), name, queue));
    }
    sinks
}

/// A sink that is a task of the io thread.
enum Driver {
    Graphite(Graphite),
    Command(CommandSink),
}

impl Driver {
    fn spawn(self, backend: Backend) -> JoinHandle<()> {
        match self {
            Driver::Graphite(sink) => {
                spawn_local(sink.run(move |stream| Stream::adopt(backend, stream)))
            }
            Driver::Command(sink) => spawn_local(sink.run()),
        }
    }
}

/// Runs the sinks until they have delivered everything after `closed`, or its deadline is over.
async fn drive(drivers: Vec<Driver>, backend: Backend, closed: oneshot::Receiver<Instant>) {
    let drivers = drivers.into_iter();
    let tasks: Vec<JoinHandle<()>> = drivers.map(|driver| driver.spawn(backend)).collect();
    // A handle that was dropped without closing: nobody waits for a delivery.
    let Ok(deadline) = closed.await else {
        return;
    };
    for task in tasks {
        if tokio::time::timeout_at(deadline.into(), task)
            .await
            .is_err()
        {
            return;
        }
    }
}

/// Two operations per sink are under way at most.
const SINK_OPERATIONS_MAX: u32 = 256;

/// How long the io thread may take to put its connections away.
const CLOSING_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
