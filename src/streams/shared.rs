//! What all streams share: the shard that they feed, the limit on them, and the word to stop.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use log::Level;
use socket2::{SockRef, TcpKeepalive};
use tokio::sync::{Notify, watch};
use tokio::task::spawn_local;

use super::connection::{End, read_to_end};
use super::source::{Origin, Source};
use super::sparse_log::SparseLog;
use crate::io::Backend;
use crate::kernel::{Datagram, ReceiveCounters, Visit};
use crate::metric::Interval;
use crate::protocol::{Broken, Framing};
use crate::shard::{HandOver, Shard};

/// A peer that is silent for this long is asked whether it is there, and is gone if it does not
/// answer six times, ten seconds apart. So half-open connections do not count against the limit
/// for ever.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEPALIVE_TRIES: u32 = 6;

/// Owned by the thread of all streams, together with its tasks.
pub(super) struct Shared {
    pub(super) backend: Backend,
    shard: RefCell<Shard>,
    connections_max: usize,
    open: Cell<usize>,
    /// Datagrams taken off the kernel.
    datagrams: Cell<u64>,
    reads_stdin: Cell<bool>,
    stop: watch::Sender<bool>,
    ended: Notify,
    warnings: SparseLog,
    /// Connections that were cut off.
    cuts: SparseLog,
}

impl Shared {
    pub(super) fn new(shard: Shard, backend: Backend, connections_max: usize) -> Shared {
        Shared {
            backend,
            shard: RefCell::new(shard),
            connections_max,
            open: Cell::default(),
            datagrams: Cell::default(),
            reads_stdin: Cell::default(),
            stop: watch::Sender::new(false),
            ended: Notify::new(),
            warnings: SparseLog::of(Level::Warn),
            cuts: SparseLog::of(Level::Debug),
        }
    }

    /// Works with the shard; not across an await.
    pub(super) fn with_shard<T>(&self, work: impl FnOnce(&mut Shard) -> T) -> T {
        work(&mut self.shard.borrow_mut())
    }

    /// Moves the interval out and an empty one in.
    pub(super) fn hand_over(&self, empty: Interval) -> HandOver {
        HandOver {
            receive: ReceiveCounters {
                datagrams: self.datagrams.get(),
                ..ReceiveCounters::default()
            },
            ..self.with_shard(|shard| shard.hand_over(empty, &[]))
        }
    }

    /// Takes what has come over a stream.
    pub(super) fn feed(&self, framing: &mut Framing, piece: &[u8]) -> Result<(), Broken> {
        self.with_shard(|shard| shard.piece(framing, piece))
    }

    /// Takes what is left of a stream that has ended.
    pub(super) fn finish(&self, framing: Framing) -> Result<(), Broken> {
        self.with_shard(|shard| shard.end_of_stream(framing))
    }

    /// Takes a datagram.
    pub(super) fn datagram(&self, bytes: &[u8], cut_bytes: usize) {
        self.datagrams.set(self.datagrams.get() + 1);
        self.with_shard(|shard| {
            shard.batch();
            shard.datagram(Datagram { bytes, cut_bytes });
        });
    }

    /// Reads a connection that was accepted, if there is room for one more.
    pub(super) fn welcome(self: &Rc<Self>, origin: Origin) {
        let open = self.open.get();
        let has_room = open < self.connections_max;
        self.with_shard(|shard| {
            let counts = shard.connections();
            match has_room {
                true => counts.accepted += 1,
                false => counts.refused += 1,
            }
        });
        if !has_room {
            self.warn(format_args!(
                "{open} connections are open, and no more are taken (max_connections)"
            ));
            return;
        }
        if let Origin::Tcp(stream) = &origin {
            let keepalive = TcpKeepalive::new()
                .with_time(KEEPALIVE_AFTER)
                .with_interval(KEEPALIVE_EVERY)
                .with_retries(KEEPALIVE_TRIES);
            if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keepalive) {
                self.warn(format_args!("cannot set SO_KEEPALIVE: {error}"));
            }
        }
        let source = match Source::adopt(self.backend, origin) {
            Ok(source) => source,
            Err(error) => {
                self.warn(format_args!("cannot read a connection: {error}"));
                return;
            }
        };
        self.count_open(open + 1);
        let shared = Rc::clone(self);
        spawn_local(async move {
            let end = read_to_end(&source, &shared).await;
            shared.note(&end, "a connection");
            shared.count_open(shared.open.get() - 1);
            shared.ended.notify_one();
        });
    }

    /// Reads the standard input.
    ///
    /// # Errors
    /// If the event loop cannot wait for it.
    pub(super) fn read_stdin(self: &Rc<Self>) -> io::Result<()> {
        let descriptor = io::stdin();
        let descriptor = std::os::fd::AsFd::as_fd(&descriptor).try_clone_to_owned()?;
        let source = Source::adopt(self.backend, Origin::Stdin(descriptor))?;
        self.reads_stdin.set(true);
        let shared = Rc::clone(self);
        spawn_local(async move {
            let end = read_to_end(&source, &shared).await;
            shared.note(&end, "the standard input");
            if matches!(end, End::Closed) && !shared.is_stopping() {
                log::info!("the standard input has ended");
            }
            shared.reads_stdin.set(false);
            shared.ended.notify_one();
        });
        Ok(())
    }

    fn count_open(&self, open: usize) {
        self.open.set(open);
        self.with_shard(|shard| shard.connections().open = open as u64);
    }

    fn note(&self, end: &End, what: &str) {
        match end {
            End::Closed => {}
            End::Failed(error) => self.cuts.write(format_args!("{what} was cut off: {error}")),
            End::Broken => self.warn(format_args!(
                "nothing more is read of {what}: it brought a broken frame (refused.bad_frame)"
            )),
        }
    }

    /// Writes a warning that must not fill the log, whatever peers do.
    pub(super) fn warn(&self, text: impl Display) {
        self.warnings.write(text);
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits for the word to stop.
    pub(super) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as this does.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// Gives the word to stop to whoever listens.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// After the word to stop, waits until every stream has ended or fallen silent.
    pub(super) async fn drain(&self) {
        while self.reads_stdin.get() || self.open.get() > 0 {
            self.ended.notified().await;
        }
    }
}
