//! The command lines: ringstat's own, gstatsd's and both statsites' under those names.

mod import;
mod ringstat;
mod statsite;
mod table;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;

use crate::compare;
use crate::config::{Config, Machine, gstatsd};
use crate::control::client;
pub use table::options_table;

/// What a command line asks for, and what to warn of.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// What to do.
    pub command: Command,
    /// What a file of another daemon has that is not taken as it stands, each with its place; for the
    /// log, or the standard error where there is none.
    pub warnings: Vec<String>,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// To run the daemon.
    Run(Config),
    /// To print the effective configuration and exit.
    Check(Config),
    /// To compare two daemons.
    Compare(compare::Arguments),
    /// To print what a daemon that runs has done.
    Ledger(client::Arguments),
    /// To print a text, such as help or version, and exit.
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

/// Whose command line is taken, by the name of the program.
#[derive(Clone, Copy)]
enum Personality {
    Ringstat,
    Gstatsd,
    Statsite,
}

impl Personality {
    fn of(program: Option<&OsString>) -> Self {
        let name = program.and_then(|path| Path::new(path).file_name());
        match name.and_then(|name| name.to_str()) {
            Some("gstatsd") => Self::Gstatsd,
            Some("statsite") => Self::Statsite,
            Some(_) | None => Self::Ringstat,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ringstat => "ringstat",
            Self::Gstatsd => "gstatsd",
            Self::Statsite => "statsite",
        }
    }

    /// The exit code for a wrong option, file or combination.
    fn wrong_settings(self) -> u8 {
        match self {
            Self::Ringstat | Self::Gstatsd => 2,
            Self::Statsite => 1,
        }
    }
}

/// Whose command line this is: the name of the program as others shall know it.
pub fn program(mut args: impl Iterator<Item = OsString>) -> &'static str {
    Personality::of(args.next().as_ref()).name()
}

/// Reads a command line, the program's name first, and the files that it names, from the working
/// directory.
///
/// # Errors
/// What to tell the user if an option, a file or their combination is wrong.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Parsed, Exit> {
    parse_in(Path::new(""), args)
}

/// As [`parse`], with the files' paths meant from this directory, that of the start.
///
/// # Errors
/// As of [`parse`].
pub fn parse_in(directory: &Path, args: impl Iterator<Item = OsString>) -> Result<Parsed, Exit> {
    let args: Vec<OsString> = args.collect();
    let personality = Personality::of(args.first());
    let parsed = match personality {
        Personality::Ringstat => ringstat::parse(directory, &args),
        Personality::Gstatsd => parse_gstatsd(&args),
        Personality::Statsite => statsite::parse(directory, &args),
    };
    parsed.or_else(|refusal| {
        let code = match refusal {
            Refusal::StatsiteFile(_) => Personality::Statsite.wrong_settings(),
            Refusal::Clap(_) | Refusal::Settings(_) => personality.wrong_settings(),
        };
        match refusal {
            Refusal::Clap(error) => {
                let text = error.render().to_string();
                match error.kind() {
                    ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Parsed {
                        command: Command::Print(text),
                        warnings: Vec::new(),
                    }),
                    _ => Err(Exit {
                        message: text.trim_end().to_owned(),
                        code,
                    }),
                }
            }
            Refusal::Settings(reason) | Refusal::StatsiteFile(reason) => Err(Exit {
                message: format!("error: {reason}"),
                code,
            }),
        }
    })
}

/// Paths as meant from a directory.
fn inside(directory: &Path, paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().map(|path| directory.join(path)).collect()
}

fn parse_gstatsd(args: &[OsString]) -> Result<Parsed, Refusal> {
    let settings = gstatsd::Arguments::try_parse_from(args)?.into_settings()?;
    Ok(Parsed {
        command: Command::Run(Config::new(settings, &Machine::here())?),
        warnings: Vec::new(),
    })
}

enum Refusal {
    /// Clap's own words, which are complete; also help and version.
    Clap(clap::Error),
    /// Ours.
    Settings(String),
    /// Of what is wrong in a file of the statsite in C, whoever reads it: scripts know its exit code.
    StatsiteFile(String),
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

#[cfg(test)]
mod tests;
