//! The io_uring engine: one multishot receive per socket into lent buffers, and few, long waits.
//!
//! Hot path: no allocation, lock or logging.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::buffers::LentBuffers;
use super::completion::EnterFault;
use super::counters::ReceiveCounters;
use super::drain::{DRAIN_MAX, Latecomers, drain};
use super::ledger::{Batch, Ledger};
use super::messages::{ERRORS_IN_A_ROW_MAX, End, Messages};
use super::pace::Pace;
use super::recvmmsg::{ERROR_PAUSE, turn_share};
use super::ring::{IDLE_WAIT, Ring, Wait};
use super::waker::Waker;
use super::{Datagram, Receive, Turn, Visit};

/// Completions that end a wait early, unless there are fewer buffers.
const WANT_MAX: u32 = 512;

/// A receive that finds no buffer this often, although all are lent, never will: a fault of ours
/// or the kernel's (6.1.7 had one, liburing issue 778).
const STARVED_IN_A_ROW_MAX: u32 = 1000;

/// A kernel that loses completions this often is better asked in another way.
const REBUILDS_MAX: u64 = 16;

/// How long a ring that failed, or is dropped, may take to end its requests; microseconds are
/// the rule.
const ABANDON_MAX: Duration = Duration::from_millis(100);

/// Sizes and waits of a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct RingSettings {
    /// How many datagrams fit between two enters. A power of two.
    pub(super) buffers_count: u16,
    /// Room for completions; the kernel rounds it up to a power of two.
    pub(super) completions_count: u32,
    pub(super) max_datagram_bytes: usize,
    /// How long datagrams may gather.
    pub(super) max_wait: Duration,
    /// From how many datagrams on a batch begins a burst.
    pub(super) burst_count: usize,
    /// How long a wait lasts when nothing comes.
    pub(super) idle_wait: Duration,
    /// Whether to use the kernel's minimum wait (since 6.12) where it is there.
    pub(super) allow_min_wait: bool,
    /// Whether the ring refuses what is never asked of it.
    pub(super) restricted: bool,
    /// What becomes of datagrams that arrive during the drain.
    pub(super) latecomers: Latecomers,
}

impl RingSettings {
    pub(super) fn new(max_datagram_bytes: usize, max_wait: Duration, burst_count: usize) -> Self {
        RingSettings {
            // Pages that no datagram touches cost nothing, so the buffers are as long as can be.
            buffers_count: 256,
            // One completion per buffer and some that need none: an overflow is all but
            // impossible.
            completions_count: 512,
            max_datagram_bytes,
            max_wait,
            burst_count,
            idle_wait: IDLE_WAIT,
            allow_min_wait: true,
            restricted: true,
            latecomers: Latecomers::Taken,
        }
    }

    /// The same with half of the memory that counts against the limit on locked memory.
    pub(super) fn halved(self) -> Self {
        RingSettings {
            buffers_count: (self.buffers_count / 2).max(1),
            completions_count: (self.completions_count / 2).max(2),
            ..self
        }
    }
}

/// Receives through io_uring. Belongs to the thread that opened it.
#[repr(align(128))]
pub(super) struct RingReceiver {
    // The order of the fields is the order of their drop: ring, buffers, sockets.
    ring: Ring,
    ledger: Ledger,
    sockets: Vec<UdpSocket>,
    waker: Waker,
    /// For what lies behind empty datagrams; and for the drain, so that it cannot fail for want of memory.
    messages: Messages,
    settings: RingSettings,
    want: u32,
    /// Whether more may be ready, so that the next enter must not wait.
    more_ready: bool,
    /// Whether the last turn brought datagrams, which suggests that more are coming.
    busy: bool,
    pace: Pace,
    errors_in_a_row: u32,
    starved_in_a_row: u32,
    drained: bool,
}

impl RingReceiver {
    /// Sets up the ring; nothing is armed until the first receive.
    ///
    /// # Errors
    /// The sockets come back with the error, for another engine.
    pub(super) fn open(
        sockets: Vec<UdpSocket>,
        waker: Waker,
        settings: RingSettings,
    ) -> Result<Self, (Vec<UdpSocket>, io::Error)> {
        let parts = open_parts(sockets.len(), settings).and_then(|(ring, ledger)| {
            let messages = Messages::new(settings.max_datagram_bytes)?;
            Ok((ring, ledger, messages))
        });
        match parts {
            Err(error) => Err((sockets, error)),
            Ok((ring, ledger, messages)) => Ok(RingReceiver {
                want: want_for(settings.buffers_count, ring.completions_max()),
                ring,
                ledger,
                sockets,
                waker,
                messages,
                settings,
                more_ready: false,
                busy: false,
                pace: Pace::new(settings.max_wait, settings.burst_count),
                errors_in_a_row: 0,
                starved_in_a_row: 0,
                drained: false,
            }),
        }
    }

    /// Whether the kernel gathers batches for us.
    pub(super) fn has_min_wait(&self) -> bool {
        self.settings.allow_min_wait && self.ring.has_min_wait()
    }

