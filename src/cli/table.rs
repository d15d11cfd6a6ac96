//! The tables of options for README, from the help texts.

use clap::CommandFactory;

use super::ringstat::Arguments;

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

/// Options that are no keys of a file: those that lead to one.
pub(super) const ONLY_OPTIONS: [&str; 5] =
    ["config", "statsite", "python-statsite", "etsy", "check"];

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
        _ if ONLY_OPTIONS.contains(&long) => String::new(),
        _ => format!("`{}`", long.replace('-', "_")),
    };
    let text = [summary, details].join(". ");
    format!(
        "| {short}`--{long}` | {key} | {default} | {} |\n",
        text.trim_end_matches(". ")
    )
}

/// Splits `does this [default: 5] more` at the brackets.
pub(super) fn split_default(help: &str) -> (&str, &str, &str) {
    let (summary, rest) = help.split_once("[default: ").unwrap_or((help, ""));
    let (default, details) = rest.split_once(']').unwrap_or((rest, ""));
    (summary.trim(), default, details.trim())
}
