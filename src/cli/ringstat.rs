//! ringstat's own command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ArgAction::Append;
use clap::{Parser, Subcommand};

use super::{Command, Parsed, Refusal, import, inside};
use crate::compare;
use crate::config::{Config, Machine, Settings, etsy, file, python_statsite, statsite};
use crate::control::client;

/// Adds up StatsD metrics: receives UDP datagrams, sends one point per series and interval to
/// Graphite.
///
/// Without options it listens on UDP port 8125 and prints what it counted every 10 seconds.
#[derive(Debug, Parser)]
#[command(name = "ringstat", version, max_term_width = 100, after_long_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(super) struct Arguments {
    /// Read settings from this TOML file; options of the command line win over it [default: none]
    ///
    /// Every other option is a key there, with `_` for `-`; repeatable ones are arrays.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Read the configuration of the statsite in C, such as /etc/statsite.conf [default: none]
    ///
    /// In place of --config. Options of the command line win over it.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    statsite: Option<PathBuf>,

    /// Read the configuration of the statsite in Python; repeatable, the last wins [default: none]
    ///
    /// In place of --config. Options of the command line win over it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "statsite"], action = Append)]
    python_statsite: Vec<PathBuf>,

    /// Read the configuration of etsy's statsd, such as config.js [default: none]
    ///
    /// In place of --config. Options of the command line win over it.
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["config", "statsite", "python_statsite"])]
    etsy: Option<PathBuf>,

    /// Check all settings, print them as a TOML file and exit
    #[arg(long)]
    check: bool,

    #[command(subcommand)]
    subcommand: Option<Subcommands>,

    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    Import(import::Arguments),
    Compare(compare::Arguments),
    Ledger(client::Arguments),
}

const AFTER_HELP: &str = "\
TIME is a number and a unit, such as 500ms, 10s or 5m; without a unit it is in seconds.
SIZE is a number of bytes, or of KiB, MiB or GiB.

Examples:
  ringstat                                     print what arrives on port 8125
  ringstat -s graphite.example.net:2003 -f 60  send it to Graphite every minute
  ringstat --config ringstat.toml --check      see what a file comes to
  ringstat import /etc/statsite.conf           turn another daemon's file into ours
  ringstat compare --help                      see what another daemon makes of the same traffic
  ringstat ledger                              see what became of what came in";

pub(super) fn parse(directory: &Path, args: &[OsString]) -> Result<Parsed, Refusal> {
    let Arguments {
        config,
        statsite: of_statsite,
        python_statsite: of_python,
        etsy: of_etsy,
        check,
        subcommand,
        settings,
    } = Arguments::try_parse_from(args)?;
    match subcommand {
        Some(Subcommands::Import(arguments)) => return import::run(&arguments),
        Some(Subcommands::Compare(arguments)) => {
            return Ok(Parsed {
                command: Command::Compare(arguments),
                warnings: Vec::new(),
            });
        }
        Some(Subcommands::Ledger(arguments)) => {
            return Ok(Parsed {
                command: Command::Ledger(arguments),
                warnings: Vec::new(),
            });
        }
        None => {}
    }
    let of_file: fn(String) -> Refusal = match of_statsite {
        Some(_) => Refusal::StatsiteFile,
        None => Refusal::Settings,
    };
    let (shown, (in_file, warnings)) = if let Some(path) = config {
        (
            path.display().to_string(),
            (file::read(&directory.join(path))?, Vec::new()),
        )
    } else if let Some(path) = of_statsite {
        (
            path.display().to_string(),
            statsite::read(&directory.join(path)).map_err(of_file)?,
        )
    } else if let Some(path) = of_etsy {
        (
            path.display().to_string(),
            etsy::read(&directory.join(path))?,
        )
    } else if let Some(last) = of_python.last() {
        let read = python_statsite::read(&inside(directory, &of_python), &[], None)?;
        (last.display().to_string(), read)
    } else {
        let warnings = Vec::new();
        let config = Config::new(settings, &Machine::here())?;
        return Ok(parsed(config, warnings, check));
    };
    let config = over(settings, in_file, &shown, of_file)?;
    Ok(parsed(config, warnings, check))
}

fn parsed(config: Config, warnings: Vec<String>, check: bool) -> Parsed {
    let command = if check {
        Command::Check(config)
    } else {
        Command::Run(config)
    };
    Parsed { command, warnings }
}

/// The configuration of these options over those of a file.
fn over(
    settings: Settings,
    in_file: Settings,
    shown: &str,
    of_file: impl Fn(String) -> Refusal,
) -> Result<Config, Refusal> {
    let machine = Machine::here();
    let mut under = in_file.clone();
    // The log goes to one of them. Files of other daemons have one without saying so.
    if settings.log.is_some() {
        under.syslog = None;
    }
    if settings.syslog.is_some() {
        under.log = None;
    }
    Config::new(settings.or(under), &machine).map_err(|reason| {
        // What the file alone has wrong is its own; other conflicts are with an option.
        match Config::new(in_file, &machine) {
            Err(its_own) if its_own == reason => of_file(format!("{shown}: {reason}")),
            _ => Refusal::Settings(format!("{shown} with these options: {reason}")),
        }
    })
}
