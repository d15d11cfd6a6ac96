//! Sends messages to the syslog of this machine, over its Unix socket of datagrams.
//!
//! The form is that of RFC 3164, section 4.1, without the time and the host: both are known to a
//! syslog on the same machine, and the time would be that of the sender's time zone (section 4.3.2 has
//! what becomes of a message without). Nothing here waits, as a thread that receives may log.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use log::{Level, Record};

use crate::config::facility::Facility;

/// A syslog, which may come and go.
#[derive(Debug)]
pub(super) struct Syslog {
    facility: Facility,
    /// The name before each message.
    program: String,
    path: PathBuf,
    /// None as long as nobody listens.
    socket: Option<UnixDatagram>,
    /// How many records it did not take since the last one that it took.
    missed_count: u64,
}

impl Syslog {
    /// The one that listens, or will listen, at a path.
    pub(super) fn new(facility: Facility, program: &str, path: &Path) -> Syslog {
        Syslog {
            facility,
            program: program.to_owned(),
            path: path.to_owned(),
            socket: None,
            missed_count: 0,
        }
    }

    /// Looks for it.
    ///
    /// # Errors
    /// If it is not there. Each message looks again.
    pub(super) fn connect(&mut self) -> io::Result<()> {
        self.socket = None;
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(&self.path)?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Sends a record, each line as a message of its own: what a syslog makes of a line's end within a
    /// message differs.
    ///
    /// # Errors
    /// If it is not taken whole, because nobody listens or too many messages wait. The next one that is
    /// taken says how many were not.
    pub(super) fn send(&mut self, record: &Record<'_>) -> io::Result<()> {
        let sent = self.send_all(record);
        match sent {
            Ok(()) => self.missed_count = 0,
            Err(_) => self.missed_count += 1,
        }
        sent
    }

    fn send_all(&mut self, record: &Record<'_>) -> io::Result<()> {
        if self.missed_count > 0 {
            let missed = format!(
                "on the standard error only, as syslog did not take them: the last {} messages before \
                 this one",
                self.missed_count
            );
            self.send_line(Level::Warn, missed)?;
            self.missed_count = 0;
        }
        let text = record.args().to_string();
        text.lines()
            .try_for_each(|line| self.send_line(record.level(), line))
    }

    fn send_line(&mut self, level: Level, line: impl Display) -> io::Result<()> {
        let priority = 8 * self.facility.number() + severity(level);
        // Asked for each time, as a daemon that goes into the background gets another one.
        let process_id = std::process::id();
        let message = format!("<{priority}>{}[{process_id}]: {line}", self.program);
        if let Some(socket) = &self.socket {
            match socket.send(message.as_bytes()) {
                // It may have been started anew, with another socket.
                Err(error) if error.kind() != ErrorKind::WouldBlock => {}
                sent => return sent.map(|_bytes| ()),
            }
        }
        self.connect()?;
        let socket = self.socket.as_ref().expect("it was connected");
        socket.send(message.as_bytes()).map(|_bytes| ())
    }
}

/// The severity's number: RFC 3164, section 4.1.1.
fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Arguments;
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A syslog in the place of /dev/log.
    struct Server {
        folder: TempDir,
        socket: Option<UnixDatagram>,
    }

    impl Server {
        fn start() -> Server {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let mut server = Server {
                folder,
                socket: None,
            };
            server.start_anew();
            server
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("log")
        }

        fn stop(&mut self) {
            self.socket = None;
            fs::remove_file(self.path()).expect("it was there");
        }

        fn start_anew(&mut self) {
            let socket = UnixDatagram::bind(self.path()).expect("a socket");
            socket.set_nonblocking(true).expect("a socket");
            self.socket = Some(socket);
        }

        /// The messages that wait, without priority and program.
        fn texts(&self) -> Vec<String> {
            let texts = self.messages().into_iter();
            let texts = texts.map(|message| message.split_once(": ").unwrap().1.to_owned());
            texts.collect()
        }

        fn messages(&self) -> Vec<String> {
            let mut messages = Vec::new();
            let mut buffer = [0; 500];
            while let Ok(length) = self.socket.as_ref().unwrap().recv(&mut buffer) {
                messages.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
            messages
        }
    }

    fn syslog(facility: &str, path: &Path) -> Syslog {
        Syslog::new(facility.parse().unwrap(), "statsite", path)
    }

    fn send(syslog: &mut Syslog, level: Level, text: Arguments<'_>) -> io::Result<()> {
        syslog.send(&Record::builder().level(level).args(text).build())
    }

    #[test]
    fn a_message_has_facility_severity_program_and_process_id() {
        let server = Server::start();
        // Numbers as in RFC 3164, section 4.1.1: 1, 3, 10 and 19.
        for (facility, number) in [("user", 1), ("daemon", 3), ("authpriv", 10), ("local3", 19)] {
            let mut syslog = syslog(facility, &server.path());
            for (level, severity) in [
                (Level::Error, 3),
                (Level::Warn, 4),
                (Level::Info, 6),
                (Level::Debug, 7),
                (Level::Trace, 7),
            ] {
                send(&mut syslog, level, format_args!("some words")).expect("it is taken");
                let priority = number * 8 + severity;
                let process_id = std::process::id();
                let expected = format!("<{priority}>statsite[{process_id}]: some words");
                assert_eq!(server.messages(), [expected]);
            }
        }
    }

    #[test]
    fn each_line_is_a_message_of_its_own() {
        let server = Server::start();
        let mut syslog = syslog("user", &server.path());
        send(&mut syslog, Level::Info, format_args!("one\ntwo\r\n")).expect("it is taken");
        assert_eq!(server.texts(), ["one", "two"]);
    }

    #[test]
    fn a_syslog_that_was_started_anew_is_found_again_and_told_what_it_missed() {
        let mut server = Server::start();
        let mut syslog = syslog("user", &server.path());
        send(&mut syslog, Level::Info, format_args!("before")).expect("it is taken");
        assert_eq!(server.texts(), ["before"]);
        server.stop();
        for _ in 0..2 {
            send(&mut syslog, Level::Info, format_args!("lost")).expect_err("nobody listens");
        }
        server.start_anew();
        for text in ["found", "again"] {
            send(&mut syslog, Level::Info, format_args!("{text}")).expect("it is taken");
        }
        let missed = "on the standard error only, as syslog did not take them: the last 2 messages \
                      before this one";
        assert_eq!(server.texts(), [missed, "found", "again"]);
    }

    #[test]
    fn a_syslog_that_does_not_read_holds_nobody_up() {
        let server = Server::start();
        let mut syslog = syslog("user", &server.path());
        let full = (0..100_000)
            .find_map(|_| send(&mut syslog, Level::Info, format_args!("more")).err())
            .expect("it is full at some time");
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        server.messages();
        send(&mut syslog, Level::Info, format_args!("room")).expect("it is taken");
        assert_eq!(server.texts().last().unwrap(), "room");
    }
}
