//! What must hold where a limit is reached: the model has none, so each limit has its own claims.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ringstat::format::Encoding;
use ringstat::metric::{Limits, RELATIVE_ERROR};

use crate::compare::close;
use crate::model::{Idle, Model, Naming, Output, Pipeline, Point, Settings};
use crate::pipeline::Shards;

const LENGTH_S: f64 = 10.0;
const END_UNIX_S: u64 = 1_700_000_000;

/// The standard error of the estimate of a set, 1.04 / sqrt(2^12).
const SET_STANDARD_ERROR: f64 = 0.01625;

fn settings(naming: Naming) -> Settings {
    Settings {
        percent: vec![90.0, 50.0],
        idle_counters: Idle::Silent,
        idle_timers: Idle::Silent,
        idle_sets: Idle::Silent,
        ..Settings::new(naming)
    }
}

fn shards(settings: &Settings, shard_count: usize, limits: Limits) -> Shards {
    Shards::with_limits(settings, shard_count, Encoding::Pickle, limits)
}

fn refused_for(output: &Output, reason: &str) -> u64 {
    output.counts.refused.get(reason).copied().unwrap_or(0)
}

proptest! {
    /// A name that was heard in this interval or in the last one is live and keeps its place;
    /// others make room.
    #[test]
    fn a_table_never_holds_more_spellings_than_it_may(
        max_series in 1..8_usize,
        shard_count in select(vec![1, 4]),
        intervals in vec(vec((0..4_usize, 0..12_u32), 0..30), 1..6),
    ) {
        let limits = Limits { max_series, ..Limits::default() };
        let mut pipeline = shards(&settings(Naming::Etsy), shard_count, limits);
        let mut before: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); shard_count];
        for (index, interval) in intervals.iter().enumerate() {
            let mut heard = vec![BTreeSet::new(); shard_count];
            let datagrams: Vec<(usize, Vec<u8>)> = interval
                .iter()
                .map(|&(source, name)| {
                    heard[source % shard_count].insert(name);
                    (source, format!("n{name}:1|c").into_bytes())
                })
                .collect();
            let output = pipeline.interval(&datagrams, LENGTH_S, END_UNIX_S);
            let refused = refused_for(&output, "series_limit");
            prop_assert!(pipeline.spellings.iter().all(|&count| count <= max_series));
            prop_assert!(pipeline.merged_series <= (max_series * shard_count) as u64);
            prop_assert!(output.counts.balance());
            prop_assert_eq!(output.counts.samples + refused, datagrams.len() as u64);
            let counted: f64 = counts_of(&output.points).sum();
            prop_assert_eq!(counted, output.counts.samples as f64);

            let all_fit = heard
                .iter()
                .zip(&before)
                .all(|(heard, before)| heard.union(before).count() <= max_series);
            if all_fit {
                prop_assert_eq!(refused, 0);
            }
            let some_cannot_fit = heard.iter().any(|heard| heard.len() > max_series);
            if some_cannot_fit {
                prop_assert!(refused > 0);
            }
            if index == 0 {
                prop_assert_eq!(refused > 0, some_cannot_fit);
            }
            before = heard;
        }
    }

    /// There are fewer distinct values than bins, so that no value has to go to a bin of others.
    #[test]
    fn a_folded_timer_keeps_its_promises(
        naming in select(Naming::ALL.to_vec()),
        weighted_timers in any::<bool>(),
        sign in select(vec![1, -1]),
        palette in vec(1..1_000_000_i32, 8),
        samples in vec((0..4_usize, 0..2_u32, 0..8_usize, select(vec!["1", ".5", ".25"])), 1..300),
    ) {
        let settings = Settings { weighted_timers, ..settings(naming) };
        let datagrams: Vec<(usize, Vec<u8>)> = samples
            .iter()
            .map(|&(source, timer, index, rate)| {
                let value = f64::from(sign * palette[index]) / 8.0;
                (source, format!("t{timer}:{value}|ms|@{rate}").into_bytes())
            })
            .collect();
        let mut model = Model::new(settings.clone(), 1);
        let expected = model.interval(&datagrams, LENGTH_S, END_UNIX_S);
        for shard_count in [1, 4] {
            let limits = Limits { max_timer_values: 16, ..Limits::default() };
            let mut pipeline = shards(&settings, shard_count, limits);
            let output = pipeline.interval(&datagrams, LENGTH_S, END_UNIX_S);
            prop_assert_eq!(&output.counts, &expected.counts);
            prop_assert_eq!(output.points.len(), expected.points.len());
            for point in &output.points {
                let exact = expected.points.iter().find(|exact| exact.path == point.path);
                let exact = exact.expect("the model has the same paths");
                let error = (point.value - exact.value).abs();
                prop_assert!(
                    close(point.value, exact.value) || error <= allowed_error(naming, exact),
                    "{:?} instead of {:?}",
                    point,
                    exact
                );
            }
        }
    }

    #[test]
    fn key_values_past_the_limit_are_refused(links in vec((0..4_usize, 1..6_usize), 0..12)) {
        let limits = Limits { max_timer_values: 8, ..Limits::default() };
        let mut pipeline = shards(&settings(Naming::Etsy), 1, limits);
        for _ in 0..2 {
            let (mut taken, mut refused) = (0, 0);
            let datagrams = links.iter().map(|&(source, values)| {
                if taken + values <= 8 {
                    taken += values;
                } else {
                    refused += 1;
                }
                (source, format!("k{}|kv", ":1".repeat(values)).into_bytes())
            });
            let datagrams: Vec<_> = datagrams.collect();
            let output = pipeline.interval(&datagrams, LENGTH_S, END_UNIX_S);
            prop_assert_eq!(output.points.len(), taken);
            prop_assert_eq!(refused_for(&output, "value_limit"), refused);
            prop_assert!(output.counts.balance());
        }
    }

    #[test]
    fn a_set_past_its_limit_is_estimated_well(
        max_set_values in 1..64_usize,
        shard_count in select(vec![1, 4]),
        member_count in 1..3000_usize,
    ) {
        let limits = Limits { max_set_values, ..Limits::default() };
        let mut pipeline = shards(&settings(Naming::Etsy), shard_count, limits);
        // Every other member comes from two sockets.
        let datagrams: Vec<(usize, Vec<u8>)> = (0..member_count)
            .flat_map(|member| {
                let line = format!("s:{member}|s").into_bytes();
                let again = (member % 2 == 0).then(|| (member + 1, line.clone()));
                std::iter::once((member, line)).chain(again)
            })
            .collect();
        let output = pipeline.interval(&datagrams, LENGTH_S, END_UNIX_S);
        let [point] = &output.points[..] else {
            panic!("one point, not {:?}", output.points);
        };
        let error = (point.value - member_count as f64).abs();
        if member_count <= max_set_values {
            prop_assert_eq!(error, 0.0);
        } else {
            let allowed = 1.0 + 5.0 * SET_STANDARD_ERROR * member_count as f64;
            prop_assert!(error <= allowed, "{} instead of {}", point.value, member_count);
        }
    }
}

fn counts_of(points: &[Point]) -> impl Iterator<Item = f64> {
    let counts = points.iter().filter(|point| point.path.ends_with(".count"));
    counts.map(|point| point.value)
}

/// How far a statistic of a folded timer may be off. What is of all values is exact, but that a
/// deviation made from sums loses half of its digits.
fn allowed_error(naming: Naming, exact: &Point) -> f64 {
    let stat = exact.path.rsplit('.').next().unwrap_or_default();
    let value = exact.value.abs();
    match stat.trim_end_matches(|letter: char| letter.is_ascii_digit()) {
        "upper_" | "lower_" | "mean_" | "sum_" | "median" => RELATIVE_ERROR * value,
        "mean" if naming == Naming::Gstatsd => RELATIVE_ERROR * value,
        "sum_squares_" => RELATIVE_ERROR * (2.0 + RELATIVE_ERROR) * value,
        "p" => RELATIVE_ERROR * value,
        "std" | "stdev" => 1.5 * 125_000.0 * 1e-6,
        // Of a window, each of whose values may be off.
        "stdev_" => 1.5 * RELATIVE_ERROR * 125_000.0,
        _ => 0.0,
    }
}
