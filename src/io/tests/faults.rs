//! Peers that misbehave while the daemon runs.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Goal: an outage loses nothing, and the newest points come first. Method: refuse until three
/// slots wait, then listen.
#[test]
fn after_refusals_the_live_slot_comes_first_then_the_oldest() {
    on_both_back_ends(|backend| {
        let peer = Peer::silent();
        let attempts = Arc::new(AtomicUsize::new(0));
        let mut settings = settings(backend, &[&peer]);
        settings.resolve = counting(&attempts, peer.socket_address());
        let io = start(settings);
        let sink = &io.sinks()[0];
        for number in 1..=3 {
            sink.push(slot(number, 10));
        }
        wait_until("attempts", || attempts.load(Ordering::Relaxed) > 2);
        assert_eq!(sink.counters().lines_queued, 30);
        peer.listen();
        let mut connection = peer.accept();
        connection.expect(&lines_of(3, 10));
        connection.expect(&lines_of(1, 10));
        connection.expect(&lines_of(2, 10));
        assert_all_sent(sink, 30);
        sink.push(slot(4, 10));
        connection.expect(&lines_of(4, 10));
        assert_eq!(sink.counters().reconnects, 0);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: old slots keep their pace on the wire. Method: the receiver compares the times at which
/// slots can have begun at the earliest.
#[test]
fn old_slots_leave_half_an_interval_after_the_live_one() {
    on_both_back_ends(|backend| {
        let peer = Peer::silent();
        let io = start(settings(backend, &[&peer]));
        for number in 1..=3 {
            io.sinks()[0].push(slot(number, 1));
        }
        let before = Instant::now();
        peer.listen();
        let mut connection = peer.accept();
        connection.expect(&lines_of(3, 1));
        connection.expect(&lines_of(1, 1));
        assert!(before.elapsed() >= FLUSH_INTERVAL / 2);
        connection.expect(&lines_of(2, 1));
        assert!(before.elapsed() >= FLUSH_INTERVAL * 3 / 2);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: a peer that stalls is noticed, its queue stays bounded, and the other sink is unharmed.
/// Method: one peer never reads; slots are larger than what kernels buffer.
#[test]
fn a_stalled_peer_harms_no_other_sink() {
    on_both_back_ends(|backend| {
        let (stalled, good) = (Peer::listening(), Peer::listening());
        let mut settings = settings(backend, &[&stalled, &good]);
        settings.patience.write = Duration::from_secs(1);
        let line_count = 200_000;
        let slot_bytes = slot(1, line_count).size_bytes();
        settings.sinks[0].queue_bytes = Some(2 * slot_bytes);
        let io = start(settings);
        let held = stalled.accept();
        let mut connection = good.accept();
        for number in 1..=5 {
            for sink in io.sinks() {
                sink.push(slot(number, line_count));
            }
            connection.expect(&lines_of(number, line_count));
        }
        assert_all_sent(&io.sinks()[1], 5 * line_count);
        let sink = &io.sinks()[0];
        wait_until("a new connection", || sink.counters().reconnects > 0);
        let counters = sink.counters();
        assert_balanced(counters);
        assert_eq!(counters.lines_sent, 0);
        assert!(counters.bytes_queued <= 2 * slot_bytes);
        assert_eq!(counters.lines_dropped, 3 * line_count);
        drop(held);
        let left = io.close_and_wait(Duration::from_millis(100));
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].lines, 2 * line_count);
    });
}

/// Goal: a cut in the middle of a line tears no line and loses no slot. Method: the peer dies
/// with a slot half read, once a small one that the kernels had taken, once a large one.
#[test]
fn a_slot_cut_in_mid_line_is_sent_again_whole() {
    on_both_back_ends(|backend| {
        for line_count in [10, 200_000] {
            let peer = Peer::listening();
            let io = start(settings(backend, &[&peer]));
            let sink = &io.sinks()[0];
            let mut first = peer.accept();
            sink.push(slot(1, line_count));
            first.take(lines_of(1, 3).len() + 7);
            first.wait_for_bytes();
            drop(first);
            let mut second = peer.accept();
            second.expect(&lines_of(1, line_count));
            sink.push(slot(2, line_count));
            second.expect(&lines_of(2, line_count));
            assert_all_sent(sink, 2 * line_count);
            assert_eq!(sink.counters().reconnects, 1);
            assert_eq!(io.close_and_wait(DEADLINE), []);
        }
    });
}

/// Goal: a peer that closes after each slot gets everything, and nothing more than twice.
/// Method: close in order right after a slot, twice.
#[test]
fn a_slot_in_doubt_is_repeated_once() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let io = start(settings(backend, &[&peer]));
        let sink = &io.sinks()[0];
        let mut connection = peer.accept();
        sink.push(slot(1, 10));
        connection.expect(&lines_of(1, 10));
        drop(connection);
        let mut connection = peer.accept();
        connection.expect(&lines_of(1, 10));
        drop(connection);
        sink.push(slot(2, 10));
        let mut connection = peer.accept();
        connection.expect(&lines_of(2, 10));
        assert_all_sent(sink, 20);
        assert_eq!(io.close_and_wait(DEADLINE), []);
        assert_eq!(connection.read_to_end(), "");
    });
}

/// Goal: a connection that the peer closed is noticed before a slot is written into it. Method:
/// close an unused one, then push.
#[test]
fn an_idle_close_is_noticed_before_the_next_slot() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let io = start(settings(backend, &[&peer]));
        let mut first = peer.accept();
        first.0.shutdown(std::net::Shutdown::Write).expect("a FIN");
        // The daemon has seen our end when it closes its own.
        assert_eq!(first.read_to_end(), "");
        io.sinks()[0].push(slot(1, 10));
        let mut second = peer.accept();
        second.expect(&lines_of(1, 10));
        assert_eq!(io.sinks()[0].counters().reconnects, 1);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: a host that moved is found. Method: names resolve to a refusing address and the first
/// peer, later to the second peer.
#[test]
fn names_are_resolved_again_and_all_addresses_tried() {
    on_both_back_ends(|backend| {
        let (refusing, old, new) = (Peer::silent(), Peer::listening(), Peer::listening());
        let asked = AtomicUsize::new(0);
        let answers = [
            vec![refusing.socket_address(), old.socket_address()],
            vec![new.socket_address()],
        ];
        let mut settings = settings(backend, &[]);
        settings.sinks = vec!["graphite.test:2003".parse().expect("an address")];
        settings.resolve = Arc::new(move |host, port| {
            assert_eq!((host, port), ("graphite.test", 2003));
            let nth = asked.fetch_add(1, Ordering::Relaxed);
            Ok(answers[nth.min(1)].clone())
        });
        let io = start(settings);
        let mut connection = old.accept();
        io.sinks()[0].push(slot(1, 10));
        connection.expect(&lines_of(1, 10));
        drop(connection);
        io.sinks()[0].push(slot(2, 10));
        let mut connection = new.accept();
        connection.take(lines_of(2, 10).len());
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: the oldest slots make room, and the count says how many lines that were. Method: push
/// five slots into a queue of two while nobody listens.
#[test]
fn an_overflow_drops_the_oldest_slots_and_counts_their_lines() {
    on_both_back_ends(|backend| {
        let peer = Peer::silent();
        let mut settings = settings(backend, &[&peer]);
        settings.queue_bytes = 2 * slot(1, 10).size_bytes();
        let io = start(settings);
        let sink = &io.sinks()[0];
        for number in 1..=5 {
            sink.push(slot(number, 10));
            assert_balanced(sink.counters());
        }
        assert_eq!(sink.counters().lines_dropped, 30);
        assert_eq!(reasons(sink), [(DropReason::QueueFull, 30)]);
        assert_eq!(sink.counters().lines_queued, 20);
        peer.listen();
        let mut connection = peer.accept();
        connection.expect(&lines_of(5, 10));
        connection.expect(&lines_of(4, 10));
        assert_all_sent(sink, 20);
        assert_eq!(io.close_and_wait(DEADLINE), []);
        assert_eq!(connection.read_to_end(), "");
    });
}

fn counting(attempts: &Arc<AtomicUsize>, address: SocketAddr) -> Resolve {
    let attempts = Arc::clone(attempts);
    Arc::new(move |_, _| {
        attempts.fetch_add(1, Ordering::Relaxed);
        Ok(vec![address])
    })
}
