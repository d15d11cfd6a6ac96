//! Binds UDP sockets: for each address one per shard, which share its port.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt;
use socket2::{Domain, Protocol, Socket, Type};

use super::address::BindAddress;
use super::bind_error::BindError;
use super::host::HostPort;

/// How long an address may stay in use. A predecessor that was killed lets go of its port some
/// milliseconds late, when the kernel has taken its ring apart.
const IN_USE_MAX: Duration = Duration::from_secs(1);
const IN_USE_PAUSE: Duration = Duration::from_millis(10);

/// What a small datagram takes of a receive buffer, up to some 100 bytes of payload.
const SMALL_DATAGRAM_BYTES: usize = 832;

/// The sockets of all shards.
#[derive(Debug)]
pub struct Bound {
    /// Per shard one socket for each of `addresses`, in the same order.
    pub shards: Vec<Vec<UdpSocket>>,
    /// What is listened on, with the port that the kernel chose where 0 was asked for.
    pub addresses: Vec<SocketAddr>,
    /// The smallest receive buffer in bytes, as the kernel counts it: twice what was set.
    pub receive_buffer_bytes: usize,
    /// What to tell the user if the kernel grants less receive buffer than asked for.
    pub warning: Option<String>,
}

/// An address to bind, with how far it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    address: SocketAddr,
    /// Whether an IPv6 socket takes IPv4 too.
    dual_stack: bool,
}

/// Binds every address `shards` times. An address that another program holds is refused,
/// although SO_REUSEPORT would let us in and split the traffic between the two.
///
/// No host means all addresses, IPv6 and IPv4 through one socket; IPv4 alone where the kernel
/// has no IPv6. Of a name with several addresses, those that this machine does not have are left
/// out as long as one remains. With port 0 all shards share the port that the first one got.
///
/// # Errors
/// Names the address, the reason and what to do about it.
pub fn bind(
    addresses: &[BindAddress],
    shards: usize,
    receive_buffer_bytes: usize,
) -> Result<Bound, BindError> {
    assert!(shards > 0, "a daemon without a shard receives nothing");
    let places = resolve_all(addresses)?;
    let mut bound = Bound {
        shards: (0..shards).map(|_| Vec::new()).collect(),
        addresses: Vec::new(),
        receive_buffer_bytes: usize::MAX,
        warning: None,
    };
    for mut place in places {
        for shard in &mut bound.shards {
            let socket = open(place, true)?;
            if place.address.port() == 0 {
                let local = socket
                    .local_addr()
                    .map_err(|e| BindError::bind(place.address, e))?;
                place.address.set_port(local.port());
            }
            let granted_bytes = set_receive_buffer(&socket, receive_buffer_bytes)
                .map_err(|error| BindError::option(place.address, "SO_RCVBUF", error))?;
            bound.receive_buffer_bytes = bound.receive_buffer_bytes.min(granted_bytes);
            shard.push(socket);
        }
        bound.addresses.push(place.address);
    }
    bound.warning = warning(bound.receive_buffer_bytes, receive_buffer_bytes);
    Ok(bound)
}

/// Resolves all addresses and makes sure that nobody holds one of them, before any is kept: two
/// of ours may overlap (127.0.0.1 and all of IPv6 and IPv4), which only SO_REUSEPORT allows.
fn resolve_all(addresses: &[BindAddress]) -> Result<Vec<Place>, BindError> {
    let mut places: Vec<Place> = Vec::new();
    let mut seen = HashSet::new();
    for address in addresses {
        let BindAddress::Udp(host_port) = address else {
            return Err(BindError::no_engine(address));
        };
        let mut usable = Vec::new();
        let mut refused = None;
        for place in resolve(host_port)? {
            match open(place, false) {
                Ok(_) => usable.push(place),
                Err(error) if error.is_foreign() => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        if usable.is_empty() {
            return Err(refused.unwrap_or_else(|| BindError::no_address(address)));
        }
        for place in usable {
            if place.address.port() != 0 && !seen.insert(place.address) {
                return Err(BindError::twice(place.address));
            }
            places.push(place);
        }
    }
    Ok(leave_ipv4_to_its_own_socket(places))
}

/// A socket for all of IPv4 that was asked for by itself keeps its traffic.
fn leave_ipv4_to_its_own_socket(mut places: Vec<Place>) -> Vec<Place> {
    let ipv4_ports: Vec<u16> = places
        .iter()
        .filter(|place| place.address.ip() == Ipv4Addr::UNSPECIFIED)
        .map(|place| place.address.port())
        .collect();
    for place in &mut places {
        let port = place.address.port();
        place.dual_stack &= port == 0 || !ipv4_ports.contains(&port);
    }
    places
}

fn resolve(address: &HostPort) -> Result<Vec<Place>, BindError> {
    let port = address.port;
    let Some(host) = &address.host else {
        let ip = if kernel_has_ipv6() {
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        };
        return Ok(vec![Place::new(SocketAddr::new(ip, port))]);
    };
    let resolved = (host.as_str(), port)
        .to_socket_addrs()
        .map_err(|error| BindError::resolve(format_args!("udp://{address}"), error))?;
    // A resolver may list an address once per socket type.
    let mut places: Vec<Place> = Vec::new();
    for resolved in resolved {
        let place = Place::new(resolved);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

impl Place {
    fn new(address: SocketAddr) -> Self {
        Place {
            address,
            dual_stack: address.ip() == Ipv6Addr::UNSPECIFIED,
        }
    }
}

/// EAFNOSUPPORT is the answer of a kernel that was built or booted without IPv6; with the sysctl
/// disable_ipv6 sockets can be made, and the wildcard address be bound, all the same.
fn kernel_has_ipv6() -> bool {
    match Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)) {
        Ok(_) => true,
        Err(error) => Errno::from_io_error(&error) != Some(Errno::AFNOSUPPORT),
    }
}

/// Opens and binds one socket; waits a while for an address in use.
fn open(place: Place, share_port: bool) -> Result<UdpSocket, BindError> {
    let address = place.address;
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))
        .map_err(|error| BindError::bind(address, error))?;
    if address.is_ipv6() {
        // Set explicitly, because the sysctl net.ipv6.bindv6only changes the default.
        socket
            .set_only_v6(!place.dual_stack)
            .map_err(|error| BindError::option(address, "IPV6_V6ONLY", error))?;
    }
    socket
        .set_reuse_port(share_port)
        .map_err(|error| BindError::option(address, "SO_REUSEPORT", error))?;
    let give_up = Instant::now() + IN_USE_MAX;
    loop {
        match socket.bind(&address.into()) {
            Ok(()) => return Ok(socket.into()),
            Err(error) if is_in_use(&error) && Instant::now() < give_up => {
                thread::sleep(IN_USE_PAUSE);
            }
            Err(error) => return Err(BindError::bind(address, error)),
        }
    }
}

fn is_in_use(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
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
