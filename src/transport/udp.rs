//! Binds UDP sockets: for each address one per shard, which share its port.

use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use rustix::net::sockopt;

use super::address::BindAddress;
use super::bind_error::BindError;
use super::place::{self, Place, Transport};

/// What a small datagram takes of a receive buffer, up to some 100 bytes of payload.
const SMALL_DATAGRAM_BYTES: usize = 832;

/// The sockets of all shards.
#[derive(Debug)]
pub struct Bound {
    /// Per shard one socket for each of `addresses`, in the same order; no shard if there are none.
    pub shards: Vec<Vec<UdpSocket>>,
    /// What is listened on, with the port that the kernel chose where 0 was asked for.
    pub addresses: Vec<SocketAddr>,
    /// The smallest receive buffer in bytes, as the kernel counts it: twice what was set.
    pub receive_buffer_bytes: usize,
    /// What to tell the user if the kernel grants less receive buffer than asked for.
    pub warning: Option<String>,
}

/// Binds every address of UDP `shards` times. An address that another program holds is refused,
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
    let shards = if places.is_empty() { 0 } else { shards };
    let mut bound = Bound {
        shards: (0..shards).map(|_| Vec::new()).collect(),
        addresses: Vec::new(),
        receive_buffer_bytes: usize::MAX,
        warning: None,
    };
    for mut place in places {
        for shard in &mut bound.shards {
            let socket = UdpSocket::from(place.open(true)?);
            if place.address.port() == 0 {
                let local = socket
                    .local_addr()
                    .map_err(|error| BindError::bind(place, error))?;
                place.address.set_port(local.port());
            }
            let granted_bytes = set_receive_buffer(&socket, receive_buffer_bytes)
                .map_err(|error| BindError::option(place, "SO_RCVBUF", error))?;
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
        let host_port = match address {
            BindAddress::Udp(host_port) => host_port,
            BindAddress::Tcp(_)
            | BindAddress::Unix(_)
            | BindAddress::UnixDatagram(_)
            | BindAddress::Stdin => continue,
        };
        let mut usable = Vec::new();
        let mut refused = None;
        for place in place::resolve(host_port, Transport::Udp)? {
            match place.open(false) {
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
                return Err(BindError::twice(place));
            }
            places.push(place);
        }
    }
    Ok(place::leave_ipv4_to_its_own_socket(places))
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
