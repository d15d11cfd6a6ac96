//! What waits in the spool over a restart: files that are damaged meanwhile, and the pace at which the others go
//! when the sink is back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::account::Account;
use crate::outages::{
    NAMED, SENT, SERIES, daemon, send_series, send_slot, spool_of_sink, spooled_slots, spooled_sum,
    wait_for_spooled,
};
use crate::support::daemon::Daemon;
use crate::support::graphite::{ReservedPort, name_of, sink_of};
use crate::support::points::{Point, Points};
use crate::support::poll;

/// Kills a daemon whose sink is away, and returns what it leaves in the spool. So no slot of the process that
/// follows has the time stamp of one there.
fn kill(daemon: &mut Daemon, spool: &Path, port: u16) -> BTreeMap<u64, Points> {
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.wait(), None);
    spooled_slots(spool, port)
}

/// Goal: damaged and missing files cost what nobody can read of them, to the line, and no other slot.
/// Method: a large slot and small ones in an outage, and a kill; a small file loses its end, and the large one
/// gets other bytes behind its middle; another small one goes after the next start; then a server listens.
#[test]
fn damaged_and_missing_files_cost_no_other_slot() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let file = |end: u64, ending: &str| {
        spool_of_sink(folder.path(), number).join(format!("{end}{ending}"))
    };
    let mut before = daemon(&sink_of(number), folder.path());
    send_series(&before);
    for slot in 1..=4 {
        send_slot(&before, 1000.0 * f64::from(slot));
    }
    wait_for_spooled(folder.path(), number, 4000.0);
    poll("all series to be on disk", || {
        let slots = spooled_slots(folder.path(), number);
        let points = slots.values().flat_map(|slot| &slot.0);
        let series = points.filter(|it| it.path.contains(NAMED) && it.path.ends_with(".count"));
        (series.count() == SERIES as usize).then_some(())
    });
    let slots = kill(&mut before, folder.path(), number);
    let large = slots.iter().max_by_key(|(_, slot)| slot.0.len());
    let large = *large.expect("slots").0;
    let small = slots.iter().filter(|(_, slot)| slot.sum(SENT) > 0.0);
    let mut small = small.map(|(end, _)| *end).filter(|end| *end != large);
    let (cut, gone) = (small.next().expect("four"), small.next().expect("four"));

    let bytes = fs::read(file(cut, ".zst")).expect("it is there");
    fs::write(file(cut, ".zst"), &bytes[..bytes.len() - 1]).expect("it is ours");
    let mut bytes = fs::read(file(large, ".zst")).expect("it is there");
    let behind_middle = bytes.len() * 3 / 4;
    for byte in &mut bytes[behind_middle..][..16] {
        *byte ^= 0x55;
    }
    fs::write(file(large, ".zst"), &bytes).expect("it is ours");
    let mut after = daemon(&sink_of(number), folder.path());
    let found = slots.iter().filter(|(end, _)| **end != cut);
    let found_lines: usize = found.map(|(_, slot)| slot.0.len()).sum();
    let files = slots.len() - 1;
    after.log.wait_for_text(&format!(
        "{found_lines} lines in {files} files wait in its spool"
    ));
    fs::remove_file(file(gone, ".zst")).expect("it is there");
    // What is sent and lost before the first flush is in no slot.
    after.wait_for_ledger("a slot", |ledger| !ledger.0.is_empty());
    let graphite = port.listen();
    let ledger = after.wait_for_ledger("an empty spool", |ledger| {
        let sink = ledger.sink(&graphite.name());
        sink.dropped > 0 && sink.spooled + sink.queued == 0
    });
    ledger.assert_balanced();
    let printed = after.stop_in_place();

    let arrived = graphite.points_to_end();
    let of_slot = |end: u64| -> Vec<&Point> {
        let points = arrived.0.iter();
        points.filter(|it| it.time_unix_s == end).collect()
    };
    let lines_of_large = of_slot(large).len();
    for (end, slot) in &slots {
        let slot: Vec<&Point> = slot.0.iter().collect();
        match *end {
            end if end == cut || end == gone => assert!(of_slot(end).is_empty(), "{end}"),
            end if end == large => assert!(slot.starts_with(&of_slot(end)), "{end}"),
            end => assert!(of_slot(end) == slot, "{end}: {:?}", of_slot(end)),
        }
    }
    assert!(lines_of_large > 0, "what stands before the damage");
    let lost = slots[&large].0.len() - lines_of_large + slots[&gone].0.len();
    assert!(lost > slots[&gone].0.len(), "what stands behind it");

    // How much was in the one that lost its end nobody knows.
    assert_eq!(ledger.sink(&graphite.name()).dropped, lost as u64);
    let own = |name: &str| printed.own_sum(&format!("sink.{}.{name}", name_of(number)));
    assert_eq!(own("dropped_lines.unreadable"), lost as f64);
    assert_eq!((own("spool_damaged"), own("spool_errors")), (2.0, 1.0));
    for end in [cut, large] {
        assert!(file(end, ".zst.damaged").exists(), "{end}");
    }
    let log = after.log.now();
    let account = Account::of(&log, &graphite.sink());
    let lost = lost as u64;
    assert_eq!((account.lost, account.told), (lost, lost), "{log:#?}");
    let told = [
        format!("{cut}.zst: it has not the length that it should have"),
        format!("cannot read {large}.zst: "),
    ];
    for words in told {
        let is_told = |line: &String| {
            line.contains(" WARN") && line.contains(&words) && line.ends_with("it is set aside")
        };
        assert!(log.iter().any(is_told), "{words}: {log:#?}");
    }
}

