//! An address that a name was resolved to, and the socket that is bound to it.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::bind_error::BindError;
use super::host::HostPort;

/// How long an address may stay in use. A predecessor that was killed lets go of its port some
/// milliseconds late, when the kernel has taken its ring apart.
const IN_USE_MAX: Duration = Duration::from_secs(1);
const IN_USE_PAUSE: Duration = Duration::from_millis(10);

/// What runs over IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    fn socket(self, domain: Domain) -> io::Result<Socket> {
        match self {
            Transport::Udp => Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)),
            Transport::Tcp => Socket::new(domain, Type::STREAM, Some(Protocol::TCP)),
        }
    }

    /// What stands before `://`.
    fn scheme(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }

    /// The options of `ss` that list the sockets which may hold a port.
    pub(super) fn ss_options(self) -> &'static str {
        match self {
            Transport::Udp => "-ulpn",
            Transport::Tcp => "-tlpn",
        }
    }
}

/// An address to bind, with how far it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
    /// Whether an IPv6 socket takes IPv4 too.
    pub(super) dual_stack: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.transport.scheme(), self.address)
    }
}

impl Place {
    pub(super) fn new(transport: Transport, address: SocketAddr) -> Self {
        Place {
            transport,
            address,
            dual_stack: address.ip() == Ipv6Addr::UNSPECIFIED,
        }
    }

    /// Opens and binds one socket; waits a while for an address in use.
    pub(super) fn open(self, share_port: bool) -> Result<Socket, BindError> {
        let address = self.address;
        let socket = self
            .transport
            .socket(Domain::for_address(address))
            .map_err(|error| BindError::bind(self, error))?;
        if address.is_ipv6() {
            // Set explicitly, because the sysctl net.ipv6.bindv6only changes the default.
            socket
                .set_only_v6(!self.dual_stack)
                .map_err(|error| BindError::option(self, "IPV6_V6ONLY", error))?;
        }
        match self.transport {
            Transport::Udp => socket
                .set_reuse_port(share_port)
                .map_err(|error| BindError::option(self, "SO_REUSEPORT", error))?,
            // Connections of a predecessor linger for a minute; a socket that listens is not let
            // in beside another one.
            Transport::Tcp => socket
                .set_reuse_address(true)
                .map_err(|error| BindError::option(self, "SO_REUSEADDR", error))?,
        }
        let give_up = Instant::now() + IN_USE_MAX;
        loop {
            match socket.bind(&address.into()) {
                Ok(()) => return Ok(socket),
                Err(error) if is_in_use(&error) && Instant::now() < give_up => {
                    thread::sleep(IN_USE_PAUSE);
                }
                Err(error) => return Err(BindError::bind(self, error)),
            }
        }
    }
}

fn is_in_use(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// The addresses of a host; of no host all of this machine.
pub(super) fn resolve(address: &HostPort, transport: Transport) -> Result<Vec<Place>, BindError> {
    let port = address.port;
    let Some(host) = &address.host else {
        let ip = if kernel_has_ipv6() {
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        };
        return Ok(vec![Place::new(transport, SocketAddr::new(ip, port))]);
    };
    let resolved = (host.as_str(), port).to_socket_addrs().map_err(|error| {
        BindError::resolve(format_args!("{}://{address}", transport.scheme()), error)
    })?;
    // A resolver may list an address once per socket type.
    let mut places: Vec<Place> = Vec::new();
    for resolved in resolved {
        let place = Place::new(transport, resolved);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

/// EAFNOSUPPORT is the answer of a kernel that was built or booted without IPv6; with the sysctl
/// disable_ipv6 sockets can be made, and the wildcard address be bound, all the same.
pub(super) fn kernel_has_ipv6() -> bool {
    match Transport::Udp.socket(Domain::IPV6) {
        Ok(_) => true,
        Err(error) => Errno::from_io_error(&error) != Some(Errno::AFNOSUPPORT),
    }
}

/// A socket for all of IPv4 that was asked for by itself keeps its traffic.
pub(super) fn leave_ipv4_to_its_own_socket(mut places: Vec<Place>) -> Vec<Place> {
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
