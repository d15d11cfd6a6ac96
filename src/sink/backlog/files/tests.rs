//! Slots that go to files and come back, with a disk and a clock that the test holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::sink::backlog::{Loss, Next, Sent};

const INTERVAL: Duration = Duration::from_secs(10);
const LIVE_FIRST: Order = Order::LiveFirst {
    flush_interval: INTERVAL,
};

fn part(number: u64, index: u32) -> Part {
    Part {
        end_unix_s: number,
        index,
        lines: 10,
        chunks: vec![Bytes::from(format!("{number:50}{index:50}"))],
    }
}

/// A disk that does what it is asked to, or fails.
#[derive(Default)]
struct Disk {
    /// By time stamp, the lines and indices of the parts.
    files: BTreeMap<u64, Vec<Part>>,
    fails: bool,
}

impl Disk {
    /// Does all jobs, and those that come of them.
    fn work(&mut self, backlog: &mut Backlog) {
        loop {
            let jobs = backlog.take_jobs();
            if jobs.is_empty() {
                return;
            }
            for job in jobs {
                match job {
                    SpoolJob::Write { .. } if self.fails => backlog.written(None),
                    SpoolJob::Write { end_unix_s, parts } => {
                        let file = self.files.entry(end_unix_s).or_default();
                        let offset = file.len() as u64;
                        file.extend(parts);
                        let bytes = 10 * file.len() as u64;
                        backlog.written(Some(Written { offset, bytes }));
                    }
                    SpoolJob::Remove { end_unix_s } => {
                        self.files.remove(&end_unix_s);
                    }
                }
            }
        }
    }

    fn read(&self, load: Load) -> Loaded {
        let parts = &self.files[&load.end_unix_s];
        let part = &parts[load.offset as usize];
        let next = load.offset + 1;
        Loaded {
            lines: part.lines,
            bytes: part.chunks[0].clone(),
            next: (next < parts.len() as u64).then_some(next),
        }
    }

    /// All that waits goes to files.
    fn take_all(&mut self, backlog: &mut Backlog) {
        backlog.spill(true);
        while backlog.begin_write() {
            self.work(backlog);
        }
    }

    /// The part that goes at `now`, from a file if it is there; when to ask again if there is none.
    fn next(&mut self, backlog: &mut Backlog, now: Instant) -> Result<(u64, u32), Option<Instant>> {
        loop {
            match backlog.next(now) {
                Next::Send(part) => return Ok((part.end_unix_s, part.index)),
                Next::Load(load) => {
                    assert_eq!(backlog.loaded(Some(self.read(load))), 0);
                }
                Next::WaitUntil(due) => return Err(Some(due)),
                Next::Idle => return Err(None),
            }
        }
    }

    fn send(&mut self, backlog: &mut Backlog, now: Instant) -> Result<(u64, u32), Option<Instant>> {
        let sent = self.next(backlog, now)?;
        backlog.sent();
        self.work(backlog);
        Ok(sent)
    }
}

/// The part that goes at `now`, sent at once, while the disk does nothing.
fn send_from_memory(backlog: &mut Backlog, now: Instant) -> (u64, u32) {
    match backlog.next(now) {
        Next::Send(part) => {
            backlog.sent();
            (part.end_unix_s, part.index)
        }
        other => panic!("{other:?}"),
    }
}

fn sums(backlog: &Backlog) -> (u64, u64) {
    (backlog.lines(), backlog.lines_in_files())
}

#[test]
fn slots_from_files_go_in_the_order_of_slots_and_at_their_pace() {
    let mut disk = Disk::default();
    let mut backlog = Backlog::new(LIVE_FIRST, 1000);
    let found = [4, 2].map(|end_unix_s| Found {
        end_unix_s,
        lines: 10,
        bytes: 10,
        offset: 0,
    });
    for found in found {
        disk.files
            .insert(found.end_unix_s, vec![part(found.end_unix_s, 0)]);
    }
    assert_eq!(backlog.found(&found), 20);
    for (number, index) in [(11, 0), (12, 0), (12, 1)] {
        backlog.push(part(number, index));
    }
    disk.take_all(&mut backlog);
    assert_eq!(sums(&backlog), (0, 50));
    backlog.push(part(13, 0));
    let t0 = Instant::now();
    assert_eq!(disk.send(&mut backlog, t0), Ok((13, 0)));
    let mut at = t0 + INTERVAL / 2;
    assert_eq!(disk.send(&mut backlog, t0), Err(Some(at)));
    for expected in [&[(2, 0)][..], &[(4, 0)], &[(11, 0)], &[(12, 0), (12, 1)]] {
        for part in expected {
            assert_eq!(disk.send(&mut backlog, at), Ok(*part));
        }
        let again = disk.send(&mut backlog, at);
        at += INTERVAL;
        assert!(again == Err(Some(at)) || again == Err(None));
    }
    assert!(disk.files.is_empty() && backlog.is_empty());
    assert_eq!(sums(&backlog), (0, 0));
}

