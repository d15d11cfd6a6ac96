//! The engine for hosts without io_uring: sleeps while a batch gathers, then takes it with
//! recvmmsg without blocking.
//!
//! Hot path: no allocation per datagram, no lock, no logging.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use smallvec::SmallVec;

use super::counters::ReceiveCounters;
use super::drain::{DRAIN_MAX, Latecomers, drain};
use super::ledger::Batch;
use super::messages::{End, Messages};
use super::pace::Pace;
use super::waker::Waker;
use super::{Receive, Turn, Visit};

/// Datagrams that one turn hands over at most (and a call's worth per socket more), so that a
/// flood cannot keep a flush out.
const TURN_DATAGRAMS_MAX: usize = 4096;

/// The part of that for each of so many sockets.
pub(super) fn turn_share(sockets: usize) -> usize {
    (TURN_DATAGRAMS_MAX / sockets.max(1)).max(1)
}

/// The pause after a turn of errors only.
pub(super) const ERROR_PAUSE: Duration = Duration::from_millis(1);

/// What to do before the sockets are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Wait for the first datagram without end: the last turn found nothing.
    Idle,
    /// Let a batch gather: datagrams are coming.
    Gather,
    /// Read on: the last turn stopped at its limit, or this is a burst.
    Read,
    /// Let an error pass.
    Pause,
}

/// Receives with recvmmsg.
#[repr(align(128))]
pub(super) struct MmsgReceiver {
    sockets: Vec<UdpSocket>,
    waker: Waker,
    messages: Messages,
    pace: Pace,
    next: Next,
    /// The socket that the next turn begins with, so that each has the first place in turn.
    first_socket: usize,
    counters: ReceiveCounters,
    latecomers: Latecomers,
    drained: bool,
}

impl MmsgReceiver {
    pub(super) fn open(
        sockets: Vec<UdpSocket>,
        waker: Waker,
        max_datagram_bytes: usize,
        max_wait: Duration,
        burst_count: usize,
    ) -> io::Result<Self> {
        Ok(MmsgReceiver {
            sockets,
            waker,
            messages: Messages::new(max_datagram_bytes)?,
            pace: Pace::new(max_wait, burst_count),
            // Something may be queued already, so look before the first wait.
            next: Next::Read,
            first_socket: 0,
            counters: ReceiveCounters::default(),
            latecomers: Latecomers::Taken,
            drained: false,
        })
    }

    /// Says what becomes of datagrams that arrive during the drain.
    pub(super) fn set_latecomers(&mut self, latecomers: Latecomers) {
        self.latecomers = latecomers;
    }

    /// Waits as this says from now on.
    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Waits as the last turn suggests. Returns whether the waker's event was seen.
    fn wait(&mut self) -> io::Result<bool> {
        match self.next {
            Next::Read => Ok(false),
            Next::Gather => match self.pace.begin_wait() {
                Duration::ZERO => self.wait_for_first(),
                wait => Ok(self.waker.sleep(wait)),
            },
            Next::Pause => Ok(self.waker.sleep(ERROR_PAUSE)),
            Next::Idle => self.wait_for_first(),
        }
    }

    fn wait_for_first(&mut self) -> io::Result<bool> {
        self.counters.enters += 1;
        let mut events: SmallVec<[PollFd<'_>; 8]> = SmallVec::new();
        events.push(PollFd::new(&self.waker, PollFlags::IN));
        for socket in &self.sockets {
            events.push(PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN));
        }
        match poll(&mut events, None) {
            Ok(_) => Ok(!events[0].revents().is_empty()),
            // A signal: look at everything. No memory for the wait: likewise, a turn without
            // datagrams then comes back here.
            Err(Errno::INTR | Errno::NOMEM) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn read(&mut self, visitor: &mut impl Visit) -> io::Result<usize> {
        let mut batch = Batch::default();
        let mut next = Next::Idle;
        let count = self.sockets.len();
        let share = turn_share(count);
        for turn in 0..count {
            let socket = &self.sockets[(self.first_socket + turn) % count];
            let end = self
                .messages
                .take(socket, share, &mut batch, &mut self.counters, visitor)?;
            match end {
                End::Empty | End::Short => {}
                End::Limit => next = Next::Read,
                End::Failing if next == Next::Idle => next = Next::Pause,
                End::Failing => {}
            }
        }
        let was_burst = self.pace.in_burst();
        self.pace.note(batch.datagrams);
        if next == Next::Idle {
            next = match batch.datagrams {
                _ if self.pace.in_burst() => Next::Read,
                0 if !was_burst => Next::Idle,
                _ => Next::Gather,
            };
        }
        self.first_socket = (self.first_socket + 1) % count.max(1);
        self.next = next;
        Ok(batch.datagrams)
    }
}

impl Receive for MmsgReceiver {
    fn receive(&mut self, visitor: &mut impl Visit) -> io::Result<Turn> {
        assert!(!self.drained, "nothing is received after a drain");
        loop {
            let event_seen = self.wait()?;
            let datagrams = self.read(visitor)?;
            let woken = if event_seen {
                self.waker.take_event()
            } else {
                self.waker.take()
            };
            if datagrams > 0 || woken {
                return Ok(Turn { datagrams, woken });
            }
        }
    }

    fn drain(&mut self, visitor: &mut impl Visit) -> io::Result<bool> {
        self.drained = true;
        let deadline = Instant::now() + DRAIN_MAX;
        let counters = &mut self.counters;
        drain(
            &self.sockets,
            &mut self.messages,
            deadline,
            self.latecomers,
            counters,
            visitor,
        )
    }

    fn sockets(&self) -> &[UdpSocket] {
        &self.sockets
    }

    fn counters(&self) -> ReceiveCounters {
        self.counters
    }
}
