//! A sink that runs: how it starts, goes on under other settings, and ends.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tokio::task::spawn_local;

use super::{Backend, Left, Settings, Stream};
use crate::disk;
use crate::sink::address::{Place, SpoolSettings};
use crate::sink::backlog::{Order, SpoolLimits};
use crate::sink::command::{self, CommandSink};
use crate::sink::graphite::Graphite;
use crate::sink::spool;
use crate::sink::spooler::{self, SpoolPlace, SpoolerHandle};
use crate::sink::{Counters, Queue, SinkAddress, SinkHandle, console};

/// A sink that runs.
pub(super) struct RunningSink {
    handle: SinkHandle,
    /// Where it is told how long its commands may take, if that is what it starts.
    command_patience: Option<watch::Sender<command::Patience>>,
    /// Where its spool is.
    spool: Option<PathBuf>,
    spooler: Option<SpoolerHandle>,
    /// None for the console, whose thread ends by itself.
    task: Option<TaskLink>,
    /// What is not run yet.
    held: Option<Task>,
}

/// The task of a sink, seen from outside.
struct TaskLink {
    give_up_at: oneshot::Sender<Instant>,
    ended: mpsc::Receiver<()>,
}

/// The task of a sink, to be run by the io thread.
pub(super) struct Task {
    driver: Driver,
    give_up_at: oneshot::Receiver<Instant>,
    ended: mpsc::Sender<()>,
}

enum Driver {
    Graphite(Graphite),
    Command(CommandSink),
}

impl Task {
    /// Starts it, on the io thread. It ends when its queue is closed and empty, or at the time to
    /// give up.
    pub(super) fn spawn(self, backend: Backend) {
        let Task {
            driver,
            give_up_at,
            ended,
        } = self;
        // Not kept: whoever closes the sink hears of its end.
        drop(spawn_local(async move {
            let run = async {
                match driver {
                    Driver::Graphite(sink) => {
                        sink.run(move |stream| Stream::adopt(backend, stream)).await;
                    }
                    Driver::Command(sink) => sink.run().await,
                }
            };
            tokio::select! {
                () = run => {}
                () = time_of(give_up_at) => {}
            }
            // Nobody waits any more if this took too long.
            let _ = ended.send(());
        }));
    }
}

/// Waits for the time to give up, which may never be told.
async fn time_of(give_up_at: oneshot::Receiver<Instant>) {
    match give_up_at.await {
        Ok(time) => tokio::time::sleep_until(time.into()).await,
        Err(_) => std::future::pending().await,
    }
}

