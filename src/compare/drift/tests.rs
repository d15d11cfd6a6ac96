//! Tests of the rule: what is made up for, what is not, and what nobody can know.

use super::*;

const TOLERANCE: f64 = 1e-9;

fn cell(old: Option<f64>, new: Option<f64>) -> Cell {
    let count = |value: Option<f64>| u32::from(value.is_some());
    Cell {
        counts: [count(old), count(new)],
        values: [old.unwrap_or(0.0), new.unwrap_or(0.0)],
        rounding: 0.0,
    }
}

/// Feeds slots from number 1 on; None is a slot without points of the path.
fn judged(
    mut drift: Drift,
    slots: &[Option<(f64, f64)>],
    step: fn(&mut Drift, i64, &Cell, f64),
) -> Verdict {
    for (slot, values) in (1..).zip(slots) {
        if let Some((old, new)) = values {
            step(&mut drift, slot, &cell(Some(*old), Some(*new)), TOLERANCE);
        }
    }
    drift.finish(slots.len() as i64, TOLERANCE);
    drift.verdict
}

fn sums(slots: &[Option<(f64, f64)>]) -> Verdict {
    judged(Drift::new(), slots, Drift::add)
}

fn levels(slots: &[Option<(f64, f64)>]) -> Verdict {
    judged(Drift::new(), slots, Drift::hold)
}

fn counts(verdict: Verdict) -> (u32, u32, u32) {
    (verdict.moved, verdict.real, verdict.open)
}

#[test]
fn equal_slots_are_equal() {
    let slots = [Some((1.0, 1.0)), None, Some((0.3, 0.1 + 0.2))];
    assert_eq!(counts(sums(&slots)), (0, 0, 0));
    assert_eq!(counts(levels(&slots)), (0, 0, 0));
}

#[test]
fn samples_that_one_daemon_counts_a_slot_later_are_made_up_for() {
    let slots = [Some((10.0, 9.0)), Some((5.0, 6.0)), None];
    assert_eq!(counts(sums(&slots)), (2, 0, 0));
    // The next slot differs too, by other samples.
    let slots = [Some((10.0, 9.0)), Some((5.0, 4.0)), Some((0.0, 2.0)), None];
    assert_eq!(counts(sums(&slots)), (3, 0, 0));
}

#[test]
fn a_sample_that_never_comes_is_a_difference() {
    let worst = |values| Difference { slot: 2, values };
    let verdict = sums(&[Some((3.0, 3.0)), Some((4.0, 5.0)), None, Some((1.0, 1.0))]);
    assert_eq!(counts(verdict), (0, 1, 0));
    assert_eq!(verdict.worst, Some(worst([Some(4.0), Some(5.0)])));
    // Traffic that does not rest, but is equal afterwards.
    let mut slots = vec![Some((7.0, 7.0)); 10];
    slots[4] = Some((7.0, 8.0));
    assert_eq!(counts(sums(&slots)), (0, 1, 0));
}

#[test]
fn what_is_lost_in_one_slot_is_not_made_up_for_by_what_is_moved_later() {
    let slots = [
        Some((10.0, 9.0)),
        None,
        Some((5.0, 4.0)),
        Some((5.0, 6.0)),
        None,
    ];
    assert_eq!(counts(sums(&slots)), (2, 1, 0));
}

#[test]
fn a_beginning_in_the_middle_is_no_difference() {
    let begun = Drift::since(0);
    let slots = [Some((10.0, 9.0)), None, Some((1.0, 1.0))];
    assert_eq!(counts(judged(begun, &slots, Drift::add)), (1, 0, 0));
    let begun = Drift::since(0);
    let slots = [Some((10.0, 9.0)), None, Some((1.0, 2.0)), None];
    assert_eq!(counts(judged(begun, &slots, Drift::add)), (1, 1, 0));
}

#[test]
fn an_end_in_the_middle_is_left_open() {
    assert_eq!(counts(sums(&[None, None, Some((10.0, 9.0))])), (0, 0, 1));
    assert_eq!(
        counts(levels(&[Some((1.0, 1.0)), Some((2.0, 3.0))])),
        (0, 0, 1)
    );
}

/// Goal: of a path that never rests, noise is told from loss. Method: each slot loses some samples
/// to the next one, more or fewer; then the same with one in a hundred lost.
#[test]
fn noise_at_the_flushes_is_told_from_a_steady_loss() {
    let mut random = fastrand::Rng::with_seed(20_261_123);
    for _ in 0..200 {
        let mut held = 0.0;
        let noisy: Vec<(f64, f64)> = (0..100)
            .map(|_| {
                let (sent, moved) = (1_000.0, f64::from(random.u32(1..20)));
                let before = std::mem::replace(&mut held, moved);
                (sent, sent + before - moved)
            })
            .collect();
        let slots: Vec<_> = noisy.iter().copied().map(Some).collect();
        assert_eq!(sums(&slots).real, 0);
        let lossy = noisy.iter().map(|(old, new)| Some((*old, new - 10.0)));
        let lossy: Vec<_> = lossy.collect();
        assert!(sums(&lossy).real > 90);
    }
}

#[test]
fn a_level_that_comes_a_slot_later_is_made_up_for_and_one_that_stays_away_is_not() {
    let late = [Some((1.0, 1.0)), Some((2.0, 1.0)), Some((2.0, 2.0)), None];
    assert_eq!(counts(levels(&late)), (1, 0, 0));
    let mut apart = vec![Some((1.0, 1.0)), Some((2.0, 1.0))];
    apart.extend([Some((2.0, 1.0)); 4]);
    assert_eq!(counts(levels(&apart)), (0, 5, 0));
    apart.push(None);
    assert_eq!(counts(levels(&apart)), (0, 5, 0));
}

#[test]
fn a_level_that_only_one_daemon_has_for_a_moment_differs_unless_the_other_has_it_next() {
    let step = |drift: &mut Drift, slot, old, new| drift.hold(slot, &cell(old, new), TOLERANCE);
    let mut alone = Drift::new();
    step(&mut alone, 1, None, Some(5.0));
    alone.finish(3, TOLERANCE);
    assert_eq!(counts(alone.verdict), (0, 1, 0));
    let mut late = Drift::new();
    step(&mut late, 1, None, Some(5.0));
    step(&mut late, 2, Some(5.0), None);
    late.finish(3, TOLERANCE);
    assert_eq!(counts(late.verdict), (2, 0, 0));
}

#[test]
fn six_decimals_may_differ_in_the_last_one() {
    let mut small = cell(Some(0.000_001), Some(0.000_002));
    assert!(!small.is_equal(TOLERANCE));
    small.rounding = 1.000_001e-6;
    assert!(small.is_equal(TOLERANCE));
}

/// Several flushes in a row may each put one sample into the wrong slot: slots are equal then,
/// although one daemon is a sample behind.
#[test]
fn equal_slots_may_be_a_sample_behind_for_a_while() {
    let mut slots = vec![Some((10.0, 10.0)); 20];
    slots[6] = Some((10.0, 9.0));
    slots[11] = Some((10.0, 11.0));
    assert_eq!(counts(sums(&slots)), (2, 0, 0));
}
