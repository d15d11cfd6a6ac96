//! Commands that take their slots, fail, hang, and are left alone by the rest of the daemon.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::*;

/// A folder for what a command writes, which is its `$DIR`.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    /// The address of a sink that runs this script.
    fn sink(&self, script: &str) -> SinkAddress {
        let folder = self.0.path().display();
        let text = format!("command:DIR='{folder}'\n{script}");
        text.parse().expect("a command")
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_default()
    }
}

fn with_sinks(backend: Backend, sinks: Vec<SinkAddress>) -> Settings {
    let mut settings = settings(backend, &[]);
    settings.sinks = sinks;
    settings
}

fn empty(number: u64) -> Part {
    Part {
        lines: 0,
        chunks: Vec::new(),
        ..slot(number, 0)
    }
}

/// Goal: each slot is one run, in order, those without points too. Method: a command that copies what
/// it reads and then writes a line; one slot is larger than a pipe.
#[test]
fn a_command_is_started_for_each_slot_and_reads_it_to_its_end() {
    on_both_back_ends(|backend| {
        let folder = Folder::new();
        let sink = folder.sink("cat >> $DIR/out; echo end >> $DIR/out");
        let io = start(with_sinks(backend, vec![sink]));
        let sink = &io.sinks()[0];
        sink.push(slot(1, 10_000));
        wait_until("the first run", || folder.text("out").ends_with("end\n"));
        sink.push(empty(2));
        wait_until("an empty run", || {
            folder.text("out").ends_with("end\nend\n")
        });
        sink.push(slot(3, 2));
        assert_all_sent(sink, 10_002);
        assert!(io.close_and_wait(DEADLINE).is_empty());
        let expected = format!("{}end\nend\n{}end\n", lines_of(1, 10_000), lines_of(3, 2));
        assert_eq!(folder.text("out"), expected);
    });
}

/// Goal: a failure costs nothing if it passes, and no slot comes before an older one. Method: the
/// command fails twice after it has read the slot.
#[test]
fn a_slot_is_fed_again_after_a_failure() {
    on_both_back_ends(|backend| {
        let folder = Folder::new();
        let sink = folder.sink(
            "echo run >> $DIR/runs; cat > $DIR/read\n\
             [ $(wc -l < $DIR/runs) -gt 2 ] || exit 7\n\
             cat $DIR/read >> $DIR/out",
        );
        let io = start(with_sinks(backend, vec![sink]));
        let sink = &io.sinks()[0];
        sink.push(slot(1, 3));
        sink.push(slot(2, 3));
        assert_all_sent(sink, 6);
        assert_eq!(sink.counters().lines_dropped, 0);
        assert!(io.close_and_wait(DEADLINE).is_empty());
        assert_eq!(folder.text("out"), lines_of(1, 3) + &lines_of(2, 3));
        assert_eq!(folder.text("runs").lines().count(), 4);
    });
}

/// Goal: what a command never takes is given up and counted, and the next slot has its turn. Method:
/// the command refuses slots with a certain word.
#[test]
fn a_slot_that_always_fails_is_counted_as_lost() {
    on_both_back_ends(|backend| {
        let folder = Folder::new();
        let sink = folder.sink(
            "cat > $DIR/read; ! grep -q slot_000002 $DIR/read || { echo x >> $DIR/failed; exit 1; }\n\
             cat $DIR/read >> $DIR/out",
        );
        let io = start(with_sinks(backend, vec![sink]));
        let sink = &io.sinks()[0];
        for number in 1..=3 {
            sink.push(slot(number, 10 * number));
        }
        wait_until("the last slot", || sink.counters().lines_sent == 40);
        let counters = sink.counters();
        assert_balanced(counters);
        assert_eq!((counters.lines_dropped, counters.lines_queued), (20, 0));
        assert!(io.close_and_wait(DEADLINE).is_empty(), "told of already");
        assert_eq!(folder.text("out"), lines_of(1, 10) + &lines_of(3, 30));
        assert_eq!(folder.text("failed").lines().count(), 3);
    });
}

