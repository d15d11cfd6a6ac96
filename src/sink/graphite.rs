//! Sends the parts of slots to a Graphite receiver, over one TCP connection that stays open or over
//! one for each flush.

mod by_flush;

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backlog::Sent;
use super::backoff::Backoff;
use super::connection::Connection;
use super::dial::{Resolve, dial};
use super::stream::Stream;
use super::{Lifetime, Part, Queue};

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
    /// How long a connection is used.
    pub lifetime: Lifetime,
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
        match self.lifetime {
            Lifetime::Lasting => self.run_lasting(adopt).await,
            Lifetime::Flush => self.run_by_flush(adopt).await,
        }
    }

    async fn run_lasting<S: Stream>(self, adopt: impl Fn(TcpStream) -> io::Result<S>) {
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
                self.queue.count_failure();
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
                    return self.ended(end, last_sent, &connection, &proof);
                }
                () = tokio::time::sleep_until(proven_at.into()),
                    if matches!(proof, Proof::StandsAt(_)) =>
                {
                    proof = Proof::Proven;
                    backoff.reset();
                    outage.end(self.queue.name(), self.queue.counters().lines_waiting());
                    continue;
                }
                part = self.queue.take() => part,
            };
            let Some(part) = part else {
                return finish(connection, last_sent, &self.queue, self.patience.close).await;
            };
            if connection.has_ended() {
                self.queue.cut_off();
                let end = connection.ended().await;
                return self.ended(end, last_sent, &connection, &proof);
            }
            if !last_sent.is_continued_by(&part) && connection.has_arrived() {
                last_sent = LastSent::default();
            }
            if let Err(error) = self.write(&connection, &part).await {
                last_sent.repeat(&self.queue, &connection);
                return Err(error);
            }
            last_sent.add(self.queue.sent(), &connection);
            if matches!(proof, Proof::NothingSent) {
                proof = Proof::StandsAt(Instant::now() + IN_DOUBT);
            }
        }
    }

    /// The peer has ended the connection: what it may not have read is sent again.
    fn ended<S: Stream>(
        &self,
        end: io::Result<()>,
        last_sent: LastSent,
        connection: &Connection<S>,
        proof: &Proof,
    ) -> io::Result<()> {
        if end.is_err() || !connection.has_arrived() || last_sent.is_recent() {
            last_sent.repeat(&self.queue, connection);
        }
        match proof {
            Proof::StandsAt(_) => end.and(Err(closed_at_once())),
            Proof::NothingSent | Proof::Proven => end,
        }
    }

    /// Writes the part that was taken last; one that is cut off is queued again.
    async fn write<S: Stream>(&self, connection: &Connection<S>, part: &Part) -> io::Result<()> {
        let began = Instant::now();
        let written = connection.write(part).await;
        match written {
            Ok(()) => self.queue.count_write(part, began.elapsed()),
            Err(_) => self.queue.cut_off(),
        }
        written
    }
}

/// Ends a connection over which nothing more is to come. The peer gets a moment to close it too, as
/// it does when it has read all. If it breaks instead, or the peer ended it before it knew that this is
/// all, the last slot is sent again. A peer that ends its half first and reads on gets it twice: nobody
/// can tell it from one that is gone.
async fn finish<S: Stream>(
    connection: Connection<S>,
    last_sent: LastSent,
    queue: &Queue,
    patience: Duration,
) -> io::Result<()> {
    if last_sent.parts.is_empty() {
        return Ok(());
    }
    let is_early = connection.has_ended();
    connection.finish();
    let ended = tokio::time::timeout(patience, connection.ended()).await;
    let error = match ended {
        Ok(Err(error)) => error,
        Ok(Ok(())) if is_early || !connection.has_arrived() => ended_early(),
        // One that has not closed yet may be slow.
        Ok(Ok(())) | Err(_) => return Ok(()),
    };
    last_sent.repeat(queue, &connection);
    Err(error)
}

/// What was written of the last slot, kept until another one begins when the host of the peer has it all:
/// of a peer that hangs, our kernel may hold several slots. The kernel has taken them, but a peer that
/// ends right after, or with an error, may not have read them all: then they are sent once more, as
/// Graphite overwrites equal points. Of too many bytes only the last are kept.
#[derive(Default)]
struct LastSent {
    /// Each with what was written of its connection up to its end, in bytes.
    parts: VecDeque<(Sent, u64)>,
    size_bytes: u64,
    at: Option<Instant>,
}

impl LastSent {
    /// A part was written; `None` if it is not to be sent again any more.
    fn add<S: Stream>(&mut self, sent: Option<Sent>, connection: &Connection<S>) {
        if let Some(sent) = sent {
            self.size_bytes += sent.part().size_bytes();
            self.at = Some(Instant::now());
            self.parts.push_back((sent, connection.written_bytes()));
        }
        while self.size_bytes > REPEATED_BYTES_MAX
            && self.parts.len() > 1
            && let Some((first, _)) = self.parts.pop_front()
        {
            self.size_bytes -= first.part().size_bytes();
        }
    }