    /// Waits as this says from now on.
    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Whether all receives are in flight, as they are after a turn in which none ended.
    pub(super) fn is_armed(&self) -> bool {
        !self.ledger.armed.contains(&false)
    }

    /// Stops the ring, hands over what it holds, and gives the sockets up for another engine.
    pub(super) fn retire(&mut self, visitor: &mut impl Visit) -> Vec<UdpSocket> {
        // An error here is one more of the kind that led here; Drop then leaks the buffers.
        let _ = self.quiesce(ABANDON_MAX, visitor);
        std::mem::take(&mut self.sockets)
    }

    /// Arms what is not in flight. The buffers were published when the last batch was settled.
    fn arm(&mut self) {
        let ledger = &mut self.ledger;
        if !ledger.waker_armed {
            self.ring.poll_waker(self.waker.as_fd());
            ledger.waker_armed = true;
        }
        for (index, socket) in self.sockets.iter().enumerate() {
            if !ledger.armed[index] {
                self.ring.receive(socket.as_fd(), index);
                ledger.armed[index] = true;
                ledger.counters.rearms += 1;
            }
        }
    }

    /// How to wait now; may sleep first on kernels that cannot gather.
    fn next_wait(&mut self) -> Wait {
        if self.more_ready {
            return Wait::Not;
        }
        let at_most = self.settings.idle_wait;
        let at_least = self.pace.begin_wait();
        if at_least.is_zero() {
            // Waiting for many without a minimum wait would hold the first ones back.
            Wait::First(at_most)
        } else if self.has_min_wait() {
            Wait::Gather { at_least, at_most }
        } else if self.busy {
            // Before 6.12: gather here, then take what came. A wake ends the sleep, and its poll
            // is in the ring, so nothing is to be remembered.
            self.waker.sleep(at_least);
            Wait::Not
        } else {
            Wait::First(at_most)
        }
    }

    /// One enter, and everything that it brought.
    fn turn(&mut self, wait: Wait, visitor: &mut impl Visit) -> io::Result<Batch> {
        self.ledger.counters.enters += 1;
        let entered = self.ring.enter(self.want, wait);
        let mut batch = Batch::default();
        for completion in self.ring.completions() {
            self.ledger.settle(completion, &mut batch, visitor);
        }
        self.ledger.buffers.publish();
        if self.ring.has_overflown() {
            self.ledger.counters.cq_overflows += 1;
        }
        if let Err(error) = entered {
            match EnterFault::of(error.raw_os_error().unwrap_or(libc::EIO)) {
                EnterFault::Reap => {}
                EnterFault::Pause => batch.no_memory = true,
                EnterFault::LostCompletions => batch.lost_completions = true,
                EnterFault::Fatal => return Err(error),
            }
        }
        match batch.fatal {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(batch),
        }
    }

    /// Takes what gathered behind an empty datagram, which ends a receive: to arm it again for each of
    /// them costs more than twenty good datagrams.
    fn take_behind_empty(&mut self, batch: &mut Batch, visitor: &mut impl Visit) -> io::Result<()> {
        let share = turn_share(self.sockets.len());
        let Ledger {
            armed, counters, ..
        } = &mut self.ledger;
        let ended = self.sockets.iter().zip(armed).filter(|(_, armed)| !**armed);
        // Unless there is more, the next wait may gather.
        batch.receive_ended = false;
        for (socket, _) in ended {
            let messages = &mut self.messages;
            match messages.take(socket, share, batch, counters, visitor)? {
                End::Empty | End::Short => {}
                End::Limit | End::Failing => batch.receive_ended = true,
            }
        }
        Ok(())
    }

