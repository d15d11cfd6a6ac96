//! Random traffic: what must hold for all of it.

#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other readers"
)]

#[path = "model/compare.rs"]
mod compare;
mod model;
#[path = "model/traffic.rs"]
mod traffic;

use compare::output_differences;
use model::{Model, Output, Pipeline};
use proptest::prelude::*;
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
    fn the_models_counters_balance(traffic in traffic::hostile()) {
        let mut model = Model::new(traffic.settings.clone(), 4);
        for output in outputs(&traffic, &mut model) {
            prop_assert!(output.counts.balance(), "{:?}", output.counts);
        }
    }

    #[test]
    fn the_models_gauges_do_not_depend_on_the_number_of_shards(traffic in traffic::clean()) {
        let mut one = Model::new(traffic.settings.clone(), 1);
        let mut four = Model::new(traffic.settings.clone(), 4);
        assert_same(&outputs(&traffic, &mut one), &outputs(&traffic, &mut four))?;
    }
}
