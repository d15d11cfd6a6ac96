//! Tests of a table: limits, silence, brakes, memory.

use super::*;
use crate::metric::refused::{REFUSED_BYTES_MAX, REFUSED_MAX};
use crate::metric::{Gathered, Sample};
use crate::metric::{SafeNames, SampleRate};
use crate::simd::Baseline;

fn table(max_series: usize) -> Table {
    let rules = InputRules {
        safe_names: SafeNames::Graphite,
        keep_tags: true,
        sign_moves_gauge: true,
        weighted_timers: false,
    };
    let limits = Limits {
        max_series,
        max_timer_values: 4,
        max_set_values: 4,
        ..Limits::default()
    };
    Table::new(rules, limits, SetHash::new())
}

fn count(table: &mut Table, name: &str) -> Result<(), Refusal> {
    let one = [Number {
        value: 1.0,
        signed: false,
    }];
    table.record(&Samples {
        name: name.as_bytes(),
        tags: b"",
        rate: SampleRate::ALL,
        values: Values::Counter(&one),
    })
}

fn counter(slot: u32) -> SlotId {
    SlotId {
        metric_type: MetricType::Counter,
        slot,
    }
}

#[test]
fn a_full_table_refuses_new_names_only_while_all_are_live() {
    let mut table = table(2);
    assert_eq!(count(&mut table, "a"), Ok(()));
    assert_eq!(count(&mut table, "b"), Ok(()));
    assert_eq!(count(&mut table, "c"), Err(Refusal::SeriesLimit));
    table.hand_over(Interval::default());
    assert_eq!(count(&mut table, "b"), Ok(()));
    // b has spoken since the list was made, so a goes although b is named first.
    table.set_silence(Silence {
        forget: Vec::new(),
        silent: vec![counter(0), counter(1)],
        ..Silence::default()
    });
    assert_eq!(count(&mut table, "c"), Ok(()));
    assert_eq!(count(&mut table, "d"), Err(Refusal::SeriesLimit));
    assert_eq!(count(&mut table, "b"), Ok(()));
    let interval = table.hand_over(Interval::default());
    assert_eq!(interval.forgotten, [counter(0)]);
    assert_eq!(&*interval.births[0].name, b"c");
    assert_eq!(interval.births[0].id, counter(0), "the slot is used again");
}

#[test]
fn the_list_of_silent_series_outlives_a_flush_but_not_for_those_that_spoke() {
    let mut table = table(2);
    assert_eq!(count(&mut table, "a"), Ok(()));
    assert_eq!(count(&mut table, "b"), Ok(()));
    table.hand_over(Interval::default());
    table.set_silence(Silence {
        forget: Vec::new(),
        silent: vec![counter(0), counter(1)],
        ..Silence::default()
    });
    assert_eq!(count(&mut table, "b"), Ok(()));
    table.hand_over(Interval::default());
    assert_eq!(count(&mut table, "c"), Ok(()), "a makes room");
    assert_eq!(count(&mut table, "d"), Err(Refusal::SeriesLimit));
}

#[test]
fn every_spelling_counts_against_the_limit() {
    let mut table = table(2);
    assert_eq!(count(&mut table, "a b"), Ok(()));
    assert_eq!(count(&mut table, "a_b"), Ok(()));
    assert_eq!(count(&mut table, "a  b"), Err(Refusal::SeriesLimit));
    let counts = table.counts();
    assert_eq!((counts.spellings, counts.series[0]), (2, 1));
}

#[test]
fn a_series_that_speaks_is_not_forgotten() {
    let mut table = table(3);
    let both = || Silence {
        forget: vec![counter(0), counter(1), counter(77)],
        silent: Vec::new(),
        ..Silence::default()
    };
    assert_eq!(count(&mut table, "a"), Ok(()));
    assert_eq!(count(&mut table, "b"), Ok(()));
    table.hand_over(Interval::default());
    assert_eq!(count(&mut table, "a"), Ok(()));
    table.set_silence(both());
    assert_eq!(table.forget_some(1), 2);
    assert_eq!(table.forget_some(9), 0);
    let interval = table.hand_over(Interval::default());
    assert_eq!(interval.forgotten, [counter(1)]);
    table.set_silence(both());
    assert_eq!(table.forget_some(9), 0);
    assert_eq!(table.counts().spellings, 0);
}

// One datagram with such a chain took a hundred times as long as any other of its size.
#[test]
fn a_name_that_is_too_long_is_not_even_looked_up() {
    let mut table = table(9);
    let long = "x".repeat(50_000);
    let mut time_of = |name: &str| {
        let start = std::time::Instant::now();
        for _ in 0..if cfg!(miri) { 10 } else { 100_000 } {
            assert_eq!(count(&mut table, name), Err(Refusal::NameTooLong));
        }
        start.elapsed()
    };
    let barely = time_of(&long[..SPELLING_BYTES_MAX + 1]);
    let much = time_of(&long);
    // Where something else takes the processor for a while, that is no matter.
    let bound = 5 * barely + std::time::Duration::from_millis(50);
    assert!(much < bound, "{much:?} after {barely:?}");
}

