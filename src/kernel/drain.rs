//! The end of reception: takes what the kernel holds for sockets that nothing waits on any more.

use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::counters::ReceiveCounters;
use super::ledger::Batch;
use super::messages::{End, Messages};
use super::socket::SocketMemory;
use super::{Datagram, Visit};

/// How long a drain may take while more keeps coming.
pub(super) const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Less than any queued datagram takes of the receive buffer beside its own bytes, whatever the driver:
/// the packet's own two structures are larger.
const OVERHEAD_BYTES_MIN: usize = 256;

/// What becomes of datagrams that arrive while a drain goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latecomers {
    /// They are handed over, until the deadline: with the sockets their queues end.
    #[default]
    Taken,
    /// They stay where they are: somebody else holds the sockets, too, and our successor reads on.
    Left,
}

/// Takes the datagrams of all sockets without blocking. Everything that was queued at the call is
/// handed over, however long it takes: a service that is stopped for good has no successor. What
/// arrives meanwhile goes by `latecomers`.
///
/// Returns false if the deadline ended it and datagrams may be lost.
pub(super) fn drain(
    sockets: &[UdpSocket],
    messages: &mut Messages,
    deadline: Instant,
    latecomers: Latecomers,
    counters: &mut ReceiveCounters,
    visitor: &mut impl Visit,
) -> io::Result<bool> {
    // A queue is read in order, so what it held at the call is through when as much memory is free again.
    let queued_bytes = sockets.iter().map(|socket| {
        let memory = SocketMemory::of(socket)?;
        Ok(memory.queue_bytes)
    });
    let queued_bytes: Vec<usize> = queued_bytes.collect::<io::Result<_>>()?;
    let mut batch = Batch::default();
    let mut complete = true;
    for (socket, queued_bytes) in sockets.iter().zip(queued_bytes) {
        let mut weigh = Weigh {
            visitor: &mut *visitor,
            bytes: 0,
        };
        let mut failures = 0;
        loop {
            match messages.take(socket, 1024, &mut batch, counters, &mut weigh)? {
                End::Empty => break,
                // What fills the queue as fast as it is read may be short each time.
                End::Short | End::Limit => {
                    failures = 0;
                    let has_queued = weigh.bytes >= queued_bytes;
                    if has_queued && latecomers == Latecomers::Left {
                        break;
                    }
                    if has_queued && Instant::now() >= deadline {
                        complete = false;
                        break;
                    }
                }
                End::Failing => {
                    failures += 1;
                    if failures > 10 || Instant::now() >= deadline {
                        complete = false;
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }
    Ok(complete)
}

/// Adds up what datagrams took of a receive buffer, at least.
struct Weigh<'a, V> {
    visitor: &'a mut V,
    bytes: usize,
}

impl<V: Visit> Visit for Weigh<'_, V> {
    fn batch(&mut self) {
        self.visitor.batch();
    }

    fn datagram(&mut self, datagram: Datagram<'_>) {
        self.bytes += datagram.bytes.len() + datagram.cut_bytes + OVERHEAD_BYTES_MIN;
        self.visitor.datagram(datagram);
    }
}
