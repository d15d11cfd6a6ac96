//! In the background, with a file that holds its process id.

use std::fs;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::support::daemon::{Daemon, Guarded, catches_sigterm, command, listening_addresses, run};
use crate::support::graphite::Graphite;
use crate::support::udp::Sender;
use crate::support::{DEADLINE, poll};

/// Goal: an init script can start and stop the daemon. Method: the command returns, the file names
/// a living process, and SIGTERM to that one flushes and removes the file.
#[test]
fn in_the_background_it_is_known_by_its_pid_file() {
    let graphite = Graphite::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (pid_file, log) = (directory.path().join("pid"), directory.path().join("log"));
    let sink = format!("-s 127.0.0.1:{}", graphite.port);
    let mut command = command(&format!("-D -b 127.0.0.1:0 -f 1000 {sink}"));
    command.arg("--pid-file").arg(&pid_file);
    command.arg("--log").arg(&log);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut command = Guarded(command.spawn().expect("the daemon starts"));
    assert_eq!(command.wait(), Some(0));

    let process_id: u32 = poll("a complete pid file", || {
        let text = fs::read_to_string(&pid_file).ok()?;
        Some(text.strip_suffix('\n')?.parse().expect("a number"))
    });
    let daemon = Process::new(process_id);
    let addresses = poll("the daemon to listen", || {
        let text = fs::read_to_string(&log).ok()?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let started = text.contains("each receive buffer of");
        started.then(|| listening_addresses(&lines))
    });
    poll("a handler of SIGTERM", || catches_sigterm(process_id));
    Sender::to(addresses[0]).send("a:3|c");
    daemon.signal(Signal::TERM);
    daemon.wait();
    graphite.wait_for_sum("stats.counters.a.count", 3.0);
    assert!(!pid_file.exists());
    let text = fs::read_to_string(&log).expect("a log");
    assert!(text.ends_with("stopped\n"), "{text}");
}

/// Goal: a command that names files beside it finds them in the background, too. It ran in `/`. Method: it
/// tells where it runs at the last flush.
#[test]
fn a_command_runs_where_the_daemon_was_started() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (pid_file, told) = (directory.path().join("pid"), directory.path().join("told"));
    let mut command = command("-D -b 127.0.0.1:0 -f 1000 --pid-file pid --log log --sink");
    command.arg(format!("command:pwd -P > {}", told.display()));
    command.current_dir(directory.path());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut command = Guarded(command.spawn().expect("the daemon starts"));
    assert_eq!(command.wait(), Some(0));
    let process_id = poll("a complete pid file", || {
        let text = fs::read_to_string(&pid_file).ok()?;
        Some(text.strip_suffix('\n')?.parse().expect("a number"))
    });
    let daemon = Process::new(process_id);
    poll("a handler of SIGTERM", || catches_sigterm(process_id));
    daemon.signal(Signal::TERM);
    daemon.wait();
    let real = directory.path().canonicalize().expect("it is there");
    let text = fs::read_to_string(told).expect("the command ran");
    assert_eq!(text, format!("{}\n", real.display()));
}

/// Goal: whoever starts the daemon learns that it could not, although it went into the background
/// before. It ended with 0 and without a word. Method: a spool that cannot be, which only the
/// background process finds.
#[test]
fn a_start_that_fails_in_the_background_is_told() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (pid_file, log) = (directory.path().join("pid"), directory.path().join("log"));
    let mut command = command("-D -b 127.0.0.1:0 -s graphite://127.0.0.1:9?spool=/dev/null/spool");
    command.arg("--pid-file").arg(&pid_file);
    command.arg("--log").arg(&log);
    let ended = run(command);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.log.contains("/dev/null/spool"), "{ended:?}");
    let text = fs::read_to_string(&log).expect("a log");
    assert!(
        text.contains("cannot use /dev/null/spool/graphite-127.0.0.1-9 as a spool"),
        "{text}"
    );
    poll("the pid file to go", || (!pid_file.exists()).then_some(()));
}

/// Goal: a second daemon does not take the pid file of the first one. It emptied the file, and
/// removed it at its end. Method: two daemons of one file; what an earlier one left is no obstacle.
#[test]
fn a_pid_file_in_use_is_refused_and_a_stale_one_is_taken() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pid_file = directory.path().join("pid");
    fs::write(&pid_file, "4194305 left by a daemon that was killed\n").expect("a file");
    let with_pid_file = || {
        let mut command = command("-b 127.0.0.1:0 -s console: --pid-file");
        command.arg(&pid_file);
        command
    };
    let mut first = Daemon::spawn(with_pid_file());
    first.log.wait_for_text("4194305 left by a daemon");
    let held = fs::read_to_string(&pid_file).expect("a pid file");
    let process_id = held.trim();
    assert_eq!(first.proc_path("stat"), format!("/proc/{process_id}/stat"));
    let second = run(with_pid_file());
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.log.contains(&format!("process {process_id},")),
        "{second:?}"
    );
    assert_eq!(fs::read_to_string(&pid_file).ok().as_ref(), Some(&held));
    assert_eq!(first.stop(), Some(0));
    assert!(!pid_file.exists());
}

/// Goal: a trial beside another daemon, with that one's file, leaves it its pid file. It was taken
/// over without a word, and the init script could not stop the other one. Method: a file that names
/// the test, which holds no lock; then one that somebody else writes while the daemon runs.
#[test]
fn the_pid_file_of_another_program_is_left_to_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pid_file = directory.path().join("pid");
    let with_pid_file = || {
        let mut command = command("-b 127.0.0.1:0 -s console: --pid-file");
        command.arg(&pid_file);
        command
    };
    let of_the_test = format!("{}\n", std::process::id());
    fs::write(&pid_file, &of_the_test).expect("a file");
    let refused = run(with_pid_file());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for part in [
        &pid_file.display().to_string(),
        &format!("process {}, which runs", std::process::id()),
        "--pid-file FILE",
    ] {
        assert!(refused.log.contains(part), "{part}: {refused:?}");
    }
    let text = || fs::read_to_string(&pid_file).expect("a pid file");
    assert_eq!(text(), of_the_test);

    fs::write(&pid_file, "").expect("a file");
    let mut daemon = Daemon::spawn(with_pid_file());
    assert_eq!(
        daemon.proc_path("stat"),
        format!("/proc/{}/stat", text().trim())
    );
    fs::write(&pid_file, &of_the_test).expect("a file");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(text(), of_the_test);
}

/// A process that is no child of the test's and ends with it.
struct Process(OwnedFd);

impl Process {
    fn new(process_id: u32) -> Process {
        let pid = Pid::from_raw(process_id.cast_signed()).expect("an id is not 0");
        Process(pidfd_open(pid, PidfdFlags::empty()).expect("it runs"))
    }

    fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.0, signal).expect("it runs");
    }

    fn wait(&self) {
        let timeout = Timespec::try_from(DEADLINE).expect("it fits");
        let mut ends = [PollFd::new(&self.0, PollFlags::IN)];
        let ended = rustix::event::poll(&mut ends, Some(&timeout));
        assert_eq!(ended, Ok(1), "the process ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails if the process has ended, which is as good.
        let _ = pidfd_send_signal(&self.0, Signal::KILL);
    }
}
