//! Instructions of parsing and recording a line, counted by callgrind: a guard against code that
//! becomes slower, on machines whose clock says nothing. Fails where a line takes 5 % more or less
//! than `benches/record/instructions.txt` has for this architecture, at any level of `simd`;
//! `-- --renew` writes the figures anew.
//!
//! Floods of empty, senseless and denied datagrams are counted as well, and fail where one takes
//! a tenth more than a good datagram does.
//!
//! It starts itself under valgrind twice for each, with one round of traffic and with more, so that the
//! difference holds nothing of setting up. Names have random hashes, so that a percent of the
//! figure is chance.

#[allow(dead_code)]
mod traffic;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;

use ringstat::kernel::{Datagram, Visit};
use ringstat::metric::{Brakes, Interval, Limits, SetHash};
use ringstat::naming::Dialect;
use ringstat::shard::{Shard, ShardSettings};
use ringstat::simd::Level;
use ringstat::tap::TapRules;
use traffic::floods::Flood;

const LINES: u64 = 50_000;
const NAMES: u64 = 3_000;

/// The rounds of the two runs.
const ROUNDS: [u64; 2] = [1, 5];

/// Those for a kind of flood, of which the order of magnitude is enough.
const FLOOD_ROUNDS: [u64; 2] = [1, 3];

/// How much more a datagram of a flood may take than a good one.
const FLOOD_TOLERANCE: f64 = 0.1;

/// How far a figure may be from the recorded one.
const TOLERANCE: f64 = 0.05;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, kind, rounds, level] = &*arguments
        && word == "feed"
    {
        let mut kinds = Flood::ALL.into_iter();
        let kind = kinds.find(|flood| format!("{flood:?}") == *kind);
        let rounds = rounds.parse().expect("a number of rounds");
        let level = Level::all().find(|known| known.word() == level);
        let level = level.expect("a level that valgrind knows");
        feed(kind.expect("a kind of datagrams"), rounds, level);
        return ExitCode::SUCCESS;
    }
    let renew = arguments.iter().any(|argument| argument == "--renew");
    match check(renew).and_then(|said| Ok(format!("{said}\n{}", check_floods()?))) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(said) => {
            eprintln!("instructions: {said}");
            ExitCode::FAILURE
        }
    }
}

fn feed(kind: Flood, rounds: u64, level: Level) {
    let traffic = kind.traffic(LINES, NAMES);
    let deny = match kind {
        Flood::Denied => vec!["nobody.*".parse(), "service.*".parse()],
        _ => Vec::new(),
    };
    let deny = deny.into_iter().map(|pattern| pattern.expect("a pattern"));
    let mut shard = Shard::new(ShardSettings {
        shard: 0,
        rules: Dialect::Etsy.input_rules(true, false),
        limits: Limits::default(),
        set_hash: SetHash::new(),
        refused_lines_max: 0,
        brakes: Arc::new(Brakes::new(deny.collect(), Vec::new(), 1)),
        epoch: Instant::now(),
        tap: TapRules::default(),
    })
    .at_level(level);
    for _ in 0..rounds {
        shard.batch();
        for bytes in &traffic.datagrams {
            shard.datagram(Datagram {
                bytes,
                cut_bytes: 0,
            });
        }
    }
    let hand_over = shard.hand_over(Interval::default(), &[]);
    let (samples, refused) = kind.samples_and_refused(&traffic);
    assert_eq!(hand_over.counts.samples, rounds * samples);
    assert_eq!(hand_over.counts.refusals.total(), rounds * refused);
}

/// Counts what floods take, and fails where one takes more than the good datagrams it is held against.
fn check_floods() -> Result<String, String> {
    if cfg!(debug_assertions) || Command::new("valgrind").arg("--version").output().is_err() {
        return Ok("floods: not counted".to_owned());
    }
    let datagrams = traffic::packed(LINES, NAMES).datagrams.len() as f64;
    let mut counted = Vec::new();
    for kind in Flood::ALL {
        let [few, many] = FLOOD_ROUNDS.map(|rounds| count(kind, rounds, Level::best()));
        let rounds = (FLOOD_ROUNDS[1] - FLOOD_ROUNDS[0]) as f64;
        counted.push((kind, (many? - few?) as f64 / rounds / datagrams));
    }
    let of = |kind| {
        counted
            .iter()
            .find(|(other, _)| *other == kind)
            .expect("all are there")
            .1
    };
    let mut said = Vec::new();
    for &(kind, instructions) in &counted {
        said.push(format!("{kind:?} {instructions:.0}"));
        if let Some(good) = kind.held_against()
            && instructions > of(good) * (1.0 + FLOOD_TOLERANCE)
        {
            return Err(format!(
                "a datagram of the flood {kind:?} takes {instructions:.0}, one of {good:?} {:.0}",
                of(good)
            ));
        }
    }
    Ok(format!("instructions a datagram: {}", said.join(", ")))
}

fn check(renew: bool) -> Result<String, String> {
    if cfg!(debug_assertions) {
        return Ok("not counted: the record is of optimised code (cargo bench)".to_owned());
    }
    let valgrind = Command::new("valgrind").arg("--version").output();
    if valgrind.is_err() && std::env::var_os("CI").is_none() {
        return Ok("not counted: valgrind is not installed".to_owned());
    }
    let said: Result<Vec<_>, String> = Level::all()
        .map(|level| check_level(level, renew))
        .collect();
    Ok(said?.join("\n"))
}

fn check_level(level: Level, renew: bool) -> Result<String, String> {
    let [few, many] = ROUNDS.map(|rounds| count(Flood::Packed, rounds, level));
    let lines = (ROUNDS[1] - ROUNDS[0]) * LINES;
    let per_line = (many? - few?) as f64 / lines as f64;
    let level = format!("{}, {}", std::env::consts::ARCH, level.word());
    let key = format!("{level}: ");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/record/instructions.txt");
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    if renew {
        let others = recorded.lines().filter(|line| !line.starts_with(&key));
        let mut lines: Vec<String> = others.map(str::to_owned).collect();
        lines.push(format!("{key}{per_line:.0}"));
        lines.sort();
        fs::write(&path, lines.join("\n") + "\n").map_err(|error| error.to_string())?;
        return Ok(format!(
            "{key}{per_line:.0} instructions a line, from now on the measure"
        ));
    }
    let expected = recorded
        .lines()
        .find_map(|line| line.strip_prefix(&key)?.trim().parse::<f64>().ok());
    let Some(expected) = expected else {
        return Err(format!(
            "{key}{per_line:.0} a line, but nothing is recorded yet: \
             cargo bench --bench instructions -- --renew"
        ));
    };
    let change = per_line / expected - 1.0;
    if change.abs() > TOLERANCE {
        return Err(format!(
            "{key}{per_line:.0} a line, {:+.1} % against the recorded {expected:.0}. If that is meant \
             to be: cargo bench --bench instructions -- --renew",
            100.0 * change
        ));
    }
    Ok(format!(
        "{key}{per_line:.0} instructions a line ({expected:.0} recorded)"
    ))
}

/// The instructions of a whole run.
fn count(kind: Flood, rounds: u64, level: Level) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["feed", &format!("{kind:?}"), &rounds.to_string()])
        .arg(level.word())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    report
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1)?.trim().parse().ok())
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("valgrind: {}:\n{report}", output.status))
}
