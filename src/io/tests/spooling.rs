//! Slots that wait in files: while a peer is away, and across a restart.

use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

fn spooling(backend: Backend, peer: &Peer, folder: &Path) -> Settings {
    let mut settings = settings(backend, &[peer]);
    settings.sinks[0].spool.folder = Some(folder.to_owned());
    settings
}

/// The files of slots, oldest first.
fn files(folder: &Path, peer: &Peer) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(of_sink(folder, peer))
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".zst"))
        .collect();
    names.sort();
    names
}

fn of_sink(folder: &Path, peer: &Peer) -> PathBuf {
    folder.join(format!(
        "graphite-127.0.0.1-{}",
        peer.socket_address().port()
    ))
}

/// Pushes a slot and waits until it is on disk.
fn spool(sink: &SinkHandle, number: u64) {
    let before = sink.counters().lines_spooled;
    sink.push(slot(number, 10));
    wait_until("it is on disk", || {
        sink.counters().lines_spooled == before + 10
    });
    assert_balanced(sink.counters());
}

fn wait_for_failure(sink: &SinkHandle) {
    wait_until("an attempt", || sink.counters().last_failure_unix_s > 0);
}

/// Goal: while a peer is away each slot is on disk as soon as it is whole, and comes back in order,
/// the newest first. Method: six slots while nobody listens, in a file each.
#[test]
fn slots_wait_on_disk_and_come_out_newest_first_then_oldest_first() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peer = Peer::silent();
        let io = start(spooling(backend, &peer, folder.path()));
        let sink = &io.sinks()[0];
        wait_for_failure(sink);
        for number in 1..=6 {
            spool(sink, number);
        }
        let expected = [1, 2, 3, 4, 5, 6].map(|number| format!("{number}.zst"));
        assert_eq!(files(folder.path(), &peer), expected);
        assert_eq!(sink.counters().lines_queued, 0);
        peer.listen();
        let mut connection = peer.accept();
        for number in [6, 1, 2, 3, 4, 5] {
            connection.expect(&lines_of(number, 10));
        }
        assert_all_sent(sink, 60);
        wait_until("files are gone", || files(folder.path(), &peer).is_empty());
        assert_eq!(sink.counters().bytes_spooled, 0);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: files keep to their limits, the oldest go first and are counted. Method: room for some three
/// slots; and a slot that ended long ago.
#[test]
fn the_oldest_files_make_room() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peer = Peer::silent();
        let mut settings = spooling(backend, &peer, folder.path());
        let mut io = run(&settings, None).expect("it starts");
        let sink = io.sinks()[0].clone();
        wait_for_failure(&sink);
        for number in 1..=3 {
            spool(&sink, number);
        }
        let three = sink.counters().bytes_spooled;
        settings.sinks[0].spool.bytes_max = Some(three);
        io.change(&settings).expect("nothing can fail");
        sink.push(slot(4, 10));
        wait_until("one is dropped", || sink.counters().lines_dropped == 10);
        assert_balanced(sink.counters());
        wait_until("its file is gone", || {
            files(folder.path(), &peer) == ["2.zst", "3.zst", "4.zst"]
        });
        settings.sinks[0].spool.age_max_s = Some(1);
        io.change(&settings).expect("nothing can fail");
        wait_until("all are too old", || sink.counters().lines_dropped == 40);
        let both = [(DropReason::SpoolFull, 10), (DropReason::TooOld, 30)];
        assert_eq!(reasons(&sink), both);
        assert_balanced(sink.counters());
        assert_eq!(io.close_and_wait(Duration::from_millis(20)), []);
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
        assert!(files(folder.path(), &peer).is_empty());
    });
}

