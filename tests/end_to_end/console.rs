//! The standard output as pipe, as terminal, and as neither.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::daemon::{Daemon, command, run};
use crate::support::lines::Lines;
use crate::support::points::OWN;

/// Goal: a pipe gets lines that Graphite would take, own metrics among them. Method: the daemon
/// with no sink; each line is parsed.
#[test]
fn a_pipe_gets_plain_lines() {
    let daemon = Daemon::start("-b 127.0.0.1:0 -f 0.2");
    daemon.sender().send("hello:1|c\nhello:2|c");
    daemon.wait_for_sum("stats.counters.hello.count", 3.0);
    let points = daemon.stop_and_read();
    assert_eq!(points.own_sum("samples"), 2.0);
    points.assert_input_balances();
    points.assert_sink_balances("console");
}

/// Goal: a file is as good as a pipe. Method: read it after the end.
#[test]
fn a_file_gets_plain_lines() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut command = command("-b 127.0.0.1:0 -f 0.2 --own-prefix=");
    command.stdout(file.reopen().expect("the same file"));
    let mut daemon = Daemon::spawn_with_output(command);
    daemon.sender().send("hello:1|g");
    assert_eq!(daemon.stop(), Some(0));
    let text = std::fs::read_to_string(file.path()).expect("a text");
    let line = text.lines().next().expect("a line");
    assert!(line.starts_with("stats.gauges.hello 1 "), "{text}");
}

/// Goal: people get a table, aligned and sorted, without the daemon's own metrics. Method: a
/// pseudo terminal.
#[test]
fn a_terminal_gets_a_table() {
    let (terminal, screen) = pseudo_terminal();
    let mut command = command("-b 127.0.0.1:0 -f 0.2");
    command.args(["--own-prefix", OWN]).stdout(terminal);
    let mut daemon = spawn_on_terminal(command);
    let sender = daemon.sender();
    sender.send("second:12.5|g\nfirst.with.a.long.name:3|g");
    let rows: Vec<String> = screen.wait_for("a table", |lines| {
        let first = lines
            .iter()
            .position(|line| line.contains("first.with.a.long.name"))?;
        let rows = lines.get(first - 1..first + 2)?;
        Some(rows.iter().map(|row| row.trim_end().to_owned()).collect())
    });
    let [heading, first, second] = &rows[..] else {
        panic!("three rows: {rows:?}");
    };
    assert!(heading.ends_with(" UTC  2 points"), "{heading:?}");
    assert_eq!(first, "  stats.gauges.first.with.a.long.name     3");
    assert_eq!(second, "  stats.gauges.second                  12.5");
    assert_eq!(daemon.stop(), Some(0));
    let own = screen.now();
    assert!(!own.iter().any(|line| line.contains(OWN)), "{own:?}");
}

/// Goal: who waits in front of a silent daemon sees that it is alive, in one line a flush. Method:
/// a pseudo terminal, and nobody sends.
#[test]
fn a_terminal_is_told_that_nothing_was_received() {
    let (terminal, screen) = pseudo_terminal();
    let mut command = command("-b 127.0.0.1:0 -f 0.2");
    command.stdout(terminal);
    let mut daemon = spawn_on_terminal(command);
    screen.wait_for("two flushes", |lines| (lines.len() >= 2).then_some(()));
    assert_eq!(daemon.stop(), Some(0));
    for line in screen.now() {
        assert!(line.trim_end().ends_with(" UTC  nothing received"));
    }
}

/// Goal: a daemon whose points nobody would see does not start, and says which option is missing.
/// Method: /dev/null, and a socket as a service manager gives it.
#[test]
fn without_sink_and_reader_it_does_not_start() {
    let (socket, _other_end) = UnixStream::pair().expect("two sockets");
    for stdout in [Stdio::null(), OwnedFd::from(socket).into()] {
        let mut command = command("-b 127.0.0.1:0");
        command.stdout(stdout);
        let ended = run(command);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.log.contains("--sink HOST:2003"), "{ended:?}");
    }
}

/// Goal: log lines lack their time only in the journal, which has it. A program that a service
/// started inherits the variable, and a log in a file of its own had no times. Method: a variable
/// that names another stream.
#[test]
fn the_log_has_times_where_the_standard_error_is_not_the_journal() {
    let mut command = command("-b 127.0.0.1:0 -f 0.2");
    command.env("JOURNAL_STREAM", "1:2");
    let daemon = Daemon::spawn(command);
    let line = daemon.log.wait_for_text("listening on udp://");
    assert!(line.starts_with("[20"), "{line}");
}

/// The end for the daemon, and what arrives at the other one.
fn pseudo_terminal() -> (File, Lines) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo terminal");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let path = ptsname(&master, Vec::new()).expect("it has a path");
    let path = path.to_str().expect("the kernel's paths are ASCII");
    let mut options = OpenOptions::new();
    let terminal = options.read(true).write(true).open(path);
    let terminal = terminal.expect("it was unlocked");
    (terminal, Lines::of(File::from(master)))
}

/// The command holds the terminal open, and goes away here.
fn spawn_on_terminal(command: Command) -> Daemon {
    Daemon::spawn_with_output(command)
}