impl RunningSink {
    /// A sink that delivers nothing before [`RunningSink::deliver`]. Begins to open its spool.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(super) fn open(
        address: &SinkAddress,
        name: String,
        settings: &Settings,
    ) -> io::Result<RunningSink> {
        let (bytes_max, order) = queue_settings(address, settings);
        let queue = Arc::new(Queue::new(name_in_log(address, &name), order, bytes_max));
        queue.set_live_delay(settings.live_delay);
        let handle = SinkHandle::new(address.clone(), name, Arc::clone(&queue));
        let spool = spool_folder(address, settings);
        let spooler = match &spool {
            Some(folder) => Some(start_spooler(&handle, folder, settings)?),
            None => None,
        };
        let mut command_patience = None;
        let driver = match &address.place {
            Place::Server { host, port } => Driver::Graphite(Graphite {
                host: host.clone(),
                port: *port,
                lifetime: address.lifetime,
                queue,
                resolve: Arc::clone(&settings.resolve),
                patience: settings.patience,
            }),
            Place::Command(command) => {
                let (tell, patience) = watch::channel(settings.command_patience);
                command_patience = Some(tell);
                Driver::Command(CommandSink {
                    command: command.clone(),
                    queue,
                    patience,
                })
            }
            Place::Output => {
                // It ends by itself; whoever closes the sink asks its queue.
                drop(console::start(queue, io::stdout())?);
                return Ok(RunningSink {
                    handle,
                    command_patience: None,
                    spool,
                    spooler,
                    task: None,
                    held: None,
                });
            }
        };
        let (give_up_at, when) = oneshot::channel();
        let (end, ended) = mpsc::channel();
        let task = Task {
            driver,
            give_up_at: when,
            ended: end,
        };
        Ok(RunningSink {
            handle,
            command_patience,
            spool,
            spooler,
            task: Some(TaskLink { give_up_at, ended }),
            held: Some(task),
        })
    }

    /// Waits until their spools are open, or for disks that hang up to this time: then those are in use
    /// when the disks answer.
    ///
    /// # Errors
    /// If a spool cannot be used; what another one's disk does is not waited for then.
    pub(super) fn wait_for_spools(sinks: &mut [RunningSink], until: Instant) -> io::Result<()> {
        let mut spoolers: Vec<&mut SpoolerHandle> = sinks
            .iter_mut()
            .filter_map(|sink| sink.spooler.as_mut())
            .collect();
        loop {
            let look_until = until.min(Instant::now() + LOOK_EVERY);
            let mut is_silent = false;
            for spooler in &mut spoolers {
                is_silent |= !spooler.wait_for_folder(look_until)?;
            }
            if !is_silent || Instant::now() >= until {
                break;
            }
        }
        spoolers.into_iter().for_each(SpoolerHandle::give_up_folder);
        Ok(())
    }

    /// Hands its task over to be run, if that is not done yet.
    pub(super) fn deliver(&mut self, tasks: &tokio::sync::mpsc::UnboundedSender<Task>) {
        if let Some(task) = self.held.take() {
            let sent = tasks.send(task);
            assert!(sent.is_ok(), "the io thread runs while there is a sender");
        }
    }

    /// Ends what has never delivered anything. Nobody waits for a disk that hangs; others are free for the
    /// next one when this returns.
    pub(super) fn abandon(sinks: Vec<RunningSink>) {
        for sink in &sinks {
            sink.handle.queue().end();
        }
        let until = Instant::now() + disk::PATIENCE;
        let spoolers = sinks.into_iter().filter_map(|sink| sink.spooler);
        for mut spooler in spoolers {
            let opened = spooler.wait_for_folder(Instant::now() + LOOK_EVERY);
            let hangs = matches!(opened, Ok(false));
            if !hangs {
                spooler.wait(until);
            }
        }
    }

    pub(super) fn handle(&self) -> &SinkHandle {
        &self.handle
    }

    /// Whether it can go on as the sink of this address, which differs in limits at most.
    pub(super) fn is_for(&self, address: &SinkAddress, settings: &Settings) -> bool {
        without_limits(self.handle.address()) == without_limits(address)
            && self.spool == spool_folder(address, settings)
    }

    /// Goes on under the settings of an address that [`RunningSink::is_for`].
    pub(super) fn go_on(self, address: &SinkAddress, settings: &Settings) -> RunningSink {
        let queue = self.handle.queue();
        let (bytes_max, order) = queue_settings(address, settings);
        queue.change(bytes_max, order);
        queue.set_live_delay(settings.live_delay);
        queue.limit_spool(spool_limits(address, settings));
        if let Some(patience) = &self.command_patience {
            // From the next run on: a slot must not be lost because a time has changed.
            patience.send_replace(settings.command_patience);
        }
        let (name, queue) = (self.handle.name().to_owned(), Arc::clone(queue));
        RunningSink {
            handle: SinkHandle::new(address.clone(), name, queue),
            ..self
        }
    }

    /// Nothing is pushed any more: what is queued is delivered up to a time.
    pub(super) fn close(self, give_up_at: Instant) -> ClosingSink {
        let RunningSink {
            handle,
            spooler,
            task,
            ..
        } = self;
        handle.queue().close();
        let ended = task.map(|task| {
            // It has ended already only if the thread has.
            let _ = task.give_up_at.send(give_up_at);
            task.ended
        });
        ClosingSink {
            handle,
            spooler,
            ended,
            give_up_at,
        }
    }
}

/// A sink that delivers for the last time.
pub(super) struct ClosingSink {
    handle: SinkHandle,
    spooler: Option<SpoolerHandle>,
    ended: Option<mpsc::Receiver<()>>,
    give_up_at: Instant,
}

/// A sink that has delivered for the last time, and whose rest is on its way to its spool.
pub(super) struct SpoolingSink {
    handle: SinkHandle,
    spooler: Option<SpoolerHandle>,
    lost_before: u64,
}

impl ClosingSink {
    /// Waits for its end, and hands the rest to its spool.
    pub(super) fn wait(self) -> SpoolingSink {
        let queue = self.handle.queue();
        match &self.ended {
            Some(ended) => {
                let left = self.give_up_at.saturating_duration_since(Instant::now());
                // A little longer than the task itself waits: it still has to put things away.
                let _ = ended.recv_timeout(left + CLOSING_MAX);
            }
            None => queue.wait_until_empty(self.give_up_at),
        }
        let lost_before = lost(&self.handle.counters());
        queue.end();
        SpoolingSink {
            handle: self.handle,
            spooler: self.spooler,
            lost_before,
        }
    }
}

fn lost(counters: &Counters) -> u64 {
    counters.lines_dropped + counters.lines_doubtful
}

