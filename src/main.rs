//! The `ringstat` command, and `gstatsd` where it is started under that name.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use ringstat::cli::{self, Command};
use ringstat::config::Config;
use ringstat::daemon;

fn main() -> ExitCode {
    daemon::abort_on_panic();
    let config = match cli::parse(std::env::args_os()) {
        Ok(Command::Run(config)) => config,
        Ok(Command::Check(config)) => return print(&config.to_toml()),
        Ok(Command::Print(text)) => return print(&text),
        Err(exit) => {
            eprintln!("{}", exit.message);
            return ExitCode::from(exit.code);
        }
    };
    if let Err(message) = start_log(&config) {
        eprintln!("ringstat: {message}");
        return ExitCode::from(1);
    }
    match daemon::run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringstat: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn print(text: &str) -> ExitCode {
    // Whoever closed the pipe has read enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// Sends the log to the file that is set, or to the standard error.
fn start_log(config: &Config) -> Result<(), String> {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(config.log_level);
    if let Some(path) = &config.log {
        let file = open_log(path)?;
        builder.target(env_logger::Target::Pipe(Box::new(file)));
    } else if std::env::var_os("JOURNAL_STREAM").is_some() {
        // The journal stamps each line itself.
        builder.format_timestamp(None);
    }
    builder.format_target(false);
    builder.init();
    Ok(())
}

fn open_log(path: &Path) -> Result<std::fs::File, String> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| format!("cannot write the log {}: {error}", path.display()))
}