/// Goal: the first half of a slot that waits on disk is never sent behind the whole. Method: end with
/// a half slot on disk, push all of it after a restart, then listen.
#[test]
fn a_slot_that_comes_again_takes_the_place_of_its_file() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peer = Peer::silent();
        let spooling = || {
            let mut settings = spooling(backend, &peer, folder.path());
            settings.flush_interval = Duration::from_secs(1);
            settings
        };
        let io = start(spooling());
        io.sinks()[0].push(slot(7, 5));
        assert_eq!(io.close_and_wait(Duration::from_millis(20)), []);
        let io = start(spooling());
        let sink = &io.sinks()[0];
        assert_eq!(sink.counters().lines_spooled, 5);
        sink.begin_slot(true);
        sink.push(slot(7, 10));
        sink.end_slot();
        let counters = sink.counters();
        assert_eq!((counters.lines_superseded, counters.lines_spooled), (5, 0));
        peer.listen();
        let mut connection = peer.accept();
        connection.expect(&lines_of(7, 10));
        assert_all_sent(sink, 10);
        assert_eq!(io.close_and_wait(DEADLINE), []);
        assert_eq!(connection.read_to_end(), "");
        assert!(files(folder.path(), &peer).is_empty());
    });
}

/// Goal: of a slot that a restart cuts in two both parts are delivered where nobody has the first to send
/// all of it, the first one first, as Graphite keeps what comes last. Method: end with a part on disk, push
/// the rest in two parts after a restart; once the peer listens then, and once only after one more restart.
#[test]
fn both_parts_of_a_slot_are_delivered_where_it_does_not_come_again_whole() {
    on_both_back_ends(|backend| {
        for restarts in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let peer = Peer::silent();
            let spooling = || {
                let mut settings = spooling(backend, &peer, folder.path());
                settings.flush_interval = Duration::from_secs(1);
                settings
            };
            let io = start(spooling());
            io.sinks()[0].push(part(7, 0, 5));
            assert_eq!(io.close_and_wait(Duration::from_millis(20)), []);
            let mut io = start(spooling());
            let push_rest = |io: &IoHandle| {
                let sink = &io.sinks()[0];
                sink.begin_slot(false);
                sink.push(Part {
                    index: 0,
                    ..part(7, 1, 10)
                });
                sink.push(Part {
                    index: 1,
                    ..part(7, 2, 10)
                });
                sink.end_slot();
                assert_balanced(sink.counters());
                assert_eq!(sink.counters().lines_superseded, 0);
            };
            push_rest(&io);
            if restarts {
                assert_eq!(io.close_and_wait(Duration::from_millis(20)), []);
                assert_eq!(files(folder.path(), &peer), ["7.zst"]);
                io = start(spooling());
            }
            peer.listen();
            let mut connection = peer.accept();
            connection.expect(&lines_of_part(7, 0, 5));
            connection.expect(&lines_of_part(7, 1, 10));
            connection.expect(&lines_of_part(7, 2, 10));
            assert_all_sent(&io.sinks()[0], 25);
            assert_eq!(io.close_and_wait(DEADLINE), []);
            assert_eq!(connection.read_to_end(), "");
            assert!(files(folder.path(), &peer).is_empty());
        }
    });
}

/// Goal: a damaged file costs its own lines, which are counted, and is set aside. Method: two of four
/// files are changed, one before the daemon starts and one while it runs.
#[test]
fn a_damaged_file_is_set_aside_and_counted() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peer = Peer::silent();
        let io = start(spooling(backend, &peer, folder.path()));
        for number in 1..=4 {
            io.sinks()[0].push(slot(number, 10));
        }
        assert_eq!(io.close_and_wait(Duration::from_millis(20)), []);
        let path = |name: &str| of_sink(folder.path(), &peer).join(name);
        let change = |name: &str, at: usize| {
            let mut bytes = std::fs::read(path(name)).expect("a file");
            bytes[at] ^= 0x55;
            std::fs::write(path(name), bytes).expect("a file");
        };
        change("1.zst", 20);
        let io = start(spooling(backend, &peer, folder.path()));
        let sink = &io.sinks()[0];
        assert_eq!(sink.counters().lines_pushed, 30);
        change("2.zst", 100);
        peer.listen();
        let mut connection = peer.accept();
        connection.expect(&lines_of(3, 10));
        connection.expect(&lines_of(4, 10));
        assert_all_sent(sink, 20);
        let counters = sink.counters();
        assert_eq!((counters.lines_dropped, counters.spool_damaged), (10, 2));
        assert_eq!(reasons(sink), [(DropReason::Unreadable, 10)]);
        assert!(path("1.zst.damaged").exists() && path("2.zst.damaged").exists());
        assert_eq!(io.close_and_wait(DEADLINE), []);
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