impl SpoolingSink {
    /// Waits for its spool up to this time, and returns (and logs) what is lost.
    pub(super) fn wait(self, until: Instant) -> Option<Left> {
        let queue = self.handle.queue();
        if let Some(spooler) = self.spooler {
            spooler.wait(until);
        }
        queue.give_up_rest();
        let counters = self.handle.counters();
        if counters.lines_pushed > 0 {
            // Not by its address: a command may hold a password.
            log::info!("sink {} ends: {}", queue.name(), account(&counters));
        }
        let lines = lost(&counters) - self.lost_before;
        if lines == 0 {
            return None;
        }
        log::error!(
            "sink {}: lost {lines} lines that it did not take in time",
            queue.name()
        );
        Some(Left {
            name: self.handle.name().to_owned(),
            lines,
        })
    }
}

/// What became of all lines of a sink that has ended.
fn account(counters: &Counters) -> String {
    let mut text = format!(
        "of {} lines {} were sent",
        counters.lines_pushed, counters.lines_sent
    );
    let mut add = |lines: u64, what: &str| {
        if lines > 0 {
            text.push_str(&format!(", {lines} {what}"));
        }
    };
    add(counters.lines_spooled, "are in its spool");
    add(
        counters.lines_superseded,
        "were sent with the rest of their slot",
    );
    let reasons = counters.lines_dropped_by.iter();
    let reasons: Vec<String> = reasons
        .map(|(reason, lines)| format!("{} {lines}", reason.word()))
        .collect();
    let lost = format!("were lost ({})", reasons.join(", "));
    add(counters.lines_dropped, &lost);
    add(counters.lines_doubtful, "of those sent are in doubt");
    text
}

/// How long one spool is looked at while another may have an error to tell.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long the io thread may take to put a connection away.
pub(super) const CLOSING_MAX: Duration = Duration::from_secs(1);

/// What log lines call a sink: a command by its name in own metrics, as it may hold a password.
fn name_in_log(address: &SinkAddress, name: &str) -> String {
    match address.place {
        Place::Command(_) => name.to_owned(),
        Place::Server { .. } | Place::Output => address.to_string(),
    }
}

/// How many bytes a sink may queue, and in which order it takes them.
fn queue_settings(address: &SinkAddress, settings: &Settings) -> (u64, Order) {
    let order = match address.place {
        Place::Output | Place::Command(_) => Order::Arrival,
        Place::Server { .. } => Order::LiveFirst {
            flush_interval: settings.flush_interval,
        },
    };
    (address.queue_bytes.unwrap_or(settings.queue_bytes), order)
}

/// The address with the limits left out that may change while the sink runs.
fn without_limits(address: &SinkAddress) -> SinkAddress {
    SinkAddress {
        queue_bytes: None,
        spool: SpoolSettings::default(),
        ..address.clone()
    }
}

/// The folder that is this sink's alone. The standard output takes what comes, or is gone for good.
fn spool_folder(address: &SinkAddress, settings: &Settings) -> Option<PathBuf> {
    let folder = address
        .spool
        .folder
        .as_ref()
        .or(settings.spool.folder.as_ref())?;
    match address.place {
        Place::Server { .. } | Place::Command(_) => Some(folder.join(spool::folder_name(address))),
        Place::Output => None,
    }
}

fn spool_limits(address: &SinkAddress, settings: &Settings) -> SpoolLimits {
    let limits = settings.spool.limits;
    SpoolLimits {
        bytes_max: address.spool.bytes_max.unwrap_or(limits.bytes_max),
        age_max_s: address.spool.age_max_s.unwrap_or(limits.age_max_s),
    }
}

fn start_spooler(
    sink: &SinkHandle,
    folder: &Path,
    settings: &Settings,
) -> io::Result<SpoolerHandle> {
    let place = SpoolPlace {
        folder: folder.to_owned(),
        name_before: sink.name().to_owned(),
        framing: sink.address().kind.into(),
        limits: spool_limits(sink.address(), settings),
    };
    spooler::start(Arc::clone(sink.queue()), place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::DropReason;

    #[test]
    fn a_sink_that_ends_accounts_for_all_its_lines() {
        let mut counters = Counters {
            lines_pushed: 50,
            lines_sent: 50,
            ..Counters::default()
        };
        assert_eq!(account(&counters), "of 50 lines 50 were sent");
        counters.lines_sent = 20;
        (counters.lines_spooled, counters.lines_superseded) = (10, 5);
        counters.lines_doubtful = 4;
        counters.drop_lines(DropReason::QueueFull, 7);
        counters.drop_lines(DropReason::AtTheEnd, 8);
        assert_eq!(
            account(&counters),
            "of 50 lines 20 were sent, 10 are in its spool, 5 were sent with the rest of their slot, 15 \
             were lost (queue_full 7, at_the_end 8), 4 of those sent are in doubt"
        );
    }
}
