//! The ledger tells what is missing, and keeps what it should.

use super::*;
use crate::metric::{Refusal, Refusals};

/// A slot with something in every account.
fn record(end_unix_s: u64) -> Record {
    let mut refusals = Refusals::default();
    for reason in Refusal::ALL {
        refusals.count(reason);
    }
    Record {
        end_unix_s,
        length_s: 10.0,
        input: Input {
            datagrams_delivered: 12,
            datagrams_dropped: 3,
            datagrams_read: 12,
            datagrams_empty: 1,
            datagrams_truncated: 1,
            lines: 50,
            chained: 5,
            skipped: 2,
            refusals,
            samples: 53 - refusals.total(),
        },
        points_not_finite: 1,
        outputs: vec![Output::new("a", 100), Output::new("b", 100)],
    }
}

/// Sink `a` sends all; sink `b` had 40 lines of before, 30 of them in its spool.
fn counters() -> [[Counters; 2]; 2] {
    let before = [
        Counters {
            lines_pushed: 1_000,
            lines_sent: 1_000,
            ..Counters::default()
        },
        Counters {
            lines_pushed: 1_000,
            lines_sent: 900,
            lines_queued: 10,
            lines_spooled: 30,
            lines_dropped: 60,
            ..Counters::default()
        },
    ];
    let mut after = [
        Counters {
            lines_pushed: 1_100,
            lines_sent: 1_100,
            ..Counters::default()
        },
        Counters {
            lines_pushed: 1_100,
            lines_sent: 903,
            lines_superseded: 2,
            lines_queued: 50,
            lines_spooled: 75,
            lines_dropped: 60,
            lines_doubtful: 4,
            ..Counters::default()
        },
    ];
    after[1].drop_lines(DropReason::SpoolFull, 10);
    [before, after]
}

fn texts(imbalances: &[Imbalance]) -> Vec<String> {
    imbalances.iter().map(ToString::to_string).collect()
}

#[test]
fn a_slot_balances_that_accounts_for_everything() {
    let ([before, after], mut ledger) = (counters(), Ledger::default());
    ledger.open(record(10), before.to_vec());
    assert_eq!(ledger.close(&after), []);
    assert_eq!(ledger.unbalanced_count(), 0);
    let record = ledger.records().next().expect("it is kept");
    let of_b = &record.outputs[1];
    assert_eq!((of_b.waited, of_b.pushed, of_b.sent), (40, 100, 3));
    assert_eq!((of_b.queued, of_b.spooled, of_b.dropped), (50, 75, 10));
    let lost: Vec<_> = of_b.dropped_by.iter().collect();
    assert_eq!(lost, [(DropReason::SpoolFull, 10)]);
    assert_eq!((of_b.superseded, of_b.doubtful), (2, 4));
}

#[test]
fn each_account_that_does_not_balance_is_named_with_what_is_missing() {
    type Fault = (fn(&mut Record, &mut [Counters; 2]), &'static str);
    let faults: [Fault; 9] = [
        (
            |record, _| record.input.datagrams_read -= 1,
            "datagrams delivered by the kernel: 12 to account for, 11 accounted for: 1 missing",
        ),
        (
            |record, _| record.input.samples += 2,
            "lines and chained samples: 55 to account for, 57 accounted for: 2 too many",
        ),
        (
            |record, _| record.input.chained += 1,
            "lines and chained samples: 56 to account for, 55 accounted for: 1 missing",
        ),
        (
            |record, _| record.outputs[0].points += 1,
            "points for sink a: 101 to account for, 100 accounted for: 1 missing",
        ),
        (
            |_, after| after[0].lines_sent -= 7,
            "lines of sink a: 100 to account for, 93 accounted for: 7 missing",
        ),
        (
            |_, after| after[1].lines_queued -= 1,
            "lines of sink b: 140 to account for, 139 accounted for: 1 missing",
        ),
        (
            |_, after| after[1].lines_spooled += 1,
            "lines of sink b: 140 to account for, 141 accounted for: 1 too many",
        ),
        (
            |_, after| after[1].lines_superseded -= 2,
            "lines of sink b: 140 to account for, 138 accounted for: 2 missing",
        ),
        (
            |_, after| after[1].lines_dropped += 1,
            "lines of sink b: 140 to account for, 141 accounted for: 1 too many",
        ),
    ];
    for (fault, expected) in faults {
        let ([before, mut after], mut ledger, mut record) =
            (counters(), Ledger::default(), record(10));
        fault(&mut record, &mut after);
        ledger.open(record, before.to_vec());
        assert_eq!(texts(&ledger.close(&after)), [expected]);
        assert_eq!(ledger.unbalanced_count(), 1);
        // It is told once.
        assert_eq!(ledger.close(&after), []);
        assert_eq!(ledger.unbalanced_count(), 1);
    }
}

#[test]
fn each_refused_line_counts_whatever_the_reason() {
    for reason in Refusal::ALL {
        let mut slot = record(10);
        slot.outputs.clear();
        slot.input.refusals.count(reason);
        assert_eq!(slot.imbalances().len(), 1, "{reason:?}");
        slot.input.lines += 1;
        assert_eq!(slot.imbalances(), [], "{reason:?}");
    }
}

#[test]
fn an_open_record_shows_what_became_of_its_points_up_to_now() {
    let ([before, after], mut ledger) = (counters(), Ledger::default());
    ledger.open(record(10), before.to_vec());
    let sent = |ledger: &Ledger| {
        ledger
            .records()
            .next_back()
            .map(|last| last.outputs[0].sent)
    };
    assert_eq!(sent(&ledger), Some(0));
    ledger.refresh(&after);
    assert_eq!(sent(&ledger), Some(100));
    ledger.close(&after);
    let later = after.map(|counters| Counters {
        lines_sent: 2_000,
        ..counters
    });
    ledger.refresh(&later);
    assert_eq!(sent(&ledger), Some(100), "it has ended");
}

#[test]
fn so_many_slots_are_kept_and_none_of_the_day_before() {
    let mut ledger = Ledger::default();
    let mut add = |end_unix_s| {
        let slot = Record {
            end_unix_s,
            ..Record::default()
        };
        ledger.open(slot, Vec::new());
        ledger.close(&[]);
        let first = ledger.records().next().map(|first| first.end_unix_s);
        (ledger.records().len(), first)
    };
    for number in 1..RECORDS_MAX as u64 {
        add(1_000_000 + number);
    }
    assert_eq!(add(1_020_000), (RECORDS_MAX, Some(1_000_001)));
    assert_eq!(add(1_020_001), (RECORDS_MAX, Some(1_000_002)));
    assert_eq!(add(1_000_003 + AGE_MAX_S).1, Some(1_000_003));
    assert_eq!(add(1_020_001 + AGE_MAX_S), (3, Some(1_020_001)));
    // A clock that went back costs no record.
    assert_eq!(add(10), (4, Some(1_020_001)));
}

#[test]
fn a_record_takes_as_much_as_is_told() {
    assert!(size_of::<Record>() < 400, "{}", size_of::<Record>());
    assert!(size_of::<Output>() < 150, "{}", size_of::<Output>());
}
