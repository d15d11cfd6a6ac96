//! Repeating over loopback: what arrives, and what a destination that fails costs.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::*;

fn listener() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let patience = Some(Duration::from_secs(60));
    socket.set_read_timeout(patience).expect("an option");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}

/// An address where nobody listens: its socket is held, but connected elsewhere.
fn closed() -> (UdpSocket, SocketAddr) {
    let (socket, address) = listener();
    drop(socket);
    let socket = UdpSocket::bind(address).expect("it was free");
    socket.connect("127.0.0.1:1").expect("loopback");
    (socket, address)
}

fn received(socket: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let length = socket.recv(&mut bytes).expect("a datagram");
    bytes.truncate(length);
    bytes
}

#[test]
fn every_datagram_goes_to_every_destination_as_it_came_and_in_order() {
    let ((one, first), (two, second)) = (listener(), listener());
    let mut repeater = Repeater::new(&[first, second]);
    // More than a call takes, an empty one, and one as long as UDP allows.
    let long = vec![b'x'; 65_507];
    let mut datagrams: Vec<Vec<u8>> = (0..DATAGRAMS_MAX + 6)
        .map(|number| format!("a:{number}|c\r\n\0").into_bytes())
        .collect();
    datagrams[3].clear();
    for datagram in &datagrams {
        repeater.take(datagram);
    }
    repeater.send();
    for socket in [&one, &two] {
        for datagram in &datagrams {
            assert_eq!(&received(socket), datagram);
        }
    }
    for _ in 0..3 {
        repeater.take(&long);
        assert!(repeater.bytes.len() <= BYTES_MAX);
        repeater.send();
        for socket in [&one, &two] {
            assert_eq!(received(socket), long);
        }
    }
    let counts = repeater.take_counts();
    let all = datagrams.len() as u64 + 3;
    assert!(
        counts
            .iter()
            .all(|of| (of.datagrams, of.dropped) == (all, 0))
    );
    assert_eq!(repeater.take_counts()[0], RepeatCounts::none(first));
}

#[test]
fn what_waits_is_bounded_by_its_bytes_and_by_its_datagrams() {
    let (_socket, address) = listener();
    let mut repeater = Repeater::new(&[address]);
    for _ in 0..10 {
        repeater.take(&[b'x'; 60_000]);
        assert!(repeater.bytes.len() <= BYTES_MAX);
    }
    for _ in 0..1_000 {
        repeater.take(b"");
        assert!(repeater.ends.len() <= DATAGRAMS_MAX);
    }
    assert!(!repeater.ends.spilled());
    assert_eq!(repeater.bytes.capacity(), BYTES_MAX);
}

/// Goal: a destination that is down costs its own datagrams only. Method: one where nobody listens
/// beside one that takes all.
#[test]
fn a_destination_that_refuses_is_left_alone_and_harms_no_other() {
    let ((_held, down), (socket, up)) = (closed(), listener());
    let mut repeater = Repeater::new(&[down, up]);
    const ROUNDS: u64 = 20;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for number in 0..40 {
            repeater.take(format!("a:{number}|c").as_bytes());
        }
        repeater.send();
        for number in 0..40 {
            assert_eq!(received(&socket), format!("a:{number}|c").as_bytes());
        }
    }
    let [refused, taken] = repeater.take_counts()[..] else {
        panic!("two destinations");
    };
    assert_eq!((taken.datagrams, taken.dropped), (ROUNDS * 40, 0));
    assert_eq!(refused.datagrams + refused.dropped, ROUNDS * 40);
    // The kernel takes one or two until it knows, and after each pause.
    let pauses = start.elapsed().as_nanos() / destination::PAUSE.as_nanos();
    assert!(
        u128::from(refused.datagrams) <= 2 * (pauses + 1),
        "{refused:?}"
    );
    assert_eq!(refused.reason, Some(Errno::CONNREFUSED));
}

#[test]
fn a_destination_that_comes_back_is_sent_to_again() {
    let (held, address) = closed();
    let mut repeater = Repeater::new(&[address]);
    while repeater.take_counts()[0].dropped == 0 {
        repeater.take(b"a:1|c");
        repeater.send();
    }
    drop(held);
    let socket = UdpSocket::bind(address).expect("it was ours");
    socket.set_nonblocking(true).expect("an option");
    let mut byte = [0];
    while socket.recv(&mut byte).is_err() {
        repeater.take(b"b");
        repeater.send();
    }
    assert_eq!(byte, *b"b");
}

#[test]
fn a_destination_out_of_reach_is_counted_with_its_reason() {
    // A broadcast address, which takes a privilege that sockets do not ask for by themselves.
    let mut repeater = Repeater::new(&["255.255.255.255:9".parse().unwrap()]);
    for _ in 0..70 {
        repeater.take(b"a:1|c");
    }
    repeater.send();
    let counts = repeater.take_counts()[0];
    assert_eq!((counts.datagrams, counts.dropped), (0, 70));
    assert!(counts.reason.is_some());
}
