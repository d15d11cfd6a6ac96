//! Engines, shards and processors: what is asked for is what runs, and the log says it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::daemon::Daemon;
use crate::support::engines::{engines, has_io_uring};
use crate::support::graphite::Graphite;
use crate::support::{poll, skip};

/// Goal: the engine that is asked for runs, and says so. Method: the log, and a sample.
#[test]
fn the_log_names_the_engine_that_was_asked_for() {
    for engine in engines() {
        let line = match *engine {
            "io_uring" => "udp: using the io_uring engine",
            _ => "udp: using the recvmmsg engine, as configured",
        };
        let daemon = Daemon::start(&format!("-b 127.0.0.1:0 -f 0.2 --engine {engine}"));
        daemon.log.wait_for_text(line);
        daemon.sender().send("a:1|c");
        let points = daemon.stop_and_read();
        assert_eq!(points.sum("stats.counters.a.count"), 1.0, "{engine}");
    }
}

/// Goal: as many shards as asked for, each on a processor of its own. Method: the threads' names
/// and allowed processors in /proc.
#[test]
fn pinned_shards_have_a_processor_each() {
    let daemon = Daemon::start("-b 127.0.0.1:0 -f 0.2 --shards 2 --pin");
    let log = daemon.log.wait_for_text("listening on udp://");
    assert!(log.ends_with(", 2 shards"), "{log}");
    let mut processors = poll("two threads that are pinned", || {
        let processors = allowed_processors_of_shards(&daemon)?;
        let pinned = |list: &String| list.parse::<u32>().is_ok();
        (processors.len() == 2 && processors.iter().all(pinned)).then_some(processors)
    });
    let allowed = std::thread::available_parallelism().map_or(1, |count| count.get());
    processors.sort();
    processors.dedup();
    assert_eq!(processors.len(), allowed.min(2));
}

/// By shard the list of processors that its thread may run on. None if a thread ends meanwhile.
fn allowed_processors_of_shards(daemon: &Daemon) -> Option<Vec<String>> {
    let mut lists = Vec::new();
    for thread in fs::read_dir(daemon.proc_path("task")).ok()? {
        let status = fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
        if status.starts_with("Name:\tshard-") {
            let mut lines = status.lines();
            let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:\t"));
            lists.push(list.expect("each thread has one").to_owned());
        }
    }
    Some(lists)
}

/// Goal: where io_uring is forbidden the daemon still does all it should, and says why it is
/// forbidden. Method: no memory may be locked, which rings need, as a user without privileges.
#[test]
fn without_io_uring_it_receives_and_sends_all_the_same() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let open = |path: &_| fs::set_permissions(path, Permissions::from_mode(0o755));
    open(directory.path()).expect("it is ours");
    let binary = directory.path().join("ringstat");
    // The other user may not look into the directory that it was built in.
    fs::copy(env!("CARGO_BIN_EXE_ringstat"), &binary).expect("room for a copy");
    let is_root = rustix::process::geteuid().is_root();
    let mut command = match is_root {
        true => {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "prlimit",
            ]);
            command
        }
        false => Command::new("prlimit"),
    };
    let tool = command.get_program().to_owned();
    if Command::new(&tool).arg("--version").output().is_err() {
        return skip("setpriv and prlimit of util-linux are missing");
    }
    let graphite = Graphite::start();
    let sink = format!("graphite://127.0.0.1:{}", graphite.port);
    command.arg("--memlock=0:0").arg(&binary);
    command.args(["-b", "127.0.0.1:0", "-f", "1", "-s", &sink]);
    let mut daemon = Daemon::spawn(command);
    daemon.sender().send("a:1|c");
    graphite.wait_for_sum("stats.counters.a.count", 1.0);
    assert_eq!(daemon.stop(), Some(0));
    let engine = daemon.log.wait_for_text("udp: using");
    if !has_io_uring() {
        println!("io_uring is forbidden to all here, and for another reason");
        return;
    }
    if engine.contains("using the io_uring engine") || engine.contains("io_uring: works") {
        println!("this kernel does not charge rings to the limit");
        return;
    }
    assert!(engine.contains("using the recvmmsg engine"), "{engine}");
    assert!(engine.contains("RLIMIT_MEMLOCK"), "{engine}");
}
