//! The table: a row for each contestant, a column for each figure.

use crate::figure::{Entry, Figure, Spread, contestants, spread};
use crate::units::thousands;

/// Prints medians over the rounds, with the spread of the figure that decides.
pub(crate) fn print(lead: Figure, entries: &[Entry]) {
    let rows = rows(lead, entries);
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &rows {
        let mut line = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, &width) in row.iter().zip(&widths).skip(1) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        println!("{line}");
    }
}

/// The same as a table in Markdown.
pub(super) fn markdown(lead: Figure, entries: &[Entry]) -> String {
    let mut text = String::new();
    for (index, row) in rows(lead, entries).iter().enumerate() {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
        if index == 0 {
            text.push_str(&format!("|---|{}\n", "---:|".repeat(row.len() - 1)));
        }
    }
    text
}

/// The headings, then a row for each contestant.
fn rows(lead: Figure, entries: &[Entry]) -> Vec<Vec<String>> {
    let figures = columns(lead, entries);
    let headings = figures.iter().map(|figure| figure.heading().to_owned());
    let mut rows = vec![std::iter::once(String::new()).chain(headings).collect()];
    for contestant in contestants(entries) {
        let cells = figures.iter().map(|&figure| {
            let spread = spread(entries, contestant, figure);
            spread.map_or("-".to_owned(), |spread| {
                cell(figure, spread, figure == lead)
            })
        });
        rows.push(
            std::iter::once(contestant.to_owned())
                .chain(cells)
                .collect(),
        );
    }
    rows
}

/// The deciding figure first, then the others as they were measured.
fn columns(lead: Figure, entries: &[Entry]) -> Vec<Figure> {
    let mut figures = vec![lead];
    for (figure, _) in entries.iter().flat_map(|entry| &entry.values) {
        if !figures.contains(figure) {
            figures.push(*figure);
        }
    }
    figures
}

fn cell(figure: Figure, spread: Spread, with_spread: bool) -> String {
    let text = |value| number(figure, value);
    let median = text(spread.median);
    if with_spread && spread.min < spread.max {
        format!("{median} ({} to {})", text(spread.min), text(spread.max))
    } else {
        median
    }
}

/// A value with as many digits as it is worth.
pub(crate) fn number(figure: Figure, value: f64) -> String {
    if value.abs() >= 1_000.0 || figure.decimals() == 0 {
        thousands(value)
    } else {
        format!("{value:.0$}", figure.decimals())
    }
}
