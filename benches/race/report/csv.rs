//! The values of every round as CSV: `scenario,contestant,round,figure,value`.

use std::fmt::Write;

use crate::figure::Entry;

/// One line for each value, under a heading.
pub(super) fn text(scenario: &str, entries: &[Entry]) -> String {
    let mut text = String::from("scenario,contestant,round,figure,value\n");
    for entry in entries {
        for (figure, value) in &entry.values {
            let (contestant, round) = (entry.contestant, entry.round);
            let figure = figure.heading();
            // Writing into a String does not fail.
            let _ = writeln!(text, "{scenario},{contestant},{round},{figure},{value}");
        }
    }
    text
}