#[test]
fn the_newest_slot_comes_first_from_its_file_too() {
    let mut disk = Disk::default();
    let mut backlog = Backlog::new(LIVE_FIRST, 1000);
    for number in 1..=3 {
        backlog.push(part(number, 0));
    }
    disk.take_all(&mut backlog);
    assert_eq!(disk.send(&mut backlog, Instant::now()), Ok((3, 0)));
    assert_eq!(disk.files.len(), 2);
}

#[test]
fn what_is_being_written_may_be_sent_meanwhile() {
    let mut disk = Disk::default();
    let mut backlog = Backlog::new(LIVE_FIRST, 1000);
    let now = Instant::now();
    for index in 0..2 {
        backlog.push(part(1, index));
    }
    backlog.spill(true);
    assert!(backlog.begin_write() && !backlog.begin_write());
    for index in 0..2 {
        assert_eq!(disk.next(&mut backlog, now), Ok((1, index)));
        backlog.sent();
    }
    disk.work(&mut backlog);
    assert!(disk.files.is_empty(), "nobody needs it");
    assert_eq!(sums(&backlog), (0, 0));
    assert_eq!((backlog.writing_bytes, backlog.bytes()), (0, 0));

    // One of two, and the other one is on its way when both are written.
    for index in 0..3 {
        backlog.push(part(2, index));
    }
    backlog.spill(true);
    assert!(backlog.begin_write());
    assert_eq!(send_from_memory(&mut backlog, now), (2, 0));
    assert_eq!(disk.next(&mut backlog, now), Ok((2, 1)));
    disk.work(&mut backlog);
    assert_eq!(sums(&backlog), (10, 10));
    backlog.cut_off();
    assert_eq!(backlog.writing_bytes, 0);
    disk.take_all(&mut backlog);
    assert_eq!((sums(&backlog), disk.files.len()), ((0, 20), 1));
}

#[test]
fn where_nothing_can_be_written_slots_stay_in_memory_within_the_limit() {
    let mut disk = Disk {
        fails: true,
        ..Disk::default()
    };
    let mut backlog = Backlog::new(LIVE_FIRST, 250);
    for number in 1..=2 {
        backlog.push(part(number, 0));
    }
    backlog.spill(true);
    assert!(backlog.begin_write());
    // What is being written does not count, as long as it is.
    backlog.push(part(3, 0));
    assert!(backlog.give_up_excess().is_empty());
    disk.work(&mut backlog);
    assert_eq!(backlog.give_up_excess()[0].end_unix_s, 1);
    assert_eq!(sums(&backlog), (20, 0));
}

#[test]
fn files_are_dropped_oldest_first_but_not_the_one_in_use() {
    let mut disk = Disk::default();
    let mut backlog = Backlog::new(LIVE_FIRST, 1000);
    for (number, index) in [(1, 0), (1, 1), (2, 0), (3, 0), (4, 0)] {
        backlog.push(part(number, index));
    }
    disk.take_all(&mut backlog);
    backlog.push(part(5, 0));
    let t0 = Instant::now();
    assert_eq!(disk.send(&mut backlog, t0), Ok((5, 0)));
    assert_eq!(disk.send(&mut backlog, t0 + INTERVAL), Ok((1, 0)));
    let limits = |bytes_max, age_max_s| SpoolLimits {
        bytes_max,
        age_max_s,
    };
    assert_eq!(backlog.drop_over_limits(limits(40, 100), 102), (0, 10));
    assert_eq!(backlog.drop_over_limits(limits(40, 98), 102), (10, 0));
    disk.work(&mut backlog);
    assert_eq!(disk.files.keys().copied().collect::<Vec<_>>(), [1, 4]);
    assert_eq!(disk.send(&mut backlog, t0 + INTERVAL), Ok((1, 1)));
    assert_eq!(sums(&backlog), (0, 10));
}

