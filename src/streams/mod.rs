//! The thread that reads connections, local datagrams and the standard input. It is a shard like
//! any other to the flusher: a table of its own, commands in, hand-overs out.

mod connection;
mod datagrams;
mod listener;
mod liveness;
mod shared;
mod source;
mod sparse_log;

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::{JoinHandle, spawn_local};

use crate::io::{Backend, Runtime};
use crate::kernel::{Waker, Watched};
use crate::metric::Interval;
use crate::shard::{Command, HandOver, Shard, ShardSettings};
use crate::transport::{BoundStreams, Listener, SocketFile};
use listener::{Family, Last};
use shared::Shared;

/// What the thread of streams begins with.
#[derive(Debug)]
pub struct StreamSettings {
    /// Its shard.
    pub shard: ShardSettings,
    /// What it listens on.
    pub bound: BoundStreams,
    /// Where it says that it lives.
    pub liveness: Vec<TcpListener>,
    /// Connections that may be open at a time.
    pub connections_max: usize,
    /// The longest datagram in bytes; longer ones are cut.
    pub max_datagram_bytes: usize,
    /// `None`: io_uring, and tokio where that is blocked.
    pub backend: Option<Backend>,
}

/// Starts the thread and waits until it listens.
///
/// # Errors
/// If neither event loop can be had, or it does not take what was bound.
pub fn start(
    settings: StreamSettings,
    waker: Waker,
    commands: mpsc::Receiver<Command>,
    hand_overs: impl Fn(HandOver) + Send + 'static,
) -> io::Result<()> {
    let (started, starts) = mpsc::channel();
    // Not joined: the flusher hears from it when it ends.
    thread::Builder::new()
        .name("streams".to_owned())
        .spawn(move || {
            let connections_max = u32::try_from(settings.connections_max).unwrap_or(u32::MAX);
            // Each reads, and a few more are closing at the same time.
            let operations_max = connections_max.saturating_add(64);
            let runtime = match Runtime::new(settings.backend, "clients", operations_max) {
                Ok(runtime) => runtime,
                Err(error) => {
                    // `start` waits for this answer.
                    let _ = started.send(Err(error));
                    return;
                }
            };
            let backend = runtime.backend();
            runtime.block_on(async move {
                let (serving, outcome) = match Serving::start(settings, backend) {
                    Ok(serving) => (Some(serving), Ok(())),
                    Err(error) => (None, Err(error)),
                };
                // As above.
                let _ = started.send(outcome);
                if let Some(serving) = serving {
                    serving.obey(waker, &commands, &hand_overs).await;
                }
            });
        })?;
    starts
        .recv()
        .map_err(|_| io::Error::other("the thread of streams ended at start"))?
}

/// Everything that reads, and what is needed to stop it.
struct Serving {
    shared: Rc<Shared>,
    /// End at a stop, when nothing more is accepted or received.
    listeners: Vec<JoinHandle<()>>,
    files: Vec<SocketFile>,
}

/// How long a stop may take to read what was sent before.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Descriptors that the rest of the daemon may need.
const OTHER_DESCRIPTORS: u64 = 256;

impl Serving {
    fn start(settings: StreamSettings, backend: Backend) -> io::Result<Serving> {
        allow_descriptors(settings.connections_max as u64 + OTHER_DESCRIPTORS);
        let shard = Shard::new(settings.shard);
        let shared = Rc::new(Shared::new(shard, backend, settings.connections_max));
        let mut serving = Serving {
            shared: Rc::clone(&shared),
            listeners: Vec::new(),
            files: Vec::new(),
        };
        let BoundStreams {
            tcp,
            unix,
            datagrams,
            stdin,
            addresses: _,
        } = settings.bound;
        for listener in tcp {
            listener.socket.set_nonblocking(true)?;
            serving.accept(listener, Family::Tcp)?;
        }
        for listener in unix {
            listener.socket.set_nonblocking(true)?;
            serving.accept(listener, Family::Unix)?;
        }
        for listener in datagrams {
            let buffer = vec![0; settings.max_datagram_bytes];
            let socket = watch(listener.socket.into())?;
            let receiving = datagrams::receive_all(socket, buffer, Rc::clone(&shared));
            serving.listeners.push(spawn_local(receiving));
            serving.files.extend(listener.file);
        }
        for socket in settings.liveness {
            socket.set_nonblocking(true)?;
            let answering = liveness::answer_all(watch(socket.into())?, Rc::clone(&shared));
            serving.listeners.push(spawn_local(answering));
        }
        if stdin {
            shared.read_stdin()?;
        }
        Ok(serving)
    }

