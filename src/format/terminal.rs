//! For people: a heading, then the points sorted by path, the values aligned.

use bytes::Bytes;

use super::number::push_value;
use super::{CHUNK_BYTES, Formatted, push_path};
use crate::naming::{Point, Points, Value};

/// Paths longer than this do not push the values of the others to the right.
const PATH_WIDTH_MAX: usize = 72;

/// Writes points as a table.
#[derive(Debug, Default)]
pub struct Screen {
    rows: Vec<(String, String)>,
}

impl Screen {
    /// The table of what was given since the last call, for a flush at a time in seconds since
    /// 1970. A note, if there is one, stands in the heading.
    pub fn take(&mut self, end_unix_s: u64, note: &str) -> Formatted {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort();
        let seconds = end_unix_s % 86_400;
        let clock = format!(
            "{:02}:{:02}:{:02} UTC",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        let heading = match (rows.len(), note) {
            (0, "") => "nothing received".to_owned(),
            (0, note) => note.to_owned(),
            (1, "") => "1 point".to_owned(),
            (count, "") => format!("{count} points"),
            (count, note) => format!("{count} points; {note}"),
        };
        let mut text = format!("{clock}  {heading}\n");
        let longest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or_default();
        let path_width = longest(&mut rows.iter().map(|row| row.0.len())).min(PATH_WIDTH_MAX);
        let value_width = longest(&mut rows.iter().map(|row| row.1.len()));
        let mut chunks = Vec::new();
        for (path, value) in &rows {
            let row = format!("  {path:path_width$}  {value:>value_width$}\n");
            if text.len() + row.len() > CHUNK_BYTES {
                chunks.push(Bytes::from(std::mem::take(&mut text)));
            }
            text.push_str(&row);
        }
        chunks.push(Bytes::from(text));
        Formatted {
            points: rows.len() as u64,
            chunks,
        }
    }
}

impl Points for Screen {
    fn point(&mut self, point: &Point<'_>) {
        let (mut path, mut value) = (Vec::new(), Vec::new());
        push_path(point, &mut path);
        push_value(Value::Shortest(rounded(point.value.number())), &mut value);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        self.rows.push((text(path), text(value)));
    }
}

/// A number as people read it: three decimals, and small numbers as they are.
fn rounded(number: f64) -> f64 {
    match (number * 1e3).round() / 1e3 {
        short if short != 0.0 && short.is_finite() => short,
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::MetricType;
    use crate::naming::Statistic;

    #[test]
    fn numbers_are_rounded_for_people_but_never_to_nothing() {
        for (number, expected) in [
            (0.5395040605039388, 0.54),
            (12.3456, 12.346),
            (1e-7, 1e-7),
            (0.0, 0.0),
            (1.7e308, 1.7e308),
        ] {
            assert_eq!(rounded(number), expected);
        }
    }

    #[test]
    fn the_table_is_sorted_and_aligned_and_an_empty_one_is_a_line() {
        let mut screen = Screen::default();
        for (name, number) in [("b", 12.5), ("a.long.name", 3.0)] {
            screen.point(&Point {
                head: "stats.",
                name: name.as_bytes(),
                stat: ".x",
                tags: b"",
                value: Value::Shortest(number),
                time_unix_s: 0,
                metric_type: MetricType::Gauge,
                statistic: Statistic::Other,
            });
        }
        let text =
            |formatted: Formatted| String::from_utf8_lossy(&formatted.chunks[0]).into_owned();
        assert_eq!(
            text(screen.take(86_400 + 3_723, "")),
            "01:02:03 UTC  2 points\n  stats.a.long.name.x     3\n  stats.b.x            12.5\n"
        );
        assert_eq!(text(screen.take(0, "")), "00:00:00 UTC  nothing received\n");
        assert_eq!(
            text(screen.take(0, "3 refused")),
            "00:00:00 UTC  3 refused\n"
        );
    }
}