/// Goal: a command that always fails keeps up with the flushes. Method: more slots than may wait
/// behind one that is tried again.
#[test]
fn a_slot_that_fails_is_not_tried_again_while_many_others_wait() {
    on_both_back_ends(|backend| {
        let folder = Folder::new();
        let sink = folder.sink("echo run >> $DIR/runs; exit 1");
        let io = start(with_sinks(backend, vec![sink]));
        let sink = &io.sinks()[0];
        for number in 1..=20 {
            sink.push(slot(number, 1));
        }
        wait_until("the last slot", || sink.counters().lines_dropped == 20);
        let runs = folder.text("runs").lines().count();
        // The last three are tried three times, the others once, but for the first if it was faster
        // than we.
        assert!((26..=28).contains(&runs), "{runs} runs");
        io.close_and_wait(DEADLINE);
    });
}

/// Goal: a command that neither reads nor ends is killed with what it has started, and nobody else
/// waits for it. Method: a slot that no pipe holds; a peer that works beside it.
#[test]
fn a_command_that_hangs_is_killed_and_holds_up_nobody() {
    on_both_back_ends(|backend| {
        let (folder, peer) = (Folder::new(), Peer::listening());
        let hangs = folder.sink("sleep 1000 & echo $$ $! >> $DIR/ids; wait");
        let mut settings = with_sinks(backend, vec![hangs, peer.address()]);
        settings.command_patience.run = Duration::from_millis(300);
        let io = start(settings);
        let [hangs, works] = io.sinks() else {
            panic!("two sinks");
        };
        hangs.push(slot(1, 10_000));
        wait_until("the command", || !folder.text("ids").is_empty());
        works.push(slot(1, 10));
        let mut connection = peer.accept();
        connection.expect(&lines_of(1, 10));
        assert_eq!(hangs.counters().lines_dropped, 0, "it still hangs");
        wait_until("the loss", || hangs.counters().lines_dropped == 10_000);
        let ids = folder.text("ids");
        assert_eq!(ids.lines().count(), 3, "{ids}");
        for id in ids.split_whitespace() {
            wait_until("the end of a process", || !is_alive(id));
        }
        drop(connection);
        io.close_and_wait(DEADLINE);
    });
}

/// Goal: other times cost no slot: a command that runs is left alone, and the next one has the new
/// time. Method: a run that ends only when a file is there, and then one that hangs.
#[test]
fn a_command_goes_on_when_its_time_changes() {
    on_both_back_ends(|backend| {
        let folder = Folder::new();
        let sink = folder.sink(
            "[ ! -e $DIR/go ] || sleep 1000; echo run >> $DIR/runs\n\
             until [ -e $DIR/go ]; do sleep 0.01; done; cat > $DIR/out",
        );
        let mut io = start(with_sinks(backend, vec![sink]));
        let sink = io.sinks()[0].clone();
        sink.push(slot(1, 5));
        wait_until("the command", || !folder.text("runs").is_empty());
        let mut settings = with_sinks(backend, vec![sink.address().clone()]);
        settings.command_patience.run = Duration::from_millis(50);
        io.change(&settings).expect("nothing can fail");
        assert!(io.sinks()[0].is(&sink), "it stays");
        assert_eq!(io.end_leaving(Duration::ZERO), []);
        fs::write(folder.path("go"), "").expect("a file");
        assert_all_sent(&sink, 5);
        sink.push(slot(2, 3));
        wait_until("the loss", || sink.counters().lines_dropped == 3);
        assert!(io.close_and_wait(DEADLINE).is_empty());
        assert_eq!(folder.text("out"), lines_of(1, 5));
    });
}

/// Goal: the last slot gets its command although the one before hangs. Method: the daemon stops with
/// both in the queue.
#[test]
fn the_last_slot_is_fed_when_the_daemon_stops_while_the_one_before_hangs() {
    on_both_back_ends(|backend| {
        let folder = Folder::new();
        let sink = folder.sink(
            "cat > $DIR/read; ! grep -q slot_000001 $DIR/read || { echo run >> $DIR/hung; sleep 1000; }\n\
             cat $DIR/read >> $DIR/out",
        );
        let io = start(with_sinks(backend, vec![sink]));
        let sink = io.sinks()[0].clone();
        sink.push(slot(1, 5));
        wait_until("the command", || !folder.text("hung").is_empty());
        sink.push(slot(2, 5));
        io.close_and_wait(DEADLINE);
        assert_eq!(
            folder.text("hung").lines().count(),
            1,
            "it is not tried again"
        );
        assert_eq!(folder.text("out"), lines_of(2, 5));
        let counters = sink.counters();
        assert_eq!((counters.lines_sent, counters.lines_dropped), (5, 5));
    });
}

