//! The command lines of both statsites, which ringstat takes when it is started as `statsite`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ArgAction::{Append, Version};
use clap::Parser;

use super::{Command, Parsed, Refusal, inside};
use crate::config::foreign::Foreign;
use crate::config::{Config, Machine, python_statsite, statsite};

/// Takes StatsD lines, adds them up and feeds the result to a command, as the statsite in C does.
///
/// With -c, -l or -s it takes the options of the statsite in Python instead.
#[derive(Debug, Parser)]
// As with statsite, the last of several -f counts.
#[command(
    name = "statsite",
    version = concat!("(ringstat ", env!("CARGO_PKG_VERSION"), ")"),
    disable_version_flag = true,
    args_override_self = true
)]
#[command(
    after_help = "This is ringstat under the name statsite; ringstat --help has more options."
)]
struct OfC {
    /// Read settings from this INI file [default: none]
    #[arg(short, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Print version
    #[arg(short, action = Version)]
    version: (),
}

/// Takes StatsD lines, adds them up and sends the result to Graphite, as the statsite in Python does.
#[derive(Debug, Parser)]
#[command(name = "statsite", args_override_self = true)]
#[command(
    after_help = "This is ringstat under the name statsite; ringstat --help has more options."
)]
struct OfPython {
    /// Read settings from this INI file; repeatable, the last wins
    #[arg(short, long, value_name = "FILE", action = Append)]
    config: Vec<PathBuf>,

    /// Log from this level on
    #[arg(short, long, value_name = "LEVEL")]
    log_level: Option<String>,

    /// Set this, such as collector.host=0.0.0.0; repeatable
    #[arg(short, long, value_name = "SECTION.KEY=VALUE", action = Append)]
    setting: Vec<String>,
}

pub(super) fn parse(directory: &Path, args: &[OsString]) -> Result<Parsed, Refusal> {
    let (settings, warnings) = match is_of_python(args) {
        true => {
            let OfPython {
                config,
                log_level,
                setting,
            } = OfPython::try_parse_from(args)?;
            let config = inside(directory, &config);
            python_statsite::read(&config, &setting, log_level.as_deref())?
        }
        false => of_c(
            OfC::try_parse_from(args)?
                .file
                .map(|path| directory.join(path)),
        )?,
    };
    Ok(Parsed {
        command: Command::Run(Config::new(settings, &Machine::here())?),
        warnings,
    })
}

fn of_c(file: Option<PathBuf>) -> Result<Foreign, String> {
    match file {
        None => Ok((statsite::defaults(), Vec::new())),
        Some(path) => statsite::read(&path),
    }
}

/// Whether an option is one that only the Python one has. Without any the C one is meant.
fn is_of_python(args: &[OsString]) -> bool {
    let options = ["-c", "-l", "-s", "--config", "--log-level", "--setting"];
    args.iter().skip(1).any(|arg| {
        let arg = arg.to_string_lossy();
        options.iter().any(|option| arg.starts_with(option))
    })
}
