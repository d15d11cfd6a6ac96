//! What the flusher holds of a sink.

use std::sync::Arc;

use super::address::Place;
use super::{Counters, Part, Queue, SinkAddress};

/// Where the flusher hands one sink's points over.
#[derive(Clone, Debug)]
pub struct SinkHandle {
    address: SinkAddress,
    name: String,
    queue: Arc<Queue>,
}

impl SinkHandle {
    /// A handle for a sink that takes from this queue.
    pub fn new(address: SinkAddress, name: String, queue: Arc<Queue>) -> SinkHandle {
        SinkHandle {
            address,
            name,
            queue,
        }
    }

    /// The parts of a slot begin to come, perhaps again: see [`Queue::begin_slot`]. Whoever makes a
    /// connection for each slot keeps it until [`SinkHandle::end_slot`].
    pub fn begin_slot(&self, comes_again: bool) {
        self.queue.begin_slot(comes_again);
    }

    /// The slot is whole: no further part of it comes.
    pub fn end_slot(&self) {
        self.queue.end_slot();
    }

    /// Hands a part of a slot over; never waits.
    pub fn push(&self, part: Part) {
        self.queue.push(part);
    }

    /// Whether it takes each slot as one part, those without any points too: a command is started once
    /// for each slot.
    pub fn takes_whole_slots(&self) -> bool {
        matches!(self.address.place, Place::Command(_))
    }

    /// Whether a second write of a path and time stamp adds to the first one there. Graphite keeps the
    /// last one; a command may add, and whoever reads the standard output sees both.
    pub fn adds_up(&self) -> bool {
        match self.address.place {
            Place::Server { .. } => false,
            Place::Output | Place::Command(_) => true,
        }
    }

    /// Whether both lead to one sink.
    pub fn is(&self, other: &SinkHandle) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }

    /// The sink's counters, all of one moment.
    pub fn counters(&self) -> Counters {
        self.queue.counters()
    }

    /// The sink's address.
    pub fn address(&self) -> &SinkAddress {
        &self.address
    }

    /// The sink's name in own metrics, unlike that of any other sink of the daemon.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The queue itself, for whoever drives the sink.
    pub fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}
