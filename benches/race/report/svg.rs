//! The picture: a bar for each contestant, as long as its median, with the spread over the rounds.
//!
//! It brings its own background, light or dark as the reader's screen is, and needs no font but
//! the reader's own.

use std::fmt::Write;

use super::table::number;
use crate::figure::{Entry, Figure, Spread, contestants, spread};
use crate::peers::is_ours;

const WIDTH: f64 = 760.0;
/// Where bars begin; names stand left of it.
const BARS_LEFT: f64 = 170.0;
/// Where the longest bar ends; its value stands right of it.
const BARS_RIGHT: f64 = 640.0;
const HEAD: f64 = 66.0;
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;
const FOOT: f64 = 34.0;

/// Colours by what they are for; the second set is for dark screens.
const STYLE: &str = "\
svg{--page:#ffffff;--text:#1f2328;--faint:#59636e;--ours:#1a7f64;--floor:#9aa4af;--peer:#c05621;--line:#d1d9e0}\
@media(prefers-color-scheme:dark){svg{--page:#0d1117;--text:#f0f6fc;--faint:#9198a1;--ours:#3fb68b;--floor:#656c76;--peer:#e0823d;--line:#3d444d}}\
.page{fill:var(--page)}text{font:13px system-ui,sans-serif;fill:var(--text)}\
.title{font-size:16px;font-weight:600}.faint{fill:var(--faint);font-size:12px}\
.ours{fill:var(--ours)}.floor{fill:var(--floor)}.peer{fill:var(--peer)}\
.spread{stroke:var(--text);stroke-width:1.5}.axis{stroke:var(--line)}";

/// What a picture says besides its bars.
pub(super) struct Caption<'a> {
    pub(super) title: &'a str,
    /// Below the bars: where and when it was measured.
    pub(super) note: &'a str,
}

/// Draws the medians of a figure.
pub(super) fn text(caption: &Caption<'_>, figure: Figure, entries: &[Entry]) -> String {
    let bars: Vec<(&str, Spread)> = contestants(entries)
        .into_iter()
        .filter_map(|name| Some((name, spread(entries, name, figure)?)))
        .collect();
    let longest = bars
        .iter()
        .map(|(_, spread)| spread.max)
        .fold(0.0, f64::max);
    let scale = (BARS_RIGHT - BARS_LEFT) / longest.max(f64::MIN_POSITIVE);
    let bottom = HEAD + ROW * bars.len() as f64;
    let height = bottom + FOOT;
    let mut svg = String::new();
    let mut line = |text: String| {
        svg.push_str(&text);
        svg.push('\n');
    };
    let title = escape(caption.title);
    line(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">"
    ));
    line(format!(
        "<title>{title}: {}</title>",
        described(figure, &bars)
    ));
    line(format!("<style>{STYLE}</style>"));
    line(format!(
        "<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>"
    ));
    line(format!(
        "<text class=\"title\" x=\"16\" y=\"28\">{title}</text>"
    ));
    let better = if figure.is_better_when_high() {
        "longer is better"
    } else {
        "shorter is better"
    };
    line(format!(
        "<text class=\"faint\" x=\"16\" y=\"48\">{}, median and spread; {better}</text>",
        escape(figure.heading())
    ));
    line(format!(
        "<line class=\"axis\" x1=\"{BARS_LEFT}\" x2=\"{BARS_LEFT}\" y1=\"{HEAD}\" y2=\"{bottom}\"/>"
    ));
    for (index, (name, spread)) in bars.iter().enumerate() {
        let top = HEAD + ROW * index as f64 + (ROW - BAR) / 2.0;
        let middle = top + BAR / 2.0;
        let baseline = middle + 4.5;
        let end = BARS_LEFT + spread.median * scale;
        let (low, high) = (
            BARS_LEFT + spread.min * scale,
            BARS_LEFT + spread.max * scale,
        );
        line(format!(
            "<text x=\"{:.1}\" y=\"{baseline:.1}\" text-anchor=\"end\">{name}</text>",
            BARS_LEFT - 8.0
        ));
        line(format!(
            "<rect class=\"{}\" x=\"{BARS_LEFT}\" y=\"{top:.1}\" width=\"{:.1}\" \
             height=\"{BAR}\" rx=\"2\"/>",
            class(name),
            // A bar of nothing is still to be seen.
            (end - BARS_LEFT).max(1.0)
        ));
        if high - low >= 1.0 {
            line(format!(
                "<line class=\"spread\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{middle:.1}\" \
                 y2=\"{middle:.1}\"/>"
            ));
        }
        line(format!(
            "<text x=\"{:.1}\" y=\"{baseline:.1}\">{}</text>",
            end.max(high) + 8.0,
            number(figure, spread.median)
        ));
    }
    line(format!(
        "<text class=\"faint\" x=\"16\" y=\"{:.1}\">{}</text>",
        bottom + 22.0,
        escape(caption.note)
    ));
    svg.push_str("</svg>\n");
    svg
}

/// The same in words, for those who do not see it.
fn described(figure: Figure, bars: &[(&str, Spread)]) -> String {
    let mut words = String::from(figure.heading());
    for (name, spread) in bars {
        // Writing into a String does not fail.
        let _ = write!(words, ", {name} {}", number(figure, spread.median));
    }
    escape(&words)
}

fn class(contestant: &str) -> &'static str {
    if contestant.starts_with("floor") {
        "floor"
    } else if is_ours(contestant) {
        "ours"
    } else {
        "peer"
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