    fn accept(&mut self, listener: Listener<impl Into<OwnedFd>>, family: Family) -> io::Result<()> {
        let last = match listener.is_inherited {
            true => Last::LeftToOthers,
            false => Last::Accepted,
        };
        let socket = watch(listener.socket.into())?;
        let accepting = listener::accept_all(socket, family, last, Rc::clone(&self.shared));
        self.listeners.push(spawn_local(accepting));
        self.files.extend(listener.file);
        Ok(())
    }

    /// Answers the flusher until it says to stop.
    async fn obey(
        self,
        waker: Waker,
        commands: &mpsc::Receiver<Command>,
        hand_overs: &impl Fn(HandOver),
    ) {
        let event = waker.as_fd().try_clone_to_owned().and_then(watch);
        let event = event.unwrap_or_else(|error| cannot_go_on(&error));
        loop {
            let take = |_: BorrowedFd<'_>| match waker.take_event() {
                true => Ok(()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
            if let Err(error) = event.when_readable(take).await {
                cannot_go_on(&error);
            }
            while let Ok(command) = commands.try_recv() {
                match command {
                    Command::Flush(empty) => {
                        hand_overs(self.shared.hand_over(*empty));
                    }
                    Command::Change(rules) => self.shared.with_shard(|shard| shard.change(rules)),
                    Command::Grant(grants) => self.shared.with_shard(|shard| shard.grant(grants)),
                    Command::Forget(silence) => {
                        self.shared.with_shard(|shard| shard.forget(silence));
                        while self.shared.with_shard(Shard::forget_some) {
                            tokio::task::yield_now().await;
                        }
                    }
                    Command::Stop => {
                        hand_overs(self.stop().await);
                        return;
                    }
                }
            }
        }
    }

    /// Takes what was sent by now, and the last interval.
    async fn stop(self) -> HandOver {
        self.shared.stop();
        let drained = tokio::time::timeout(DRAIN_MAX, async {
            for listener in self.listeners {
                // A panic in it has ended the process.
                let _ = listener.await;
            }
            self.shared.drain().await;
        });
        let is_drained = drained.await.is_ok();
        // Before the hand-over, as the process may end right after it.
        drop(self.files);
        let empty = Interval::default();
        HandOver {
            is_drained,
            ..self.shared.hand_over(empty)
        }
    }
}

fn watch(descriptor: OwnedFd) -> io::Result<Watched> {
    Watched::new(descriptor).map_err(|(_, error)| error)
}

/// Going on would lose what comes over streams in silence.
fn cannot_go_on(error: &io::Error) -> ! {
    log::error!("the thread of streams cannot hear the flusher any more: {error}");
    std::process::exit(1);
}

/// Raises the limit on open files as far as it may be.
fn allow_descriptors(wanted: u64) {
    let limits = getrlimit(Resource::Nofile);
    let Some(now) = limits.current.filter(|&now| now < wanted) else {
        return;
    };
    let granted = limits.maximum.map_or(wanted, |most| most.min(wanted));
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(granted),
            maximum: limits.maximum,
        },
    );
    if raised.is_err() || granted < wanted {
        log::warn!(
            "the limit on open files is {}; max_connections needs {wanted} (LimitNOFILE= of \
             systemd, or ulimit -n)",
            raised.map_or(now, |()| granted)
        );
    }
}