    fn is_continued_by(&self, part: &Part) -> bool {
        let last = self.parts.back();
        last.is_some_and(|(last, _)| part.continues(last.part()))
    }

    fn is_recent(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() < IN_DOUBT)
    }

    /// Of a peer that reads some and goes, each time, only what it has not read counts as lost for sure,
    /// so that each connection gets further.
    fn repeat<S: Stream>(self, queue: &Queue, connection: &Connection<S>) {
        for (sent, end_bytes) in self.parts {
            queue.repeat(sent, connection.loss(end_bytes));
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

fn closed_at_once() -> io::Error {
    let text = "the peer closes right after it takes points, perhaps a balancer without a receiver";
    io::Error::new(io::ErrorKind::ConnectionAborted, text)
}

fn ended_early() -> io::Error {
    let text = "the peer ends the connection before it can have read all, perhaps a balancer \
                without a receiver";
    io::Error::new(io::ErrorKind::ConnectionAborted, text)
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

    fn end(&mut self, sink: &str, lines_waiting: u64) {
        if let Some(since) = self.since.take() {
            log::info!(
                "sink {sink} is back after {:.1} s; {lines_waiting} lines are still to be sent",
                since.elapsed().as_secs_f64()
            );
        }
    }
}

/// The most bytes of a slot that are kept to be sent again: more than both kernels hold of a connection,
/// 4 MiB of ours (`net.ipv4.tcp_wmem`) and 6 MiB of the peer's (`net.ipv4.tcp_rmem`) as Linux has it.
/// Where these limits were raised a peer that hangs may leave more unread: the start of it is lost then,
/// and nobody knows how much. So are small slots that its host had whole and it never read.
const REPEATED_BYTES_MAX: u64 = 16 << 20;

/// A part is in doubt when its connection ends, even in order, this soon after.
const IN_DOUBT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bytes::Bytes;

    use super::*;
    use crate::sink::backlog::Order;

    /// A connection whose peer ends it, perhaps before we do, and after so many bytes.
    struct Ending {
        ended_before: bool,
        read_bytes_max: u64,
        written: Cell<u64>,
    }

    impl Ending {
        fn after(read_bytes_max: u64, ended_before: bool) -> Connection<Ending> {
            let ending = Ending {
                ended_before,
                read_bytes_max,
                written: Cell::new(0),
            };
            Connection::new(ending, PATIENCE)
        }
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    fn queue_of(part_count: u32) -> Queue {
        let queue = Queue::new("test".to_owned(), Order::Arrival, 1 << 20);
        for index in 0..part_count {
            queue.push(Part {
                end_unix_s: 1,
                index,
                lines: 10,
                chunks: vec![Bytes::from_static(&[b'x'; 100])],
            });
        }
        queue.close();
        queue
    }

    async fn write_all(queue: &Queue, connection: &Connection<Ending>) -> LastSent {
        let mut last_sent = LastSent::default();
        while let Some(part) = queue.take().await {
            connection.write(&part).await.expect("it takes all");
            last_sent.add(queue.sent(), connection);
        }
        last_sent
    }

    impl Stream for Ending {
        async fn read(&self, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
            (Ok(0), buffer)
        }

        async fn write(&self, bytes: Bytes) -> io::Result<usize> {
            self.written.set(self.written.get() + bytes.len() as u64);
            Ok(bytes.len())
        }

        fn has_ended(&self) -> bool {
            self.ended_before
        }

        fn unacknowledged_bytes(&self) -> u64 {
            self.written.get().saturating_sub(self.read_bytes_max)
        }

        fn finish(&self) {}

        fn shutdown(&self) {}
    }

    #[tokio::test]
    async fn an_end_that_came_too_early_is_no_success() {
        let all = [(false, true), (true, true), (false, false), (true, false)];
        for (ended_before, has_all) in all {
            let queue = queue_of(1);
            let ended = async {
                let connection = Ending::after(if has_all { 100 } else { 99 }, ended_before);
                let last_sent = write_all(&queue, &connection).await;
                finish(connection, last_sent, &queue, PATIENCE).await
            };
            let ended = tokio::task::LocalSet::new().run_until(ended).await;
            let in_order = !ended_before && has_all;
            assert_eq!(ended.is_ok(), in_order, "{ended_before} {has_all}");
            assert_eq!(queue.is_finished(), in_order, "otherwise it is sent again");
        }
    }

    /// Such a peer got the same beginning of the slot over and over, as long as it left anything unread.
    #[tokio::test]
    async fn a_peer_that_reads_a_little_and_goes_gets_further_with_each_connection() {
        let queue = queue_of(8);
        let all = async {
            for count in 0.. {
                if queue.is_finished() {
                    return count;
                }
                assert!(count < 100, "it comes to no end");
                let connection = Ending::after(150, false);
                let last_sent = write_all(&queue, &connection).await;
                last_sent.repeat(&queue, &connection);
            }
            unreachable!("it has returned")
        };
        // Of the first part, which its host had, it gets a second try; the others had theirs.
        assert_eq!(tokio::task::LocalSet::new().run_until(all).await, 9);
        assert_eq!(queue.counters().lines_doubtful, 80);
    }
}
