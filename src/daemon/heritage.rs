//! What an earlier process or a socket unit hands over to this one, and what this one leaves to the
//! next.

use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use super::StartError;
use super::drops_note::{self, Drops, NoteFile, NoteOnTheWay};
use super::management::Management;
use super::shards::ShardSockets;
use super::streams::Streams;
use crate::config::Config;
use crate::kernel::{Latecomers, SocketMemory};
use crate::service::{self, STORED, Store};
use crate::transport::{BindAddress, Bound, Inherited, Origin};

/// The store, and what was left in it beside sockets.
pub(super) struct Heritage {
    store: Store,
    has_note_in_store: bool,
    /// What the kernel had dropped when an earlier process counted last.
    drops: Drops,
    is_handed_sockets: bool,
    /// Where the next process looks for that, if the sockets are handed over whatever the store does.
    note: Option<NoteFile>,
}

impl Heritage {
    /// Takes what was handed over. Notes stay where they are until [`Heritage::started`]: a start that fails
    /// leaves them to the next one. No thread may run yet.
    pub(super) fn take(state_file: Option<&Path>) -> Result<(Heritage, Inherited), StartError> {
        let (mut in_store, mut sockets) = (None, Vec::new());
        for handed in service::handed_over().map_err(StartError::new)? {
            if handed.name == drops_note::IN_STORE {
                in_store = Some(handed.socket);
            } else {
                sockets.push((handed.name, handed.socket));
            }
        }
        let mut heritage = Heritage {
            store: Store::here(),
            has_note_in_store: in_store.is_some(),
            drops: Drops::new(),
            is_handed_sockets: !sockets.is_empty(),
            note: None,
        };
        heritage.note = heritage.note_beside(state_file);
        if let Some(note) = in_store {
            heritage.drops = drops_note::from_store(&note);
        }
        let inherited = Inherited::new(sockets, STORED).map_err(StartError::new)?;
        Ok((heritage, inherited))
    }

    /// A process that was handed no sockets leaves alone what another one has noted of its own.
    fn note_beside(&self, state_file: Option<&Path>) -> Option<NoteFile> {
        let state_file = state_file.filter(|_| self.is_handed_sockets);
        state_file.map(NoteFile::beside)
    }

    /// Begins to read the note beside the state file.
    pub(super) fn begin_reading(&mut self) {
        if let Some(note) = &mut self.note {
            note.begin_reading();
        }
    }

    /// Waits until it is read, up to this time.
    pub(super) fn read(&mut self, until: Instant) {
        if let Some(note) = &mut self.note {
            let of_store = mem::take(&mut self.drops);
            self.drops = note.read(until);
            self.drops.extend(of_store);
        }
    }

    /// The start has succeeded: the notes are in use, and nobody else's any more.
    pub(super) fn started(&mut self) {
        if self.has_note_in_store {
            self.store.remove(drops_note::IN_STORE);
        }
        if let Some(note) = &mut self.note {
            note.remove();
        }
    }

    /// Another state file is in use, or still the same. A note beside it is of a process before this one.
    pub(super) fn follow(&mut self, state_file: Option<&Path>) {
        let mut note = self.note_beside(state_file);
        if note.as_ref().map(NoteFile::path) == self.note.as_ref().map(NoteFile::path) {
            return;
        }
        if let Some(note) = &mut note {
            note.remove();
        }
        self.note = note;
    }

    /// The sockets of each shard, with what the kernel dropped of them before this process had them.
    pub(super) fn with_drops(&self, bound: Bound) -> Vec<ShardSockets> {
        let inherited = places_of(&bound, Origin::Inherited);
        let drops_before = |socket: &UdpSocket| match socket.local_addr() {
            Ok(address) if inherited.contains(&address) => self.drops_of_inherited(socket),
            // It was bound a moment ago.
            Ok(_) | Err(_) => None,
        };
        let shards = bound.shards.into_iter().map(|sockets| ShardSockets {
            drops: sockets.iter().filter_map(drops_before).collect(),
            sockets,
        });
        shards.collect()
    }

