//! Tests of names: spellings, memory, and how names spread over buckets.

use super::*;
use crate::metric::texts::FREE_BYTES_MIN;

fn intern(names: &mut Names, name: &str, tags: &str, safe: &str) -> (u32, bool) {
    let found = names.find(name.as_bytes(), tags.as_bytes());
    match found.slot {
        Some(slot) => (slot, false),
        None => names.insert(&found, name.as_bytes(), tags.as_bytes(), safe.as_bytes()),
    }
}

#[test]
fn spellings_that_become_equal_are_one_series_in_whatever_order_they_come() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
        let mut names = Names::default();
        let spelled = [("a_b", ""), ("a b", ""), ("a  b", "")];
        let slots: Vec<u32> = order
            .iter()
            .map(|&index: &usize| intern(&mut names, spelled[index].0, "", "a_b").0)
            .collect();
        assert_eq!(slots, [0, 0, 0]);
        assert_eq!((names.len(), names.series_count()), (3, 1));
    }
}

#[test]
fn where_the_name_ends_and_the_tags_begin_makes_a_difference() {
    let mut names = Names::default();
    let one = intern(&mut names, "ab", "c:d", "ab;c=d").0;
    let two = intern(&mut names, "abc", ":d", "abc;=d").0;
    assert_ne!(one, two);
    assert_eq!(intern(&mut names, "ab;c=d", "", "ab;c=d").0, one);
}

#[test]
fn a_forgotten_series_leaves_nothing_behind() {
    let mut names = Names::default();
    let slot = intern(&mut names, "a b", "", "a_b").0;
    intern(&mut names, "a_b", "", "a_b");
    let bytes = names.texts.size_bytes();
    assert!(names.forget(slot));
    assert!(!names.forget(slot));
    assert_eq!((names.len(), names.series_count()), (0, 0));
    assert_eq!((names.spellings.len(), names.safe_names.len()), (0, 0));
    for round in 0..10 {
        let spelling = format!("c {round}");
        let (again, is_new) = intern(&mut names, &spelling, "", &spelling.replace(' ', "_"));
        assert!(is_new);
        assert_eq!(again, slot);
        assert!(names.forget(again));
    }
    assert_eq!(
        names.texts.size_bytes(),
        bytes,
        "memory of the forgotten is used again"
    );
}

#[test]
fn memory_follows_what_is_remembered_however_long_the_names_were() {
    let mut names = Names::default();
    let kept = intern(&mut names, "kept name", "a:b", "kept_name;a=b").0;
    let (count, step) = if cfg!(miri) { (2, 1_300) } else { (500, 100) };
    for length in (100..4000).step_by(step) {
        let slots: Vec<u32> = (0..count)
            .map(|number| {
                let name = format!("{number:0length$}");
                intern(&mut names, &name, "", &name).0
            })
            .collect();
        for slot in slots {
            assert!(names.forget(slot));
        }
    }
    let bytes = names.texts.size_bytes();
    assert!(bytes < 2 * FREE_BYTES_MIN, "{bytes} bytes for one name");
    assert_eq!(names.find(b"kept name", b"a:b").slot, Some(kept));
    assert_eq!(
        intern(&mut names, "kept_name;a=b", "", "kept_name;a=b"),
        (kept, false)
    );
    assert!(names.forget(kept));
    assert_eq!((names.spellings.len(), names.safe_names.len()), (0, 0));
}

#[test]
fn no_seed_crowds_names_that_are_alike() {
    const COUNT: u32 = if cfg!(miri) { 128 } else { 4_096 };
    for _ in 0..if cfg!(miri) { 4 } else { 400 } {
        let (names, mut index) = (Names::default(), Index::default());
        for number in 0..COUNT {
            let name = format!("service.counter.{number:07}");
            let hash = names.hash(name.as_bytes(), b"");
            let (record, slot) = (number, number);
            index.insert(hash, Entry { record, slot });
        }
        let passed = index.passed_count();
        assert!(passed < COUNT, "{passed} of {COUNT}");
    }
}

#[test]
fn many_names_are_all_found_again() {
    let mut names = Names::default();
    const COUNT: u32 = if cfg!(miri) { 100 } else { 20_000 };
    for number in 0..COUNT {
        let name = format!("service.{number}.requests");
        assert_eq!(intern(&mut names, &name, "", &name), (number, true));
    }
    for number in 0..COUNT {
        let name = format!("service.{number}.requests");
        assert_eq!(names.find(name.as_bytes(), b"").slot, Some(number));
    }
    assert_eq!(names.find(b"service.requests", b"").slot, None);
}

/// Goal: who knows one process's names and hashes cannot slow another one. Method: names that all fall
/// into one bucket by one seed crowd there, by other seeds no more than any names do.
#[test]
fn names_chosen_against_one_seed_do_not_crowd_by_another() {
    const COUNT: usize = if cfg!(miri) { 64 } else { 1_024 };
    // As many buckets as an index of so many names has.
    const BUCKETS: u32 = COUNT as u32 / 2;
    let passed = |names: &Names, chosen: &[String]| {
        let mut index = Index::default();
        for (number, name) in (0u32..).zip(chosen) {
            let (record, slot) = (number, number);
            index.insert(names.hash(name.as_bytes(), b""), Entry { record, slot });
        }
        index.passed_count() as usize
    };
    let known = Names::default();
    let falls_into_one = |name: &String| known.hash(name.as_bytes(), b"").is_multiple_of(BUCKETS);
    let candidates = (0..).map(|number| format!("evil.{number}"));
    let chosen: Vec<String> = candidates.filter(falls_into_one).take(COUNT).collect();
    let crowded = passed(&known, &chosen);
    assert!(
        crowded > COUNT * COUNT / 20,
        "the attack works by the known seed: {crowded}"
    );
    for _ in 0..20 {
        let spread = passed(&Names::default(), &chosen);
        assert!(spread < COUNT, "{spread} of {COUNT}");
    }
}
