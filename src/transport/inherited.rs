//! Sockets that somebody else has bound: a service manager, or an earlier process of ours.
//!
//! They are used as they are. Whoever holds them, too, keeps their queues while no process of ours
//! runs, so their files are not removed and their queues are not emptied at the end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::net::sockopt;
use socket2::{Domain, SockAddr, Socket, Type};

/// A socket that was handed over, with what is to be known of it.
#[derive(Debug)]
struct InheritedSocket {
    name: String,
    is_stored: bool,
    at: At,
    socket: Socket,
}

/// Where a socket is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    Udp(SocketAddr),
    Tcp(SocketAddr),
    /// A Unix socket of connections; the path of an abstract one begins with `@`.
    Unix(PathBuf),
    /// A Unix socket of datagrams.
    UnixDatagram(PathBuf),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Udp(address) => write!(f, "udp://{address}"),
            At::Tcp(address) => write!(f, "tcp://{address}"),
            At::Unix(path) => write!(f, "unix:{}", path.display()),
            At::UnixDatagram(path) => write!(f, "unixgram:{}", path.display()),
        }
    }
}

/// All sockets that were handed over and have no use yet.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<InheritedSocket>,
    /// Names of those of the store that nobody reaches any more.
    unreachable: Vec<String>,
}

impl Inherited {
    /// Looks at what was handed over, by names; those that begin with `stored` are what an earlier
    /// process of ours has left with somebody.
    ///
    /// # Errors
    /// Names the socket that is of no use, and why.
    pub fn new(
        handed: impl IntoIterator<Item = (String, OwnedFd)>,
        stored: &str,
    ) -> Result<Inherited, String> {
        let mut sockets = Vec::new();
        for (name, descriptor) in handed {
            let is_stored = name.starts_with(stored);
            let socket = Socket::from(descriptor);
            let at = look_at(&socket).map_err(|reason| {
                format!("cannot use socket {name} that the service manager hands over: {reason}")
            })?;
            sockets.push(InheritedSocket {
                name,
                is_stored,
                at,
                socket,
            });
        }
        // Those of the store in the order of their shards.
        sockets.sort_by(|a, b| (a.is_stored, &a.name).cmp(&(b.is_stored, &b.name)));
        Ok(Inherited {
            sockets,
            unreachable: Vec::new(),
        })
    }

    /// Whether somebody's unit says where to listen, in the place of the default address.
    pub fn names_addresses(&self) -> bool {
        self.sockets.iter().any(|socket| !socket.is_stored)
    }

    /// The sockets of UDP at an address.
    pub(super) fn take_udp(&mut self, address: SocketAddr) -> Vec<Socket> {
        self.take(|at| *at == At::Udp(address))
    }

    /// Whether there is a socket of UDP at an address.
    pub(super) fn has_udp(&self, address: SocketAddr) -> bool {
        let sockets = &mut self.sockets.iter();
        sockets.any(|socket| socket.at == At::Udp(address))
    }

    /// The listeners of TCP at an address.
    pub(super) fn take_tcp(&mut self, address: SocketAddr) -> Vec<Socket> {
        self.take(|at| *at == At::Tcp(address))
    }

    /// The socket of connections at a path, if its file is still there.
    pub(super) fn take_unix(&mut self, path: &Path) -> io::Result<Vec<Socket>> {
        let path = std::path::absolute(path)?;
        Ok(self.take_reachable(&At::Unix(path.clone()), &path))
    }

    /// The socket of datagrams at a path, if its file is still there.
    pub(super) fn take_unix_datagram(&mut self, path: &Path) -> io::Result<Vec<Socket>> {
        let path = std::path::absolute(path)?;
        Ok(self.take_reachable(&At::UnixDatagram(path.clone()), &path))
    }

    /// All sockets of UDP that somebody's unit names and no setting does, by address.
    pub(super) fn take_other_udp(&mut self) -> Vec<(SocketAddr, Vec<Socket>)> {
        let mut by_address = Vec::new();
        while let Some(address) = self.other_udp() {
            by_address.push((address, self.take_udp(address)));
        }
        by_address
    }

