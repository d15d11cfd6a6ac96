//! Binds UDP sockets: for each address one per shard, which share its port; or takes those that were
//! handed over.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::net::sockopt;
use socket2::Socket;

use super::address::BindAddress;
use super::bind_error::BindError;
use super::inherited::{Inherited, is_ipv6_only};
use super::place::{self, Place, Transport};

/// What a small datagram takes of a receive buffer, up to some 100 bytes of payload.
const SMALL_DATAGRAM_BYTES: usize = 832;

/// The sockets of all shards.
#[derive(Debug)]
pub struct Bound {
    /// Per shard a socket for each of `addresses`, in the same order, but for those of which fewer
    /// were inherited than of another; no shard if there is no address.
    pub shards: Vec<Vec<UdpSocket>>,
    /// What is listened on, with the port that the kernel chose where 0 was asked for.
    pub addresses: Vec<SocketAddr>,
    /// For each of them, who has bound it.
    pub origins: Vec<Origin>,
    /// For each of them, how many sockets it has.
    pub sockets_counts: Vec<usize>,
    /// The smallest receive buffer in bytes, as the kernel counts it: twice what was set.
    pub receive_buffer_bytes: usize,
    /// What to tell the user if the kernel grants less receive buffer than asked for, or inherited
    /// sockets are not what was asked for.
    pub warnings: Vec<String>,
}

/// Who has bound a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This process, at an address that a later one will look for again.
    Bound,
    /// This process, at a port that the kernel chose.
    AnyPort,
    /// Somebody else, who holds it, too.
    Inherited,
}

/// As [`bind_or_inherit`], where nothing was handed over.
///
/// # Errors
/// As there.
pub fn bind(
    addresses: &[BindAddress],
    shards: usize,
    receive_buffer_bytes: usize,
) -> Result<Bound, BindError> {
    bind_or_inherit(
        addresses,
        shards,
        receive_buffer_bytes,
        &mut Inherited::default(),
    )
}

/// Binds every address of UDP `shards` times. An address that another program holds is refused,
/// although SO_REUSEPORT would let us in and split the traffic between the two.
///
/// An address that was handed over is not bound: the kernel lets only one user share its port, which
/// may not be ours, and whoever would close a socket would lose its queue. So there are as many
/// shards then as one address has sockets. What was handed over and is none of `addresses` is used
/// all the same.
///
/// No host means all addresses, IPv6 and IPv4 through one socket; IPv4 alone where the kernel
/// has no IPv6. Of a name with several addresses, those that this machine does not have are left
/// out as long as one remains. With port 0 all shards share the port that the first one got.
///
/// # Errors
/// Names the address, the reason and what to do about it.
pub fn bind_or_inherit(
    addresses: &[BindAddress],
    shards: usize,
    receive_buffer_bytes: usize,
    inherited: &mut Inherited,
) -> Result<Bound, BindError> {
    assert!(shards > 0, "a daemon without a shard receives nothing");
    let sources = resolve_all(addresses, inherited)?;
    let inherited_count = sources.iter().map(|source| source.inherited.len()).max();
    let shards_count = match inherited_count {
        None => 0,
        Some(0) => shards,
        Some(count) => count,
    };
    let mut bound = Bound {
        shards: (0..shards_count).map(|_| Vec::new()).collect(),
        addresses: Vec::new(),
        origins: Vec::new(),
        sockets_counts: Vec::new(),
        receive_buffer_bytes: usize::MAX,
        warnings: Vec::new(),
    };
    let mut opened = Vec::new();
    for Source {
        mut place,
        inherited,
    } in sources
    {
        let origin = match inherited.is_empty() {
            false => Origin::Inherited,
            true if place.address.port() == 0 => Origin::AnyPort,
            true => Origin::Bound,
        };
        let sockets = match origin {
            Origin::Inherited => adopt(place, inherited, shards, &mut bound.warnings)?,
            Origin::Bound | Origin::AnyPort => open(&mut place, shards_count)?,
        };
        bound.addresses.push(place.address);
        bound.origins.push(origin);
        bound.sockets_counts.push(sockets.len());
        opened.push((place, sockets, origin));
    }
    for (place, sockets, origin) in opened {
        for (shard, socket) in bound.shards.iter_mut().zip(sockets) {
            let granted_bytes = match origin {
                Origin::Inherited => raise_receive_buffer(&socket, receive_buffer_bytes),
                Origin::Bound | Origin::AnyPort => {
                    set_receive_buffer(&socket, receive_buffer_bytes)
                }
            };
            let granted_bytes =
                granted_bytes.map_err(|error| BindError::option(place, "SO_RCVBUF", error))?;
            bound.receive_buffer_bytes = bound.receive_buffer_bytes.min(granted_bytes);
            shard.push(socket);
        }
    }
    let warning = warning(bound.receive_buffer_bytes, receive_buffer_bytes);
    bound.warnings.extend(warning);
    Ok(bound)
}

/// A place with the sockets of it that are there already.
struct Source {
    place: Place,
    inherited: Vec<Socket>,
}

