//! Golden cases: recorded and written datagrams, and exactly what must come out of them.

#![allow(
    unreachable_pub,
    reason = "the modules of a test have no other readers"
)]

#[path = "model/cases.rs"]
mod cases;
#[path = "model/compare.rs"]
mod compare;
mod model;
mod pipeline;
#[path = "model/vectors.rs"]
mod vectors;

use model::{Model, Naming, Pipeline, Settings};
use pipeline::Shards;
use ringstat::format::Encoding;

/// Holds every vector against pipelines that `start` makes.
fn check_vectors<P: Pipeline>(start: impl Fn(Settings) -> P) {
    let mut wrong = Vec::new();
    for (source, vector) in vectors::all().iter().enumerate() {
        for naming in Naming::ALL {
            let mut pipeline = start(vector.settings(naming));
            wrong.extend(vector.check(naming, source, &mut pipeline));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Holds every case of our own against pipelines that `start` makes.
fn check_cases<P: Pipeline>(start: impl Fn(Settings) -> P) {
    let mut wrong = Vec::new();
    for case in cases::all() {
        for naming in case.namings() {
            let mut pipeline = start(case.settings(naming));
            wrong.extend(case.check(naming, &mut pipeline));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_model_gives_what_was_recorded() {
    for shard_count in [1, 4] {
        check_vectors(|settings| Model::new(settings, shard_count));
    }
}

#[test]
fn the_model_gives_what_the_cases_say() {
    for shard_count in [1, 4] {
        check_cases(|settings| Model::new(settings, shard_count));
    }
}

#[test]
fn the_daemons_stages_give_what_was_recorded() {
    for shard_count in [1, 4] {
        for encoding in [Encoding::Text, Encoding::Pickle, Encoding::Stream] {
            check_vectors(|settings| Shards::new(&settings, shard_count, encoding));
        }
    }
}

#[test]
fn the_daemons_stages_give_what_the_cases_say() {
    for shard_count in [1, 4] {
        for encoding in [Encoding::Text, Encoding::Pickle, Encoding::Stream] {
            check_cases(|settings| Shards::new(&settings, shard_count, encoding));
        }
    }
}

#[test]
fn a_wrong_expectation_is_noticed() {
    let right = "> a:1|c\n< stats.counters.a.rate 0.1\n< stats.counters.a.count 1\n";
    for (wrong, complaints) in [
        (right.into(), 0),
        (right.replace("0.1", "0.2"), 2),
        (right.replace("0.1", "0.1 5"), 2),
        (right.replace("0.1", "0.100000001"), 2),
        (right.replace("0.1", "0.1..0.2"), 0),
        (right.replace("0.1", "0.2..0.3"), 2),
        (right.replace("a.rate", "b.rate"), 2),
        (right.replace("< stats.counters.a.count 1\n", ""), 1),
        (format!("{right}< stats.counters.a.count 1\n"), 1),
        (format!("{right}! a:x|c  bad_rate\n"), 1),
        (format!("{right}> a:x|c\n"), 1),
        (format!("{right}count lines 1 samples 2\n"), 1),
        (format!("{right}next\n< nothing\n"), 2),
    ] {
        let mut read = Vec::new();
        cases::read("here", &format!("case wrong\n{wrong}"), &mut read);
        let mut model = Model::new(read[0].settings(Naming::Etsy), 1);
        let complained = read[0].check(Naming::Etsy, &mut model);
        assert_eq!(complained.len(), complaints, "{wrong}: {complained:?}");
    }
}