#[test]
fn of_a_file_that_cannot_be_read_the_rest_is_lost_and_counted() {
    let mut disk = Disk::default();
    let mut backlog = Backlog::new(LIVE_FIRST, 1000);
    for index in 0..3 {
        backlog.push(part(1, index));
    }
    disk.take_all(&mut backlog);
    let now = Instant::now();
    assert_eq!(disk.send(&mut backlog, now), Ok((1, 0)));
    assert!(matches!(backlog.next(now), Next::Load(_)));
    assert_eq!(backlog.loaded(None), 20);
    assert_eq!(sums(&backlog), (0, 0));
    assert!(matches!(backlog.next(now), Next::Idle));
}

/// A disk that hangs in a read must not hold up what is in memory behind the file.
#[test]
fn a_disk_that_hangs_does_not_hold_up_what_is_in_memory() {
    let mut disk = Disk::default();
    let mut backlog = Backlog::new(LIVE_FIRST, 1000);
    backlog.push(part(1, 0));
    disk.take_all(&mut backlog);
    let t0 = Instant::now();
    let Next::Load(_) = backlog.next(t0) else {
        panic!("it is in a file");
    };
    for number in 2..=3 {
        backlog.push(part(number, 0));
    }
    assert_eq!(send_from_memory(&mut backlog, t0), (3, 0));
    assert!(matches!(
        backlog.next(t0 + INTERVAL - Duration::from_millis(1)),
        Next::Idle
    ));
    let later = t0 + crate::sink::backlog::turn::DISK_PATIENCE;
    assert_eq!(send_from_memory(&mut backlog, later), (2, 0));
}

/// Goal: a slot that comes again is the only one of its time stamp that is sent from then on. Method:
/// parts of the first are in memory, in a file, on their way, sent, and being written.
#[test]
fn a_slot_that_comes_again_supersedes_wherever_the_first_one_is() {
    let mut disk = Disk::default();
    let mut backlog = Backlog::new(LIVE_FIRST, 10_000);
    let now = Instant::now();
    backlog.push(part(1, 0));
    disk.take_all(&mut backlog);
    for index in 1..=4 {
        backlog.push(part(1, index));
    }
    // The file goes first: its part is sent, and may have to be repeated.
    assert_eq!(disk.next(&mut backlog, now), Ok((1, 0)));
    let token = backlog.sent().sent.expect("the first time");
    assert_eq!(disk.next(&mut backlog, now), Ok((1, 1)));
    backlog.spill(true);
    assert!(backlog.begin_write());
    assert_eq!(backlog.supersede(1), 30);
    backlog.push(Part {
        lines: 7,
        ..part(1, 0)
    });
    assert_eq!(backlog.cut_off(), 10);
    backlog.repeat(token, Loss::Doubtful);
    disk.work(&mut backlog);
    assert!(disk.files.is_empty());
    assert_eq!(sums(&backlog), (7, 0));
    assert_eq!((backlog.writing_bytes, backlog.repeated_bytes), (0, 0));
    disk.take_all(&mut backlog);
    assert_eq!(disk.send(&mut backlog, now), Ok((1, 0)));
    assert_eq!(disk.send(&mut backlog, now), Err(None));
    assert_eq!(sums(&backlog), (0, 0));
}

/// Goal: a slot with the time stamp of an earlier one that is not the last holds other points, as the clock
/// was set back: both are sent. Method: the earlier one is in a file, of this run or of an earlier one.
#[test]
fn behind_a_clock_that_was_set_back_nothing_is_superseded() {
    let now = Instant::now();
    for is_of_earlier_run in [false, true] {
        let mut backlog = Backlog::new(LIVE_FIRST, 10_000);
        let mut disk = Disk::default();
        if is_of_earlier_run {
            let files = [100, 200].map(|end_unix_s| {
                disk.files.insert(end_unix_s, vec![part(end_unix_s, 0)]);
                Found {
                    end_unix_s,
                    lines: 10,
                    bytes: 10,
                    offset: 0,
                }
            });
            assert_eq!(backlog.found(&files), 20);
        } else {
            backlog.push(part(100, 0));
            backlog.push(part(200, 0));
            disk.take_all(&mut backlog);
        }
        assert_eq!(backlog.supersede(100), 0);
        let text = Bytes::from("after the step");
        backlog.push(Part {
            chunks: vec![text.clone()],
            ..part(100, 0)
        });
        disk.take_all(&mut backlog);
        assert_eq!(sums(&backlog), (0, 30));
        backlog.stop_spilling();
        let mut sent = Vec::new();
        for step in 0..20 {
            match backlog.next(now + INTERVAL * step) {
                Next::Send(part) => {
                    sent.push(part.chunks[0].clone());
                    let delivery = backlog.sent();
                    // A connection that ends in doubt repeats both, too.
                    if step < 10
                        && let Some(token) = delivery.sent
                    {
                        backlog.repeat(token, Loss::Doubtful);
                    }
                }
                Next::Load(load) => {
                    let loaded = disk.read(load);
                    assert_eq!(backlog.loaded(Some(loaded)), 0);
                }
                Next::Idle | Next::WaitUntil(_) => {}
            }
            disk.work(&mut backlog);
        }
        let points = |end_unix_s| part(end_unix_s, 0).chunks[0].clone();
        for expected in [points(100), points(200), text] {
            assert!(sent.contains(&expected), "{expected:?} of {sent:?}");
        }
        assert_eq!(sums(&backlog), (0, 0));
    }
}

