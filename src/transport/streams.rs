//! Binds what connections and local datagrams come in at: TCP ports and Unix sockets.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixDatagram, UnixListener};

use socket2::Type;

use super::address::BindAddress;
use super::bind_error::BindError;
use super::place::{self, Place, Transport};
use super::port::TcpAddress;
use super::socket_file::SocketFile;

/// Everything that is listened on but UDP.
#[derive(Debug, Default)]
pub struct BoundStreams {
    /// TCP ports.
    pub tcp: Vec<TcpListener>,
    /// Unix sockets for connections; each file goes when this does.
    pub unix: Vec<(UnixListener, SocketFile)>,
    /// Unix sockets for datagrams; each file goes when this does.
    pub datagrams: Vec<(UnixDatagram, SocketFile)>,
    /// Whether the standard input is read.
    pub stdin: bool,
    /// All of it as addresses, with the ports that the kernel chose where 0 was asked for.
    pub addresses: Vec<String>,
}

impl BoundStreams {
    /// Whether nothing is listened on.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

/// Connections that the kernel holds until they are accepted; it takes no more than
/// net.core.somaxconn.
const BACKLOG_COUNT: i32 = 1_024;

/// Binds every address that is not one of UDP.
///
/// # Errors
/// Names the address, the reason and what to do about it.
pub fn bind_streams(addresses: &[BindAddress]) -> Result<BoundStreams, BindError> {
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
                let made = SocketFile::make(path, Type::STREAM).and_then(|(socket, file)| {
                    socket.listen(BACKLOG_COUNT)?;
                    Ok((socket.into(), file))
                });
                let made = made.map_err(|error| BindError::path(address, error))?;
                bound.unix.push(made);
                bound.addresses.push(address.to_string());
            }
            BindAddress::UnixDatagram(path) => {
                let made = SocketFile::make(path, Type::DGRAM);
                let (socket, file) = made.map_err(|error| BindError::path(address, error))?;
                bound.datagrams.push((socket.into(), file));
                bound.addresses.push(address.to_string());
            }
            BindAddress::Stdin => {
                bound.stdin = true;
                bound.addresses.push(address.to_string());
            }
        }
    }
    for (listener, address) in listen(places)? {
        bound.tcp.push(listener);
        bound.addresses.push(format!("tcp://{address}"));
    }
    Ok(bound)
}

/// Binds a port that is not for lines.
///
/// # Errors
/// As [`bind_streams`].
pub fn bind_tcp<const DEFAULT_PORT: u16>(
    address: &TcpAddress<DEFAULT_PORT>,
) -> Result<Vec<TcpListener>, BindError> {
    let listening = listen(place::resolve(&address.0, Transport::Tcp)?)?;
    Ok(listening
        .into_iter()
        .map(|(listener, _)| listener)
        .collect())
}

/// Listens at all places. Of those that a name has, the ones that are not of this machine are left
/// out as long as one remains.
fn listen(places: Vec<Place>) -> Result<Vec<(TcpListener, SocketAddr)>, BindError> {
    let mut listening = Vec::new();
    let mut refused = None;
    for place in place::leave_ipv4_to_its_own_socket(places) {
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
            Ok((listener, address))
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
        bind_streams(&addresses).map_err(|error| error.to_string())
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
        let tcp = bound.tcp[0].local_addr().unwrap();
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
