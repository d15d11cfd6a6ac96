//! The `ringstat` command, and `gstatsd` or `statsite` where it is started under that name.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringstat::cli::{self, Command, Parsed};
use ringstat::compare;
use ringstat::config::Config;
use ringstat::daemon::{self, Process};

fn main() -> ExitCode {
    daemon::abort_on_panic();
    let Parsed { command, warnings } = match cli::parse(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(exit) => {
            complain(exit.message);
            return ExitCode::from(exit.code);
        }
    };
    let config = match command {
        Command::Run(config) => config,
        Command::Check(config) => return print(&config.to_toml(), &warnings),
        Command::Print(text) => return print(&text, &warnings),
        Command::Compare(arguments) => {
            return ExitCode::from(compare::run(
                &arguments,
                &mut io::stdout(),
                &mut io::stderr(),
            ));
        }
    };
    let mut process = ThisProcess {
        directory: std::env::current_dir().unwrap_or_default(),
        log: Log::default(),
    };
    if let Err(message) = process.log.start(&config) {
        complain(format_args!("ringstat: {message}"));
        return ExitCode::from(1);
    }
    warn(&warnings);
    match daemon::run(&config, &mut process) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("ringstat: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

/// What the daemon asks for again at SIGHUP.
struct ThisProcess {
    /// Where it was started.
    directory: PathBuf,
    log: Log,
}

impl Process for ThisProcess {
    fn read_config(&mut self) -> Result<Config, String> {
        match cli::parse_in(&self.directory, std::env::args_os()) {
            Ok(Parsed { command, warnings }) => match command {
                Command::Run(config) => {
                    warn(&warnings);
                    Ok(config)
                }
                // The same options ran the daemon.
                Command::Check(_) | Command::Compare(_) | Command::Print(_) => {
                    Err("the options are others".to_owned())
                }
            },
            Err(exit) => Err(exit.message),
        }
    }

    fn log_by(&mut self, config: &Config) -> Result<(), String> {
        self.log.go_by(config)
    }
}

/// Logs what a file of another daemon has that is not taken as it stands.
fn warn(warnings: &[String]) {
    for warning in warnings {
        log::warn!("{warning}");
    }
}

fn print(text: &str, warnings: &[String]) -> ExitCode {
    for warning in warnings {
        complain(format_args!("warning: {warning}"));
    }
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever closed the pipe has read enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(format_args!(
                "ringstat: cannot write to the standard output: {error}"
            ));
            ExitCode::from(1)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Writes to the standard error. The exit code says enough if that cannot be written to, where
/// `eprintln!` would panic.
fn complain(message: impl Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// Where the log goes; it may change while threads write to it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Target>>);

#[derive(Default)]
enum Target {
    #[default]
    Error,
    Output,
    File(File),
}

impl Log {
    /// Logs from now on, to what is set or to the standard error.
    fn start(&self, config: &Config) -> Result<(), String> {
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
    fn go_by(&self, config: &Config) -> Result<(), String> {
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
