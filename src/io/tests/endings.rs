//! How the daemon ends: with all delivered, or with the rest given up in time.

use super::*;

/// Goal: what is queued at the end is delivered without its pace, live slot first. Method: the
/// peer listens only once the daemon is closing, with a flush interval of an hour.
#[test]
fn closing_delivers_the_backlog_at_once() {
    on_both_back_ends(|backend| {
        let peer = Peer::silent();
        let mut settings = settings(backend, &[&peer]);
        settings.flush_interval = Duration::from_secs(3600);
        let io = start(settings);
        for number in 1..=3 {
            io.sinks()[0].push(slot(number, 10));
        }
        let sink = io.sinks()[0].clone();
        let closing = std::thread::spawn(move || io.close_and_wait(DEADLINE));
        peer.listen();
        let mut connection = peer.accept();
        connection.expect(&lines_of(3, 10));
        connection.expect(&lines_of(1, 10));
        connection.expect(&lines_of(2, 10));
        assert_eq!(connection.read_to_end(), "");
        assert_eq!(closing.join().expect("it closes"), []);
        assert_all_sent(&sink, 30);
    });
}

/// Goal: what a peer had not read when it died is delivered at the end too; the daemon ended when
/// the kernel had taken it. Method: the peer reads nothing, is told that nothing more comes, and
/// resets the connection; then it is back.
#[test]
fn the_last_slot_is_sent_again_if_its_connection_breaks_at_the_end() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let mut settings = settings(backend, &[&peer]);
        settings.patience.close = DEADLINE;
        let io = start(settings);
        let sink = io.sinks()[0].clone();
        let connection = peer.accept();
        sink.push(slot(1, 10));
        connection.wait_for_bytes();
        wait_until("it is sent", || sink.counters().lines_sent == 10);
        let closing = std::thread::spawn(move || io.close_and_wait(DEADLINE));
        connection.wait_for_end_behind_bytes();
        drop(connection);
        assert_eq!(peer.accept().read_to_end(), lines_of(1, 10));
        assert_eq!(closing.join().expect("it closes"), []);
        assert_all_sent(&sink, 10);
    });
}

/// Goal: a dead sink does not hold up the end, and what it lost is told. Method: one peer refuses,
/// one stalls, one is well.
#[test]
fn closing_gives_up_at_the_deadline_and_tells_what_is_left() {
    on_both_back_ends(|backend| {
        let (dead, stalled, good) = (Peer::silent(), Peer::listening(), Peer::listening());
        let io = start(settings(backend, &[&dead, &stalled, &good]));
        let held = stalled.accept();
        let mut connection = good.accept();
        let line_count = 200_000;
        for sink in io.sinks() {
            sink.push(slot(1, line_count));
        }
        let names: Vec<String> = io.sinks().iter().map(|s| s.name().to_owned()).collect();
        held.wait_for_bytes();
        connection.expect(&lines_of(1, line_count));
        let before = Instant::now();
        let left = io.close_and_wait(Duration::from_millis(200));
        assert!(before.elapsed() < DEADLINE / 2);
        let left: Vec<_> = left
            .into_iter()
            .map(|left| (left.name, left.lines))
            .collect();
        let expected = [
            (names[0].clone(), line_count),
            (names[1].clone(), line_count),
        ];
        assert_eq!(left, expected);
    });
}

/// Goal: with nothing queued the end comes at once. Method: a patience that would fail the test.
#[test]
fn closing_without_a_backlog_does_not_wait() {
    on_both_back_ends(|backend| {
        let (dead, idle) = (Peer::silent(), Peer::listening());
        let io = start(settings(backend, &[&dead, &idle]));
        let connection = idle.accept();
        assert!(connection.is_silent());
        let before = Instant::now();
        assert_eq!(io.close_and_wait(DEADLINE), []);
        assert!(before.elapsed() < DEADLINE / 4);
    });
}

/// Goal: two sinks at one address have metrics of their own. Method: ask for their names.
#[test]
fn names_of_sinks_differ() {
    on_both_back_ends(|backend| {
        let peer = Peer::listening();
        let io = start(settings(backend, &[&peer, &peer]));
        let (first, second) = (io.sinks()[0].name(), io.sinks()[1].name());
        assert_eq!(second, format!("{first}_2"));
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}
