//! One shard's engine: io_uring or recvmmsg behind one face, and the way from the first to the
//! second when a ring fails.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use super::buffers::DATAGRAM_BYTES_MAX;
use super::counters::ReceiveCounters;
use super::drain::Latecomers;
use super::multishot::{RingReceiver, RingSettings};
use super::pace::Pace;
use super::probe::explain_no_memory;
use super::recvmmsg::MmsgReceiver;
use super::select::{EngineChoice, EngineKind, Selection};
use super::socket::{SocketMemory, bounded_wait, burst_count};
use super::waker::Waker;
use super::{Receive, Turn, Visit};

/// What a receiver is told; the same for all shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveSettings {
    /// Which engine to use.
    pub choice: EngineChoice,
    /// How long datagrams may gather before they are handed over. 0 hands each over as it comes,
    /// for more than twice the CPU; shortened where the receive buffer is small, and while so
    /// many come that a shorter wait brings a full batch.
    pub max_wait: Duration,
    /// The size of a buffer in bytes; longer datagrams are cut. At most
    /// [`DATAGRAM_BYTES_MAX`], which cuts none.
    pub max_datagram_bytes: usize,
    /// What becomes of datagrams that arrive while the last ones are taken.
    pub latecomers: Latecomers,
}

impl Default for ReceiveSettings {
    fn default() -> Self {
        ReceiveSettings {
            choice: EngineChoice::Auto,
            max_wait: Duration::from_millis(20),
            max_datagram_bytes: DATAGRAM_BYTES_MAX,
            latecomers: Latecomers::Taken,
        }
    }
}

/// The engine of one shard. Belongs to the thread that opened it. What it writes for a datagram
/// lies behind the box of its receiver, so that no other thread's memory is near.
pub struct Engine {
    pub(super) receiver: Receiver,
    pub(super) waker: Waker,
    /// For recvmmsg too, as far as it has a use for them.
    pub(super) settings: RingSettings,
    /// Counts of a receiver that was given up.
    pub(super) earlier: ReceiveCounters,
}

/// Matched once per turn, never per datagram.
pub(super) enum Receiver {
    Ring(Box<RingReceiver>),
    Mmsg(Box<MmsgReceiver>),
}

impl Engine {
    /// Opens the engine that was selected, on sockets that are bound already. To be called in
    /// the thread that will receive: the kernel ties a ring to it.
    ///
    /// With `auto`, a ring that cannot be had after all is logged and recvmmsg runs instead.
    ///
    /// # Errors
    /// Names the limit on locked memory if io_uring was asked for and there is too little.
    pub fn open(
        sockets: Vec<UdpSocket>,
        waker: Waker,
        selection: &Selection,
        settings: &ReceiveSettings,
    ) -> io::Result<Engine> {
        let receive_buffer_bytes = smallest_receive_buffer(&sockets)?;
        let max_wait = bounded_wait(receive_buffer_bytes, settings.max_wait);
        let burst_count = burst_count(receive_buffer_bytes, max_wait);
        let max_datagram_bytes = settings.max_datagram_bytes.clamp(1, DATAGRAM_BYTES_MAX);
        let ring_settings = RingSettings {
            latecomers: settings.latecomers,
            ..RingSettings::new(max_datagram_bytes, max_wait, burst_count)
        };
        let receiver = match selection.kind {
            EngineKind::Recvmmsg => open_mmsg(sockets, &waker, ring_settings)?,
            EngineKind::IoUring => match open_ring(sockets, &waker, ring_settings) {
                Ok(receiver) => Receiver::Ring(Box::new(receiver)),
                Err((_, error)) if selection.choice == EngineChoice::IoUring => return Err(error),
                Err((sockets, error)) => {
                    log::warn!("udp: a shard uses the recvmmsg engine (io_uring: {error})");
                    open_mmsg(sockets, &waker, ring_settings)?
                }
            },
        };
        Ok(Engine {
            receiver,
            waker,
            settings: ring_settings,
            earlier: ReceiveCounters::default(),
        })
    }

