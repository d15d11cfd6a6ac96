//! Slots that wait in files: beyond what the queue holds, and across a restart.

use std::path::Path;

use super::*;
use crate::sink::address::SpoolSettings;

fn spooling(backend: Backend, peer: &Peer, folder: &Path) -> Settings {
    let mut settings = settings(backend, &[peer]);
    settings.sinks[0].queue_bytes = Some(2 * slot(1, 10).size_bytes());
    settings.sinks[0].spool = Some(SpoolSettings {
        folder: folder.to_owned(),
        bytes_max: 3 * slot(1, 10).size_bytes(),
    });
    settings
}

fn file_count(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let slots = entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "slot"));
    slots.count()
}

/// Goal: what the queue has no room for comes back from disk in order. Method: six slots into a
/// queue of two and a spool of three while nobody listens.
#[test]
fn an_overflow_waits_on_disk_and_comes_out_oldest_first() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peer = Peer::silent();
        let io = start(spooling(backend, &peer, folder.path()));
        let sink = &io.sinks()[0];
        for number in 1..=6 {
            sink.push(slot(number, 10));
            assert_balanced(sink.counters());
            // A disk keeps up with flushes, perhaps not with this loop.
            let expected = u64::saturating_sub(number, 2).min(3);
            wait_until("it is on disk", || {
                sink.counters().lines_spooled == 10 * expected
                    && file_count(folder.path()) as u64 == expected
            });
        }
        wait_until("the spool is full", || sink.counters().lines_dropped == 10);
        assert_eq!(sink.counters().lines_spooled, 30);
        peer.listen();
        let mut connection = peer.accept();
        for number in [6, 2, 3, 4, 5] {
            connection.expect(&lines_of(number, 10));
        }
        assert_all_sent(sink, 50);
        wait_until("files are gone", || file_count(folder.path()) == 0);
        assert_eq!(sink.counters().lines_spooled, 0);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: a restart loses nothing. Method: end while nobody listens, start again, then listen.
#[test]
fn what_is_left_at_the_end_is_delivered_after_a_restart() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peer = Peer::silent();
        let io = start(spooling(backend, &peer, folder.path()));
        io.sinks()[0].push(slot(1, 10));
        io.sinks()[0].push(slot(2, 10));
        let sink = io.sinks()[0].clone();
        assert_eq!(io.close_and_wait(Duration::from_millis(20)), []);
        assert_balanced(sink.counters());
        assert_eq!(sink.counters().lines_spooled, 20);

        let io = start(spooling(backend, &peer, folder.path()));
        let sink = &io.sinks()[0];
        assert_balanced(sink.counters());
        peer.listen();
        let mut connection = peer.accept();
        connection.expect(&lines_of(1, 10));
        connection.expect(&lines_of(2, 10));
        assert_all_sent(sink, 20);
        sink.push(slot(3, 10));
        connection.expect(&lines_of(3, 10));
        assert_eq!(io.close_and_wait(DEADLINE), []);
        assert_eq!(file_count(folder.path()), 0);
    });
}

/// Goal: a spool that cannot be used is told of at start. Method: a file in the folder's place.
#[test]
fn a_folder_that_is_none_is_refused_at_start() {
    on_both_back_ends(|backend| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let peer = Peer::silent();
        let started = run(&spooling(backend, &peer, file.path()), None);
        let error = started.err().expect("it is refused").to_string();
        assert!(
            error.contains(&file.path().display().to_string()),
            "{error}"
        );
    });
}

/// Goal: a disk that fails costs slots, which are counted, and nothing else. Method: take the
/// folder away; then overflow, and deliver what is in memory.
#[test]
fn a_disk_that_fails_is_counted() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peer = Peer::silent();
        let io = start(spooling(backend, &peer, folder.path()));
        folder.close().expect("it can be removed");
        let sink = &io.sinks()[0];
        for number in 1..=3 {
            sink.push(slot(number, 10));
        }
        wait_until("a drop", || sink.counters().lines_dropped == 10);
        assert_balanced(sink.counters());
        peer.listen();
        let mut connection = peer.accept();
        connection.expect(&lines_of(3, 10));
        connection.expect(&lines_of(2, 10));
        assert_all_sent(sink, 20);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}
