//! Binds what connections and local datagrams come in at, TCP ports and Unix sockets; or takes it from
//! what was handed over.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::{UnixDatagram, UnixListener};

use socket2::Type;

use super::address::BindAddress;
use super::bind_error::BindError;
use super::inherited::{Inherited, OtherStream};
use super::path::SocketPath;
use super::place::{self, Place, Transport};
use super::port::TcpAddress;
use super::socket_file::SocketFile;

/// Everything that is listened on but UDP.
#[derive(Debug, Default)]
pub struct BoundStreams {
    /// TCP ports.
    pub tcp: Vec<Listener<TcpListener>>,
    /// Unix sockets for connections.
    pub unix: Vec<Listener<UnixListener>>,
    /// Unix sockets for datagrams.
    pub datagrams: Vec<Listener<UnixDatagram>>,
    /// Whether the standard input is read.
    pub stdin: bool,
    /// All of it as addresses, with the ports that the kernel chose where 0 was asked for.
    pub addresses: Vec<String>,
}

/// A socket that connections or datagrams come in at.
#[derive(Debug)]
pub struct Listener<S> {
    /// The socket.
    pub socket: S,
    /// Its address, for people.
    pub address: String,
    /// Whether somebody else holds the socket, too: what waits there waits for our successor.
    pub is_inherited: bool,
    /// Of a Unix socket that we have bound: its file, which goes when this does.
    pub file: Option<SocketFile>,
}

impl<S> Listener<S> {
    fn bound(socket: S, address: impl ToString) -> Self {
        Listener {
            socket,
            address: address.to_string(),
            is_inherited: false,
            file: None,
        }
    }

    fn inherited(socket: impl Into<S>, address: impl ToString) -> Self {
        Listener {
            is_inherited: true,
            ..Listener::bound(socket.into(), address)
        }
    }
}

impl BoundStreams {
    /// Whether nothing is listened on.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    fn listed(&self) -> Vec<String> {
        let unix = self.unix.iter().map(|it| it.address.clone());
        let datagrams = self.datagrams.iter().map(|it| it.address.clone());
        let stdin = self.stdin.then(|| BindAddress::Stdin.to_string());
        let tcp = self.tcp.iter().map(|it| it.address.clone());
        unix.chain(datagrams).chain(stdin).chain(tcp).collect()
    }
}

/// Connections that the kernel holds until they are accepted; it takes no more than
/// net.core.somaxconn.
const BACKLOG_COUNT: i32 = 1_024;

/// Binds every address that is not one of UDP, or takes it from what was handed over. What was handed
/// over and is none of these addresses is used all the same.
///
/// # Errors
/// Names the address, the reason and what to do about it.
pub fn bind_streams(
    addresses: &[BindAddress],
    inherited: &mut Inherited,
) -> Result<BoundStreams, BindError> {
    let mut bound = BoundStreams::default();
    let mut places: Vec<Place> = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        let is_repeated = addresses[..index].contains(address);
        match address {
            BindAddress::Udp(_) => {}
            BindAddress::Tcp(host_port) => {
                for place in place::resolve(host_port, Transport::Tcp)? {
                    let is_same = |other: &Place| other.address == place.address;
                    if place.address.port() != 0 && places.iter().any(is_same) {
                        return Err(BindError::twice(place));
                    }
                    places.push(place);
                }
            }
            BindAddress::Unix(_) | BindAddress::UnixDatagram(_) | BindAddress::Stdin
                if is_repeated =>
            {
                return Err(BindError::twice(address));
            }
            BindAddress::Unix(path) => {
                let listeners = listen_at(address, path, inherited);
                let listeners = listeners.map_err(|error| BindError::path(address, error))?;
                bound.unix.extend(listeners);
            }
            BindAddress::UnixDatagram(path) => {
                let sockets = receive_at(address, path, inherited);
                let sockets = sockets.map_err(|error| BindError::path(address, error))?;
                bound.datagrams.extend(sockets);
            }
            BindAddress::Stdin => bound.stdin = true,
        }
    }
    bound.tcp = listen(places, inherited)?;
    for (address, socket) in inherited.take_other_streams() {
        match socket {
            OtherStream::Tcp(socket) => bound.tcp.push(Listener::inherited(socket, address)),
            OtherStream::Unix(socket) => bound.unix.push(Listener::inherited(socket, address)),
            OtherStream::UnixDatagram(socket) => {
                bound.datagrams.push(Listener::inherited(socket, address));
            }
        }
    }
    bound.addresses = bound.listed();
    Ok(bound)
}

