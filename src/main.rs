//! The `ringstat` command, and `gstatsd` where it is started under that name.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use ringstat::cli::{self, Command};
use ringstat::compare;
use ringstat::config::Config;
use ringstat::daemon;

fn main() -> ExitCode {
    daemon::abort_on_panic();
    let config = match cli::parse(std::env::args_os()) {
        Ok(Command::Run(config)) => config,
        Ok(Command::Check(config)) => return print(&config.to_toml()),
        Ok(Command::Print(text)) => return print(&text),
        Ok(Command::Compare(arguments)) => {
            return ExitCode::from(compare::run(
                &arguments,
                &mut io::stdout(),
                &mut io::stderr(),
            ));
        }
        Err(exit) => {
            complain(exit.message);
            return ExitCode::from(exit.code);
        }
    };
    if let Err(message) = start_log(&config) {
        complain(format_args!("ringstat: {message}"));
        return ExitCode::from(1);
    }
    match daemon::run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("ringstat: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn print(text: &str) -> ExitCode {
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

/// Sends the log to what is set, or to the standard error.
fn start_log(config: &Config) -> Result<(), String> {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(config.log_level);
    if config.logs_to_output() {
        builder.target(env_logger::Target::Stdout);
    } else if let Some(path) = &config.log {
        let file = open_log(path)?;
        builder.target(env_logger::Target::Pipe(Box::new(file)));
    } else if is_journal() {
        // The journal stamps each line itself.
        builder.format_timestamp(None);
    }
    builder.format_target(false);
    builder.init();
    Ok(())
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

fn open_log(path: &Path) -> Result<std::fs::File, String> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| format!("cannot write the log {}: {error}", path.display()))
}
