//! What an earlier process or a socket unit hands over to this one, and what this one leaves to the
//! next.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::StartError;
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
    /// What the kernel had dropped of a socket when an earlier process counted last, by the
    /// socket's cookie, which is its own for as long as it lives (socket(7), SO_COOKIE).
    drops: HashMap<u64, u32>,
}

/// The name of the note with the drops in the store.
const NOTE: &str = "store/drops";

/// More than the note of any daemon: 32 bytes for each socket.
const NOTE_BYTES_MAX: u64 = 1 << 16;

impl Heritage {
    /// Takes what was handed over. No thread may run yet.
    pub(super) fn take() -> Result<(Heritage, Inherited), StartError> {
        let store = Store::here();
        let mut drops = HashMap::new();
        let mut sockets = Vec::new();
        for handed in service::handed_over().map_err(StartError::new)? {
            if handed.name == NOTE {
                drops = read_note(handed.socket);
                // It tells of one stop. After a crash no note is better than an old one.
                store.remove(NOTE);
            } else {
                sockets.push((handed.name, handed.socket));
            }
        }
        let inherited = Inherited::new(sockets, STORED).map_err(StartError::new)?;
        Ok((Heritage { store, drops }, inherited))
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

    /// Leaves a note of what was counted last, so that the next process counts on from there.
    pub(super) fn leave_drops(&self, counted: &[(u64, u32)]) {
        let note: String = counted
            .iter()
            .map(|(cookie, drops)| format!("{cookie} {drops}\n"))
            .collect();
        if !self.store.is_there() || note.is_empty() {
            return;
        }
        // What one end was told waits in the other, which the store keeps.
        let left = UnixStream::pair().and_then(|(mut told, kept)| {
            io::Write::write_all(&mut told, note.as_bytes())?;
            Ok(kept)
        });
        match left {
            Ok(kept) => drop(self.store.keep(NOTE, kept)),
            Err(error) => log::warn!(
                "cannot tell the next process what the kernel has dropped so far: {error}"
            ),
        }
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

/// Lines of a cookie and a number each; what is none is left out.
fn read_note(note: OwnedFd) -> HashMap<u64, u32> {
    let (mut text, note) = (String::new(), UnixStream::from(note));
    // All of it is there. Half a note is better than none.
    let _ = note.set_nonblocking(true);
    let _ = note.take(NOTE_BYTES_MAX).read_to_string(&mut text);
    let numbers = text.lines().filter_map(|line| {
        let (cookie, drops) = line.split_once(' ')?;
        Some((cookie.parse().ok()?, drops.parse().ok()?))
    });
    numbers.collect()
}
