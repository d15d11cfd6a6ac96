//! Sinks that make a connection for each flush.

use super::*;
use crate::sink::Lifetime;

fn by_flush(backend: Backend, peer: &Peer) -> Settings {
    let mut settings = settings(backend, &[peer]);
    settings.sinks[0].lifetime = Lifetime::Flush;
    settings
}

/// Goal: each slot has a connection, which ends with it. Method: read each to its end; in between
/// nobody connects, or the second slot would be in the second connection's place.
#[test]
fn each_slot_has_a_connection_that_ends_with_it() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let io = start(by_flush(backend, &peer));
        let sink = &io.sinks()[0];
        for number in 1..=3 {
            sink.push(slot(number, 10));
            assert_eq!(peer.accept().read_to_end(), lines_of(number, 10));
        }
        assert_all_sent(sink, 30);
        assert_eq!(sink.counters().reconnects, 0);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: a slot of several parts has one connection, however long the next part takes. Method: the
/// second part comes when the first one was read.
#[test]
fn a_slot_of_several_parts_has_one_connection() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let io = start(by_flush(backend, &peer));
        let sink = &io.sinks()[0];
        for number in 1..=2 {
            sink.begin_slot(false);
            sink.push(part(number, 0, 10));
            let mut connection = peer.accept();
            connection.expect(&lines_of_part(number, 0, 10));
            sink.push(part(number, 1, 10));
            connection.expect(&lines_of_part(number, 1, 10));
            sink.end_slot();
            assert_eq!(connection.read_to_end(), "");
        }
        assert_all_sent(sink, 40);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: a peer that never closes a connection does not hold up the next slot. Method: keep all
/// connections, with a patience that would fail the test.
#[test]
fn a_connection_that_stays_open_does_not_hold_up_the_next_slot() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let mut settings = by_flush(backend, &peer);
        settings.patience.close = Duration::from_secs(3600);
        let io = start(settings);
        let sink = &io.sinks()[0];
        let mut kept = Vec::new();
        for number in 1..=5 {
            sink.push(slot(number, 10));
            let mut connection = peer.accept();
            assert_eq!(connection.read_to_end(), lines_of(number, 10));
            kept.push(connection);
        }
        assert_all_sent(sink, 50);
        drop(kept);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: a slot whose connection breaks before all was read is sent again at once. Method: reset
/// the connection with all of it unread, and push nothing more.
#[test]
fn a_slot_whose_connection_breaks_is_sent_again() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let mut settings = by_flush(backend, &peer);
        settings.patience.close = DEADLINE;
        let io = start(settings);
        let sink = &io.sinks()[0];
        sink.push(slot(1, 10));
        let connection = peer.accept();
        connection.wait_for_end_behind_bytes();
        drop(connection);
        assert_eq!(peer.accept().read_to_end(), lines_of(1, 10));
        assert_all_sent(sink, 10);
        assert!(sink.counters().last_failure_unix_s > 0);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: what a peer has not read that ends the connection in order before the slot is whole is sent again.
/// Method: it reads the first part and closes; once the second part comes then, and once only the end of
/// the slot.
#[test]
fn a_slot_whose_connection_ends_too_early_is_sent_again() {
    on_both_back_ends(|backend| {
        for part_count in [1, 2] {
            let peer = Peer::listening();
            let io = start(by_flush(backend, &peer));
            let sink = &io.sinks()[0];
            sink.begin_slot(false);
            sink.push(part(1, 0, 10));
            let mut connection = peer.accept();
            connection.expect(&lines_of_part(1, 0, 10));
            drop(connection);
            let mut whole = lines_of_part(1, 0, 10);
            if part_count == 2 {
                sink.push(part(1, 1, 10));
                whole += &lines_of_part(1, 1, 10);
            }
            sink.end_slot();
            let mut text = String::new();
            while text.len() < whole.len() {
                text += &peer.accept().read_to_end();
            }
            assert_eq!(text, whole);
            assert_all_sent(sink, 10 * part_count);
            assert!(sink.counters().last_failure_unix_s > 0);
            assert_eq!(sink.counters().lines_doubtful, 0);
            assert_eq!(io.close_and_wait(DEADLINE), []);
        }
    });
}

/// Goal: what cannot be sent again is lost and told of, although it was sent once, and nothing more is
/// written where nobody reads. Method: the peer ends the connection before the second of two parts and is
/// gone when the daemon stops.
#[test]
fn a_slot_that_cannot_be_sent_again_is_told_of_as_lost() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let io = start(by_flush(backend, &peer));
        let sink = io.sinks()[0].clone();
        sink.begin_slot(false);
        sink.push(part(1, 0, 10));
        let mut connection = peer.accept();
        connection.expect(&lines_of_part(1, 0, 10));
        drop(peer);
        let ended = connection.0.shutdown(std::net::Shutdown::Write);
        ended.expect("a FIN");
        sink.push(part(1, 1, 10));
        sink.end_slot();
        let left = io.close_and_wait(Duration::from_millis(200));
        assert_eq!(left.iter().map(|left| left.lines).collect::<Vec<_>>(), [20]);
        let counters = sink.counters();
        assert_balanced(counters);
        assert_eq!((counters.lines_sent, counters.lines_doubtful), (10, 10));
        assert_eq!(counters.lines_dropped, 10);
    });
}

/// Goal: what a sink tells of its last slot is of that slot. Method: two slots of different size,
/// the second one in two parts.
#[test]
fn the_last_slot_is_told_of_whole() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let io = start(by_flush(backend, &peer));
        let sink = &io.sinks()[0];
        assert_eq!(sink.counters().last_slot.written_unix_s, 0);
        sink.push(slot(1, 100));
        assert_eq!(peer.accept().read_to_end(), lines_of(1, 100));
        let parts = [part(2, 0, 10), part(2, 1, 10)];
        let size_bytes: u64 = parts.iter().map(Part::size_bytes).sum();
        for part in parts {
            sink.push(part);
        }
        let wanted = lines_of_part(2, 0, 10) + &lines_of_part(2, 1, 10);
        let mut text = String::new();
        while text.len() < wanted.len() {
            text += &peer.accept().read_to_end();
        }
        assert_eq!(text, wanted);
        wait_until("both are written", || {
            sink.counters().last_slot.size_bytes == size_bytes
        });
        assert!(sink.counters().last_slot.written_unix_s > 0);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: what is queued is delivered when the server is back, and at the end. Method: nobody
/// listens for the first slot.
#[test]
fn a_server_that_comes_back_gets_what_waited() {
    on_both_back_ends(|backend| {
        let peer = Peer::silent();
        let io = start(by_flush(backend, &peer));
        let sink = io.sinks()[0].clone();
        sink.push(slot(1, 10));
        wait_until("it fails", || sink.counters().last_failure_unix_s > 0);
        peer.listen();
        assert_eq!(peer.accept().read_to_end(), lines_of(1, 10));
        sink.push(slot(2, 10));
        let closing = std::thread::spawn(move || io.close_and_wait(DEADLINE));
        assert_eq!(peer.accept().read_to_end(), lines_of(2, 10));
        assert_eq!(closing.join().expect("it closes"), []);
    });
}