#[test]
fn key_values_beyond_the_limit_are_refused_whole() {
    let mut table = table(9);
    let numbers = [Number {
        value: 1.0,
        signed: false,
    }; 3];
    let samples = Samples {
        name: b"k",
        tags: b"",
        rate: SampleRate::ALL,
        values: Values::KeyValue {
            values: &numbers,
            time_unix_s: None,
        },
    };
    assert_eq!(table.record(&samples), Ok(()));
    assert_eq!(table.record(&samples), Err(Refusal::ValueLimit));
    assert_eq!(table.hand_over(Interval::default()).key_values.log.len(), 3);
}

fn braked(deny: &[&str], quota: &[&str]) -> Table {
    table(100).with_brakes(brakes(deny, quota))
}

fn brakes(deny: &[&str], quota: &[&str]) -> Arc<Brakes> {
    let deny = deny.iter().map(|text| text.parse().expect("a pattern"));
    let quotas = quota.iter().map(|text| text.parse().expect("a quota"));
    Arc::new(Brakes::new(deny.collect(), quotas.collect(), 1))
}

fn gather_all(table: &mut Table, names: &[&str]) -> (u64, usize) {
    let samples = names.iter().flat_map(|name| {
        [MetricType::Counter, MetricType::Timer, MetricType::Gauge].map(|metric_type| Sample {
            line: name.as_bytes(),
            name: name.as_bytes(),
            tags: b"",
            metric_type,
            rate: SampleRate::ALL,
            number: Number {
                value: 1.0,
                signed: false,
            },
        })
    });
    let samples: Vec<Sample<'_>> = samples.collect();
    let mut gathered = Gathered::default();
    for sample in &samples {
        table.gather(sample, &mut gathered);
    }
    let mut refused = 0;
    let taken = table.record_gathered(Baseline, &mut gathered, |_, _| refused += 1);
    (taken, refused)
}

#[test]
fn a_denied_name_is_refused_in_every_way_that_it_comes() {
    let mut table = braked(&["app.debug.*", "*.tmp"], &[]);
    for round in 1..4 {
        let names = ["app.debug.x", "app.x", "app.tmp", "app.tm p"];
        assert_eq!(gather_all(&mut table, &names), (6, 6), "round {round}");
        assert_eq!(count(&mut table, "app.debug.x"), Err(Refusal::Denied));
        let member = |name| Samples {
            name,
            tags: b"",
            rate: SampleRate::ALL,
            values: Values::Set(b"m"),
        };
        assert_eq!(table.record(&member(b"x.tmp")), Err(Refusal::Denied));
        assert_eq!(table.record(&member(b"x.tmp.x")), Ok(()));
        let interval = table.hand_over(Interval::default());
        assert_eq!(interval.refused_by_rule, [4, 4]);
        assert_eq!(interval.births.len(), if round == 1 { 7 } else { 0 });
        assert_eq!(
            interval.timers.log.len(),
            2,
            "nothing of the refused is kept"
        );
    }
    assert_eq!(table.counts().spellings, 7);
}

#[test]
fn a_refused_name_is_remembered_until_it_is_silent() {
    let mut table = braked(&["a.*"], &[]);
    let remembered = |table: &Table| table.names[0].refused_count();
    assert_eq!(count(&mut table, "a.x"), Err(Refusal::Denied));
    assert_eq!(remembered(&table), 1);
    table.hand_over(Interval::default());
    assert_eq!(count(&mut table, "a.x"), Err(Refusal::Denied));
    table.hand_over(Interval::default());
    assert_eq!(remembered(&table), 1, "it has spoken");
    table.hand_over(Interval::default());
    assert_eq!(remembered(&table), 0);
    for number in 0..=REFUSED_MAX {
        assert_eq!(
            count(&mut table, &format!("a.{number}")),
            Err(Refusal::Denied)
        );
    }
    assert_eq!(remembered(&table), REFUSED_MAX);
    let long = format!("a.{}", "x".repeat(REFUSED_BYTES_MAX));
    table.change_brakes(brakes(&["b.*"], &[]));
    assert_eq!(remembered(&table), 0);
    assert_eq!(count(&mut table, &long), Err(Refusal::SegmentTooLong));
    assert_eq!(count(&mut table, "a.1"), Ok(()));
}

#[test]
fn other_brakes_stop_known_series_without_touching_others() {
    let mut table = braked(&[], &[]);
    for name in ["app.debug x", "app.debug_x", "app.y"] {
        assert_eq!(count(&mut table, name), Ok(()));
    }
    let before = table.hand_over(Interval::default());
    table.change_brakes(brakes(&["app.debug_*"], &[]));
    assert_eq!((before.births.len(), table.counts().spellings), (2, 1));
    assert_eq!(count(&mut table, "app.debug x"), Err(Refusal::Denied));
    assert_eq!(count(&mut table, "app.y"), Ok(()));
    let interval = table.hand_over(Interval::default());
    assert_eq!(interval.forgotten, [before.births[0].id]);
    table.change_brakes(brakes(&[], &[]));
    assert_eq!(count(&mut table, "app.debug x"), Ok(()));
}

