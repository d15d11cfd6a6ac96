//! The ledger for people: a line for each slot, and what they come to.

use std::fmt::Write;
use std::sync::Arc;

use crate::ledger::{DropReason, Output, Record};
use crate::metric::Refusal;

/// A column: what stands above it, what a slot has in it, and whether it is left out where no slot has
/// anything.
struct Column {
    heading: &'static str,
    of: fn(&Record) -> u64,
    may_go: bool,
}

const fn column(heading: &'static str, of: fn(&Record) -> u64) -> Column {
    Column {
        heading,
        of,
        may_go: false,
    }
}

const fn rare(heading: &'static str, of: fn(&Record) -> u64) -> Column {
    Column {
        heading,
        of,
        may_go: true,
    }
}

/// In the order in which data flows.
const COLUMNS: [Column; 15] = [
    column("datagrams", |slot| slot.input.datagrams_delivered),
    column("dropped", |slot| slot.input.datagrams_dropped),
    rare("cut", |slot| slot.input.datagrams_truncated),
    column("lines", |slot| slot.input.lines),
    rare("chained", |slot| slot.input.chained),
    column("samples", |slot| slot.input.samples),
    column("refused", |slot| slot.input.refusals.total()),
    rare("skipped", |slot| slot.input.skipped),
    column("written", |slot| sum(slot, |sink| sink.pushed)),
    column("sent", |slot| sum(slot, |sink| sink.sent)),
    column("queued", |slot| sum(slot, |sink| sink.queued)),
    rare("spooled", |slot| sum(slot, |sink| sink.spooled)),
    rare("doubtful", |slot| sum(slot, |sink| sink.doubtful)),
    rare("superseded", |slot| sum(slot, |sink| sink.superseded)),
    column("lost", |slot| sum(slot, |sink| sink.dropped)),
];

fn sum(slot: &Record, of: fn(&Output) -> u64) -> u64 {
    slot.outputs.iter().map(of).sum()
}

/// Slots that do not balance and are told one by one, at most.
const UNBALANCED_MAX: usize = 20;

/// The last slots as a table, of so many in all, and those of all that do not balance.
pub(super) fn write(
    shown: &[Arc<Record>],
    kept_count: usize,
    unbalanced: &[Arc<Record>],
) -> String {
    if shown.is_empty() {
        return "no slot has ended yet\n".to_owned();
    }
    let mut rows = vec![vec!["slot, UTC".to_owned()]];
    let columns = COLUMNS.iter();
    let columns =
        columns.filter(|column| !column.may_go || shown.iter().any(|slot| (column.of)(slot) > 0));
    let columns: Vec<&Column> = columns.collect();
    rows[0].extend(columns.iter().map(|column| column.heading.to_owned()));
    for slot in shown {
        let mark = match slot.imbalances().is_empty() {
            true => "",
            false => "! ",
        };
        let mut row = vec![format!("{mark}{}", time_of_day(slot.end_unix_s))];
        row.extend(columns.iter().map(|column| grouped((column.of)(slot))));
        rows.push(row);
    }
    let mut text = aligned(&rows);
    text.push_str(&refused(shown));
    text.push_str(&lost(shown));
    if let Some(last) = shown.last().filter(|last| last.outputs.len() > 1) {
        text.push('\n');
        text.push_str(&sinks(shown, last));
    }
    text.push_str(&verdict(kept_count, unbalanced));
    text
}

/// What was refused and why, or nothing.
fn refused(shown: &[Arc<Record>]) -> String {
    let counts = Refusal::ALL.map(|reason| {
        let of_slots = shown.iter().map(|slot| slot.input.refusals.of(reason));
        (reason.word(), of_slots.sum())
    });
    reasons("refused", counts)
}

/// What sinks lost and why, or nothing.
fn lost(shown: &[Arc<Record>]) -> String {
    let counts = DropReason::ALL.map(|reason| {
        let outputs = shown.iter().flat_map(|slot| &slot.outputs);
        let lines = outputs.map(|output| output.dropped_by.of(reason)).sum();
        (reason.word(), lines)
    });
    reasons("lost", counts)
}

