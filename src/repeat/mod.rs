//! Sends every datagram as it came to other daemons, so that they can be tried on the same traffic.
//!
//! A destination that is down, slow or out of reach costs what was meant for it and nothing else:
//! no send blocks, and what cannot be sent is counted and forgotten. Hot path: no allocation, lock
//! or log.

mod address;
mod destination;
mod watch;

use std::io::IoSlice;
use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer};
use smallvec::SmallVec;

pub use address::{RepeatAddress, RepeatError, resolve};
use destination::Destination;
pub use watch::{Repeated, Watch};

/// Datagrams in a call to the kernel. It takes no more than 1,024; the gain ends far below.
const DATAGRAMS_MAX: usize = 64;

/// Bytes that may wait to be sent: two of the longest datagrams, or 64 that fill a frame.
const BYTES_MAX: usize = 128 << 10;

/// What became of datagrams on the way to one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepeatCounts {
    /// Where they should go.
    pub address: SocketAddr,
    /// Those that the kernel took. Over UDP nobody knows whether they arrived.
    pub datagrams: u64,
    /// Those that it did not take.
    pub dropped: u64,
    /// Why it did not take the last of these.
    pub reason: Option<Errno>,
}

/// One shard's copy of what it receives, to be sent on in batches.
#[derive(Debug)]
pub struct Repeater {
    destinations: Vec<Destination>,
    /// Datagrams that wait, one behind the other.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: SmallVec<[usize; DATAGRAMS_MAX]>,
}

impl Repeater {
    /// A repeater to these addresses. What is wrong with one of them shows when it is sent to.
    #[must_use]
    pub fn new(addresses: &[SocketAddr]) -> Repeater {
        Repeater {
            destinations: addresses.iter().map(|to| Destination::new(*to)).collect(),
            bytes: Vec::with_capacity(BYTES_MAX),
            ends: SmallVec::new(),
        }
    }

    /// Takes a copy of a datagram; sends what waits if there is no room for it.
    pub fn take(&mut self, datagram: &[u8]) {
        debug_assert!(datagram.len() <= BYTES_MAX, "longer than UDP allows");
        if self.ends.len() == DATAGRAMS_MAX || self.bytes.len() + datagram.len() > BYTES_MAX {
            self.send();
        }
        self.bytes.extend_from_slice(datagram);
        self.ends.push(self.bytes.len());
    }

    /// Sends what waits, without blocking.
    pub fn send(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        send_to_all(&self.bytes, &self.ends, &mut self.destinations);
        self.bytes.clear();
        self.ends.clear();
    }

    /// What was counted since the last call, by destination.
    pub fn take_counts(&mut self) -> Vec<RepeatCounts> {
        let destinations = self.destinations.iter_mut();
        destinations.map(Destination::take_counts).collect()
    }
}

/// Sends datagrams that stand one behind the other in `bytes`, each up to one of `ends`.
fn send_to_all(bytes: &[u8], ends: &[usize], destinations: &mut [Destination]) {
    let mut begin = 0;
    let slices = ends.iter().map(|&end| {
        let datagram = &bytes[begin..end];
        begin = end;
        [IoSlice::new(datagram)]
    });
    let slices: SmallVec<[_; DATAGRAMS_MAX]> = slices.collect();
    let no_control = ends.iter().map(|_| SendAncillaryBuffer::default());
    let mut no_control: SmallVec<[_; DATAGRAMS_MAX]> = no_control.collect();
    let messages = slices.iter().zip(&mut no_control);
    let messages = messages.map(|(slice, control)| MMsgHdr::new(slice, control));
    let mut messages: SmallVec<[_; DATAGRAMS_MAX]> = messages.collect();
    for destination in destinations {
        destination.send(&mut messages);
    }
}

#[cfg(test)]
mod tests;
