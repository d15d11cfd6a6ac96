//! Scenarios against the real kernel over loopback, most of them for every engine.

/// Bursts into a small receive buffer.
mod bursts;
/// What a datagram may look like: empty, too long, from IPv4 or IPv6.
mod datagrams;
/// Engines: how they are opened, and how a failed ring is followed by recvmmsg.
mod engines;
/// What lies in cache lines of its own.
mod layout;
/// Scripted completions: each outcome, without a ring.
mod script;
/// Running out: of buffers, of completions, of receive buffer.
mod shortage;
/// The end of reception: cancel, drain, drop.
mod stopping;
/// Waking a receiver, idle or not, and how long it sleeps.
mod waking;

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use rustix::net::sockopt;

use super::engine::{Receiver, open_mmsg};
use super::multishot::{RingReceiver, RingSettings};
use super::probe::probe;
use super::{Datagram, Engine, Receive, ReceiveCounters, SocketMemory, Visit, Waker};

/// The engines, and the ring once more as it works before kernel 6.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ring,
    RingWithoutMinWait,
    Mmsg,
}

/// Runs a scenario for every engine that this host allows.
fn for_each_engine(scenario: impl Fn(Kind)) {
    for_each_ring(&scenario);
    eprintln!("recvmmsg");
    scenario(Kind::Mmsg);
}

/// Skips the rings where there is no io_uring, but not in `.ci/run`: there a host that blocks it
/// would let every one of these scenarios pass unseen. A container without io_uring runs with
/// `WITHOUT_IO_URING=1` beside `CI=true`.
fn for_each_ring(scenario: impl Fn(Kind)) {
    if let Err(reason) = probe() {
        let is_set = |name| std::env::var_os(name).is_some();
        let may_skip = !is_set("CI") || is_set("WITHOUT_IO_URING");
        assert!(may_skip, "io_uring: {reason}; or set WITHOUT_IO_URING=1");
        eprintln!("without io_uring: {reason}");
        return;
    }
    for kind in [Kind::Ring, Kind::RingWithoutMinWait] {
        eprintln!("{kind:?}");
        scenario(kind);
    }
}

/// Small sizes that a test may change.
fn settings() -> RingSettings {
    RingSettings::new(2048, Duration::from_millis(1), 64)
}

fn open(kind: Kind, sockets: Vec<UdpSocket>, waker: &Waker, settings: RingSettings) -> Engine {
    let settings = RingSettings {
        allow_min_wait: kind == Kind::Ring,
        ..settings
    };
    let receiver = match kind {
        Kind::Ring | Kind::RingWithoutMinWait => {
            let opened = RingReceiver::open(sockets, waker.clone(), settings);
            Receiver::Ring(Box::new(opened.map_err(|(_, error)| error).unwrap()))
        }
        Kind::Mmsg => open_mmsg(sockets, waker, settings).unwrap(),
    };
    Engine {
        receiver,
        waker: waker.clone(),
        settings,
        earlier: ReceiveCounters::default(),
    }
}

/// A socket on loopback whose receive buffer the kernel counts as `receive_buffer_bytes`, or as
/// much of it as it grants.
fn bound(receive_buffer_bytes: usize) -> UdpSocket {
    bound_to((Ipv4Addr::LOCALHOST, 0), receive_buffer_bytes)
}

fn bound_to(address: impl ToSocketAddrs, receive_buffer_bytes: usize) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    sockopt::set_socket_recv_buffer_size(&socket, receive_buffer_bytes / 2).unwrap();
    socket
}

/// Sends `count` datagrams that carry their number; they must fit into the receive buffer.
fn send_numbers(to: SocketAddr, numbers: std::ops::Range<u32>) {
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for number in numbers {
        sender.send_to(&number.to_ne_bytes(), to).unwrap();
    }
}

/// How many small datagrams a socket takes for sure: half of what it holds.
fn half_full(socket: &UdpSocket) -> u32 {
    let memory = SocketMemory::of(socket).unwrap();
    let count = memory.receive_buffer_bytes / super::SMALL_DATAGRAM_BYTES / 2;
    u32::try_from(count).unwrap()
}

/// Keeps what comes.
#[derive(Default)]
struct Collect {
    batches: usize,
    datagrams: Vec<(Vec<u8>, usize)>,
}

impl Visit for Collect {
    fn batch(&mut self) {
        self.batches += 1;
    }

    fn datagram(&mut self, datagram: Datagram<'_>) {
        let Datagram { bytes, cut_bytes } = datagram;
        self.datagrams.push((bytes.to_vec(), cut_bytes));
    }
}

impl Collect {
    fn numbers(&self) -> Vec<u32> {
        let number = |(bytes, _): &(Vec<u8>, usize)| {
            u32::from_ne_bytes(bytes.as_slice().try_into().expect("a number"))
        };
        self.datagrams.iter().map(number).collect()
    }

    fn texts(&self) -> Vec<&[u8]> {
        self.datagrams.iter().map(|(bytes, _)| &bytes[..]).collect()
    }
}

/// Receives until `count` datagrams have come.
fn receive_count(engine: &mut Engine, collect: &mut Collect, count: usize) {
    while collect.datagrams.len() < count {
        engine.receive(collect).unwrap();
    }
}
