//! Sends the parts of slots to a Graphite receiver over one TCP connection that stays open.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};

use super::backlog::Sent;
use super::backoff::Backoff;
use super::dial::{Resolve, dial};
use super::stream::Stream;
use super::{Part, Queue};

/// How long a sink waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one address of the host to accept a connection.
    pub connect: Duration,
    /// For the peer to take any bytes at all.
    pub write: Duration,
    /// Between two attempts to connect, at first.
    pub backoff_min: Duration,
    /// Between two attempts to connect, after many.
    pub backoff_max: Duration,
    /// For the peer to read what was sent last and close the connection too, when the daemon stops.
    pub close: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            connect: Duration::from_secs(5),
            write: Duration::from_secs(30),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(30),
            close: Duration::from_secs(1),
        }
    }
}

/// One Graphite sink. Whether a part holds text or pickles is no matter here: both start anew
/// with a connection, so a part that was cut off is sent again whole and nothing is torn.
pub struct Graphite {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What to send.
    pub queue: Arc<Queue>,
    /// Asked again at each attempt to connect.
    pub resolve: Resolve,
    /// How long to wait for what.
    pub patience: Patience,
}

impl Graphite {
    /// Sends until the queue is closed and empty. `adopt` makes a connected socket into a stream.
    /// Runs in a `LocalSet`.
    pub async fn run<S: Stream>(self, adopt: impl Fn(TcpStream) -> io::Result<S>) {
        let mut backoff = Backoff::new(self.patience.backoff_min, self.patience.backoff_max);
        let mut outage = Outage::default();
        let mut connected_before = false;
        // The first connection is made before there is a part, so that a wrong address is told
        // of at start; later ones when a part is due, as a peer may close what is idle.
        while (!connected_before && !self.queue.is_closed()) || self.queue.wait_for_part().await {
            let dialed = dial(&self.resolve, &self.host, self.port, self.patience.connect);
            let ended = match dialed.await.and_then(&adopt) {
                Ok(stream) => {
                    if connected_before {
                        self.queue.count_reconnect();
                    }
                    connected_before = true;
                    self.serve(stream, &mut backoff, &mut outage).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                outage.begin(self.queue.name(), &error);
            }
            if self.queue.is_finished() {
                return;
            }
            backoff.pause(&self.queue).await;
        }
    }

    /// Sends over one connection until it ends. Returns `Ok` when the peer closed an idle
    /// connection and when there is nothing left to send.
    async fn serve<S: Stream>(
        &self,
        stream: S,
        backoff: &mut Backoff,
        outage: &mut Outage,
    ) -> io::Result<()> {
        let connection = Connection::new(stream, self.patience.write);
        let mut last_sent = LastSent::default();
        let mut proof = Proof::NothingSent;
        loop {
            let proven_at = match proof {
                Proof::StandsAt(at) => at,
                Proof::NothingSent | Proof::Proven => Instant::now(),
            };
            let part = tokio::select! {
                biased;
                end = connection.ended() => {
                    if end.is_err() || last_sent.is_recent() {
                        last_sent.repeat(&self.queue);
                    }
                    return match proof {
                        Proof::StandsAt(_) => end.and(Err(closed_at_once())),
                        Proof::NothingSent | Proof::Proven => end,
                    };
                }
                () = tokio::time::sleep_until(proven_at.into()),
                    if matches!(proof, Proof::StandsAt(_)) =>
                {
                    proof = Proof::Proven;
                    backoff.reset();
                    outage.end(self.queue.name(), self.queue.counters().lines_queued);
                    continue;
                }
                part = self.queue.take() => part,
            };
            let Some(part) = part else {
                return self.finish(&connection, last_sent).await;
            };
            if let Err(error) = connection.write(&part).await {
                self.queue.cut_off();
                last_sent.repeat(&self.queue);
                return Err(error);
            }
            last_sent.add(self.queue.sent());
            if matches!(proof, Proof::NothingSent) {
                proof = Proof::StandsAt(Instant::now() + IN_DOUBT);
            }
        }
    }

    /// Ends a connection over which nothing more is to come. The peer gets a moment to close it
    /// too, as it does when it has read all; if it breaks instead, the last slot is sent again.
    async fn finish<S: Stream>(
        &self,
        connection: &Connection<S>,
        last_sent: LastSent,
    ) -> io::Result<()> {
        if last_sent.parts.is_empty() {
            return Ok(());
        }
        connection.stream.finish();
        let ended = tokio::time::timeout(self.patience.close, connection.ended()).await;
        if let Ok(Err(error)) = ended {
            last_sent.repeat(&self.queue);
            return Err(error);
        }
        Ok(())
    }
}

/// What was written of the last slot, kept until the next one begins. The kernel has taken it, but
/// a peer that ends right after it, or with an error, may not have read it all: then it is sent once
/// more, as Graphite overwrites equal points. Of a large slot only the end is kept.
#[derive(Default)]
struct LastSent {
    parts: VecDeque<Sent>,
    size_bytes: u64,
    at: Option<Instant>,
}

impl LastSent {
    /// A part was written; `None` if it is not to be sent again any more.
    fn add(&mut self, sent: Option<Sent>) {
        let last = self.parts.back();
        let continues = last
            .zip(sent.as_ref())
            .is_some_and(|(last, sent)| sent.part().continues(last.part()));
        if !continues {
            *self = LastSent::default();
        }
        if let Some(sent) = sent {
            self.size_bytes += sent.part().size_bytes();
            self.at = Some(Instant::now());
            self.parts.push_back(sent);
        }
        while self.size_bytes > REPEATED_BYTES_MAX
            && self.parts.len() > 1
            && let Some(first) = self.parts.pop_front()
        {
            self.size_bytes -= first.part().size_bytes();
        }
    }