/// Goal: a stop waits no longer than it may. Method: the only slot hangs; its patience is long.
#[test]
fn a_command_that_hangs_is_killed_when_the_time_to_stop_is_over() {
    on_both_back_ends(|backend| {
        let folder = Folder::new();
        let sink = folder.sink("sleep 1000 & echo $$ $! > $DIR/ids; wait");
        let io = start(with_sinks(backend, vec![sink]));
        io.sinks()[0].push(slot(1, 5));
        wait_until("the command", || !folder.text("ids").is_empty());
        let began = Instant::now();
        let left = io.close_and_wait(Duration::from_millis(100));
        assert!(began.elapsed() < DEADLINE / 2);
        assert_eq!((left.len(), left[0].lines), (1, 5));
        assert_eq!(left[0].name, "command");
        for id in folder.text("ids").split_whitespace() {
            wait_until("the end of a process", || !is_alive(id));
        }
    });
}

/// Goal: the exit status is the answer, and what a command leaves in the background is its own matter.
/// Method: it reads nothing of a slot that no pipe holds, and starts what keeps its standard error.
#[test]
fn a_command_that_reads_nothing_and_succeeds_has_the_slot() {
    on_both_back_ends(|backend| {
        let folder = Folder::new();
        let sink = folder.sink("sleep 1000 & echo $! > $DIR/id");
        let io = start(with_sinks(backend, vec![sink]));
        io.sinks()[0].push(slot(1, 10_000));
        assert_all_sent(&io.sinks()[0], 10_000);
        assert!(io.close_and_wait(DEADLINE).is_empty());
        let id = folder.text("id");
        assert!(is_alive(id.trim()));
        let id = id.trim().parse().ok().and_then(Pid::from_raw);
        kill_process(id.expect("a process id"), Signal::KILL).expect("it lives");
    });
}

/// Goal: a command finds what any program finds that is started from a shell. Method: it tells what it
/// has inherited while connections are open. Sockets and rings would be handed to whatever it leaves
/// running; a program without SIGPIPE does not end when its reader does.
#[test]
fn a_command_inherits_neither_files_nor_signals() {
    on_both_back_ends(|backend| {
        let (folder, peer) = (Folder::new(), Peer::listening());
        let sink = folder.sink(
            "ls -l /proc/$$/fd > $DIR/files; cat /proc/self/status > $DIR/status; : > $DIR/end",
        );
        let io = start(with_sinks(backend, vec![peer.address(), sink]));
        let connection = peer.accept();
        io.sinks()[1].push(slot(1, 1));
        assert_all_sent(&io.sinks()[1], 1);
        let files = folder.text("files");
        assert!(files.contains(" 0 -> pipe:"), "{files}");
        for inherited in ["socket:", "io_uring", "eventpoll", "eventfd"] {
            let own = files.lines().filter(|line| line.contains(inherited));
            assert_eq!(own.count(), 0, "{inherited} in {files}");
        }
        let status = folder.text("status");
        for (field, bits) in [
            ("SigBlk:", u64::MAX),
            ("SigIgn:", 1 << (Signal::PIPE.as_raw() - 1)),
        ] {
            let mask = status.lines().find_map(|line| line.strip_prefix(field));
            let mask = u64::from_str_radix(mask.expect("a mask").trim(), 16).expect("bits");
            assert_eq!(mask & bits, 0, "{field} {status}");
        }
        drop(connection);
        io.close_and_wait(DEADLINE);
    });
}

/// Whether a process is there, be it as a zombie.
fn is_alive(id: &str) -> bool {
    fs::exists(format!("/proc/{id}")).expect("/proc can be read")
}
