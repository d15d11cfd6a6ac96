//! `ringstat import`: the configuration of another daemon as a TOML file of ringstat.

use std::path::PathBuf;

use clap::Args;

use super::{Command, Parsed, Refusal};
use crate::config::foreign::{self, Format};
use crate::config::{Config, Machine};

/// Print another daemon's configuration as a TOML file that does the same
///
/// What could not be taken as it stands is said on the standard error and in comments on top.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file
    file: PathBuf,

    /// Whose file it is: statsite, python-statsite or etsy [default: what its content says]
    #[arg(long, value_name = "FORMAT")]
    from: Option<Format>,
}

pub(super) fn run(Arguments { file, from }: &Arguments) -> Result<Parsed, Refusal> {
    let shown = file.display();
    // Once, as a pipe has it only once.
    let text = foreign::text(file)?;
    let format = match from {
        Some(format) => *format,
        None => Format::of_text(&text).ok_or_else(|| {
            format!(
                "{shown}: whose file this is cannot be seen; say it with --from statsite, \
                 python-statsite or etsy"
            )
        })?,
    };
    let (settings, warnings) = format.read(file, &text)?;
    Config::new(settings.clone(), &Machine::here())
        .map_err(|reason| format!("{shown}: {reason}"))?;
    let mut text = format!("# From {shown}, a file of {}.\n", format.daemon());
    for warning in &warnings {
        text += &format!("# {warning}\n");
    }
    text += "\n";
    text += &settings.to_toml();
    Ok(Parsed {
        command: Command::Print(text),
        warnings,
    })
}