    /// Which engine runs; after a ring has failed, `recvmmsg`.
    pub fn name(&self) -> &'static str {
        match self.receiver {
            Receiver::Ring(_) => EngineKind::IoUring.name(),
            Receiver::Mmsg(_) => EngineKind::Recvmmsg.name(),
        }
    }

    /// The longest wait that is used: [`bounded_wait`] of the smallest receive buffer.
    pub fn max_wait(&self) -> Duration {
        self.settings.max_wait
    }

    /// Goes on with recvmmsg on the sockets of a ring that failed.
    fn give_up_ring(&mut self, error: &io::Error, visitor: &mut impl Visit) -> io::Result<()> {
        let Receiver::Ring(ring) = &mut self.receiver else {
            unreachable!("only a ring is given up");
        };
        log::warn!("udp: io_uring failed ({error}); this shard goes on with recvmmsg");
        let sockets = ring.retire(visitor);
        self.earlier += ring.counters();
        self.receiver = open_mmsg(sockets, &self.waker, self.settings)?;
        Ok(())
    }
}

impl Receive for Engine {
    fn receive(&mut self, visitor: &mut impl Visit) -> io::Result<Turn> {
        match &mut self.receiver {
            Receiver::Mmsg(receiver) => receiver.receive(visitor),
            Receiver::Ring(receiver) => match receiver.receive(visitor) {
                Ok(turn) => Ok(turn),
                Err(error) => {
                    self.give_up_ring(&error, visitor)?;
                    self.receive(visitor)
                }
            },
        }
    }

    fn drain(&mut self, visitor: &mut impl Visit) -> io::Result<bool> {
        match &mut self.receiver {
            Receiver::Mmsg(receiver) => receiver.drain(visitor),
            Receiver::Ring(receiver) => match receiver.drain(visitor) {
                Ok(complete) => Ok(complete),
                Err(error) => {
                    self.give_up_ring(&error, visitor)?;
                    self.drain(visitor)
                }
            },
        }
    }

    fn sockets(&self) -> &[UdpSocket] {
        match &self.receiver {
            Receiver::Ring(receiver) => receiver.sockets(),
            Receiver::Mmsg(receiver) => receiver.sockets(),
        }
    }

    fn counters(&self) -> ReceiveCounters {
        let mut counters = self.earlier;
        counters += match &self.receiver {
            Receiver::Ring(receiver) => receiver.counters(),
            Receiver::Mmsg(receiver) => receiver.counters(),
        };
        counters
    }

    fn set_max_wait(&mut self, max_wait: Duration) {
        let Ok(receive_buffer_bytes) = smallest_receive_buffer(self.sockets()) else {
            // A socket that cannot be asked cannot receive either, which the next turn finds.
            return;
        };
        let max_wait = bounded_wait(receive_buffer_bytes, max_wait);
        self.settings.max_wait = max_wait;
        self.settings.burst_count = burst_count(receive_buffer_bytes, max_wait);
        let pace = Pace::new(max_wait, self.settings.burst_count);
        match &mut self.receiver {
            Receiver::Ring(receiver) => receiver.set_pace(pace),
            Receiver::Mmsg(receiver) => receiver.set_pace(pace),
        }
    }
}

/// The smallest receive buffer, which bounds how long all sockets may be left alone.
fn smallest_receive_buffer(sockets: &[UdpSocket]) -> io::Result<usize> {
    let mut smallest = usize::MAX;
    for socket in sockets {
        smallest = smallest.min(SocketMemory::of(socket)?.receive_buffer_bytes);
    }
    Ok(smallest)
}

pub(super) fn open_mmsg(
    sockets: Vec<UdpSocket>,
    waker: &Waker,
    settings: RingSettings,
) -> io::Result<Receiver> {
    let mut receiver = MmsgReceiver::open(
        sockets,
        waker.clone(),
        settings.max_datagram_bytes,
        settings.max_wait,
        settings.burst_count,
    )?;
    receiver.set_latecomers(settings.latecomers);
    Ok(Receiver::Mmsg(Box::new(receiver)))
}

/// Opens a ring, after one ENOMEM with half of everything. The limit on locked memory is per
/// user, so a ring of the same size may fit in one moment and not in the next.
fn open_ring(
    sockets: Vec<UdpSocket>,
    waker: &Waker,
    settings: RingSettings,
) -> Result<RingReceiver, (Vec<UdpSocket>, io::Error)> {
    let is_no_memory = |error: &io::Error| error.raw_os_error() == Some(libc::ENOMEM);
    match RingReceiver::open(sockets, waker.clone(), settings) {
        Err((sockets, error)) if is_no_memory(&error) => {
            RingReceiver::open(sockets, waker.clone(), settings.halved()).map_err(
                |(sockets, error)| {
                    if is_no_memory(&error) {
                        (sockets, io::Error::other(explain_no_memory()))
                    } else {
                        (sockets, error)
                    }
                },
            )
        }
        result => result,
    }
}
