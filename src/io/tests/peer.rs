//! A Graphite receiver that a test steers by hand; every wait of it has a deadline.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use socket2::{Domain, SockRef, Socket, Type};

use super::{DEADLINE, SinkAddress};

/// A bound socket that listens or does not yet: then connections to it are refused.
pub(super) struct Peer {
    socket: Socket,
}

impl Peer {
    pub(super) fn silent() -> Peer {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any_port.into()).expect("a free port");
        Peer { socket }
    }

    pub(super) fn listening() -> Peer {
        let peer = Peer::silent();
        peer.listen();
        peer
    }

    pub(super) fn listen(&self) {
        // Connections inherit it: a stalling peer fills up soon.
        self.socket.set_recv_buffer_size(64 << 10).expect("a size");
        self.socket.set_read_timeout(Some(DEADLINE)).expect("time");
        self.socket.listen(16).expect("it listens");
    }

    pub(super) fn socket_address(&self) -> SocketAddr {
        let address = self.socket.local_addr().expect("it is bound");
        address.as_socket().expect("an IP address")
    }

    pub(super) fn address(&self) -> SinkAddress {
        let text = self.socket_address().to_string();
        text.parse().expect("a sink's address")
    }

    pub(super) fn accept(&self) -> Connection {
        let socket = loop {
            // A ring that this thread once had may interrupt its calls when it is taken apart.
            match self.socket.accept() {
                Ok((socket, _)) => break socket,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("a connection in time: {error}"),
            }
        };
        socket.set_read_timeout(Some(DEADLINE)).expect("time");
        Connection(socket.into())
    }
}

/// A connection that the peer accepted. Dropped with unread bytes it sends a reset, as a program
/// does that dies; without, it closes in order.
pub(super) struct Connection(pub(super) TcpStream);

impl Connection {
    /// Reads exactly as much as `expected` is long and compares.
    pub(super) fn expect(&mut self, expected: &str) {
        let mut bytes = vec![0; expected.len()];
        self.0.read_exact(&mut bytes).expect("bytes in time");
        let received = String::from_utf8(bytes).expect("text");
        assert!(
            received == expected,
            "received {:?}, expected {:?}",
            received.lines().next(),
            expected.lines().next()
        );
    }

    /// Reads this many bytes and throws them away.
    pub(super) fn take(&mut self, size_bytes: usize) {
        let mut bytes = vec![0; size_bytes];
        self.0.read_exact(&mut bytes).expect("bytes in time");
    }

    /// Waits until some bytes have arrived that are not read.
    pub(super) fn wait_for_bytes(&self) {
        loop {
            match self.0.peek(&mut [0; 1]) {
                Ok(peeked) => return assert_eq!(peeked, 1),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("bytes in time: {error}"),
            }
        }
    }

    /// Waits until the other side has said that nothing more comes, without reading what came.
    pub(super) fn wait_for_end_behind_bytes(&self) {
        let mut events = [PollFd::new(&self.0, PollFlags::RDHUP)];
        let timeout = Timespec::try_from(DEADLINE).expect("it fits");
        let ready = retry_on_intr(|| poll(&mut events, Some(&timeout)));
        assert_eq!(ready, Ok(1), "an end in time");
    }

    /// Reads to the end in order.
    pub(super) fn read_to_end(&mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).expect("an end in time");
        text
    }

    /// Whether nothing has arrived and the connection stands.
    pub(super) fn is_silent(&self) -> bool {
        let socket = SockRef::from(&self.0);
        socket.set_nonblocking(true).expect("non-blocking");
        let peeked = self.0.peek(&mut [0; 1]);
        socket.set_nonblocking(false).expect("blocking");
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}
