//! A connection for each flush, as etsy's statsd makes them: its end tells a receiver that the slot
//! is whole, and the receiver's end tells us that it was read.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Backoff, Connection, Graphite, LastSent, Outage, Stream, dial, ended_early, finish};

/// Connections that wait for their peer to close them too. Beyond them the next slot waits.
const ENDINGS_MAX: usize = 16;

impl Graphite {
    pub(super) async fn run_by_flush<S: Stream>(self, adopt: impl Fn(TcpStream) -> io::Result<S>) {
        let mut backoff = Backoff::new(self.patience.backoff_min, self.patience.backoff_max);
        let mut outage = Outage::default();
        // A peer that is slow to close must not hold up the next slot.
        let mut endings: JoinSet<io::Result<()>> = JoinSet::new();
        loop {
            let is_crowded = endings.len() >= ENDINGS_MAX;
            let result = tokio::select! {
                biased;
                Some(ended) = endings.join_next() => ended.expect("a panic ends the process"),
                has_part = self.queue.wait_for_part(), if !is_crowded => {
                    let sent = match has_part {
                        true => self.send(&adopt).await.map(Some),
                        false => Ok(None),
                    };
                    match sent {
                        Err(error) => Err(error),
                        Ok(Some((connection, last_sent))) => {
                            let (queue, patience) = (Arc::clone(&self.queue), self.patience.close);
                            endings.spawn_local(async move {
                                finish(connection, last_sent, &queue, patience).await
                            });
                            continue;
                        }
                        // All is sent; a slot whose connection breaks now is sent again.
                        Ok(None) => match endings.join_next().await {
                            Some(ended) => ended.expect("a panic ends the process"),
                            None => return,
                        },
                    }
                }
            };
            match result {
                Ok(()) => {
                    backoff.reset();
                    outage.end(self.queue.name(), self.queue.counters().lines_waiting());
                }
                Err(error) => {
                    self.queue.count_failure();
                    outage.begin(self.queue.name(), &error);
                    backoff.pause(&self.queue).await;
                }
            }
        }
    }

    /// Sends what is due, to the end of the slot that is being pushed, over a connection of its own.
    async fn send<S: Stream>(
        &self,
        adopt: impl Fn(TcpStream) -> io::Result<S>,
    ) -> io::Result<(Connection<S>, LastSent)> {
        let dialed = dial(&self.resolve, &self.host, self.port, self.patience.connect);
        let stream = dialed.await.and_then(adopt)?;
        let connection = Connection::new(stream, self.patience.write);
        let mut last_sent = LastSent::default();
        while self.queue.goes_on().await
            && let Some(part) = self.queue.take().await
        {
            let written = match connection.has_ended() {
                true => {
                    self.queue.cut_off();
                    Err(ended_early())
                }
                false => self.write(&connection, &part).await,
            };
            if let Err(error) = written {
                last_sent.repeat(&self.queue, &connection);
                return Err(error);
            }
            last_sent.add(self.queue.sent(), &connection);
        }
        Ok((connection, last_sent))
    }
}