/// Goal: where several slots share a second, none takes the place of another. Method: a flush interval of
/// half a second; the first of two slots of a second is in a file.
#[test]
fn slots_that_share_a_second_do_not_supersede() {
    let flush_interval = INTERVAL / 20;
    let mut backlog = Backlog::new(Order::LiveFirst { flush_interval }, 10_000);
    let mut disk = Disk::default();
    backlog.push(part(1, 0));
    disk.take_all(&mut backlog);
    assert_eq!(backlog.supersede(1), 0);
    backlog.push(part(1, 0));
    assert_eq!(sums(&backlog), (10, 10));
}

/// Goal: whatever breaks when, each line is counted as sent once, nothing waits for ever, and no file
/// stays. Method: random pushes, cuts, repetitions, slots that share a time stamp, and a disk that takes
/// its time and fails; then peace.
#[test]
fn every_line_is_counted_once_whatever_breaks() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let slots_a_second = 1 + seed % 2;
        let mut backlog = Backlog::new(LIVE_FIRST, random.u64(1..8) * 100);
        let mut disk = Disk::default();
        let mut tokens: Vec<Sent> = Vec::new();
        let (mut pushed, mut sent, mut given_up) = (0, 0, 0);
        let (mut expected, mut arrived) = (BTreeSet::new(), BTreeSet::new());
        let mut now = Instant::now();
        let (mut slot_number, mut index) = (0, 0);
        for step in 0.. {
            let (is_pushed, is_over) = (step < 150, step >= 400);
            now += INTERVAL / 8;
            disk.fails = !is_over && random.u8(..4) == 0;
            if is_pushed && random.bool() {
                if slot_number == 0 || random.u8(..3) == 0 {
                    (slot_number, index) = (slot_number + 1, 0);
                }
                let part = Part {
                    end_unix_s: slot_number / slots_a_second,
                    ..part(slot_number, index)
                };
                expected.insert(part.chunks[0].clone());
                backlog.push(part);
                pushed += 10;
                index += 1;
                if !backlog.is_writing() && random.bool() {
                    backlog.spill(random.bool());
                    backlog.begin_write();
                }
                for part in backlog.give_up_excess() {
                    given_up += part.lines;
                    expected.remove(&part.chunks[0]);
                }
            }
            if is_over || random.u8(..3) == 0 {
                disk.work(&mut backlog);
            }
            match backlog.next(now) {
                Next::Send(part) => {
                    if !is_over && random.u8(..4) == 0 {
                        assert_eq!(backlog.cut_off(), 0);
                        for token in tokens.drain(..) {
                            backlog.repeat(token, Loss::Doubtful);
                        }
                    } else {
                        arrived.insert(part.chunks[0].clone());
                        let delivery = backlog.sent();
                        sent += delivery.lines;
                        tokens.extend(delivery.sent);
                    }
                }
                Next::Load(load) => {
                    // The disk does things in their order.
                    disk.work(&mut backlog);
                    let loaded = disk.files.contains_key(&load.end_unix_s);
                    let loaded = loaded.then(|| disk.read(load));
                    given_up += backlog.loaded(loaded);
                }
                Next::Idle if is_over && backlog.is_empty() => break,
                Next::Idle | Next::WaitUntil(_) => {}
            }
            let waits = backlog.lines() + backlog.lines_in_files();
            assert_eq!(pushed, sent + given_up + waits, "seed {seed}, step {step}");
            assert!(step < 100_000, "seed {seed}: what waits is never sent");
        }
        disk.work(&mut backlog);
        assert_eq!(sums(&backlog), (0, 0), "seed {seed}");
        assert!(disk.files.is_empty(), "seed {seed}: {:?}", disk.files);
        let left = (
            backlog.bytes(),
            backlog.writing_bytes,
            backlog.repeated_bytes,
        );
        assert_eq!(left, (0, 0, 0), "seed {seed}");
        assert!(arrived.is_superset(&expected), "seed {seed}");
    }
}
