//! Where the process's log goes, which may change while threads write to it.

mod syslog;

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::{Metadata, Record};

use crate::config::Config;
use syslog::Syslog;

/// Where the syslog of a machine takes messages.
const SYSLOG_SOCKET: &str = "/dev/log";

/// The log, and where it goes.
#[derive(Clone, Debug)]
pub struct Log {
    target: Arc<Mutex<Target>>,
    /// As what syslog knows this process, if it has no title.
    program: &'static str,
    syslog_socket: PathBuf,
}

#[derive(Debug)]
enum Target {
    Error,
    Output,
    File(File),
    Syslog {
        syslog: Syslog,
        /// Whether the standard error gets it as well: if somebody sits before it, or statsite would
        /// write there.
        to_error_too: bool,
    },
}

impl Log {
    /// The log of a program of this name.
    #[must_use]
    pub fn of(program: &'static str) -> Log {
        Log {
            target: Arc::new(Mutex::new(Target::Error)),
            program,
            syslog_socket: SYSLOG_SOCKET.into(),
        }
    }

    /// Logs from now on, to what is set or to the standard error.
    ///
    /// # Errors
    /// If the file that is set cannot be opened.
    ///
    /// # Panics
    /// If the process has a log already.
    pub fn start(&self, config: &Config) -> Result<(), String> {
        let logger = Box::new(self.logger());
        log::set_boxed_logger(logger).expect("the process has one log");
        self.go_by(config)
    }

    /// Opens what is set, anew if it is the same, and goes by the level. Warns if there is no syslog.
    ///
    /// # Errors
    /// If the file cannot be opened; the log stays as it is then.
    pub fn go_by(&self, config: &Config) -> Result<(), String> {
        let mut failure = None;
        let target = match (&config.log, config.syslog) {
            _ if config.logs_to_output() => Target::Output,
            (Some(path), _) => Target::File(open_log(path)?),
            (None, Some(facility)) => {
                let program = config.title.as_deref().unwrap_or(self.program);
                let mut syslog = Syslog::new(facility, program, &self.syslog_socket);
                failure = syslog.connect().err();
                Target::Syslog {
                    syslog,
                    to_error_too: config.logs_to_error_too() || io::stderr().is_terminal(),
                }
            }
            (None, None) => Target::Error,
        };
        *self.target() = target;
        log::set_max_level(config.log_level);
        if let Some(error) = failure {
            log::warn!(
                "cannot log to {}: {error}; until a syslog listens there the log goes to the \
                 standard error",
                self.syslog_socket.display()
            );
        }
        Ok(())
    }

    fn logger(&self) -> Logger {
        let stamps_itself = is_journal();
        let log = self.clone();
        let lines = env_logger::Builder::new()
            // The level of `log` decides, as it can change.
            .filter_level(log::LevelFilter::Trace)
            .format(move |line, record| {
                let (level, text) = (record.level(), record.args());
                match stamps_itself && log.goes_to_error() {
                    true => writeln!(line, "[{level:<5}] {text}"),
                    false => writeln!(line, "[{} {level:<5}] {text}", line.timestamp()),
                }
            })
            .target(env_logger::Target::Pipe(Box::new(self.clone())))
            .build();
        Logger {
            log: self.clone(),
            lines,
        }
    }

    /// Whether a record is a line for a stream or a file; sends it to syslog if that is set.
    fn wants_line(&self, record: &Record<'_>) -> bool {
        match &mut *self.target() {
            Target::Error | Target::Output | Target::File(_) => true,
            // What syslog does not take shall not be lost.
            Target::Syslog {
                syslog,
                to_error_too,
            } => syslog.send(record).is_err() || *to_error_too,
        }
    }

    fn goes_to_error(&self) -> bool {
        match &*self.target() {
            Target::Error | Target::Syslog { .. } => true,
            Target::Output | Target::File(_) => false,
        }
    }

    fn target(&self) -> MutexGuard<'_, Target> {
        // A panic ends the process.
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.target() {
            Target::File(file) => file.write(bytes),
            Target::Output => io::stdout().write(bytes),
            Target::Error | Target::Syslog { .. } => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the crate `log` hands records to.
struct Logger {
    log: Log,
    lines: env_logger::Logger,
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.log.wants_line(record) {
            self.lines.log(record);
        }
    }

    fn flush(&self) {
        self.lines.flush();
    }
}

/// Whether the standard error leads to the journal. The variable alone does not say so: it is
/// inherited by what a service starts with another standard error, such as a desktop's terminal.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let stderr = rustix::fs::fstat(io::stderr());
    stderr.is_ok_and(|stderr| stream == format!("{}:{}", stderr.st_dev, stderr.st_ino))
}

fn open_log(path: &Path) -> Result<File, String> {
    OpenOptions::new()
        .create(true)
        .append(true)
        // Refused lines may hold what clients did not mean to send.
        .mode(0o640)
        .open(path)
        .map_err(|error| format!("cannot write the log {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
