use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::*;
use crate::kernel::Turn;

#[test]
fn the_waker_wakes_an_idle_receiver() {
    for_each_engine(|kind| {
        let waker = Waker::new().unwrap();
        let mut engine = open(kind, vec![bound(65_536)], &waker, settings());
        for _ in 0..3 {
            // Whether it comes before the wait or in it, it must end it.
            let waking = thread::spawn({
                let waker = waker.clone();
                move || waker.wake()
            });
            let turn = engine.receive(&mut Collect::default()).unwrap();
            waking.join().unwrap();
            let expected = Turn {
                datagrams: 0,
                woken: true,
            };
            assert_eq!(turn, expected);
        }
    });
}

#[test]
fn an_idle_receiver_costs_no_wake_ups() {
    // 200 ms with a wait of 1 ms: a wait that ended each time would be seen 200 times.
    for_each_engine(|kind| {
        let waker = Waker::new().unwrap();
        let mut engine = open(kind, vec![bound(65_536)], &waker, settings());
        let waking = thread::spawn({
            let waker = waker.clone();
            move || {
                // Not to order anything: the time that passes is what is looked at.
                thread::sleep(Duration::from_millis(200));
                waker.wake();
            }
        });
        engine.receive(&mut Collect::default()).unwrap();
        waking.join().unwrap();
        assert!(engine.counters().enters <= 4, "{:?}", engine.counters());
    });
}

#[test]
fn the_waker_gets_through_a_full_queue_at_once() {
    for_each_engine(|kind| {
        let socket = bound(8 << 20);
        let count = half_full(&socket);
        let address = socket.local_addr().unwrap();
        let waker = Waker::new().unwrap();
        let mut engine = open(kind, vec![socket], &waker, settings());
        let mut collect = Collect::default();
        send_numbers(address, 0..count);
        let turn = engine.receive(&mut collect).unwrap();
        assert!(!turn.woken && turn.datagrams > 0);
        waker.wake();
        let turn = engine.receive(&mut collect).unwrap();
        assert!(turn.woken);
        receive_count(&mut engine, &mut collect, count as usize);
        assert_eq!(collect.numbers(), Vec::from_iter(0..count));
    });
}

#[test]
fn the_waker_gets_through_a_flood() {
    for_each_engine(|kind| {
        let socket = bound(1 << 20);
        let address = socket.local_addr().unwrap();
        let waker = Waker::new().unwrap();
        let mut engine = open(kind, vec![socket], &waker, settings());
        let over = AtomicBool::new(false);
        let received = AtomicU64::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let mut woke = false;
                // Bounded, so that a receiver that hears nothing fails instead of hanging.
                for _ in 0..2_000_000 {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    sender.send_to(b"flood:1|c", address).unwrap();
                    if !woke && received.load(Ordering::Relaxed) > 2_000 {
                        waker.wake();
                        woke = true;
                    }
                }
            });
            let mut count = Count::default();
            while !engine.receive(&mut count).unwrap().woken {
                received.store(count.0, Ordering::Relaxed);
            }
            over.store(true, Ordering::Relaxed);
        });
    });
}

#[derive(Default)]
struct Count(u64);

impl Visit for Count {
    fn batch(&mut self) {}

    fn datagram(&mut self, _: Datagram<'_>) {
        self.0 += 1;
    }
}

#[test]
fn a_turn_is_bounded() {
    for_each_engine(|kind| {
        let socket = bound(8 << 20);
        let count = half_full(&socket);
        send_numbers(socket.local_addr().unwrap(), 0..count);
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings());
        let turn = engine.receive(&mut Collect::default()).unwrap();
        assert!(turn.datagrams <= 4_096 + 64, "{turn:?}");
    });
}

#[test]
fn a_single_datagram_is_not_held_back_for_a_batch() {
    // After a batch the receiver gathers the next one; a single datagram must not wait for
    // company beyond `max_wait`. Without a minimum wait it would stay in the kernel for ever.
    for max_wait in [Duration::ZERO, Duration::from_millis(5)] {
        for_each_engine(|kind| {
            let socket = bound(1 << 20);
            let address = socket.local_addr().unwrap();
            let settings = RingSettings {
                max_wait,
                ..settings()
            };
            let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings);
            let mut collect = Collect::default();
            for round in 0..5_u32 {
                let before = round * 21;
                send_numbers(address, before..before + 20);
                receive_count(&mut engine, &mut collect, before as usize + 20);
                send_numbers(address, before + 20..before + 21);
                let sent = Instant::now();
                receive_count(&mut engine, &mut collect, before as usize + 21);
                // Far more than 5 ms, for machines that have something else to do.
                assert!(
                    sent.elapsed() < Duration::from_secs(2),
                    "{:?}",
                    sent.elapsed()
                );
            }
            assert_eq!(collect.numbers(), Vec::from_iter(0..105));
        });
    }
}

#[test]
fn a_burst_is_read_to_its_end_without_a_wait() {
    // 20 datagrams are a burst here, so the next one must not lie there for the wait of a second.
    for_each_engine(|kind| {
        let socket = bound(1 << 20);
        let address = socket.local_addr().unwrap();
        let settings = RingSettings {
            max_wait: Duration::from_secs(1),
            burst_count: 8,
            ..settings()
        };
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings);
        let mut collect = Collect::default();
        send_numbers(address, 0..20);
        receive_count(&mut engine, &mut collect, 20);
        send_numbers(address, 20..21);
        let sent = Instant::now();
        receive_count(&mut engine, &mut collect, 21);
        assert!(
            sent.elapsed() < Duration::from_millis(500),
            "{:?}",
            sent.elapsed()
        );
    });
}

#[test]
fn the_wait_can_be_changed_while_datagrams_come() {
    // Each turn after the first would take ten seconds, and then none takes any.
    for_each_engine(|kind| {
        let socket = bound(1 << 20);
        let address = socket.local_addr().unwrap();
        let settings = RingSettings {
            max_wait: Duration::from_secs(10),
            burst_count: 1000,
            ..settings()
        };
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings);
        engine.set_max_wait(Duration::ZERO);
        assert_eq!(engine.max_wait(), Duration::ZERO);
        let mut collect = Collect::default();
        let started = Instant::now();
        for number in 0..20 {
            send_numbers(address, number..number + 1);
            receive_count(&mut engine, &mut collect, number as usize + 1);
        }
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        engine.set_max_wait(Duration::from_secs(3600));
        let bound = engine.max_wait();
        assert!(
            (Duration::from_micros(1)..Duration::from_secs(10)).contains(&bound),
            "the receive buffer bounds it: {bound:?}"
        );
    });
}

#[test]
fn datagrams_that_trickle_in_are_taken_in_batches() {
    // 400 datagrams over 100 ms and waits of 10 ms: far fewer turns than datagrams.
    for_each_engine(|kind| {
        let socket = bound(1 << 20);
        let address = socket.local_addr().unwrap();
        let settings = RingSettings {
            max_wait: Duration::from_millis(10),
            ..settings()
        };
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings);
        let mut collect = Collect::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..400 {
                    send_numbers(address, number..number + 1);
                    // The pace is what is looked at.
                    thread::sleep(Duration::from_micros(250));
                }
            });
            receive_count(&mut engine, &mut collect, 400);
        });
        assert_eq!(collect.numbers(), Vec::from_iter(0..400));
        assert!(collect.batches <= 100, "{} batches", collect.batches);
    });
}