/// The time stamps of slots in the order in which they arrived.
fn order_of_arrival(points: &Points) -> Vec<u64> {
    let mut ends: Vec<u64> = points.0.iter().map(|point| point.time_unix_s).collect();
    ends.dedup();
    ends
}

/// Goal: after a restart new slots do not wait for those in the spool, which come oldest first and one in an
/// interval. Method: more slots in an outage than the bound allows for at once, a kill, and a server that listens
/// before the next start; which slots arrive in which order.
#[test]
fn after_a_restart_old_slots_come_between_new_ones_and_one_in_an_interval() {
    const OLD_COUNT: usize = 7;
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let mut before = daemon(&sink_of(number), folder.path());
    send_slot(&before, 1000.0);
    send_slot(&before, 2000.0);
    poll("slots on disk", || {
        let slots = spooled_slots(folder.path(), number);
        (slots.len() >= OLD_COUNT).then_some(())
    });
    assert_eq!(spooled_sum(folder.path(), number, SENT), 2000.0);
    let old: Vec<u64> = kill(&mut before, folder.path(), number)
        .into_keys()
        .collect();
    let newest_old = *old.last().expect("slots");
    let graphite = port.listen();
    let mut after = daemon(&sink_of(number), folder.path());
    send_slot(&after, 1000.0);
    let points = graphite.wait_for("all old slots and two behind them", |points| {
        let order = order_of_arrival(points);
        let last_old = order.iter().rposition(|end| *end == newest_old);
        let has_two_behind = last_old.is_some_and(|at| at + 2 < order.len());
        has_two_behind && points.sum(SENT) == 3000.0
    });
    after.ledger().assert_balanced();
    assert_eq!(after.stop(), Some(0));

    let order = order_of_arrival(&points);
    let is_old = |end: &u64| *end <= newest_old;
    let (of_spool, new): (Vec<u64>, Vec<u64>) = order.iter().partition(|end| is_old(end));
    assert_eq!(of_spool, old, "{order:?}");
    assert!(new.is_sorted_by(|one, next| one < next), "{order:?}");
    let first_new = order.iter().position(|end| !is_old(end));
    let last_old = order.iter().rposition(is_old).expect("slots");
    assert!(first_new < Some(last_old), "{order:?}");

    // The first old one went when all slots up to this one had ended. Whatever comes second behind the last was
    // flushed when that had gone; so as many intervals have ended between them as lie between the old ones,
    // however late a flush may have been.
    let first_old = order.iter().position(is_old).expect("slots");
    let ended = *order[..first_old].iter().max().unwrap_or(&newest_old);
    let passed = order[last_old + 2] - ended;
    assert!(passed + 1 >= old.len() as u64, "{order:?}");
}