    fn other_udp(&self) -> Option<SocketAddr> {
        let others = self.sockets.iter().filter(|socket| !socket.is_stored);
        others.map(|socket| &socket.at).find_map(|at| match at {
            At::Udp(address) => Some(*address),
            At::Tcp(_) | At::Unix(_) | At::UnixDatagram(_) => None,
        })
    }

    /// All other sockets that somebody's unit names and no setting does, with their addresses.
    pub(super) fn take_other_streams(&mut self) -> Vec<(String, OtherStream)> {
        let is_stream = |at: &At| !matches!(at, At::Udp(_));
        let mut taken = Vec::new();
        while let Some(place) = self
            .sockets
            .iter()
            .position(|socket| !socket.is_stored && is_stream(&socket.at))
        {
            let InheritedSocket { at, socket, .. } = self.sockets.remove(place);
            let stream = match &at {
                At::Udp(_) => unreachable!("it was looked for another kind"),
                At::Tcp(_) => OtherStream::Tcp(socket),
                At::Unix(_) => OtherStream::Unix(socket),
                At::UnixDatagram(_) => OtherStream::UnixDatagram(socket),
            };
            taken.push((at.to_string(), stream));
        }
        taken
    }

    /// Closes the rest, which only an earlier process had a use for. Returns names and addresses.
    pub fn close_rest(self) -> Vec<(String, String)> {
        let rest = self.sockets.into_iter();
        rest.map(|socket| (socket.name, socket.at.to_string()))
            .collect()
    }

    /// The names of sockets of the store that were taken and are of no use, once: another one takes the
    /// place of each.
    pub fn take_unreachable(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unreachable)
    }

    /// The sockets, if somebody who opens this path still reaches one: a folder such as
    /// `RuntimeDirectory=` may have been removed between two processes.
    fn take_reachable(&mut self, wanted: &At, path: &Path) -> Vec<Socket> {
        let sockets = self.sockets.extract_if(.., |socket| socket.at == *wanted);
        let sockets: Vec<InheritedSocket> = sockets.collect();
        if sockets.is_empty() || has_listener(path) {
            return sockets.into_iter().map(|socket| socket.socket).collect();
        }
        log::warn!(
            "the file of the socket {} was removed (RuntimeDirectoryPreserve=yes of systemd keeps it); \
             what waited there is lost",
            path.display()
        );
        let stored = sockets.into_iter().filter(|socket| socket.is_stored);
        self.unreachable.extend(stored.map(|socket| socket.name));
        Vec::new()
    }

    fn take(&mut self, is_wanted: impl Fn(&At) -> bool) -> Vec<Socket> {
        let taken = self.sockets.extract_if(.., |socket| is_wanted(&socket.at));
        taken.map(|socket| socket.socket).collect()
    }
}

/// What is not of UDP.
#[derive(Debug)]
pub(super) enum OtherStream {
    Tcp(Socket),
    Unix(Socket),
    UnixDatagram(Socket),
}

/// Finds out where a socket is bound, and that it is one which lines can come in at.
fn look_at(socket: &Socket) -> Result<At, String> {
    let failed = |error: io::Error| error.to_string();
    let is_stream = match socket.r#type().map_err(failed)? {
        Type::STREAM => true,
        Type::DGRAM => false,
        _ => return Err("it is neither of datagrams nor of connections".to_owned()),
    };
    let is_listening = || sockopt::socket_acceptconn(socket).map_err(|error| error.to_string());
    if is_stream && !is_listening()? {
        return Err(
            "it does not listen; a socket unit has to say Accept=no and ListenStream=".to_owned(),
        );
    }
    if !is_stream && socket.peer_addr().is_ok() {
        return Err("it is connected, and takes datagrams of one peer only".to_owned());
    }
    let address = socket.local_addr().map_err(failed)?;
    if address.domain() == Domain::UNIX {
        let path = path_of(&address).ok_or("it has no address")?;
        return Ok(match is_stream {
            true => At::Unix(path),
            false => At::UnixDatagram(path),
        });
    }
    match address.as_socket() {
        None => Err("it is of a family other than IPv4, IPv6 and Unix".to_owned()),
        Some(address) if address.port() == 0 => Err("it is not bound to a port".to_owned()),
        Some(address) if is_stream => Ok(At::Tcp(address)),
        Some(address) => Ok(At::Udp(address)),
    }
}

