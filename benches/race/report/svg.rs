//! The picture: a bar for each contestant, as long as its median, with the spread over the rounds.
//!
//! It brings its own background, light or dark as the reader's screen is, and needs no font but
//! the reader's own.

use std::fmt::Write;

use super::table::number;
use crate::figure::{Entry, Figure, Spread, contestants, spread as spread_of};
use crate::peers::{is_floor, is_ours};

const STYLE: &str = include_str!("style.css");

const WIDTH: usize = 800;
/// Where bars begin; names stand left of it.
const BARS_LEFT: f64 = 170.0;
/// Where the longest bar ends; its value stands right of it.
const BARS_RIGHT: f64 = 650.0;
/// Room above the first bar.
const HEAD: usize = 64;
/// From bar to bar.
const ROW: usize = 28;
const BAR: f64 = 18.0;
/// Room below the last bar.
const FOOT: usize = 36;

/// What a picture says besides its bars.
pub(super) struct Caption<'a> {
    pub(super) title: &'a str,
    /// Below the bars: where and when it was measured.
    pub(super) note: &'a str,
}

/// What a contestant reached.
struct Bar {
    name: &'static str,
    spread: Spread,
    /// The median, and what part of the lines was lost.
    value: String,
}

/// A loss below this, in percent, is not worth words.
const LOSS_PERCENT_MIN: f64 = 0.1;

/// Draws the medians of a figure.
pub(super) fn text(caption: &Caption<'_>, figure: Figure, entries: &[Entry]) -> String {
    let bars: Vec<Bar> = contestants(entries)
        .into_iter()
        .filter_map(|name| Bar::of(name, figure, entries))
        .collect();
    let longest = bars.iter().map(|bar| bar.spread.max).fold(0.0, f64::max);
    let scale = (BARS_RIGHT - BARS_LEFT) / longest.max(f64::MIN_POSITIVE);
    let bottom = HEAD + ROW * bars.len();
    let mut svg = head(caption, figure, &bars, bottom + FOOT);
    for (index, bar) in bars.iter().enumerate() {
        let middle = (HEAD + ROW * index + ROW / 2) as f64;
        svg.push_str(&bar.text(middle, scale));
    }
    let note = escape(caption.note);
    // Writing into a String does not fail, here and below.
    let _ = writeln!(
        svg,
        "  <line class=\"axis\" x1=\"{BARS_LEFT}\" x2=\"{BARS_LEFT}\" y1=\"{HEAD}\" y2=\"{bottom}\"/>\n  \
         <text class=\"small\" x=\"16\" y=\"{}\">{note}</text>\n</svg>",
        bottom + 22
    );
    svg
}

/// Everything above the bars, and the page below them all.
fn head(caption: &Caption<'_>, figure: Figure, bars: &[Bar], height: usize) -> String {
    let title = escape(caption.title);
    let heading = escape(figure.heading());
    let better = if figure.is_better_when_high() {
        "more is better"
    } else {
        "less is better"
    };
    // The same in words, for those who do not see it.
    let mut described = format!("{heading}, {better}");
    for Bar { name, value, .. } in bars {
        let _ = write!(described, "; {name} {value}");
    }
    let mut style = String::new();
    for line in STYLE.lines() {
        let _ = writeln!(style, "    {line}");
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title desc\" \
         font-family=\"system-ui, sans-serif\" font-size=\"14\">\n  \
         <title id=\"title\">{title}</title>\n  \
         <desc id=\"desc\">{described}</desc>\n  \
         <style>\n{style}  </style>\n  \
         <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n  \
         <text class=\"title\" x=\"16\" y=\"28\">{title}</text>\n  \
         <text class=\"small\" x=\"16\" y=\"48\">{heading}, {better}; median and spread</text>\n",
        WIDTH - 1,
        height - 1
    )
}

impl Bar {
    fn of(name: &'static str, figure: Figure, entries: &[Entry]) -> Option<Self> {
        let spread = spread_of(entries, name, figure)?;
        let mut value = number(figure, spread.median);
        let delivered = spread_of(entries, name, Figure::DeliveredPercent);
        let loss = 100.0 - delivered.map_or(100.0, |delivered| delivered.median);
        if loss >= LOSS_PERCENT_MIN {
            let _ = write!(value, ", loses {loss:.1} %");
        }
        Some(Bar {
            name,
            spread,
            value,
        })
    }

    /// Name, bar, spread and value.
    fn text(&self, middle: f64, scale: f64) -> String {
        let Bar {
            name,
            spread,
            value,
        } = self;
        let class = if is_floor(name) {
            "floor"
        } else if is_ours(name) {
            "ours"
        } else {
            "peer"
        };
        // A bar of nothing is still to be seen.
        let width = (spread.median * scale).max(1.0);
        let (top, baseline) = (middle - BAR / 2.0, middle + 5.0);
        let mut svg = format!(
            "  <text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\">{name}</text>\n  \
             <rect class=\"{class}\" x=\"{BARS_LEFT}\" y=\"{top}\" width=\"{width:.1}\" \
             height=\"{BAR}\"/>\n",
            BARS_LEFT - 8.0,
        );
        let (low, high) = (
            BARS_LEFT + spread.min * scale,
            BARS_LEFT + spread.max * scale,
        );
        // Less than a point is not to be seen.
        if high - low >= 1.0 {
            let _ = writeln!(
                svg,
                "  <line class=\"spread\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{middle}\" \
                 y2=\"{middle}\"/>"
            );
        }
        let _ = writeln!(
            svg,
            "  <text x=\"{:.1}\" y=\"{baseline}\">{value}</text>",
            high.max(BARS_LEFT + width) + 8.0,
        );
        svg
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
