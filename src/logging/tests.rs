//! Where records go, as it is set and changed, with a socket in the place of /dev/log.

use std::fs;
use std::os::unix::net::UnixDatagram;

use log::{Level, Log as _};
use tempfile::TempDir;

use super::*;
use crate::config::{Machine, file};

/// A log that nobody else writes to, and the folder of its syslog and its files.
struct Rig {
    folder: TempDir,
    log: Log,
}

impl Rig {
    fn new() -> Rig {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let log = Log {
            syslog_socket: folder.path().join("syslog"),
            ..Log::of("ringstat")
        };
        Rig { folder, log }
    }

    fn syslog(&self) -> UnixDatagram {
        let socket = UnixDatagram::bind(&self.log.syslog_socket).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        socket
    }

    fn go_by(&self, settings: &str) -> Result<(), String> {
        let settings = file::parse(settings).expect("settings");
        let config = Config::new(settings, &Machine::here()).expect("they fit together");
        self.log.go_by(&config.in_directory(self.folder.path()))
    }

    /// Logs this; whether it is a line for a stream or a file, too.
    fn log(&self, text: &str) -> bool {
        let args = format_args!("{text}");
        let record = Record::builder().level(Level::Info).args(args).build();
        self.log.wants_line(&record)
    }

    fn is_for_error(&self) -> bool {
        match &*self.log.target() {
            Target::Syslog { to_error_too, .. } => *to_error_too,
            other => panic!("it goes to {other:?}"),
        }
    }

    /// Who sits before the standard error does not depend on how the tests are run.
    fn watch(&self, is_so: bool) {
        match &mut *self.log.target() {
            Target::Syslog { to_error_too, .. } => *to_error_too = is_so,
            other => panic!("it goes to {other:?}"),
        }
    }
}

/// What a message that waits ends with, behind the process id.
fn received(syslog: &UnixDatagram) -> Option<String> {
    let mut buffer = [0; 200];
    let length = syslog.recv(&mut buffer).ok()?;
    let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
    Some(message.split_once("]: ")?.1.to_owned())
}

#[test]
fn what_syslog_takes_is_a_line_for_a_terminal_only() {
    let rig = Rig::new();
    let syslog = rig.syslog();
    rig.go_by("syslog = 'local0'").expect("it is there");
    for is_watched in [true, false] {
        rig.watch(is_watched);
        assert_eq!(rig.log("some words"), is_watched);
        assert_eq!(received(&syslog).as_deref(), Some("some words"));
    }
    assert_eq!(received(&syslog), None);
}

/// Goal: whoever starts statsite in the foreground with a pipe as its standard error reads the log there.
/// Method: the naming is what both of its command lines and its file have in common.
#[test]
fn in_the_foreground_statsite_logs_to_syslog_and_to_the_standard_error() {
    let rig = Rig::new();
    let syslog = rig.syslog();
    let settings = "syslog = 'local0'\nnaming = 'statsite'\n";
    rig.go_by(settings).expect("it is there");
    assert!(rig.log("some words"));
    assert_eq!(received(&syslog).as_deref(), Some("some words"));
    rig.go_by(&format!("{settings}daemonize = true"))
        .expect("it is there");
    assert_eq!(rig.is_for_error(), io::stderr().is_terminal());
}

#[test]
fn without_a_syslog_the_log_goes_to_the_standard_error() {
    let rig = Rig::new();
    rig.go_by("syslog = 'local0'").expect("it may come later");
    rig.watch(false);
    assert!(rig.log("nobody listens"));
    assert!(rig.log.goes_to_error());
    let syslog = rig.syslog();
    assert!(!rig.log("somebody listens"));
    let missed = received(&syslog).expect("a message");
    assert!(
        missed.contains("the last 1 messages before this one"),
        "{missed}"
    );
    assert_eq!(received(&syslog).as_deref(), Some("somebody listens"));
}

#[test]
fn where_the_log_goes_changes_while_it_is_written() {
    let rig = Rig::new();
    let syslog = rig.syslog();
    let logger = rig.log.logger();
    let log = |text: &str| {
        let args = format_args!("{text}");
        logger.log(&Record::builder().level(Level::Info).args(args).build());
    };
    rig.go_by("log = 'a.log'").expect("a file");
    log("to the file");
    rig.go_by("syslog = 'user'").expect("it is there");
    log("to syslog");
    rig.go_by("log = 'none/a.log'").expect_err("no such folder");
    log("to syslog still");
    rig.go_by("log = 'a.log'").expect("a file");
    log("to the file again");
    let file = fs::read_to_string(rig.folder.path().join("a.log")).expect("a log");
    let texts: Vec<_> = file.lines().map(|line| line.split_once("] ")).collect();
    let texts: Vec<_> = texts.into_iter().map(|split| split.unwrap().1).collect();
    assert_eq!(texts, ["to the file", "to the file again"]);
    assert_eq!(received(&syslog).as_deref(), Some("to syslog"));
    assert_eq!(received(&syslog).as_deref(), Some("to syslog still"));
    assert_eq!(received(&syslog), None);
}
