//! The sections `[histogram...]` of statsite's file: which timers get bins, and which.

use super::values::{number, wrong};
use crate::config::foreign::Fault;
use crate::config::ini::Section;
use crate::naming::{EvenBins, Histogram};

/// From so many bins on statsite warns.
const BIN_COUNT_HIGH: f64 = 128.0;

/// The histogram of a section. One that lacks a key is left out with a warning, as by statsite if it
/// is the last.
pub(super) fn read(
    section: &Section,
    warnings: &mut Vec<Fault>,
) -> Result<Option<Histogram>, Fault> {
    let (mut prefix, mut min, mut max, mut width) = (None, None, None, None);
    let mut last = None;
    for entry in &section.entries {
        match entry.key.as_str() {
            "prefix" => {
                if entry.value.contains(':') {
                    return Err(wrong(entry, "no name holds a `:`"));
                }
                prefix = Some(entry.value.clone());
            }
            "min" => min = Some(number(entry, warnings)?),
            "max" => max = Some(number(entry, warnings)?),
            "width" => width = Some(number(entry, warnings)?),
            _ => {
                warnings.push(wrong(
                    entry,
                    "a histogram has no such key: prefix, min, max, width",
                ));
                continue;
            }
        }
        last = Some(entry);
    }
    let (Some(prefix), Some(min), Some(max), Some(width), Some(last)) =
        (prefix, min, max, width, last)
    else {
        warnings.push(Fault::new(
            section.line,
            format!(
                "[{}] is left out: a histogram needs prefix, min, max and width",
                section.name
            ),
        ));
        return Ok(None);
    };
    let bins = EvenBins::new(min, max, width);
    let bins =
        bins.map_err(|reason| Fault::new(last.line, format!("[{}]: {reason}", section.name)))?;
    if (max - min) / width + 2.0 > BIN_COUNT_HIGH {
        warnings.push(Fault::new(
            section.line,
            format!(
                "[{}] has many bins: each is a point of each such timer at each flush",
                section.name
            ),
        ));
    }
    Ok(Some(Histogram::Even { prefix, bins }))
}
