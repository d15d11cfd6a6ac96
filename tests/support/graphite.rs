//! A Graphite receiver: listens on loopback and collects the lines of all connections.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

use socket2::{Domain, Socket, Type};

use super::kept::Kept;
use super::lines::Lines;
use super::points::Points;

/// A receiver that runs until the test process ends.
pub(crate) struct Graphite {
    pub(crate) port: u16,
    pub(crate) lines: Lines,
}

impl Graphite {
    /// Listens on a free port.
    pub(crate) fn start() -> Graphite {
        ReservedPort::new().listen()
    }

    /// Its address as a sink.
    pub(crate) fn sink(&self) -> String {
        sink_of(self.port)
    }

    /// Its name in the daemon's own metrics.
    pub(crate) fn name(&self) -> String {
        name_of(self.port)
    }

    /// Takes all connections that come to a listener.
    pub(crate) fn of(listener: TcpListener) -> Graphite {
        Graphite::of_some(listener, |_| true)
    }

    /// As [`Graphite::of`]; keeps those lines only that are wanted.
    pub(crate) fn of_some(listener: TcpListener, want: fn(&str) -> bool) -> Graphite {
        let address = listener.local_addr().expect("a bound address");
        let lines = Lines::default();
        let collected = lines.clone();
        thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                collected.collect_some(connection, want);
            }
        });
        Graphite {
            port: address.port(),
            lines,
        }
    }

    /// All points up to now.
    pub(crate) fn points(&self) -> Points {
        Points::parse(&self.lines.now())
    }

    /// All points of a connection that is about to end.
    pub(crate) fn points_to_end(&self) -> Points {
        Points::parse(&self.lines.to_end())
    }

    /// What a database would hold now.
    pub(crate) fn kept(&self) -> Kept {
        Kept::of(&self.points())
    }

    /// Waits until what a database would hold satisfies a condition.
    pub(crate) fn wait_for_kept(&self, what: &str, holds: impl Fn(&Kept) -> bool) -> Kept {
        self.lines.wait_for(what, |lines| {
            Some(Kept::of(&Points::parse(lines))).filter(|kept| holds(kept))
        })
    }

    /// Waits until the points satisfy a condition.
    pub(crate) fn wait_for(&self, what: &str, holds: impl Fn(&Points) -> bool) -> Points {
        self.lines.wait_for(what, |lines| {
            Some(Points::parse(lines)).filter(|points| holds(points))
        })
    }

    /// Waits until the values of a path add up to this.
    pub(crate) fn wait_for_sum(&self, path: &str, sum: f64) -> Points {
        self.wait_for(&format!("{path} to add up to {sum}"), |points| {
            points.sum(path) == sum
        })
    }
}

/// A port that nobody else gets. Connections are refused until somebody listens.
pub(crate) struct ReservedPort {
    socket: Socket,
    pub(crate) port: u16,
}

impl ReservedPort {
    pub(crate) fn new() -> ReservedPort {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        // With it, another process of ours that sets it too may listen on the port.
        socket.set_reuse_address(true).expect("an option");
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any_port.into()).expect("a free port");
        let address = socket.local_addr().expect("a bound address");
        let port = address.as_socket().expect("an IPv4 address").port();
        ReservedPort { socket, port }
    }

    /// Its address as a sink.
    pub(crate) fn sink(&self) -> String {
        sink_of(self.port)
    }

    /// Its name in the daemon's own metrics.
    pub(crate) fn name(&self) -> String {
        name_of(self.port)
    }

    /// Listens, but never accepts and never reads: connections stall when the smallest of
    /// receive buffers is full.
    pub(crate) fn stall(&self) {
        self.socket.set_recv_buffer_size(1).expect("an option");
        self.socket.listen(16).expect("the port is ours");
    }

    /// Becomes a receiver.
    pub(crate) fn listen(self) -> Graphite {
        self.socket.listen(16).expect("the port is ours");
        Graphite::of(TcpListener::from(self.socket))
    }
}

/// The address of a sink on loopback.
pub(crate) fn sink_of(port: u16) -> String {
    format!("graphite://127.0.0.1:{port}")
}

/// The name of a sink on loopback in own metrics.
pub(crate) fn name_of(port: u16) -> String {
    format!("graphite_127_0_0_1_{port}")
}
