use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::super::drain::{Latecomers, drain};
use super::super::messages::Messages;
use super::*;

#[test]
fn a_drain_with_a_backlog_loses_nothing() {
    // Few buffers, so that the receive is cancelled while most lies in the socket.
    for_each_engine(|kind| {
        for turns in [0, 1, 2] {
            let socket = bound(4 << 20);
            let count = half_full(&socket).min(1500);
            let address = socket.local_addr().unwrap();
            let settings = RingSettings {
                buffers_count: 8,
                ..settings()
            };
            let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings);
            let mut collect = Collect::default();
            send_numbers(address, 0..count);
            for _ in 0..turns {
                // recvmmsg may have them all in its first turn.
                if collect.datagrams.len() < count as usize {
                    engine.receive(&mut collect).unwrap();
                }
            }
            assert!(engine.drain(&mut collect).unwrap());
            assert_eq!(collect.numbers(), Vec::from_iter(0..count));
            assert_eq!(engine.counters().datagrams, u64::from(count));
        }
    });
}

#[test]
fn a_drain_under_a_flood_ends_and_has_all_that_was_queued_before() {
    for_each_engine(|kind| {
        let socket = bound(4 << 20);
        let count = half_full(&socket);
        let address = socket.local_addr().unwrap();
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings());
        let mut collect = Collect::default();
        send_numbers(address, 0..count);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in count..2_000_000 {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    send_numbers(address, number..number + 1);
                }
            });
            let start = Instant::now();
            engine.drain(&mut collect).unwrap();
            over.store(true, Ordering::Relaxed);
            assert!(start.elapsed() < Duration::from_secs(5));
        });
        let numbers = collect.numbers();
        assert_eq!(numbers[..count as usize], Vec::from_iter(0..count));
    });
}

/// Sends another datagram for each that it gets, so that the queue is never found empty.
struct Echo {
    sender: UdpSocket,
    datagrams: u32,
}

impl Visit for Echo {
    fn batch(&mut self) {}

    fn datagram(&mut self, datagram: Datagram<'_>) {
        self.datagrams += 1;
        assert!(self.datagrams < 1_000_000, "the drain has no end");
        self.sender.send(datagram.bytes).unwrap();
    }
}

/// A drain of a queue that is never full and never empty, past its deadline: whether it says that
/// nothing may be lost, and how many datagrams it took. It begins with so many of these.
fn drain_of_echoes(latecomers: Latecomers, count: usize, datagram: &[u8]) -> (bool, u32) {
    let socket = bound(2 << 20);
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    sender.connect(socket.local_addr().unwrap()).unwrap();
    for _ in 0..count {
        sender.send(datagram).unwrap();
    }
    let mut echo = Echo {
        sender,
        datagrams: 0,
    };
    let mut messages = Messages::new(2048).unwrap();
    let mut counters = ReceiveCounters::default();
    let over = Instant::now();
    let (messages, counters) = (&mut messages, &mut counters);
    let complete = drain(&[socket], messages, over, latecomers, counters, &mut echo).unwrap();
    (complete, echo.datagrams)
}

// The deadline was looked at after a full call only.
#[test]
fn a_drain_of_a_queue_that_is_never_full_and_never_empty_ends() {
    let (complete, datagrams) = drain_of_echoes(Latecomers::Taken, 1, b"a:1|c");
    assert!(!complete, "more keeps coming");
    assert!(datagrams >= 1);
}

#[test]
fn a_drain_of_sockets_that_others_hold_loses_nothing_by_leaving_what_comes_later() {
    let (complete, datagrams) = drain_of_echoes(Latecomers::Left, 1, b"a:1|c");
    assert!(complete, "the successor has the rest");
    assert!(datagrams >= 1);
}

// All datagrams were taken for empty ones, of which a buffer holds nine times as many as of large ones:
// under a flood, which a drain does not outrun, that took longer than anybody waits for the last interval.
#[test]
fn a_drain_of_large_datagrams_takes_few_more_than_were_queued() {
    for latecomers in [Latecomers::Taken, Latecomers::Left] {
        let (_, datagrams) = drain_of_echoes(latecomers, 150, &[b'a'; 1_400]);
        assert!((1..=1_024).contains(&datagrams), "{datagrams}");
    }
}

#[test]
fn the_port_is_free_at_once_after_a_drop() {
    for_each_engine(|kind| {
        for drained in [true, false] {
            let socket = bound(65_536);
            let address = socket.local_addr().unwrap();
            let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings());
            let mut collect = Collect::default();
            send_numbers(address, 0..3);
            // From here on the receive is armed.
            receive_count(&mut engine, &mut collect, 3);
            if drained {
                assert!(engine.drain(&mut collect).unwrap());
            }
            drop(engine);
            UdpSocket::bind(address).expect("nobody holds the port any more");
        }
    });
}

#[test]
#[should_panic(expected = "nothing is received after a drain")]
fn a_receive_after_a_drain_is_our_bug() {
    let mut engine = open(
        Kind::Mmsg,
        vec![bound(65_536)],
        &Waker::new().unwrap(),
        settings(),
    );
    engine.drain(&mut Collect::default()).unwrap();
    let _ = engine.receive(&mut Collect::default());
}