    fn is_recent(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() < IN_DOUBT)
    }

    fn repeat(self, queue: &Queue) {
        for sent in self.parts {
            queue.repeat(sent);
        }
    }
}

/// Whether a connection leads to a receiver. A balancer without one accepts, takes a part and
/// closes: that must neither look like the end of an outage nor make the next attempt sooner.
enum Proof {
    NothingSent,
    /// If it stands at that time, it does.
    StandsAt(Instant),
    Proven,
}

/// A stream with a read always under way, which notices the peer's end before anything is written.
struct Connection<S: Stream> {
    stream: Rc<S>,
    end: Rc<End>,
    write_patience: Duration,
}

/// How a connection ended, told by the task that reads.
#[derive(Default)]
struct End {
    result: RefCell<Option<io::Result<()>>>,
    told: Notify,
}

impl<S: Stream> Connection<S> {
    fn new(stream: S, write_patience: Duration) -> Connection<S> {
        let stream = Rc::new(stream);
        let end = Rc::new(End::default());
        // Not kept: it ends with the stream.
        drop(spawn_local(watch(Rc::clone(&stream), Rc::clone(&end))));
        Connection {
            stream,
            end,
            write_patience,
        }
    }

    /// Waits for the connection's end; may be dropped at any await.
    async fn ended(&self) -> io::Result<()> {
        loop {
            if let Some(result) = self.end.result.take() {
                return result;
            }
            self.end.told.notified().await;
        }
    }

    /// Writes a part whole.
    async fn write(&self, part: &Part) -> io::Result<()> {
        let guard = StallGuard::new(&self.stream, self.write_patience);
        for chunk in &part.chunks {
            let mut rest = chunk.clone();
            while !rest.is_empty() {
                let piece = rest.slice(..rest.len().min(PIECE_BYTES_MAX));
                let written = self.stream.write(piece).await;
                if guard.stalled.get() {
                    return Err(stalled(self.write_patience));
                }
                let written = written?;
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                guard.progress.set(Instant::now());
                rest = rest.slice(written..);
            }
        }
        Ok(())
    }
}

impl<S: Stream> Drop for Connection<S> {
    fn drop(&mut self) {
        // Ends the read under way; the kernel still delivers what was written.
        self.stream.shutdown();
    }
}

fn stalled(patience: Duration) -> io::Error {
    let text = format!("the peer took no bytes for {patience:?}");
    io::Error::new(io::ErrorKind::TimedOut, text)
}

fn closed_at_once() -> io::Error {
    let text = "the peer closes right after it takes points, perhaps a balancer without a receiver";
    io::Error::new(io::ErrorKind::ConnectionAborted, text)
}

/// Reads until the connection ends. Graphite never answers, so what arrives is thrown away.
async fn watch<S: Stream>(stream: Rc<S>, end: Rc<End>) {
    let mut buffer = vec![0; 512];
    let result = loop {
        let (read, returned) = stream.read(buffer).await;
        buffer = returned;
        match read {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    end.result.replace(Some(result));
    end.told.notify_one();
}

/// Shuts a stream down when no bytes were taken for too long: a write cannot be given a deadline
/// of its own, because its future must not be dropped.
struct StallGuard {
    progress: Rc<Cell<Instant>>,
    stalled: Rc<Cell<bool>>,
    task: JoinHandle<()>,
}

impl StallGuard {
    fn new<S: Stream>(stream: &Rc<S>, patience: Duration) -> StallGuard {
        let progress = Rc::new(Cell::new(Instant::now()));
        let stalled = Rc::new(Cell::new(false));
        let task = {
            let (stream, progress, stalled) = (stream.clone(), progress.clone(), stalled.clone());
            spawn_local(async move {
                loop {
                    let deadline = progress.get() + patience;
                    if Instant::now() >= deadline {
                        break;
                    }
                    tokio::time::sleep_until(deadline.into()).await;
                }
                stalled.set(true);
                stream.shutdown();
            })
        };
        StallGuard {
            progress,
            stalled,
            task,
        }
    }
}

impl Drop for StallGuard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Since when a sink has been down, so that an outage makes two log lines and not two a try.
#[derive(Default)]
struct Outage {
    since: Option<Instant>,
}

impl Outage {
    fn begin(&mut self, sink: &str, error: &io::Error) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            log::warn!(
                "sink {sink} is down: {error}; its points are queued and sent when it is back; \
                 check that a Graphite receiver listens there and is not overloaded"
            );
        }
    }

    fn end(&mut self, sink: &str, lines_queued: u64) {
        if let Some(since) = self.since.take() {
            log::info!(
                "sink {sink} is back after {:.1} s; {lines_queued} lines are still queued",
                since.elapsed().as_secs_f64()
            );
        }
    }
}

/// The most bytes of a slot that are kept to be sent again: more than the kernels of both sides hold
/// of a connection whose peer reads as things come. One that hangs may leave more unread: Linux lets
/// a receive buffer grow to `net.ipv4.tcp_rmem`, which may be 32 MiB.
const REPEATED_BYTES_MAX: u64 = 8 << 20;

/// The most bytes that one write hands to the kernel.
const PIECE_BYTES_MAX: usize = 4 << 20;

/// A part is in doubt when its connection ends, even in order, this soon after.
const IN_DOUBT: Duration = Duration::from_secs(1);