fn reasons(what: &str, counts: impl IntoIterator<Item = (&'static str, u64)>) -> String {
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let texts = counts.map(|(word, count)| format!("{word} {}", grouped(count)));
    let texts: Vec<String> = texts.collect();
    match texts.is_empty() {
        true => String::new(),
        false => format!("\n{what}: {}\n", texts.join(", ")),
    }
}

/// What became of the lines of all slots, for each sink that the last one had.
fn sinks(shown: &[Arc<Record>], last: &Record) -> String {
    let headings = ["sink", "written", "sent", "queued", "spooled", "lost"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for now in &last.outputs {
        let of_sink = || {
            let outputs = shown.iter().flat_map(|slot| &slot.outputs);
            outputs.filter(|output| output.sink == now.sink)
        };
        let total = |of: fn(&Output) -> u64| grouped(of_sink().map(of).sum());
        rows.push(vec![
            now.sink.to_string(),
            total(|sink| sink.pushed),
            total(|sink| sink.sent),
            grouped(now.queued),
            grouped(now.spooled),
            total(|sink| sink.dropped),
        ]);
    }
    aligned(&rows)
}

fn verdict(kept_count: usize, unbalanced: &[Arc<Record>]) -> String {
    let kept = grouped(kept_count as u64);
    if unbalanced.is_empty() {
        return match kept_count {
            1 => "\nthe slot balances\n".to_owned(),
            _ => format!("\nall of {kept} slots balance\n"),
        };
    }
    let count = grouped(unbalanced.len() as u64);
    let mut text = format!("\n{count} of {kept} slots do not balance:\n");
    for slot in unbalanced.iter().rev().take(UNBALANCED_MAX) {
        for imbalance in slot.imbalances() {
            let time = time_of_day(slot.end_unix_s);
            writeln!(text, "! {time}: {imbalance}").expect("a text takes all");
        }
    }
    let more = unbalanced.len().saturating_sub(UNBALANCED_MAX);
    if more > 0 {
        writeln!(text, "and {} older ones", grouped(more as u64)).expect("a text takes all");
    }
    text
}

/// The first column to the left, all others to the right, two blanks between.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |place: usize| rows.iter().map(|row| row[place].len()).max();
    let widths: Vec<usize> = (0..rows[0].len()).filter_map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut cells = row.iter().zip(&widths);
        if let Some((first, width)) = cells.next() {
            write!(text, "{first:<width$}").expect("a text takes all");
        }
        for (cell, width) in cells {
            write!(text, "  {cell:>width$}").expect("a text takes all");
        }
        text.push('\n');
    }
    text
}

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Of a day only: no slot is kept for longer.
fn time_of_day(unix_s: u64) -> String {
    let (hours, minutes, seconds) = (unix_s / 3_600 % 24, unix_s / 60 % 60, unix_s % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Counters, Input};
    use crate::metric::Refusals;

    fn slot(end_unix_s: u64, chained: u64) -> Arc<Record> {
        let mut refusals = Refusals::default();
        refusals.count(Refusal::BadValue);
        refusals.count(Refusal::NoType);
        let mut counters = Counters::default();
        counters.drop_lines(DropReason::QueueFull, 2);
        counters.drop_lines(DropReason::TooOld, 3);
        let output = |name: &str, spooled| Output {
            dropped_by: counters.lines_dropped_by,
            points: 30,
            waited: 5,
            pushed: 30,
            sent: 20,
            dropped: 5,
            queued: 10 - spooled,
            spooled,
            ..Output::new(name, 30)
        };
        Arc::new(Record {
            end_unix_s,
            length_s: 10.0,
            input: Input {
                datagrams_delivered: 1_234_567,
                datagrams_read: 1_234_567,
                datagrams_dropped: 8,
                lines: 2_000_000,
                chained,
                samples: 1_999_998 + chained,
                refusals,
                ..Input::default()
            },
            points_not_finite: 0,
            outputs: vec![output("graphite_a_2003", 0), output("command", 3)],
        })
    }

    #[test]
    fn a_table_has_what_came_what_went_and_what_is_wrong() {
        let mut wrong = slot(1_700_000_020, 0);
        Arc::make_mut(&mut wrong).input.samples -= 4;
        let slots = [slot(1_700_000_010, 3), wrong];
        let text = write(&slots, 1_000, &slots[1..]);
        let expected = "\
slot, UTC   datagrams  dropped      lines  chained    samples  refused  written  sent  queued  spooled  lost
22:13:30    1,234,567        8  2,000,000        3  2,000,001        2       60    40      17        3    10
! 22:13:40  1,234,567        8  2,000,000        0  1,999,994        2       60    40      17        3    10

refused: no_type 2, bad_value 2

lost: queue_full 8, too_old 12

sink             written  sent  queued  spooled  lost
graphite_a_2003       60    40      10        0    10
command               60    40       7        3    10

1 of 1,000 slots do not balance:
! 22:13:40: lines and chained samples: 2000000 to account for, 1999996 accounted for: 4 missing
";
        assert_eq!(text, expected);
    }

    #[test]
    fn columns_where_nothing_is_are_left_out() {
        let mut quiet = slot(1_700_000_010, 0);
        let record = Arc::make_mut(&mut quiet);
        record.outputs.truncate(1);
        record.input.refusals = Refusals::default();
        record.input.samples = 2_000_000;
        let text = write(&[quiet], 1, &[]);
        let expected = "\
slot, UTC  datagrams  dropped      lines    samples  refused  written  sent  queued  lost
22:13:30   1,234,567        8  2,000,000  2,000,000        0       30    20      10     5

lost: queue_full 2, too_old 3

the slot balances
";
        assert_eq!(text, expected);
        assert_eq!(write(&[], 0, &[]), "no slot has ended yet\n");
    }

    #[test]
    fn of_many_slots_that_do_not_balance_the_last_are_told() {
        let mut wrong = slot(1_700_000_020, 0);
        Arc::make_mut(&mut wrong).input.samples -= 4;
        let text = verdict(30, &vec![wrong; 25]);
        assert_eq!(text.matches("! 22:13:40").count(), UNBALANCED_MAX);
        assert!(text.ends_with("and 5 older ones\n"), "{text}");
    }

    #[test]
    fn thousands_are_told_apart() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }
}
