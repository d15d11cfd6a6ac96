//! Writes the memory of a run into benches/record: values, a picture, and a page.

use std::env;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use crate::memory::{Memory, Sample, mebibytes};
use crate::options::Options;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 780.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 250.0;

/// Writes `soak.csv`, `soak.svg` and `soak.md`.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn record(memory: &Memory, options: &Options) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/record");
    fs::write(folder.join("soak.csv"), csv(&memory.samples))?;
    fs::write(folder.join("soak.svg"), svg(&memory.samples))?;
    let arguments: Vec<String> = env::args().skip(1).filter(|it| it != "--bench").collect();
    let page = format!(
        "# soak\n\nResident memory of ringstat over {:.0} minutes of mixed traffic, {} datagrams/s over UDP and {} \
         lines/s over TCP, while\nsinks failed, the configuration changed and the daemon was restarted. \
         `cargo bench --bench soak -- {}` made it, seed {}.\n\n{}.\n\n![resident memory over time](soak.svg)\n\nEvery look \
         is in [soak.csv](soak.csv).\n",
        options.duration().as_secs_f64() / 60.0,
        options.rate,
        options.lines,
        arguments.join(" "),
        options.seed,
        memory.summary()
    );
    fs::write(folder.join("soak.md"), page)?;
    println!("written: {}", folder.join("soak.{csv,svg,md}").display());
    Ok(())
}

fn csv(samples: &[Sample]) -> String {
    let mut text = String::from("seconds,process,resident_bytes\n");
    for sample in samples {
        // Writing into a String does not fail, here and below.
        let _ = writeln!(
            text,
            "{:.1},{},{}",
            sample.at.as_secs_f64(),
            sample.life,
            sample.resident_bytes
        );
    }
    text
}

/// A line for each process; time to the right, memory upwards from nothing.
fn svg(samples: &[Sample]) -> String {
    let end_s = samples
        .last()
        .map_or(1.0, |last| last.at.as_secs_f64())
        .max(1.0);
    let most = samples.iter().map(|sample| sample.resident_bytes).max();
    let most = mebibytes(most.unwrap_or(1) as f64).max(1.0);
    let x = |seconds: f64| LEFT + (RIGHT - LEFT) * seconds / end_s;
    let y = |mebibytes: f64| BOTTOM - (BOTTOM - TOP) * mebibytes / most;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" role=\"img\" aria-labelledby=\"title\" font-family=\"system-ui, sans-serif\" \
         font-size=\"13\">\n  <title id=\"title\">Resident memory over time, at most {most:.1} MiB</title>\n  \
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n  \
         <text x=\"16\" y=\"28\" font-size=\"16\">Resident memory of ringstat, a line for each process</text>\n  \
         <path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke=\"#777777\"/>\n"
    );
    for part in 0..=4 {
        let (value, minutes) = (
            most * f64::from(part) / 4.0,
            end_s / 60.0 * f64::from(part) / 4.0,
        );
        let _ = writeln!(
            text,
            "  <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.1} MiB</text>\n  \
             <text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{minutes:.1} min</text>",
            LEFT - 6.0,
            y(value) + 4.0,
            x(minutes * 60.0),
            BOTTOM + 20.0
        );
    }
    for life in samples.chunk_by(|one, next| one.life == next.life) {
        let points = life.iter().map(|sample| {
            let mebibytes = mebibytes(sample.resident_bytes as f64);
            format!("{:.1},{:.1}", x(sample.at.as_secs_f64()), y(mebibytes))
        });
        let points = points.collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            text,
            "  <polyline points=\"{points}\" fill=\"none\" stroke=\"#2266aa\" stroke-width=\"1.5\"/>"
        );
    }
    text.push_str("</svg>\n");
    text
}
