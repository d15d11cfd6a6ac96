//! Where the process's log goes, which may change while threads write to it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Config;

/// The log, and where it goes.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Target>>);

#[derive(Debug, Default)]
enum Target {
    #[default]
    Error,
    Output,
    File(File),
}

impl Log {
    /// Logs from now on, to what is set or to the standard error.
    ///
    /// # Errors
    /// If the file that is set cannot be opened.
    ///
    /// # Panics
    /// If the process has a log already.
    pub fn start(&self, config: &Config) -> Result<(), String> {
        self.go_by(config)?;
        let stamps_itself = is_journal();
        let log = self.clone();
        env_logger::Builder::new()
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
            .init();
        log::set_max_level(config.log_level);
        Ok(())
    }

    /// Opens the file that is set, anew if it is the same, and goes by the level.
    ///
    /// # Errors
    /// If the file cannot be opened; the log stays as it is then.
    pub fn go_by(&self, config: &Config) -> Result<(), String> {
        let target = match &config.log {
            _ if config.logs_to_output() => Target::Output,
            Some(path) => Target::File(open_log(path)?),
            None => Target::Error,
        };
        *self.target() = target;
        log::set_max_level(config.log_level);
        Ok(())
    }

    fn goes_to_error(&self) -> bool {
        matches!(&*self.target(), Target::Error)
    }

    fn target(&self) -> MutexGuard<'_, Target> {
        // A panic ends the process.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.target() {
            Target::File(file) => file.write(bytes),
            Target::Output => io::stdout().write(bytes),
            Target::Error => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
        .open(path)
        .map_err(|error| format!("cannot write the log {}: {error}", path.display()))
}