/// The sockets of connections at a path.
fn listen_at(
    address: &BindAddress,
    path: &SocketPath,
    inherited: &mut Inherited,
) -> io::Result<Vec<Listener<UnixListener>>> {
    let taken = inherited.take_unix(&path.path)?;
    if !taken.is_empty() {
        let taken = taken.into_iter();
        return Ok(taken.map(|it| Listener::inherited(it, address)).collect());
    }
    let (socket, file) = SocketFile::make(path, Type::STREAM)?;
    socket.listen(BACKLOG_COUNT)?;
    Ok(vec![Listener {
        file: Some(file),
        ..Listener::bound(socket.into(), address)
    }])
}

/// The sockets of datagrams at a path.
fn receive_at(
    address: &BindAddress,
    path: &SocketPath,
    inherited: &mut Inherited,
) -> io::Result<Vec<Listener<UnixDatagram>>> {
    let taken = inherited.take_unix_datagram(&path.path)?;
    if !taken.is_empty() {
        let taken = taken.into_iter();
        return Ok(taken.map(|it| Listener::inherited(it, address)).collect());
    }
    let (socket, file) = SocketFile::make(path, Type::DGRAM)?;
    Ok(vec![Listener {
        file: Some(file),
        ..Listener::bound(socket.into(), address)
    }])
}

/// Binds a port that is not for lines, or takes it from what was handed over.
///
/// # Errors
/// As [`bind_streams`].
pub fn bind_tcp<const DEFAULT_PORT: u16>(
    address: &TcpAddress<DEFAULT_PORT>,
    inherited: &mut Inherited,
) -> Result<Vec<Listener<TcpListener>>, BindError> {
    listen(place::resolve(&address.0, Transport::Tcp)?, inherited)
}

/// Listens at all places. Of those that a name has, the ones that are not of this machine are left
/// out as long as one remains.
fn listen(
    places: Vec<Place>,
    inherited: &mut Inherited,
) -> Result<Vec<Listener<TcpListener>>, BindError> {
    let mut listening = Vec::new();
    let mut refused = None;
    for place in place::leave_ipv4_to_its_own_socket(places) {
        let taken = inherited.take_tcp(place.address);
        if !taken.is_empty() {
            let taken = taken.into_iter();
            listening.extend(taken.map(|it| Listener::inherited(it, place)));
            continue;
        }
        let socket = match place.open(false) {
            Ok(socket) => socket,
            Err(error) if error.is_foreign() => {
                refused = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let listener = socket.listen(BACKLOG_COUNT).and_then(|()| {
            let listener = TcpListener::from(socket);
            let address = listener.local_addr()?;
            Ok(Listener::bound(listener, format_args!("tcp://{address}")))
        });
        listening.push(listener.map_err(|error| BindError::bind(place, error))?);
    }
    match refused {
        Some(error) if listening.is_empty() => Err(error),
        Some(_) | None => Ok(listening),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn bind(texts: &[&str]) -> Result<BoundStreams, String> {
        let addresses: Vec<BindAddress> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let inherited = &mut Inherited::default();
        bind_streams(&addresses, inherited).map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_is_bound_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name).display().to_string();
        let (unix, datagrams) = (
            format!("unix:{}", path("a")),
            format!("unixgram:{}", path("b")),
        );
        let bound = bind(&[":0", "tcp://127.0.0.1:0", &unix, &datagrams, "stdin:"]).unwrap();
        assert_eq!((bound.tcp.len(), bound.unix.len()), (1, 1));
        assert_eq!((bound.datagrams.len(), bound.stdin), (1, true));
        let tcp = bound.tcp[0].socket.local_addr().unwrap();
        let expected = [unix, datagrams, "stdin:".to_owned(), format!("tcp://{tcp}")];
        assert_eq!(bound.addresses, expected);
        TcpStream::connect(tcp).unwrap();
        assert!(bind(&[":0"]).unwrap().is_empty());
    }

    #[test]
    fn an_address_in_use_is_refused_with_what_names_the_other_program() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = holder.local_addr().unwrap().port();
        let error = bind(&[&format!("tcp://127.0.0.1:{port}")]).unwrap_err();
        let expected = format!(
            "cannot bind tcp://127.0.0.1:{port}: address in use by another program \
             (ss -tlpn 'sport = :{port}' names it)"
        );
        assert_eq!(error, expected);
    }

    #[test]
    fn the_same_address_twice_is_an_error() {
        let error = bind(&["stdin:", "stdin:"]).unwrap_err();
        assert!(
            error.contains("stdin:: the address is given twice"),
            "{error}"
        );
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", free.local_addr().unwrap());
        drop(free);
        let error = bind(&[&address, &address]).unwrap_err();
        let expected = format!("cannot bind {address}: the address is given twice");
        assert_eq!(error, expected);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = bind(&["unix:/nowhere/socket"]).unwrap_err();
        assert!(
            error.starts_with("cannot bind unix:/nowhere/socket: No such file"),
            "{error}"
        );
    }
}
