//! The io thread: drives sink connections, waits for signals, and ends in order.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::disk;
use crate::sink::backlog::SpoolLimits;
use crate::sink::command;
use crate::sink::dial::{Resolve, system_resolver};
use crate::sink::graphite::Patience;
use crate::sink::{SinkAddress, SinkHandle};

mod running;
mod runtime;
mod signals;
mod stream;

use running::{ClosingSink, RunningSink, SpoolingSink, Task};

pub use runtime::{Backend, Runtime};
pub use signals::Signal;
pub use stream::Stream;

/// What the io thread starts with.
pub struct Settings {
    /// Where points go.
    pub sinks: Vec<SinkAddress>,
    /// How many bytes a sink may queue that does not say so itself.
    pub queue_bytes: u64,
    /// Where slots go that a sink cannot take in time, if its address does not say.
    pub spool: Spool,
    /// The time between two flushes, which paces what is sent after an outage.
    pub flush_interval: Duration,
    /// How long the slot of a flush waits before a Graphite sink sends it.
    pub live_delay: Duration,
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
            spool: Spool::default(),
            flush_interval,
            live_delay: Duration::ZERO,
            backend: None,
            patience: Patience::default(),
            command_patience: command::Patience::new(flush_interval),
            resolve: system_resolver(),
        }
    }
}

/// The spool of all sinks whose addresses do not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// A folder, by its absolute path, in which each sink has one of its own.
    pub folder: Option<PathBuf>,
    /// What the files of a sink may take.
    pub limits: SpoolLimits,
}

impl Default for Spool {
    fn default() -> Spool {
        Spool {
            folder: None,
            limits: SpoolLimits {
                bytes_max: u64::MAX,
                age_max_s: u64::MAX,
            },
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
    sinks: Vec<RunningSink>,
    handles: Vec<SinkHandle>,
    /// Sinks that [`IoHandle::change`] has left out.
    leaving: Vec<RunningSink>,
    tasks: tokio::sync::mpsc::UnboundedSender<Task>,
    backend: Backend,
    done: mpsc::Receiver<()>,
}

/// Starts the io thread and the sinks; a daemon that forks does so before, as threads do not
/// survive it. `on_signal` is called on the io thread at each SIGTERM, SIGINT and SIGHUP; without it
/// signals keep their usual effect.
///
/// # Errors
/// If neither back end can be had, a spool cannot be used, a signal cannot be caught, or the system
/// gives no thread.
pub fn run(
    settings: &Settings,
    on_signal: Option<Box<dyn FnMut(Signal) + Send>>,
) -> io::Result<IoHandle> {
    let mut handle = prepare(settings, on_signal)?;
    handle.deliver();
    Ok(handle)
}

/// As [`run`], but nothing is delivered before [`IoHandle::deliver`]: a start that fails for another
/// reason must not have sent what waits in spools.
///
/// # Errors
/// As of [`run`].
pub fn prepare(
    settings: &Settings,
    on_signal: Option<Box<dyn FnMut(Signal) + Send>>,
) -> io::Result<IoHandle> {
    let (tasks, to_run) = tokio::sync::mpsc::unbounded_channel();
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
                let watched = on_signal.map_or(Ok(()), signals::watch);
                let failed = watched.is_err();
                // As above.
                let _ = started.send(watched.map(|()| backend));
                if !failed {
                    drive(to_run, backend).await;
                }
            });
            drop(runtime);
            // Nobody waits any more if the wait for us was too long.
            let _ = finished.send(());
        })?;
    let backend = starts
        .recv()
        .map_err(|_| io::Error::other("the io thread ended at start"))??;
    let mut handle = IoHandle {
        sinks: Vec::new(),
        handles: Vec::new(),
        leaving: Vec::new(),
        tasks,
        backend,
        done,
    };
    handle.open(settings)?;
    Ok(handle)
}

/// Runs the sinks until nobody can start another one; those that still run then are given up.
async fn drive(mut to_run: tokio::sync::mpsc::UnboundedReceiver<Task>, backend: Backend) {
    while let Some(task) = to_run.recv().await {
        task.spawn(backend);
    }
}

impl IoHandle {
    /// The sinks, in the order of their addresses.
    pub fn sinks(&self) -> &[SinkHandle] {
        &self.handles
    }

    /// What drives the connections.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Goes on with other sinks: those that lead to the same place stay as they are, but for their
    /// limits; new ones start; the others go on until [`IoHandle::end_leaving`]. Of the settings
    /// only the sinks and what concerns them is used.
    ///
    /// # Errors
    /// If a spool cannot be used or the system gives no thread; then nothing has changed.
    pub fn change(&mut self, settings: &Settings) -> io::Result<()> {
        self.open(settings)?;
        self.deliver();
        Ok(())
    }

