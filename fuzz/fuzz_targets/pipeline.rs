//! Any datagrams through two shards, from bytes to bytes: each line of output is well-formed, what
//! came in is accounted for, and without small limits it is what the model says.
//!
//! The first byte chooses settings; the rest are datagrams, separated by 0x1e, and 0x1d where an
//! interval ends. They come from three sockets in turn.

#![no_main]

#[path = "../../tests/model/compare.rs"]
mod compare;
#[path = "../../tests/model/mod.rs"]
mod model;
#[path = "../../tests/pipeline/mod.rs"]
mod pipeline;

use libfuzzer_sys::fuzz_target;
use ringstat::format::Encoding;
use ringstat::metric::Limits;

use model::{Idle, Model, Naming, Output, Pipeline, Settings};
use pipeline::Shards;

const SHARD_COUNT: usize = 2;
const SOURCE_COUNT: usize = 3;
const FLUSH_S: f64 = 10.0;
const INTERVAL_COUNT_MAX: usize = 4;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else {
        return;
    };
    let settings = settings(choice);
    if choice & 4 == 0 {
        let mut shards = Shards::new(&settings, SHARD_COUNT, Encoding::Pickle);
        let mut model = Model::new(settings, SHARD_COUNT);
        each_interval(rest, |datagrams, end_unix_s| {
            let output = shards.interval(datagrams, FLUSH_S, end_unix_s);
            let expected = model.interval(datagrams, FLUSH_S, end_unix_s);
            assert!(output.counts.balance(), "{:?}", output.counts);
            assert_eq!(output.counts, expected.counts);
            // Once rounding has been different levels of gauges may stay so.
            if compare::sums_are_exact(rest) {
                let wrong = compare::output_differences(&output, &expected);
                assert!(wrong.is_empty(), "{}", wrong.join("\n"));
            }
        });
    } else {
        let limits = Limits {
            max_series: 4,
            max_timer_values: 6,
            max_set_values: 2,
            ..Limits::default()
        };
        let mut shards = Shards::with_limits(&settings, SHARD_COUNT, Encoding::Text, limits);
        each_interval(rest, |datagrams, end_unix_s| {
            let output = shards.interval(datagrams, FLUSH_S, end_unix_s);
            assert!(output.counts.balance(), "{:?}", output.counts);
            let mut spellings = shards.spellings.iter();
            assert!(spellings.all(|&count| count <= limits.max_series));
            assert_series_fit(&settings, &output, SHARD_COUNT * limits.max_series);
        });
    }
});

fn settings(choice: u8) -> Settings {
    let naming = Naming::ALL[usize::from(choice & 3 | choice >> 4 & 4) % Naming::ALL.len()];
    let idle = match choice & 16 {
        0 => Idle::After { silent_s: 15.0 },
        _ => Idle::Silent,
    };
    Settings {
        flush_s: FLUSH_S,
        percent: match naming {
            Naming::Gstatsd | Naming::Statsite | Naming::PythonStatsite => vec![90.0, 12.5],
            Naming::Etsy | Naming::EtsyLegacy => vec![90.0, -12.5],
        },
        weighted_timers: choice & 8 != 0,
        idle_counters: idle,
        idle_timers: idle,
        idle_sets: idle,
        tags: (choice & 32 != 0).then_some(false),
        ..Settings::new(naming)
    }
}

fn each_interval(input: &[u8], mut take: impl FnMut(&[(usize, Vec<u8>)], u64)) {
    let intervals = input.splitn(INTERVAL_COUNT_MAX, |&byte| byte == 0x1d);
    for (interval, end_unix_s) in intervals.zip((1_700_000_000..).step_by(10)) {
        let datagrams = interval.split(|&byte| byte == 0x1e).enumerate();
        let datagrams: Vec<(usize, Vec<u8>)> = datagrams
            .map(|(index, bytes)| (index % SOURCE_COUNT, bytes.to_vec()))
            .collect();
        take(&datagrams, end_unix_s);
    }
}

/// No more series are heard of in an interval than fit into the tables.
fn assert_series_fit(settings: &Settings, output: &Output, series_max: usize) {
    if settings.naming == Naming::Gstatsd {
        let mut points = output.points.iter();
        let heard = points.find(|point| point.path == "statsd.numStats");
        let heard = heard.expect("gstatsd always says it").value;
        assert!(heard <= series_max as f64 && heard <= output.counts.samples as f64);
    }
}
