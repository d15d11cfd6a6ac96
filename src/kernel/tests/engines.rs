use std::fs::File;
use std::os::fd::OwnedFd;

use super::*;
use crate::kernel::ring::Wait;
use crate::kernel::{EngineChoice, ReceiveSettings, SMALL_DATAGRAM_BYTES, select};

#[test]
fn every_choice_opens_an_engine_that_receives() {
    for choice in EngineChoice::ALL {
        let selection = match select(choice) {
            Ok(selection) => selection,
            Err(error) => {
                assert_eq!(choice, EngineChoice::IoUring);
                eprintln!("{error}");
                continue;
            }
        };
        let settings = ReceiveSettings {
            choice,
            ..ReceiveSettings::default()
        };
        let socket = bound(212_992);
        let address = socket.local_addr().unwrap();
        let waker = Waker::new().unwrap();
        let mut engine = Engine::open(vec![socket], waker, &selection, &settings).unwrap();
        // With `auto`, a ring that finds too little lockable memory is followed by recvmmsg.
        if choice != EngineChoice::Auto {
            assert_eq!(engine.name(), selection.kind.name());
        }
        // 256 small datagrams fit; half of them come in 64 us.
        assert_eq!(212_992 / SMALL_DATAGRAM_BYTES, 256);
        assert_eq!(engine.max_wait(), Duration::from_micros(64));
        send_numbers(address, 0..10);
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, 10);
        assert_eq!(engine.counters().datagrams, 10);
    }
}

#[test]
fn a_ring_that_fails_is_followed_by_recvmmsg_on_the_same_sockets() {
    // Without its buffer group every receive ends with ENOBUFS although buffers are lent. That
    // must neither spin nor lose what is queued.
    for_each_ring(|kind| {
        let socket = bound(1 << 20);
        let address = socket.local_addr().unwrap();
        let waker = Waker::new().unwrap();
        // Its buffers could not be taken from a ring with restrictions.
        let settings = RingSettings {
            restricted: false,
            ..settings()
        };
        let mut engine = open(kind, vec![socket], &waker, settings);
        let mut collect = Collect::default();
        send_numbers(address, 0..20);
        receive_count(&mut engine, &mut collect, 20);
        let before = engine.counters();
        let Receiver::Ring(ring) = &mut engine.receiver else {
            unreachable!("opened as a ring");
        };
        ring.take_buffers_away().unwrap();
        send_numbers(address, 20..40);
        receive_count(&mut engine, &mut collect, 40);
        assert_eq!(collect.numbers(), Vec::from_iter(0..40));
        assert_eq!(engine.name(), "recvmmsg");
        assert_eq!(engine.sockets()[0].local_addr().unwrap(), address);
        let after = engine.counters();
        assert_eq!(after.datagrams, 40);
        // Nine hundred of the thousand tries came after a pause each.
        let tries = after.rearms - before.rearms;
        assert!((900..1_200).contains(&tries), "{after:?}");
        waker.wake();
        assert!(engine.receive(&mut collect).unwrap().woken);
    });
}

/// What [`Ring::do_nothing`] comes to in a ring.
fn outcome_of_nothing(restricted: bool) -> i32 {
    let waker = Waker::new().unwrap();
    let settings = RingSettings {
        restricted,
        ..settings()
    };
    let opened = RingReceiver::open(vec![bound(1 << 16)], waker, settings);
    let mut receiver = opened.map_err(|(_, error)| error).unwrap();
    let ring = receiver.ring();
    ring.do_nothing();
    ring.enter(1, Wait::First(Duration::from_secs(20))).unwrap();
    let result = ring.completions().next().expect("each request is answered");
    result.result
}

#[test]
fn a_ring_refuses_what_is_never_asked_of_it() {
    for_each_ring(|_| {
        assert_eq!(outcome_of_nothing(false), 0);
        assert_eq!(outcome_of_nothing(true), -libc::EACCES);
    });
}

#[test]
fn a_ring_with_restrictions_takes_no_further_registrations() {
    for_each_ring(|kind| {
        let waker = Waker::new().unwrap();
        let engine = open(kind, vec![bound(1 << 16)], &waker, settings());
        let Receiver::Ring(ring) = &engine.receiver else {
            unreachable!("opened as a ring");
        };
        let error = ring.take_buffers_away().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    });
}

#[test]
fn a_ring_that_lost_completions_is_replaced_and_goes_on() {
    for_each_ring(|kind| {
        let socket = bound(1 << 20);
        let address = socket.local_addr().unwrap();
        let waker = Waker::new().unwrap();
        let mut engine = open(kind, vec![socket], &waker, settings());
        let mut collect = Collect::default();
        send_numbers(address, 0..20);
        receive_count(&mut engine, &mut collect, 20);
        send_numbers(address, 20..40);
        let Receiver::Ring(ring) = &mut engine.receiver else {
            unreachable!("opened as a ring");
        };
        ring.rebuild(&mut collect).unwrap();
        receive_count(&mut engine, &mut collect, 40);
        assert_eq!(collect.numbers(), Vec::from_iter(0..40));
        assert_eq!(engine.counters().rebuilds, 1);
        assert_eq!(engine.name(), "io_uring");
    });
}

#[test]
fn what_is_no_socket_is_an_error_of_every_engine() {
    for_each_engine(|kind| {
        let no_socket = UdpSocket::from(OwnedFd::from(File::open("/dev/null").unwrap()));
        let mut engine = open(kind, vec![no_socket], &Waker::new().unwrap(), settings());
        let error = engine.receive(&mut Collect::default()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    });
}

#[test]
fn half_a_ring_receives_too() {
    for_each_ring(|kind| {
        let socket = bound(1 << 20);
        let count = half_full(&socket);
        send_numbers(socket.local_addr().unwrap(), 0..count);
        let settings = settings().halved();
        assert_eq!(
            (settings.buffers_count, settings.completions_count),
            (128, 256)
        );
        let mut engine = open(kind, vec![socket], &Waker::new().unwrap(), settings);
        let mut collect = Collect::default();
        receive_count(&mut engine, &mut collect, count as usize);
        assert_eq!(collect.numbers(), Vec::from_iter(0..count));
    });
}