#[test]
fn a_full_quota_lets_known_series_go_on_in_all_their_spellings() {
    let mut table = braked(&[], &["app.*=2", "app.b*=1"]);
    assert_eq!(count(&mut table, "app.b_1"), Ok(()));
    assert_eq!(count(&mut table, "app.b 1"), Ok(()), "the same series");
    assert_eq!(count(&mut table, "app.b2"), Err(Refusal::Quota));
    assert_eq!(count(&mut table, "app.c"), Ok(()));
    assert_eq!(count(&mut table, "app.d"), Err(Refusal::Quota));
    assert_eq!(count(&mut table, "app.d"), Err(Refusal::Quota));
    assert_eq!(count(&mut table, "other"), Ok(()));
    let interval = table.hand_over(Interval::default());
    assert_eq!(
        (&*interval.refused_by_rule, &*interval.admitted),
        (&[2, 1][..], &[2, 1][..])
    );
    assert_eq!(&*interval.growth.most()[0].prefix, b"app.");
    let grants = Grants {
        brakes: brakes(&[], &["app.*=2", "app.b*=1"]),
        allowed: vec![3, 1],
        ..Grants::default()
    };
    table.set_silence(Silence {
        grants: Some(grants),
        ..Silence::default()
    });
    assert_eq!(count(&mut table, "app.b2"), Err(Refusal::Quota));
    assert_eq!(count(&mut table, "app.d"), Ok(()), "it is asked again");
}

fn table_within(share_bytes: usize) -> Table {
    let limits = Limits {
        max_memory_bytes: share_bytes,
        ..Limits::default()
    };
    Table::new(table(1).rules, limits, SetHash::new())
}

/// Goal: what a table takes is bounded by its share, whatever its limits are. Method: names of many
/// lengths until none is taken; values without end.
#[test]
fn a_table_keeps_within_its_share_of_memory() {
    let share_bytes = if cfg!(miri) { 64 << 10 } else { 8 << 20 };
    let mut table = table_within(share_bytes);
    let mut taken = 0;
    let refused = loop {
        match count(
            &mut table,
            &format!("{taken:0width$}", width = 8 + taken % 200),
        ) {
            Ok(()) => taken += 1,
            Err(reason) => break reason,
        }
    };
    assert_eq!(refused, Refusal::MemoryLimit);
    assert!(table.charged_bytes() <= share_bytes / 2 + 4_096);
    let bytes_each = share_bytes / taken;
    assert!((80..4_000).contains(&bytes_each), "{taken}");
    assert!(table.counts().is_tight);
    assert_eq!(count(&mut table, "00000000"), Ok(()), "known series go on");
    let interval = table.hand_over(Interval::default());
    // Silent series make room for new ones.
    table.set_silence(Silence {
        silent: interval.births.iter().map(|birth| birth.id).collect(),
        ..Silence::default()
    });
    assert_eq!(count(&mut table, "new"), Ok(()));
    let ones = [Number {
        value: 1.0,
        signed: false,
    }; 400];
    for _ in 0..if cfg!(miri) { 1 } else { 400 } {
        table
            .record(&Samples {
                name: b"t",
                tags: b"",
                rate: SampleRate::ALL,
                values: Values::Timer(&ones),
            })
            .expect("timers fold");
    }
    let interval = table.hand_over(Interval::default());
    assert!(interval.timers.log.len() <= share_bytes / 256);
    assert!(!interval.timers.folded.is_empty());
}

#[test]
fn a_table_makes_estimates_of_sets_before_it_refuses_members() {
    let mut table = table_within(8 << 20);
    let mut lost = 0;
    for number in 0..200_000u32 {
        let set = table.record(&Samples {
            name: format!("s{}", number % 50).as_bytes(),
            tags: b"",
            rate: SampleRate::ALL,
            values: Values::Set(&number.to_le_bytes()),
        });
        lost += u32::from(set == Err(Refusal::MemoryLimit));
    }
    assert_eq!(lost, 0);
    let interval = table.hand_over(Interval::default());
    let estimated = (0..50).filter(|&slot| interval.sets.get(slot).is_some_and(Set::is_estimated));
    // What these gave back is enough for a few of the others.
    assert!(estimated.count() > 40);
}

#[test]
fn sets_beyond_their_share_are_refused_and_known_members_are_not() {
    let (share_bytes, members) = if cfg!(miri) {
        (6 << 10, 100)
    } else {
        (96 << 10, 2_000)
    };
    let mut table = table_within(share_bytes);
    let mut add = |set: u32, member: u32| {
        table.record(&Samples {
            name: format!("s{set}").as_bytes(),
            tags: b"",
            rate: SampleRate::ALL,
            values: Values::Set(&member.to_le_bytes()),
        })
    };
    let refused = (0..members)
        .filter(|&member| add(member % 2, member).is_err())
        .count();
    assert!((1..members as usize - 1).contains(&refused), "{refused}");
    assert_eq!((add(0, 0), add(1, 1)), (Ok(()), Ok(())));
}
