//! Traffic that keeps to its schedule whatever becomes of the receiver, as clients do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::poll;
use super::udp::Sender;

/// What clients send in a second.
pub(crate) const RATE: u64 = 50_000;

/// What a receive buffer must hold of it: some seconds in which nobody reads, of datagrams that the kernel
/// counts with 768 bytes each, over two sockets.
pub(crate) const RECEIVE_BUFFER_BYTES: usize = 96 << 20;

/// Sockets that it comes from, so that each shard gets some.
const SENDERS_COUNT: usize = 8;

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(1);

/// So many datagrams, at [`RATE`].
pub(crate) struct OpenLoop {
    senders: Vec<Sender>,
    datagram: &'static str,
    count: u64,
    sent: AtomicU64,
}

impl OpenLoop {
    pub(crate) fn new(to: SocketAddr, datagram: &'static str, count: u64) -> OpenLoop {
        OpenLoop {
            senders: (0..SENDERS_COUNT).map(|_| Sender::to(to)).collect(),
            datagram,
            count,
            sent: AtomicU64::new(0),
        }
    }

    /// Sends all, each datagram as soon as it is due.
    ///
    /// # Panics
    /// If the rate was not nearly kept, on a machine that is far too busy.
    pub(crate) fn run(&self) {
        let began = Instant::now();
        let mut senders = self.senders.iter().cycle();
        let mut sent = 0;
        while sent < self.count {
            let due = (began.elapsed().as_secs_f64() * RATE as f64) as u64;
            for sender in senders
                .by_ref()
                .take(due.min(self.count).saturating_sub(sent) as usize)
            {
                sender.send(self.datagram);
                sent += 1;
                self.sent.store(sent, Ordering::SeqCst);
            }
            thread::sleep(TICK);
        }
        let rate = self.count as f64 / began.elapsed().as_secs_f64();
        // Far below on a machine that has no core left for the sender, which is no fault of the daemon.
        assert!(rate > RATE as f64 / 10.0, "{rate:.0} datagrams/s");
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Waits until so many are sent.
    pub(crate) fn wait_for_sent(&self, count: u64) {
        poll("datagrams to be sent", || {
            (self.sent() >= count.min(self.count)).then_some(())
        });
    }

    /// Waits until all are sent.
    pub(crate) fn wait_for_end(&self) {
        self.wait_for_sent(self.count);
    }
}

/// Whether the kernel gave the daemon's sockets a buffer that holds what comes while nobody reads; it does
/// so beyond its limit for a process with CAP_NET_ADMIN.
pub(crate) fn has_large_buffers(daemon: &Daemon) -> bool {
    daemon.receive_buffer_bytes() >= RECEIVE_BUFFER_BYTES
}
