//! The `ringstat` command, and `gstatsd` or `statsite` where it is started under that name.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use ringstat::cli::{self, Command, Parsed};
use ringstat::compare;
use ringstat::config::Config;
use ringstat::control::client;
use ringstat::daemon::{self, Process};
use ringstat::disk::{self, DiskThread};
use ringstat::logging::Log;

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
        Command::Ledger(arguments) => {
            return ExitCode::from(client::run(
                &arguments,
                &mut io::stdout(),
                &mut io::stderr(),
            ));
        }
    };
    let mut process = ThisProcess {
        directory: std::env::current_dir().unwrap_or_default(),
        log: Log::of(cli::program(std::env::args_os())),
        disk: DiskThread::new("settings"),
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
    /// Where files of settings are read.
    disk: DiskThread,
}

impl Process for ThisProcess {
    fn read_config(&mut self) -> Result<Config, String> {
        let directory = self.directory.clone();
        let asked = (self.disk).ask(move || cli::parse_in(&directory, std::env::args_os()));
        let asked =
            asked.map_err(|error| format!("cannot read the settings: no thread: {error}"))?;
        let parsed = asked.wait(Instant::now() + disk::PATIENCE).ok_or_else(|| {
            let silence = disk::SILENCE;
            format!("cannot read the settings: {silence}; when it does, send SIGHUP again")
        })?;
        match parsed {
            Ok(Parsed { command, warnings }) => match command {
                Command::Run(config) => {
                    warn(&warnings);
                    Ok(config)
                }
                // The same options ran the daemon.
                Command::Check(_)
                | Command::Compare(_)
                | Command::Ledger(_)
                | Command::Print(_) => Err("the options are others".to_owned()),
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