    /// Has the sinks deliver that do not yet.
    pub fn deliver(&mut self) {
        for sink in &mut self.sinks {
            sink.deliver(&self.tasks);
        }
    }

    /// Goes on with other sinks, of which new ones deliver nothing yet.
    fn open(&mut self, settings: &Settings) -> io::Result<()> {
        let mut stays = vec![false; self.sinks.len()];
        let places: Vec<Option<usize>> = settings
            .sinks
            .iter()
            .map(|address| {
                let is_for = |place: &usize| self.sinks[*place].is_for(address, settings);
                let place = (0..stays.len()).find(|place| !stays[*place] && is_for(place))?;
                stays[place] = true;
                Some(place)
            })
            .collect();
        let mut names: Vec<String> = (self.handles.iter().zip(&stays))
            .filter(|(_, stays)| **stays)
            .map(|(handle, _)| handle.name().to_owned())
            .collect();
        let mut new = Vec::new();
        let missing = settings.sinks.iter().zip(&places);
        let missing = missing.filter(|(_, place)| place.is_none());
        let mut opening = missing.map(|(address, _)| {
            let name = name_unlike(&names, address);
            names.push(name.clone());
            RunningSink::open(address, name, settings)
        });
        let opening = opening.try_for_each(|sink| {
            new.push(sink?);
            Ok(())
        });
        // All of them are being opened by now, so that a disk that hangs is waited for once.
        let until = Instant::now() + disk::PATIENCE;
        let opened = opening.and_then(|()| RunningSink::wait_for_spools(&mut new, until));
        if let Err(error) = opened {
            RunningSink::abandon(new);
            return Err(error);
        }
        let mut before: Vec<Option<RunningSink>> = self.sinks.drain(..).map(Some).collect();
        let mut new = new.into_iter();
        for (address, place) in settings.sinks.iter().zip(places) {
            let sink = match place {
                Some(place) => before[place].take().map(|it| it.go_on(address, settings)),
                None => new.next(),
            };
            self.sinks
                .push(sink.expect("each address has a sink of its own"));
        }
        self.leaving.extend(before.into_iter().flatten());
        self.handles = self.sinks.iter().map(|it| it.handle().clone()).collect();
        Ok(())
    }

    /// To be called when nobody pushes any more to the sinks that [`IoHandle::change`] has left out:
    /// delivers what they hold for at most `patience`, as [`IoHandle::close_and_wait`] does.
    pub fn end_leaving(&mut self, patience: Duration) -> Vec<Left> {
        let leaving = std::mem::take(&mut self.leaving);
        end_all(leaving, Instant::now() + patience)
    }

    /// To be called after the last push: delivers what is queued for at most `patience`, then
    /// ends the thread, writes the rest to spools, and returns (and logs) what is lost per sink,
    /// sinks that lost nothing left out.
    pub fn close_and_wait(self, patience: Duration) -> Vec<Left> {
        let sinks = self.sinks.into_iter().chain(self.leaving);
        let left = end_all(sinks, Instant::now() + patience);
        drop(self.tasks);
        // It has nothing left to do; if it hangs, the process ends without it.
        let _ = self.done.recv_timeout(running::CLOSING_MAX);
        left
    }
}

/// Ends sinks beside each other.
fn end_all(sinks: impl IntoIterator<Item = RunningSink>, give_up_at: Instant) -> Vec<Left> {
    let sinks = sinks.into_iter();
    let closing: Vec<ClosingSink> = sinks.map(|sink| sink.close(give_up_at)).collect();
    let spooling: Vec<SpoolingSink> = closing.into_iter().map(ClosingSink::wait).collect();
    // From the last delivery on, so that disks that hang are waited for once.
    let until = Instant::now() + disk::PATIENCE;
    let left = spooling.into_iter().filter_map(|sink| sink.wait(until));
    left.collect()
}

/// Two operations per sink are under way at most.
const SINK_OPERATIONS_MAX: u32 = 256;

/// The name of a sink in own metrics.
fn name_unlike(names: &[String], address: &SinkAddress) -> String {
    let base = address.name();
    (1..)
        .map(|nth| match nth {
            1 => base.clone(),
            _ => format!("{base}_{nth}"),
        })
        .find(|name| !names.contains(name))
        .expect("there are more numbers than sinks")
}

#[cfg(test)]
mod tests;
