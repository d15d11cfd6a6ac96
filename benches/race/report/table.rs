//! The table on the terminal.

use crate::figure::{Entry, Figure, Spread, contestants, spread};
use crate::units::thousands;

/// Prints medians over the rounds, with the spread of the figure that decides.
pub(crate) fn print(lead: Figure, entries: &[Entry]) {
    for line in lines(lead, entries) {
        println!("{line}");
    }
}

fn lines(lead: Figure, entries: &[Entry]) -> Vec<String> {
    let figures = columns(lead, entries);
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(figures.iter().map(|figure| figure.heading().to_owned()));
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
    let widths: Vec<usize> = (0..=figures.len())
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    rows.iter()
        .map(|row| {
            let mut line = format!("{:<width$}", row[0], width = widths[0]);
            for (cell, &width) in row.iter().zip(&widths).skip(1) {
                line.push_str(&format!("  {cell:>width$}"));
            }
            line
        })
        .collect()
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
pub(super) fn number(figure: Figure, value: f64) -> String {
    if value.abs() >= 1_000.0 || figure.decimals() == 0 {
        thousands(value)
    } else {
        format!("{value:.0$}", figure.decimals())
    }
}
