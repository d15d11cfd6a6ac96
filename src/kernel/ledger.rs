//! Keeps what is known about the requests in flight and settles their completions. Knows no
//! ring, so a test can script completions.
//!
//! Hot path: no allocation, lock, logging or system call.

use io_uring::cqueue;

use super::buffers::LentBuffers;
use super::completion::Outcome;
use super::counters::ReceiveCounters;
use super::ring::{Completion, Origin};
use super::{Datagram, Visit};

/// What is in flight, and where the datagrams of it go.
pub(super) struct Ledger {
    pub(super) buffers: LentBuffers,
    /// Per socket, whether its receive is in flight.
    pub(super) armed: Box<[bool]>,
    pub(super) waker_armed: bool,
    pub(super) cancel_in_flight: bool,
    pub(super) counters: ReceiveCounters,
}

/// What the completions of one enter amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Datagrams handed to the visitor.
    pub(super) datagrams: usize,
    /// Whether the poll on the waker ended.
    pub(super) waker_polled: bool,
    /// Whether a receive ended, so that more may lie in its socket.
    pub(super) receive_ended: bool,
    /// Whether an empty datagram ended one: the kernel takes it for the end of a stream.
    pub(super) ended_by_empty: bool,
    /// Receives that ended although arming them again gives no reason to hope, which must not
    /// turn into a busy loop.
    pub(super) errors: u32,
    /// Receives that found no buffer although nothing had used one.
    pub(super) starved: u32,
    /// The kernel was short of memory.
    pub(super) no_memory: bool,
    /// The kernel lost completions.
    pub(super) lost_completions: bool,
    /// An errno that this ring cannot go on after.
    pub(super) fatal: Option<i32>,
}

impl Ledger {
    pub(super) fn new(buffers: LentBuffers, sockets: usize) -> Self {
        Ledger {
            buffers,
            armed: vec![false; sockets].into_boxed_slice(),
            waker_armed: false,
            cancel_in_flight: false,
            counters: ReceiveCounters::default(),
        }
    }

    /// Whether nothing is in flight, so that the kernel will not touch a buffer any more.
    pub(super) fn is_quiet(&self) -> bool {
        !self.cancel_in_flight && !self.waker_armed && !self.armed.contains(&true)
    }

    /// Settles one completion. The buffer that it names is lent again; the caller publishes that
    /// once for all completions of an enter.
    #[inline]
    pub(super) fn settle(
        &mut self,
        completion: Completion,
        batch: &mut Batch,
        visitor: &mut impl Visit,
    ) {
        match completion.origin {
            Origin::Socket(index) => {
                if !cqueue::more(completion.flags) {
                    // Without F_MORE the request is gone, whatever the reason.
                    self.armed[index] = false;
                    batch.receive_ended = true;
                }
                match Outcome::of(completion.result, completion.flags) {
                    Outcome::Datagram {
                        buffer,
                        length_bytes,
                    } => self.hand_over(buffer, length_bytes, batch, visitor),
                    other => self.settle_other(other, completion.flags, batch, visitor),
                }
            }
            Origin::Waker => {
                self.waker_armed = false;
                batch.waker_polled = true;
                if completion.result < 0 && completion.result != -libc::ECANCELED {
                    batch.fatal = Some(-completion.result);
                }
            }
            // ENOENT if everything had ended by itself.
            Origin::Cancel => self.cancel_in_flight = false,
        }
    }

    #[inline]
    fn hand_over(
        &mut self,
        buffer: u16,
        length_bytes: usize,
        batch: &mut Batch,
        visitor: &mut impl Visit,
    ) {
        let filled = self.buffers.take_back(buffer);
        let bytes = self.buffers.bytes(&filled, length_bytes);
        let cut_bytes = length_bytes - bytes.len();
        self.counters.note(length_bytes, cut_bytes);
        batch.visit(Datagram { bytes, cut_bytes }, visitor);
        self.buffers.lend(filled);
    }

    fn settle_other(
        &mut self,
        outcome: Outcome,
        flags: u32,
        batch: &mut Batch,
        visitor: &mut impl Visit,
    ) {
        if let Some(buffer) = cqueue::buffer_select(flags) {
            // An error that had chosen a buffer gives it back.
            let unused = self.buffers.take_back(buffer);
            self.buffers.lend(unused);
        }
        match outcome {
            Outcome::Datagram { .. } => unreachable!("handed over by `settle`"),
            Outcome::Empty => {
                batch.ended_by_empty = true;
                self.counters.note(0, 0);
                let nothing = Datagram {
                    bytes: &[],
                    cut_bytes: 0,
                };
                batch.visit(nothing, visitor);
            }
            Outcome::OutOfBuffers => {
                self.counters.out_of_buffers += 1;
                if batch.datagrams == 0 {
                    batch.starved += 1;
                    batch.errors += 1;
                }
            }
            Outcome::Cancelled | Outcome::Again => batch.errors += 1,
            Outcome::NoMemory => {
                self.counters.no_memory += 1;
                batch.no_memory = true;
                batch.errors += 1;
            }
            Outcome::SocketError => {
                self.counters.socket_errors += 1;
                batch.errors += 1;
            }
            Outcome::Fatal(errno) => batch.fatal = Some(errno),
        }
    }
}

impl Batch {
    /// Hands one datagram over; the first of a batch announces it.
    #[inline]
    pub(super) fn visit(&mut self, datagram: Datagram<'_>, visitor: &mut impl Visit) {
        if self.datagrams == 0 {
            visitor.batch();
        }
        self.datagrams += 1;
        visitor.datagram(datagram);
    }
}
