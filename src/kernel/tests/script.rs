use super::*;
use crate::kernel::buffers::LentBuffers;
use crate::kernel::ledger::{Batch, Ledger};
use crate::kernel::ring::{Completion, Origin};

/// `IORING_CQE_F_MORE`: the receive goes on.
const MORE: u32 = 2;

/// `IORING_CQE_F_BUFFER`, with the number of the buffer above bit 16.
fn buffer(index: u32) -> u32 {
    1 | index << 16
}

/// A ledger of two sockets and four buffers that no ring knows, everything in flight.
fn ledger() -> Ledger {
    let mut ledger = Ledger::new(LentBuffers::new(4, 64).unwrap(), 2);
    ledger.armed.fill(true);
    ledger.waker_armed = true;
    ledger
}

/// Settles completions of socket 0.
fn settle(ledger: &mut Ledger, script: &[(i32, u32)]) -> (Batch, Collect) {
    let mut batch = Batch::default();
    let mut collect = Collect::default();
    for &(result, flags) in script {
        let completion = Completion {
            origin: Origin::Socket(0),
            result,
            flags,
        };
        ledger.settle(completion, &mut batch, &mut collect);
    }
    (batch, collect)
}

#[test]
fn a_receive_is_armed_again_whenever_it_ends_and_not_before() {
    for (result, flags, goes_on) in [
        (5, buffer(0) | MORE, true),
        (5, buffer(0), false),
        (0, 0, false),
        (-libc::ENOBUFS, 0, false),
        (-libc::ECANCELED, 0, false),
        (-libc::EINTR, 0, false),
        (-libc::ENOMEM, 0, false),
        (-libc::ECONNREFUSED, 0, false),
    ] {
        let mut ledger = ledger();
        let (batch, _) = settle(&mut ledger, &[(result, flags)]);
        assert_eq!(*ledger.armed, [goes_on, true], "result {result}");
        assert_eq!(batch.receive_ended, !goes_on);
        assert_eq!(batch.fatal, None);
    }
}

#[test]
fn every_buffer_is_lent_again_whatever_became_of_it() {
    let mut ledger = ledger();
    // The same buffer comes back each time; `take_back` asserts that it was lent in between.
    let script = [
        (64, buffer(3) | MORE),
        (0, buffer(3) | MORE),
        (65_000, buffer(3) | MORE),
        (-libc::EFAULT, buffer(3)),
        (-libc::ECANCELED, buffer(3)),
    ];
    settle(&mut ledger, &script);
    settle(&mut ledger, &[(1, buffer(3))]);
}

#[test]
fn a_length_beyond_the_buffer_is_cut_and_counted() {
    let mut ledger = ledger();
    let (batch, collect) = settle(&mut ledger, &[(300, buffer(1) | MORE), (64, buffer(1))]);
    assert_eq!(batch.datagrams, 2);
    let cuts: Vec<_> = collect
        .datagrams
        .iter()
        .map(|(b, cut)| (b.len(), *cut))
        .collect();
    assert_eq!(cuts, [(64, 236), (64, 0)]);
    assert_eq!((ledger.counters.cut, ledger.counters.cut_bytes), (1, 236));
}

#[test]
fn an_empty_datagram_is_a_datagram() {
    let mut ledger = ledger();
    let (batch, collect) = settle(&mut ledger, &[(0, 0)]);
    assert_eq!((batch.datagrams, collect.batches), (1, 1));
    assert_eq!(collect.datagrams, [(Vec::new(), 0)]);
    assert_eq!((batch.errors, ledger.counters.empty), (0, 1));
}

#[test]
fn out_of_buffers_is_an_error_only_if_nothing_had_used_one() {
    let mut ledger = ledger();
    let (batch, _) = settle(&mut ledger, &[(1, buffer(0) | MORE), (-libc::ENOBUFS, 0)]);
    assert_eq!((batch.errors, batch.starved), (0, 0));
    let (batch, _) = settle(&mut ledger, &[(-libc::ENOBUFS, 0)]);
    assert_eq!((batch.errors, batch.starved), (1, 1));
    assert_eq!(ledger.counters.out_of_buffers, 2);
}

#[test]
fn errors_are_counted_by_kind() {
    let mut ledger = ledger();
    let errnos = [
        libc::ECONNREFUSED,
        libc::EHOSTUNREACH,
        libc::ENETDOWN,
        libc::EPERM,
        libc::ENOMEM,
        libc::EAGAIN,
    ];
    let (batch, collect) = settle(&mut ledger, &errnos.map(|errno| (-errno, 0)));
    assert_eq!(batch.errors, 6);
    assert!(batch.no_memory);
    assert_eq!(ledger.counters.socket_errors, 4);
    assert_eq!(ledger.counters.no_memory, 1);
    assert!(collect.datagrams.is_empty());
}

#[test]
fn what_arming_cannot_mend_is_fatal_for_the_ring() {
    for errno in [libc::EFAULT, libc::EINVAL, libc::EOPNOTSUPP, libc::EBADF] {
        let (batch, _) = settle(&mut ledger(), &[(-errno, 0)]);
        assert_eq!(batch.fatal, Some(errno));
    }
}

#[test]
fn nothing_is_in_flight_after_every_final_completion() {
    let mut ledger = ledger();
    ledger.cancel_in_flight = true;
    let (mut batch, mut collect) = settle(&mut ledger, &[(-libc::ECANCELED, 0)]);
    let finals = [Origin::Socket(1), Origin::Waker, Origin::Cancel];
    for origin in finals {
        assert!(!ledger.is_quiet());
        let completion = Completion {
            origin,
            result: -libc::ECANCELED,
            flags: 0,
        };
        ledger.settle(completion, &mut batch, &mut collect);
    }
    assert!(ledger.is_quiet());
    assert_eq!(batch.fatal, None);
}