fn path_of(address: &SockAddr) -> Option<PathBuf> {
    if let Some(path) = address.as_pathname() {
        return Some(path.to_owned());
    }
    let name = address.as_abstract_namespace()?;
    Some(PathBuf::from(format!("@{}", name.escape_ascii())))
}

fn has_listener(path: &Path) -> bool {
    let probed = SockAddr::unix(path).and_then(|address| {
        // Of datagrams: a socket of connections answers EPROTOTYPE, and gets none.
        Socket::new(Domain::UNIX, Type::DGRAM, None)?.connect(&address)
    });
    let gone = [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound];
    probed
        .map_err(|error| error.kind())
        .err()
        .is_none_or(|kind| !gone.contains(&kind))
}

/// Whether an IPv6 socket leaves IPv4 alone.
pub(super) fn is_ipv6_only(socket: impl AsFd) -> bool {
    sockopt::ipv6_v6only(socket).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;

    fn one(descriptor: impl Into<OwnedFd>) -> Result<Inherited, String> {
        Inherited::new([("lines.socket".to_owned(), descriptor.into())], "store/")
    }

    #[test]
    fn each_kind_is_known_by_its_address() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let (at_udp, at_tcp) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        assert_eq!(one(udp).unwrap().take_udp(at_udp).len(), 1);
        assert_eq!(one(tcp).unwrap().take_tcp(at_tcp).len(), 1);
        let unix = UnixListener::bind(path("a")).unwrap();
        let datagrams = UnixDatagram::bind(path("b")).unwrap();
        assert_eq!(one(unix).unwrap().take_unix(&path("a")).unwrap().len(), 1);
        let mut inherited = one(datagrams).unwrap();
        assert_eq!(inherited.take_unix(&path("b")).unwrap().len(), 0);
        let taken = inherited.take_unix_datagram(&path("b")).unwrap();
        assert_eq!(taken.len(), 1);
    }

    #[test]
    fn a_socket_that_no_line_can_come_in_at_is_refused_by_name_and_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let error = one(connection).unwrap_err();
        assert!(error.contains("lines.socket"), "{error}");
        assert!(error.contains("it does not listen"), "{error}");
        let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
        connected.connect("127.0.0.1:9").unwrap();
        let error = one(connected).unwrap_err();
        assert!(error.contains("datagrams of one peer only"), "{error}");
        let unbound = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        let error = one(unbound).unwrap_err();
        assert!(error.contains("not bound to a port"), "{error}");
        let (pair, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(one(pair).unwrap_err().contains("it does not listen"));
    }

    #[test]
    fn a_socket_whose_file_was_removed_is_not_used_and_does_not_stay_in_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for (name, unreachable) in [("lines.socket", &[][..]), ("store/a/0", &["store/a/0"])] {
            let unix = UnixListener::bind(&path).unwrap();
            let handed = [(name.to_owned(), unix.into())];
            let mut inherited = Inherited::new(handed, "store/").unwrap();
            std::fs::remove_file(&path).unwrap();
            assert_eq!(inherited.take_unix(&path).unwrap().len(), 0);
            assert_eq!(inherited.take_unreachable(), unreachable);
            assert_eq!(inherited.take_unreachable(), [""; 0]);
        }
    }

    #[test]
    fn what_nobody_names_is_taken_if_it_is_of_a_unit_and_closed_if_it_was_stored() {
        let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let (unit, stored) = (socket(), socket());
        let (at_unit, at_stored) = (unit.local_addr().unwrap(), stored.local_addr().unwrap());
        let handed = [("store/b/0", stored), ("unit", unit)];
        let handed = handed.map(|(name, socket)| (name.to_owned(), socket.into()));
        let mut inherited = Inherited::new(handed, "store/").unwrap();
        assert!(inherited.names_addresses());
        let others = inherited.take_other_udp();
        assert_eq!(others.len(), 1);
        assert_eq!(others[0].0, at_unit);
        assert!(!inherited.names_addresses());
        let closed = inherited.close_rest();
        let expected = ("store/b/0".to_owned(), format!("udp://{at_stored}"));
        assert_eq!(closed, [expected]);
    }
}
