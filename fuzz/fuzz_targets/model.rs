//! Traffic of pieces of the grammar, under any settings: what comes out is what the model says.
//!
//! Where `pipeline` takes bytes as they are, here each byte chooses a piece, so that most inputs
//! come to samples. The first eight bytes choose the settings.

#![no_main]

#[path = "../../tests/model/choices.rs"]
mod choices;
#[path = "../../tests/model/compare.rs"]
mod compare;
#[path = "../../tests/model/mod.rs"]
mod model;
#[path = "../../tests/pipeline/mod.rs"]
mod pipeline;

use libfuzzer_sys::fuzz_target;
use ringstat::format::Encoding;

use model::{Extended, Idle, Kind, Model, Naming, Pipeline, Settings};
use pipeline::Shards;

const SHARD_COUNT: usize = 3;
const SOURCE_COUNT: usize = 4;
const FLUSH_S: f64 = 10.0;
const INTERVAL_COUNT_MAX: usize = 6;

fuzz_target!(|input: &[u8]| {
    let Some((choices, pieces)) = input.split_first_chunk() else {
        return;
    };
    let settings = settings(Choices(u64::from_le_bytes(*choices)));
    let intervals = intervals(pieces);
    let mut shards = Shards::new(&settings, SHARD_COUNT, Encoding::Pickle);
    let mut model = Model::new(settings, SHARD_COUNT);
    // Once rounding has been different levels of gauges may stay so.
    let mut is_exact = true;
    for (interval, end_unix_s) in intervals.iter().zip((1_700_000_000..).step_by(10)) {
        let output = shards.interval(interval, FLUSH_S, end_unix_s);
        let expected = model.interval(interval, FLUSH_S, end_unix_s);
        assert!(output.counts.balance(), "{:?}", output.counts);
        assert_eq!(output.counts, expected.counts);
        let mut datagrams = interval.iter();
        is_exact &= datagrams.all(|(_, datagram)| compare::sums_are_exact(datagram));
        if is_exact {
            let wrong = compare::output_differences(&output, &expected);
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }
    }
});

/// Choices among few, all in one number.
struct Choices(u64);

impl Choices {
    fn below(&mut self, count: u64) -> usize {
        let choice = self.0 % count;
        self.0 /= count;
        choice as usize
    }

    fn one_of<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.below(among.len() as u64)].clone()
    }
}

fn settings(mut choices: Choices) -> Settings {
    let naming = choices.one_of(&Naming::ALL);
    let is_etsy = matches!(naming, Naming::Etsy | Naming::EtsyLegacy);
    let percents: &[&[f64]] = match is_etsy {
        true => &[&[90.0], &[50.0, 99.9], &[12.5, -12.5], &[-90.0, 100.0]],
        false => &[&[90.0], &[50.0, 99.9], &[25.0, 75.0, 100.0], &[12.5]],
    };
    let idle = [
        Idle::Never,
        Idle::Silent,
        Idle::After { silent_s: 15.0 },
        Idle::After { silent_s: 25.0 },
    ];
    let mut settings = Settings {
        flush_s: FLUSH_S,
        percent: choices.one_of(percents).into(),
        weighted_timers: choices.one_of(&[false, true]),
        prefix: choices.one_of(&["", "x", "my.host"]).into(),
        tags: choices.one_of(&[None, Some(false), Some(true)]),
        idle_counters: choices.one_of(&idle),
        idle_timers: choices.one_of(&idle),
        idle_sets: choices.one_of(&idle),
        idle_gauges: choices.one_of(&idle),
        histograms: match choices.below(2) {
            0 => Vec::new(),
            _ => choices::histograms(naming),
        },
        ..Settings::new(naming)
    };
    if matches!(naming, Naming::Statsite | Naming::PythonStatsite) {
        // Elsewhere it is 0 from the start, or no series that counts, which the model does not say.
        let counter = choices.one_of(&[None, Some("in"), Some("a")]);
        settings.input_counter = counter.map(String::from);
    }
    match naming {
        Naming::Etsy | Naming::EtsyLegacy => {
            settings.suffix = choices.one_of(&["", "web1"]).into();
            settings.counter_counts = choices.one_of(&[true, false]);
            let statistics: &[&[&str]] = &[&[], &["count"], &["count_ps", "upper_percent"]];
            let statistics = choices.one_of(statistics).iter();
            settings.timer_statistics = statistics.map(|&word| word.into()).collect();
        }
        Naming::Statsite => {
            let extended = [Extended::None, Extended::Sum, Extended::Samples];
            settings.extended_counters = choices.one_of(&extended);
            for kind in [Kind::Counter, Kind::Timer, Kind::Gauge, Kind::Set] {
                if let Some(front) = choices.one_of(&[None, Some(""), Some("f.")]) {
                    settings.fronts.insert(kind, front.into());
                }
            }
        }
        Naming::Gstatsd | Naming::PythonStatsite => {}
    }
    settings
}

/// The datagrams of each interval. A byte is a piece, or where a line, a datagram or an interval
/// ends.
fn intervals(pieces: &[u8]) -> Vec<Vec<(usize, Vec<u8>)>> {
    let mut intervals = vec![vec![(0, Vec::new())]];
    for &byte in pieces {
        let has_room = intervals.len() < INTERVAL_COUNT_MAX;
        let interval = intervals.last_mut().expect("there is a first one");
        match choices::PIECES.get(usize::from(byte)) {
            Some(piece) => {
                let datagram = interval.last_mut().expect("it begins with one");
                datagram.1.extend_from_slice(piece);
            }
            None if byte >= 0xf8 && has_room => intervals.push(vec![(0, Vec::new())]),
            None => interval.push((usize::from(byte) % SOURCE_COUNT, Vec::new())),
        }
    }
    intervals
}