    /// Draws the conclusions for the next turn.
    fn conclude(&mut self, batch: &Batch, visitor: &mut impl Visit) -> io::Result<()> {
        self.busy = batch.datagrams > 0 || self.pace.in_burst();
        self.pace.note(batch.datagrams);
        // One enter takes about 33 x want off a socket, so after more than `want` there may be
        // more, and after a receive ended there may be some that it did not take. Completions that
        // found no room mean that `want` was reached.
        self.more_ready =
            batch.receive_ended || batch.datagrams >= self.want as usize || self.pace.in_burst();
        if batch.lost_completions {
            self.rebuild(visitor)?;
        }
        if batch.datagrams > 0 {
            self.errors_in_a_row = 0;
            self.starved_in_a_row = 0;
        }
        self.errors_in_a_row = self.errors_in_a_row.saturating_add(batch.errors);
        self.starved_in_a_row = self.starved_in_a_row.saturating_add(batch.starved);
        if self.starved_in_a_row > STARVED_IN_A_ROW_MAX {
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        if batch.no_memory || (batch.errors > 0 && self.errors_in_a_row > ERRORS_IN_A_ROW_MAX) {
            self.waker.sleep(ERROR_PAUSE);
        }
        Ok(())
    }

    /// Replaces a ring that lost completions. The sockets keep their queues meanwhile.
    ///
    /// # Errors
    /// After [`REBUILDS_MAX`] of them: each may cost the memory of a ring's buffers for good.
    pub(super) fn rebuild(&mut self, visitor: &mut impl Visit) -> io::Result<()> {
        if self.ledger.counters.rebuilds >= REBUILDS_MAX {
            return Err(io::Error::from_raw_os_error(libc::EBADR));
        }
        // A lost final completion never comes, hence the short bound; an error changes nothing.
        let _ = self.quiesce(ABANDON_MAX, visitor);
        self.keep_lent_memory();
        let (ring, mut ledger) = open_parts(self.sockets.len(), self.settings)?;
        ledger.counters = self.ledger.counters;
        ledger.counters.rebuilds += 1;
        self.ring = ring;
        self.ledger = ledger;
        self.more_ready = true;
        Ok(())
    }

    /// Cancels everything and settles completions until nothing is in flight. Returns false if
    /// that took too long.
    fn quiesce(&mut self, at_most: Duration, visitor: &mut impl Visit) -> io::Result<bool> {
        let deadline = Instant::now() + at_most;
        while !self.ledger.is_quiet() {
            if !self.ledger.cancel_in_flight {
                self.ring.cancel_all();
                self.ledger.cancel_in_flight = true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.turn(Wait::First(left), visitor)?;
        }
        Ok(true)
    }

    /// The ring itself.
    #[cfg(test)]
    pub(super) fn ring(&mut self) -> &mut Ring {
        &mut self.ring
    }

    /// Makes the ring fail for good, if it is not restricted.
    #[cfg(test)]
    pub(super) fn take_buffers_away(&self) -> io::Result<()> {
        self.ring.unregister()
    }

    /// Sees to it that memory which the kernel may still write to is never unmapped.
    fn keep_lent_memory(&mut self) {
        if !self.ledger.is_quiet() {
            self.ledger.buffers.leak();
        }
    }
}

/// The ring, with the buffers of it registered.
fn open_parts(sockets: usize, settings: RingSettings) -> io::Result<(Ring, Ledger)> {
    // Each socket, the waker and a cancellation are in the queue at most once each.
    let submissions = u32::try_from(sockets + 2).expect("fewer sockets than descriptors");
    let completions = settings
        .completions_count
        .max(submissions.next_power_of_two());
    let ring = Ring::open(submissions, completions)?;
    let buffers = LentBuffers::new(settings.buffers_count, settings.max_datagram_bytes)?;
    ring.register(&buffers)?;
    if settings.restricted
        && let Err(error) = ring.restrict()
    {
        log::debug!("udp: a ring goes without restrictions ({error})");
    }
    ring.enable()?;
    Ok((ring, Ledger::new(buffers, sockets)))
}

/// More than there are buffers, or room for, can never come.
fn want_for(buffers_count: u16, completions_max: u32) -> u32 {
    WANT_MAX.min(u32::from(buffers_count)).min(completions_max)
}

impl Receive for RingReceiver {
    fn receive(&mut self, visitor: &mut impl Visit) -> io::Result<Turn> {
        assert!(!self.drained, "nothing is received after a drain");
        loop {
            self.arm();
            let wait = self.next_wait();
            let mut batch = self.turn(wait, visitor)?;
            if batch.ended_by_empty {
                self.take_behind_empty(&mut batch, visitor)?;
            }
            self.conclude(&batch, visitor)?;
            let woken = if batch.waker_polled {
                self.waker.take_event()
            } else {
                self.waker.take()
            };
            let datagrams = batch.datagrams;
            if datagrams > 0 || woken {
                return Ok(Turn { datagrams, woken });
            }
        }
    }

    fn drain(&mut self, visitor: &mut impl Visit) -> io::Result<bool> {
        self.drained = true;
        let deadline = Instant::now() + DRAIN_MAX;
        // Datagrams that arrived and were not yet taken stay in the socket when a receive is
        // cancelled.
        let quiet = self.quiesce(DRAIN_MAX, visitor)?;
        let Ledger { counters, .. } = &mut self.ledger;
        let messages = &mut self.messages;
        let latecomers = self.settings.latecomers;
        let sockets = &self.sockets;
        let empty = drain(sockets, messages, deadline, latecomers, counters, visitor)?;
        Ok(quiet && empty)
    }

    fn sockets(&self) -> &[UdpSocket] {
        &self.sockets
    }

    fn counters(&self) -> ReceiveCounters {
        self.ledger.counters
    }
}

impl Drop for RingReceiver {
    /// Ends every request first: a ring that is closed with requests in flight holds on to the
    /// port for some 10 to 35 ms, and to the buffers for an unknown time.
    fn drop(&mut self) {
        struct Discard;
        impl Visit for Discard {
            fn batch(&mut self) {}
            fn datagram(&mut self, _: Datagram<'_>) {}
        }
        // If it fails, the memory is kept below.
        let _ = self.quiesce(ABANDON_MAX, &mut Discard);
        self.keep_lent_memory();
    }
}
