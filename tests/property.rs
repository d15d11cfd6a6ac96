//! Random traffic: what must hold for all of it.

#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other readers"
)]

#[path = "pipeline/batches.rs"]
mod batches;
#[path = "model/choices.rs"]
mod choices;
#[path = "model/compare.rs"]
mod compare;
#[path = "pipeline/limits.rs"]
mod limits;
mod model;
mod pipeline;
#[path = "model/traffic.rs"]
mod traffic;

use compare::output_differences;
use model::{Model, Naming, Output, Pipeline};
use pipeline::Shards;
use pipeline::parse::{assert_cut_alike, assert_read_alike};
use proptest::prelude::*;
use proptest::sample::select;
use ringstat::format::Encoding;
use traffic::Traffic;

/// What a pipeline says at the end of each interval.
fn outputs(traffic: &Traffic, pipeline: &mut impl Pipeline) -> Vec<Output> {
    let mut end_unix_s = 1_700_000_000;
    traffic
        .intervals
        .iter()
        .map(|interval| {
            end_unix_s += interval.length_s as u64;
            pipeline.interval(&interval.datagrams, interval.length_s, end_unix_s)
        })
        .collect()
}

fn shards(traffic: &Traffic, shard_count: usize) -> Shards {
    Shards::new(&traffic.settings, shard_count, Encoding::Pickle)
}

/// Fails with the first interval in which two pipelines differ.
fn assert_same(left: &[Output], right: &[Output]) -> Result<(), TestCaseError> {
    prop_assert_eq!(left.len(), right.len());
    for (interval, (left, right)) in left.iter().zip(right).enumerate() {
        let wrong = output_differences(left, right);
        prop_assert!(
            wrong.is_empty(),
            "interval {}:\n{}",
            interval + 1,
            wrong.join("\n")
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_daemon_gives_what_the_model_gives(
        traffic in traffic::hostile(),
        shard_count in select(vec![1, 2, 4]),
    ) {
        let mut model = Model::new(traffic.settings.clone(), shard_count);
        let expected = outputs(&traffic, &mut model);
        for output in &expected {
            prop_assert!(output.counts.balance(), "{:?}", output.counts);
        }
        assert_same(&outputs(&traffic, &mut shards(&traffic, shard_count)), &expected)?;
    }

    #[test]
    fn one_shard_or_many_give_the_same(traffic in traffic::clean()) {
        let one = outputs(&traffic, &mut shards(&traffic, 1));
        for shard_count in [2, 4] {
            assert_same(&outputs(&traffic, &mut shards(&traffic, shard_count)), &one)?;
        }
        let mut model = Model::new(traffic.settings.clone(), 4);
        assert_same(&outputs(&traffic, &mut model), &one)?;
    }

    /// Twice in each slot.
    #[test]
    fn restarts_in_mid_slot_change_nothing(
        traffic in traffic::clean(),
        cuts in proptest::collection::vec((0..30_usize, 0..30_usize), 3),
        shard_count in select(vec![1, 2]),
    ) {
        let mut model = Model::new(traffic.settings.clone(), shard_count);
        let expected = outputs(&traffic, &mut model);
        let mut shards = shards(&traffic, shard_count);
        let mut end_unix_s = 1_700_000_000;
        let parts = traffic.intervals.iter().zip(cuts.iter().cycle());
        let in_parts: Vec<Output> = parts.map(|(interval, &(first, second))| {
            end_unix_s += interval.length_s as u64;
            let (before, rest) = interval.datagrams.split_at(first.min(interval.datagrams.len()));
            let (middle, after) = rest.split_at(second.min(rest.len()));
            shards.interval_in_parts(&[before, middle, after], interval.length_s, end_unix_s)
        }).collect();
        assert_same(&in_parts, &expected)?;
    }

    /// Pickles carry every bit of a number; some lines have six decimals, or twelve digits, etsy's have all.
    #[test]
    fn lines_and_pickles_say_the_same(traffic in traffic::clean()) {
        let mut text = Shards::new(&traffic.settings, 1, Encoding::Text);
        let lines = outputs(&traffic, &mut text);
        let pickles = outputs(&traffic, &mut shards(&traffic, 1));
        for (lines, pickles) in lines.iter().zip(&pickles) {
            prop_assert_eq!(lines.points.len(), pickles.points.len());
            for (line, pickle) in lines.points.iter().zip(&pickles.points) {
                prop_assert_eq!(&line.path, &pickle.path);
                prop_assert_eq!(line.time_unix_s, pickle.time_unix_s);
                let error = (line.value - pickle.value).abs();
                let allowed = match traffic.settings.naming {
                    Naming::Etsy | Naming::EtsyLegacy => 0.0,
                    Naming::Gstatsd | Naming::Statsite => {
                        5.000_001e-7 + pickle.value.abs() * f64::EPSILON
                    }
                    // Twelve digits.
                    Naming::PythonStatsite => 5.000_001e-12 * pickle.value.abs(),
                };
                prop_assert!(error <= allowed, "{:?} and {:?}", line, pickle);
            }
        }
    }

    #[test]
    fn any_cut_of_a_stream_reads_as_the_whole(
        mut pieces in proptest::collection::vec(
            proptest::prop_oneof![traffic::line_of_pieces(), traffic::frame()],
            1..6,
        ),
        end in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..3),
        sizes in proptest::collection::vec(0..20_usize, 0..6),
    ) {
        pieces.push(end);
        assert_cut_alike(&pieces.join(&b'\n'), &sizes);
        assert_cut_alike(&pieces.concat(), &sizes);
    }

    #[test]
    fn both_parsers_read_the_same(lines in proptest::collection::vec(traffic::line_of_pieces(), 1..4)) {
        assert_read_alike(&lines.join(&b'\n'));
    }
}