    /// A socket's cookie, and what was counted of it before. Without a note nobody knows; then what
    /// fell before is left out.
    fn drops_of_inherited(&self, socket: &UdpSocket) -> Option<(u64, u32)> {
        let SocketMemory { cookie, drops, .. } = SocketMemory::of(socket).ok()?;
        if let Some(noted) = self.drops.get(&cookie) {
            return Some((cookie, *noted));
        }
        if drops > 0 {
            log::warn!(
                "the kernel has dropped {drops} datagrams of a socket that was handed over; nobody \
                 tells how many of them were counted before"
            );
        }
        Some((cookie, drops))
    }

    /// Asks the service manager to keep what this process has bound.
    pub(super) fn leave(&self, bound: &Bound, streams: &mut Streams, management: &Management) {
        if !self.store.is_there() {
            return;
        }
        let ours = places_of(bound, Origin::Bound);
        for (shard, sockets) in bound.shards.iter().enumerate() {
            for socket in sockets {
                if let Ok(address) = socket.local_addr()
                    && ours.contains(&address)
                {
                    self.keep(&format!("udp://{address}"), shard, socket);
                }
            }
        }
        streams.leave_to(|address, socket| self.keep(address, 0, socket));
        management.leave_to(|address, socket| self.keep(address, 0, socket));
    }

    fn keep(&self, address: &str, shard: usize, socket: impl AsFd) -> bool {
        self.store.keep(&service::name_of(address, shard), socket)
    }

    /// Closes what only an earlier process had a use for, and lets go of it. To be called before
    /// [`Heritage::leave`], which keeps other sockets under the same names.
    pub(super) fn close(&self, mut inherited: Inherited) {
        for name in inherited.take_unreachable() {
            self.store.remove(&name);
        }
        for (name, address) in inherited.close_rest() {
            log::warn!(
                "the socket of {address}, which an earlier process has left with the service manager, \
                 is closed: no setting names this address any more; what waited there is lost"
            );
            self.store.remove(&name);
        }
    }

    /// What becomes of datagrams that arrive while the daemon stops.
    pub(super) fn latecomers(&self, bound: &Bound) -> Latecomers {
        let is_held = |origin: &Origin| match origin {
            Origin::Inherited => true,
            Origin::Bound => self.store.is_there(),
            Origin::AnyPort => false,
        };
        match bound.origins.iter().all(is_held) {
            true => Latecomers::Left,
            false => Latecomers::Taken,
        }
    }

    /// Begins to leave a note of what was counted last, so that the next process counts on from there.
    pub(super) fn leave_drops(&mut self, counted: &[(u64, u32)]) -> NoteLeft {
        let mut left = NoteLeft { in_file: None };
        if counted.is_empty() {
            return left;
        }
        if self.store.is_there()
            && let Err(error) = drops_note::leave_in_store(self.store, counted)
        {
            NoteLeft::failed(&error);
        }
        if let Some(note) = &mut self.note {
            match note.leave(counted) {
                Ok(on_the_way) => left.in_file = Some(on_the_way),
                Err(error) => NoteLeft::failed(&error),
            }
        }
        left
    }
}

/// A note that may still be on its way to the disk.
pub(super) struct NoteLeft {
    in_file: Option<NoteOnTheWay>,
}

impl NoteLeft {
    /// Waits until it is there, up to this time.
    pub(super) fn wait(self, until: Instant) {
        if let Some(on_the_way) = self.in_file
            && let Err(error) = on_the_way.wait(until)
        {
            NoteLeft::failed(&error);
        }
    }

    fn failed(error: &io::Error) {
        log::warn!("cannot tell the next process what the kernel has dropped so far: {error}");
    }
}

/// Where lines come in: the default address gives way to what somebody's socket unit says.
pub(super) fn addresses(config: &Config, inherited: &Inherited) -> Vec<BindAddress> {
    if inherited.names_addresses() && config.bind == [BindAddress::default()] {
        return Vec::new();
    }
    config.bind.clone()
}

/// The addresses of one origin.
fn places_of(bound: &Bound, wanted: Origin) -> Vec<SocketAddr> {
    let places = bound.addresses.iter().zip(&bound.origins);
    let places = places.filter(|(_, origin)| **origin == wanted);
    places.map(|(address, _)| *address).collect()
}