/// One socket for each shard. The first one decides about the port if any is right.
fn open(place: &mut Place, shards_count: usize) -> Result<Vec<UdpSocket>, BindError> {
    let mut sockets = Vec::new();
    for _ in 0..shards_count {
        let socket = UdpSocket::from(place.open(true)?);
        if place.address.port() == 0 {
            let local = socket
                .local_addr()
                .map_err(|error| BindError::bind(*place, error))?;
            place.address.set_port(local.port());
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Takes over what somebody else has bound, and says what of it is not as it was asked for.
fn adopt(
    place: Place,
    sockets: Vec<Socket>,
    shards: usize,
    warnings: &mut Vec<String>,
) -> Result<Vec<UdpSocket>, BindError> {
    let count = sockets.len();
    if count != shards {
        let plural = if count == 1 { "" } else { "s" };
        warnings.push(format!(
            "{place} was handed over with {count} socket{plural} in place of {shards} (shards), and \
             none can be added: a socket unit takes ReusePort=yes and its ListenDatagram= {shards} \
             times; sockets of a store have a new number after systemctl stop and start"
        ));
    }
    let is_any = place.address.ip() == Ipv6Addr::UNSPECIFIED;
    if place.dual_stack && is_any && sockets.iter().any(is_ipv6_only) {
        warnings.push(format!(
            "{place} was handed over for IPv6 alone; BindIPv6Only=both in the socket unit takes IPv4, \
             too"
        ));
    }
    let adopted = sockets.into_iter().map(|socket| {
        socket.set_nonblocking(false)?;
        Ok(UdpSocket::from(socket))
    });
    let adopted: io::Result<Vec<UdpSocket>> = adopted.collect();
    adopted.map_err(|error| BindError::option(place, "O_NONBLOCK", error))
}

/// Resolves all addresses and makes sure that nobody holds one of them, before any is kept: two
/// of ours may overlap (127.0.0.1 and all of IPv6 and IPv4), which only SO_REUSEPORT allows. Adds
/// what was handed over.
fn resolve_all(
    addresses: &[BindAddress],
    inherited: &mut Inherited,
) -> Result<Vec<Source>, BindError> {
    let mut sources: Vec<Source> = Vec::new();
    let mut seen = HashSet::new();
    for address in addresses {
        let host_port = match address {
            BindAddress::Udp(host_port) => host_port,
            BindAddress::Tcp(_)
            | BindAddress::Unix(_)
            | BindAddress::UnixDatagram(_)
            | BindAddress::Stdin => continue,
        };
        let mut usable = Vec::new();
        let mut refused = None;
        for mut place in place::resolve(host_port, Transport::Udp)? {
            let at_place = inherited.take_udp(place.address);
            if at_place.is_empty() {
                let ipv4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), place.address.port());
                // Its own socket has that traffic, and does not let another one in.
                place.dual_stack &= !inherited.has_udp(ipv4);
                match place.open(false) {
                    Ok(_) => {}
                    Err(error) if error.is_foreign() => {
                        refused = Some(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            usable.push(Source {
                place,
                inherited: at_place,
            });
        }
        if usable.is_empty() {
            return Err(refused.unwrap_or_else(|| BindError::no_address(address)));
        }
        for source in usable {
            let address = source.place.address;
            if address.port() != 0 && !seen.insert(address) {
                return Err(BindError::twice(source.place));
            }
            sources.push(source);
        }
    }
    let others = inherited.take_other_udp().into_iter();
    sources.extend(others.map(|(address, inherited)| Source {
        place: Place::new(Transport::Udp, address),
        inherited,
    }));
    let places = sources.iter().map(|source| source.place).collect();
    let places = place::leave_ipv4_to_its_own_socket(places);
    for (source, place) in sources.iter_mut().zip(places) {
        source.place = place;
    }
    Ok(sources)
}

/// The most that a receive buffer can be set to: the kernel takes an int and doubles it.
const RECEIVE_BUFFER_BYTES_MAX: usize = i32::MAX as usize / 2;

/// Sets the receive buffer, past the limit of the system where that is allowed, and returns what
/// the kernel made of it.
fn set_receive_buffer(socket: &UdpSocket, asked_bytes: usize) -> io::Result<usize> {
    let asked_bytes = asked_bytes.min(RECEIVE_BUFFER_BYTES_MAX);
    // EPERM without CAP_NET_ADMIN; then the limit holds.
    if sockopt::set_socket_recv_buffer_size_force(socket, asked_bytes).is_err() {
        sockopt::set_socket_recv_buffer_size(socket, asked_bytes)?;
    }
    Ok(sockopt::socket_recv_buffer_size(socket)?)
}

/// Sets a receive buffer as [`set_receive_buffer`], but never to less than it is: whoever has made
/// the socket may have been allowed more than we are.
fn raise_receive_buffer(socket: &UdpSocket, asked_bytes: usize) -> io::Result<usize> {
    let here_bytes = sockopt::socket_recv_buffer_size(socket)?;
    let trial = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    match set_receive_buffer(&trial, asked_bytes)? > here_bytes {
        true => set_receive_buffer(socket, asked_bytes),
        false => Ok(here_bytes),
    }
}

/// What to say if less was granted than asked for. The kernel counts twice what it grants.
fn warning(counted_bytes: usize, asked_bytes: usize) -> Option<String> {
    let granted_bytes = counted_bytes / 2;
    (granted_bytes < asked_bytes.min(RECEIVE_BUFFER_BYTES_MAX)).then(|| {
        let datagrams = counted_bytes / SMALL_DATAGRAM_BYTES;
        format!(
            "udp: the receive buffer is {granted_bytes} bytes instead of {asked_bytes} and holds \
             about {datagrams} small datagrams; try: sysctl -w net.core.rmem_max={asked_bytes}"
        )
    })
}

#[cfg(test)]
mod tests;
