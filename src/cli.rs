//! The command lines: ringstat's own, and gstatsd's under that name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::compare;
use crate::config::{Config, Machine, Settings, file, gstatsd};

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// To run the daemon.
    Run(Config),
    /// To print the effective configuration and exit.
    Check(Config),
    /// To compare two daemons.
    Compare(compare::Arguments),
    /// To print a text, help or version, and exit.
    Print(String),
}

/// Why there is nothing to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// What the user should read, on the standard error; no newline at its end.
    pub message: String,
    /// The exit code.
    pub code: u8,
}

/// The exit code for a wrong option, file or combination.
const WRONG_SETTINGS: u8 = 2;

/// Adds up StatsD metrics: takes UDP datagrams in, sends one point per series and interval to
/// Graphite.
///
/// Without options it listens on UDP port 8125 and prints what it counted every 10 seconds.
#[derive(Debug, Parser)]
#[command(name = "ringstat", version, max_term_width = 100, after_long_help = AFTER_HELP)]
struct Arguments {
    /// Read settings from this TOML file; options of the command line win over it [default: none]
    ///
    /// Every other option is a key there, with `_` for `-`; repeatable ones are arrays.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Check all settings, print them as a TOML file and exit
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    settings: Settings,
}

const AFTER_HELP: &str = "\
TIME is a number and a unit, such as 500ms, 10s or 5m; without a unit it is in seconds.
SIZE is a number of bytes, or of KiB, MiB or GiB.

Examples:
  ringstat                                     print what arrives on port 8125
  ringstat -s graphite.example.net:2003 -f 60  send it to Graphite every minute
  ringstat --config ringstat.toml --check      see what a file comes to
  ringstat compare --help                      see what another daemon makes of the same traffic";

/// Reads a command line, the program's name first, and the file that it names, from the working
/// directory.
///
/// # Errors
/// What to tell the user if an option, the file or their combination is wrong.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, Exit> {
    parse_in(Path::new(""), args)
}

/// As [`parse`], with the file's path meant from this directory, as of a process that has left it.
///
/// # Errors
/// As of [`parse`].
pub fn parse_in(directory: &Path, args: impl Iterator<Item = OsString>) -> Result<Command, Exit> {
    let args: Vec<OsString> = args.collect();
    let started_as = args.first().and_then(|name| Path::new(name).file_name());
    let parsed = if started_as.is_some_and(|name| name == "gstatsd") {
        parse_gstatsd(&args)
    } else if args.get(1).is_some_and(|word| word == "compare") {
        let arguments = compare::Arguments::try_parse_from(&args[1..]);
        arguments.map(Command::Compare).map_err(Refusal::Clap)
    } else {
        parse_ringstat(directory, &args)
    };
    parsed.or_else(|refusal| match refusal {
        Refusal::Clap(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Ok(Command::Print(error.render().to_string()))
            }
            _ => Err(wrong_settings(
                error.render().to_string().trim_end().to_owned(),
            )),
        },
        Refusal::Settings(reason) => Err(wrong_settings(format!("error: {reason}"))),
    })
}

/// All options of ringstat for README: a table in Markdown under each heading of the help.
#[must_use]
pub fn options_table() -> String {
    let mut tables = String::new();
    let mut heading = None;
    for option in Arguments::command().get_arguments() {
        if heading != Some(option.get_help_heading()) {
            heading = Some(option.get_help_heading());
            let title = option.get_help_heading().unwrap_or("General");
            tables += &format!("\n**{title}**\n\n{TABLE_HEAD}");
        }
        tables += &table_row(option);
    }
    tables.trim_start().to_owned()
}

const TABLE_HEAD: &str =
    "| option | key in the file | default | what it does |\n|---|---|---|---|\n";

/// The long help's first paragraph ends with the default in brackets.
fn table_row(option: &clap::Arg) -> String {
    let help = option
        .get_long_help()
        .or(option.get_help())
        .map(ToString::to_string);
    let help = help
        .unwrap_or_default()
        .replace('\n', " ")
        .replace('|', "\\|");
    let (summary, default, details) = split_default(&help);
    let long = option.get_long().unwrap_or_default();
    let short = option
        .get_short()
        .map_or(String::new(), |short| format!("`-{short}`, "));
    let key = match long {
        "config" | "check" => String::new(),
        _ => format!("`{}`", long.replace('-', "_")),
    };
    let text = [summary, details].join(". ");
    format!(
        "| {short}`--{long}` | {key} | {default} | {} |\n",
        text.trim_end_matches(". ")
    )
}

/// Splits `does this [default: 5] more` at the brackets.
fn split_default(help: &str) -> (&str, &str, &str) {
    let (summary, rest) = help.split_once("[default: ").unwrap_or((help, ""));
    let (default, details) = rest.split_once(']').unwrap_or((rest, ""));
    (summary.trim(), default, details.trim())
}

enum Refusal {
    /// Clap's own words, which are complete; also help and version.
    Clap(clap::Error),
    /// Ours.
    Settings(String),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        Self::Clap(error)
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Settings(reason)
    }
}

fn parse_ringstat(directory: &Path, args: &[OsString]) -> Result<Command, Refusal> {
    let Arguments {
        config,
        check,
        settings,
    } = Arguments::try_parse_from(args)?;
    let machine = Machine::here();
    let config = match config {
        None => Config::new(settings, &machine)?,
        Some(path) => {
            let path = directory.join(path);
            let in_file = file::read(&path)?;
            Config::new(settings.or(in_file.clone()), &machine).map_err(|reason| {
                // What the file alone has wrong is its own; other conflicts are with an option.
                match Config::new(in_file, &machine) {
                    Err(of_file) if of_file == reason => format!("{}: {reason}", path.display()),
                    _ => format!("{} with these options: {reason}", path.display()),
                }
            })?
        }
    };
    Ok(if check {
        Command::Check(config)
    } else {
        Command::Run(config)
    })
}

fn parse_gstatsd(args: &[OsString]) -> Result<Command, Refusal> {
    let settings = gstatsd::Arguments::try_parse_from(args)?.into_settings()?;
    Ok(Command::Run(Config::new(settings, &Machine::here())?))
}

fn wrong_settings(message: String) -> Exit {
    Exit {
        message,
        code: WRONG_SETTINGS,
    }
}

#[cfg(test)]
mod tests;
