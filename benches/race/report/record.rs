//! The three files of a record: the values of all rounds, the picture, and a page that tells how
//! both came about.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use super::csv;
use super::machine::Machine;
use super::svg::{self, Caption};
use super::table;
use crate::figure::Entry;
use crate::scenario::Scenario;
use crate::targets;

/// Where records are kept.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/record");

/// Writes `NAME.csv`, `NAME.svg` and `NAME.md`.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn write(name: &str, scenario: Scenario, entries: &[Entry]) -> io::Result<()> {
    let machine = Machine::here();
    let folder = Path::new(FOLDER);
    fs::create_dir_all(folder)?;
    let path = |extension: &str| folder.join(format!("{name}.{extension}"));
    fs::write(path("csv"), csv::text(&scenario.name(), entries))?;
    let caption = Caption {
        title: scenario.title(),
        note: &format!(
            "{}, Linux {}{}, {}",
            machine.cpu,
            machine.kernel,
            if machine.is_virtual { ", virtual" } else { "" },
            machine.date
        ),
    };
    fs::write(path("svg"), svg::text(&caption, scenario.lead(), entries))?;
    fs::write(path("md"), page(name, scenario, &machine, entries))
}

fn page(name: &str, scenario: Scenario, machine: &Machine, entries: &[Entry]) -> String {
    let rounds = entries.iter().map(|entry| entry.round).max().unwrap_or(0);
    let [default_bytes, max_bytes] = &machine.receive_buffers;
    let mut page = format!(
        "# {}\n\n![{}]({name}.svg)\n\n{}\n\n",
        scenario.title(),
        scenario.title(),
        scenario.described()
    );
    page.push_str(&table::markdown(scenario.lead(), entries));
    page.push('\n');
    for line in targets::lines(scenario, entries) {
        // Writing into a String does not fail.
        let _ = writeln!(page, "- {line}");
    }
    let _ = write!(
        page,
        "\nMedians of {rounds} rounds, in each of which everyone ran once; in parentheses the \
         lowest and the highest value. All values are in [{name}.csv]({name}.csv).\n\n\
         | | |\n|---|---|\n\
         | date | {} |\n| commit | {} |\n| CPU | {}, {} cores |\n| kernel | {} |\n\
         | net.core.rmem_default, rmem_max | {default_bytes}, {max_bytes} bytes |\n\
         | command | `{}` |\n",
        machine.date, machine.commit, machine.cpu, machine.cores, machine.kernel, machine.command
    );
    if machine.is_virtual {
        page.push_str(
            "\nThis is a virtual machine. There a wake-up costs several times what it costs on \
             hardware, so whoever waits for each datagram looks worse here than there; the order \
             is the same.\n",
        );
    }
    page
}
