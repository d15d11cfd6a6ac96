//! io_uring forbidden by a seccomp filter, as containers forbid it, and a user without any privilege.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::support::daemon::Daemon;
use crate::support::engines::has_io_uring;
use crate::support::graphite::Graphite;
use crate::support::udp::ReceiveQueue;

/// Set in a process that is to become a daemon under the filter: the daemon's arguments.
const ARGUMENTS: &str = "RINGSTAT_TEST_UNDER_SECCOMP";

/// The three calls of io_uring; their numbers are the same on all 64-bit architectures (since 5.1).
const IO_URING_CALLS: [i64; 3] = [425, 426, 427];

/// Not a test by itself: the process that [`without_io_uring_nothing_is_lost`] starts. A filter holds
/// for a process and what it becomes, so the tests' own process cannot have it.
#[test]
fn becomes_a_daemon_under_the_filter() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else {
        return;
    };
    let rules = IO_URING_CALLS.map(|call| (call, Vec::new()));
    let filter = SeccompFilter::new(
        BTreeMap::from(rules),
        SeccompAction::Allow,
        // EPERM, as Docker answers.
        SeccompAction::Errno(1),
        std::env::consts::ARCH
            .try_into()
            .expect("a known architecture"),
    );
    let program: BpfProgram = filter.and_then(TryInto::try_into).expect("a filter");
    seccompiler::apply_filter(&program).expect("a filter that takes rights away");
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_ringstat"));
    let error = daemon.args(arguments.split_whitespace()).exec();
    panic!("{error}");
}

/// Goal: where seccomp forbids io_uring the daemon says so, receives with recvmmsg, sends without
/// io_uring, and loses nothing. Method: a filter, a Graphite receiver, samples in against samples out.
#[test]
fn without_io_uring_nothing_is_lost() {
    let graphite = Graphite::start();
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = format!(
        "-b 127.0.0.1:0 -f 1 --shards 2 -s {} --control {}",
        graphite.sink(),
        folder.path().join("ctl").display()
    );
    let tests = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(tests);
    command
        .args(["--exact", "blocked::becomes_a_daemon_under_the_filter"])
        .args(["--nocapture"])
        .env(ARGUMENTS, arguments);
    let mut daemon = Daemon::spawn(command);
    let engine = daemon.log.wait_for_text("udp: using");
    assert!(engine.contains("using the recvmmsg engine"), "{engine}");
    // Where more than the filter forbids it, the log may name that.
    if has_io_uring() {
        assert!(engine.contains("blocked by seccomp"), "{engine}");
    }
    let queue = ReceiveQueue::of(&daemon);
    for sender in (0..4).map(|_| daemon.sender()) {
        sender.send_all(&queue, (0..5_000).map(|_| "sent:1|c"));
    }
    graphite.wait_for_kept("all that was sent", |kept| {
        kept.sum("stats.counters.sent.count") == 20_000.0
    });
    assert_eq!(daemon.stop(), Some(0));
}

/// Goal: no feature needs root. Method: the user nobody where the test may become that, with everything
/// that opens a socket or a file.
#[test]
fn an_unprivileged_user_can_run_all_of_it() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| folder.path().join(name);
    // The other user may neither look into the directory of the build, nor write into ours.
    let open = Permissions::from_mode(0o777);
    fs::set_permissions(folder.path(), open).expect("it is ours");
    fs::copy(env!("CARGO_BIN_EXE_ringstat"), path("ringstat")).expect("room for a copy");
    let graphite = Graphite::start();
    let at = |name: &str| path(name).display().to_string();
    let mut command = Command::new(path("ringstat"));
    command
        .args(["-b", "127.0.0.1:0", "-b", "tcp://127.0.0.1:0", "-b"])
        .arg(format!("unix:{}?mode=0600", at("lines")))
        .arg("-b")
        .arg(format!("unixgram:{}?mode=0600", at("datagrams")))
        .args(["--liveness", "127.0.0.1:0", "--management", "127.0.0.1:0"])
        .args(["--state-file", &at("state"), "--pid-file", &at("pid")])
        .args(["-f", "1", "--shards", "2", "--pin"])
        .arg("-s")
        .arg(format!("{}?spool={}", graphite.sink(), at("spool")))
        .args(["-s", "command:cat > /dev/null"]);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut daemon = Daemon::spawn_with_control(command);
    let sender = daemon.sender();
    sender.send("a:1|c\nb:2|g");
    graphite.wait_for_kept("the samples", |kept| {
        kept.sum("stats.counters.a.count") == 1.0
    });
    assert_eq!(daemon.stop(), Some(0));
    let log = daemon.log.now().join("\n");
    assert!(!log.contains("ERROR"), "{log}");
    assert!(path("state").exists() && !path("pid").exists());
}

/// The user and group of nobody, on all distributions that we know.
const NOBODY: u32 = 65_534;
