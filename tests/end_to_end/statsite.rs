//! Under the name statsite the daemon reads statsite's file and feeds statsite's commands.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::daemon::{Daemon, run};
use crate::support::poll;

/// A port that is held on one loopback address, so that nobody else gets it, for a daemon on the
/// next one.
struct Port {
    number: u16,
    _udp: UdpSocket,
    _tcp: TcpListener,
}

/// Where the daemons of these tests listen.
const HOST: &str = "127.0.0.2";

impl Port {
    fn hold() -> Port {
        poll("a port that is free on UDP and TCP", || {
            let udp = UdpSocket::bind("127.0.0.1:0").ok()?;
            let number = udp.local_addr().ok()?.port();
            let tcp = TcpListener::bind(("127.0.0.1", number)).ok()?;
            Some(Port {
                number,
                _udp: udp,
                _tcp: tcp,
            })
        })
    }
}

/// A link named statsite beside a file with these keys.
struct Statsite {
    folder: TempDir,
    port: Port,
}

impl Statsite {
    fn new(keys: &str) -> Statsite {
        let statsite = Statsite {
            folder: tempfile::tempdir().expect("a folder"),
            port: Port::hold(),
        };
        let link = statsite.folder.path().join("statsite");
        symlink(env!("CARGO_BIN_EXE_ringstat"), link).expect("a link");
        statsite.write(keys);
        statsite
    }

    fn write(&self, keys: &str) {
        let (folder, port) = (self.folder.path(), self.port.number);
        let text = format!(
            "[statsite]\nbind_address = {HOST}\nport = {port}\nudp_port = {port}\n\
             stream_cmd = cat >> {}/out\n{keys}\n",
            folder.display()
        );
        fs::write(folder.join("statsite.conf"), text).expect("a file");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.folder.path().join("statsite"));
        command
            .arg("-f")
            .arg(self.folder.path().join("statsite.conf"));
        command.stdout(Stdio::piped());
        command
    }

    /// What commands were fed, as lines without their time stamps.
    fn fed(&self) -> BTreeSet<String> {
        let fed = fs::read_to_string(self.folder.path().join("out")).unwrap_or_default();
        let untimed = |line: &str| Some(line.rsplit_once('|')?.0.to_owned());
        fed.lines()
            .map(|line| untimed(line).expect("a time stamp"))
            .collect()
    }

    /// Waits for one of these lines.
    fn wait_for(&self, line: &str) {
        poll(line, || self.fed().contains(line).then_some(()));
    }
}

/// Goal: whatever way samples come in, a command is fed the lines that statsite feeds it. Method:
/// each type over UDP, TCP and the standard input, in one interval that the stop ends.
#[test]
fn a_command_is_fed_what_came_over_udp_tcp_and_the_standard_input() {
    let statsite = Statsite::new(
        "parse_stdin = yes\nflush_interval = 1000\nglobal_prefix = gp.\ninput_counter = numStats\n\
         timers_include = count,median\nquantiles = 0.5,0.999\n[histogram_a]\nprefix = t\nmin = 0\n\
         max = 20\nwidth = 10",
    );
    let (input, mut writer) = io::pipe().expect("a pipe");
    let mut command = statsite.command();
    command.stdin(input);
    let mut daemon = Daemon::spawn_with_input(command);
    daemon.sender().send("c:3|c|@0.1\ng:7|g\ns:a|s");
    let mut connection = TcpStream::connect((HOST, statsite.port.number)).expect("it listens");
    connection
        .write_all(b"c:4|c\nt:5|ms\nt:15|h\n\xaa\x02\x06\0\0\0\0\0\0\0\x69\x40Conns\0")
        .expect("it reads");
    writer
        .write_all(b"g:-2|g\nk:1.5|kv\nx:y|c")
        .expect("it reads");
    drop((connection, writer));
    daemon.log.wait_for_text("the standard input has ended");
    assert_eq!(daemon.stop(), Some(0));
    let expected = [
        "gp.counts.c|34.000000",
        "gp.counts.Conns|200.000000",
        "gp.counts.numStats|10.000000",
        "gp.gauges.g|5.000000",
        "gp.sets.s|1",
        "gp.kv.k|1.500000",
        "gp.timers.t.count|2",
        "gp.timers.t.median|5.000000",
        "gp.timers.t.p50|5.000000",
        "gp.timers.t.p99_9|15.000000",
        "gp.timers.t.histogram.bin_<0.00|0",
        "gp.timers.t.histogram.bin_0.00|1",
        "gp.timers.t.histogram.bin_10.00|1",
        "gp.timers.t.histogram.bin_>20.00|0",
    ];
    assert_eq!(statsite.fed(), expected.map(str::to_owned).into());
}

/// Goal: a value that cannot be read starts nothing. Method: such a file; no command has run.
#[test]
fn a_bad_value_is_an_error_with_its_line() {
    let statsite = Statsite::new("flush_interval = often");
    let ended = run(statsite.command());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let place = "statsite.conf:6: flush_interval: `often`";
    assert!(ended.log.contains(place), "{ended:?}");
    assert!(!statsite.folder.path().join("out").exists());
}

/// Goal: a key that nobody knows is told, and costs nothing. Method: such a file; a sample comes
/// through.
#[test]
fn an_unknown_key_is_a_warning_with_its_line() {
    let statsite = Statsite::new("flush_interval = 1\nflush_intervall = 7");
    let mut daemon = Daemon::spawn(statsite.command());
    daemon
        .log
        .wait_for_text("statsite.conf:7: statsite has no key `flush_intervall`");
    daemon.sender().send("c:1|c");
    statsite.wait_for("counts.c|1.000000");
    assert_eq!(daemon.stop(), Some(0));
    // A counter of inputs is only sent where it is asked for.
    assert_eq!(statsite.fed().len(), 1);
}

/// Goal: SIGHUP brings a counter of inputs, gives it another name and takes it away. Method: a file
/// that is written anew twice.
#[test]
fn a_reload_changes_the_counter_of_inputs() {
    let statsite = Statsite::new("flush_interval = 1");
    let mut daemon = Daemon::spawn(statsite.command());
    let reload = |daemon: &Daemon, generation: u64, keys: &str| {
        statsite.write(keys);
        daemon.signal(Signal::HUP);
        let in_use = format!("configuration {generation} in use");
        daemon.log.wait_for_text(&in_use);
    };
    reload(&daemon, 2, "flush_interval = 1\ninput_counter = first");
    daemon.sender().send("a:1|c\nb:1|ms");
    statsite.wait_for("counts.first|2.000000");
    let extended = "flush_interval = 1\ninput_counter = second\nextended_counters = 1";
    reload(&daemon, 3, extended);
    daemon.sender().send("a:4|c|@0.5");
    statsite.wait_for("counts.second.rate|1.000000");
    assert!(statsite.fed().contains("counts.second.count|1"));
    reload(&daemon, 4, "flush_interval = 1");
    daemon.sender().send("last:1|c");
    statsite.wait_for("counts.last|1.000000");
    assert_eq!(daemon.stop(), Some(0));
    let fed = statsite.fed();
    let counters = fed
        .iter()
        .filter(|line| line.contains(".first") || line.contains(".second"));
    assert_eq!(counters.count(), 3, "{fed:?}");
}