/// Goal: a disk that fails costs nothing as long as memory suffices, and then the oldest slots, which
/// are counted. Method: take the folder away; push more than the queue holds, then listen.
#[test]
fn behind_a_disk_that_fails_slots_wait_in_memory() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peer = Peer::silent();
        let mut settings = spooling(backend, &peer, folder.path());
        settings.sinks[0].queue_bytes = Some(2 * slot(1, 10).size_bytes());
        let io = start(settings);
        folder.close().expect("it can be removed");
        let sink = &io.sinks()[0];
        wait_for_failure(sink);
        for number in 1..=2 {
            sink.push(slot(number, 10));
        }
        wait_until("an error", || sink.counters().spool_errors > 0);
        sink.push(slot(3, 10));
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

/// Goal: a command gets a slot that is larger than its queue, whole. Method: a slot of several chunks
/// for a queue of one byte.
#[test]
fn a_slot_larger_than_the_queue_goes_to_a_command_by_the_spool() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let fed = folder.path().join("fed");
        let mut settings = settings(backend, &[]);
        let command = format!("command:cat >> {}", fed.display());
        settings.sinks = vec![command.parse().expect("an address")];
        settings.queue_bytes = 1;
        settings.spool.folder = Some(folder.path().join("spool"));
        let io = start(settings);
        let sink = &io.sinks()[0];
        sink.push(slot(1, 100_000));
        assert_all_sent(sink, 100_000);
        let read = std::fs::read_to_string(&fed).expect("it was fed");
        assert!(read == lines_of(1, 100_000));
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: a start that may fail yet has sent nothing, and what waits stays where it is. Method: a file of an
/// earlier run, a peer that listens, and a moment in which the file would be sent.
#[test]
fn nothing_is_delivered_before_the_start_has_succeeded() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peer = Peer::silent();
        let io = start(spooling(backend, &peer, folder.path()));
        io.sinks()[0].push(slot(1, 10));
        assert_eq!(io.close_and_wait(Duration::from_millis(20)), []);
        peer.listen();
        let prepared = crate::io::prepare(&spooling(backend, &peer, folder.path()), None);
        let mut io = prepared.expect("the spool is free");
        let sink = io.sinks()[0].clone();
        assert_eq!(sink.counters().lines_spooled, 10);
        // What takes milliseconds must not happen for a good while.
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(1));
            assert_eq!(sink.counters().lines_sent, 0);
        }
        assert_eq!(files(folder.path(), &peer), ["1.zst"]);
        io.deliver();
        peer.accept().expect(&lines_of(1, 10));
        assert_all_sent(&sink, 10);
        assert_eq!(io.close_and_wait(DEADLINE), []);
    });
}

/// Goal: a folder that can never be a spool is named at once, though a disk before it hangs, and so is
/// everything that is free for the next start. Method: a lock that is a pipe, then a good folder and a wrong
/// one; the same without those two.
#[test]
fn a_wrong_spool_behind_a_disk_that_hangs_is_named_at_once() {
    on_both_back_ends(|backend| {
        let folder = tempfile::tempdir().expect("a folder");
        let peers = [(); 3].map(|()| Peer::silent());
        let mut settings = settings(backend, &[&peers[0], &peers[1], &peers[2]]);
        let folders = [folder.path(), folder.path(), Path::new("/proc/spool")];
        for (sink, folder) in settings.sinks.iter_mut().zip(folders) {
            sink.spool.folder = Some(folder.to_owned());
        }
        let hanging = of_sink(folder.path(), &peers[0]);
        std::fs::create_dir(&hanging).expect("the folder is ours");
        mknodat(CWD, hanging.join(".lock"), FileType::Fifo, Mode::RWXU, 0).expect("as above");
        let before = Instant::now();
        let error = run(&settings, None).err().expect("it is in /proc");
        assert!(error.to_string().contains("/proc/spool"), "{error}");
        assert!(before.elapsed() < crate::disk::PATIENCE, "{error}");
        let good = spooling(backend, &peers[1], folder.path());
        assert_eq!(start(good).close_and_wait(DEADLINE), []);
    });
}
