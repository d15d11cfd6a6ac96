//! The flusher with shards that a test plays, against faults: a shard that misses the deadline, a
//! stop in the middle of a flush.

mod cut;
mod reload;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::*;
use crate::kernel::{Datagram, Visit};
use crate::metric::{Interval, SetHash};
use crate::naming::{Dialect, NamingSettings};
use crate::shard::{Shard, ShardSettings};
use crate::sink::backlog::Order;
use crate::sink::{Part, Queue, SinkAddress};
use crate::snapshot::IdleTimes;
use crate::tap::TapRules;
use crate::telemetry::OwnWords;

const INTERVAL: Duration = Duration::from_millis(200);

fn settings() -> FlusherSettings {
    FlusherSettings {
        interval: INTERVAL,
        align: false,
        max_wait: Duration::ZERO,
        naming: Naming::new(&NamingSettings::new(Dialect::Etsy)),
        idle_rules: Dialect::Etsy.idle_rules(INTERVAL, IdleTimes::QUIET),
        input_rules: Dialect::Etsy.input_rules(true, false),
        limits: Limits::default(),
        weighted_timers: false,
        input_counter: None,
        own: None,
        brakes: Arc::default(),
        state_file: None,
        name_log: None,
    }
}

fn own_lines(prefix: &str) -> OwnLines {
    OwnLines {
        words: OwnWords::Ringstat,
        dialect: Dialect::Etsy,
        prefix: prefix.to_owned(),
        namespace: String::new(),
        suffix: String::new(),
    }
}

// With max_wait at the flush interval, as it may be, no shard ever answered in time.
#[test]
fn a_shard_that_waits_for_a_batch_is_not_late() {
    let mut settings = settings();
    for interval in [1, 10, 1_000, 86_400_000].map(Duration::from_millis) {
        (settings.interval, settings.max_wait) = (interval, interval);
        // The longest wait in front of a gibibyte of receive buffer, the most that may be set.
        let wait = crate::kernel::bounded_wait(2 << 30, interval);
        assert!(settings.shard_patience() > wait, "{interval:?}");
        assert!(settings.shard_patience() <= Duration::from_secs(3));
    }
}

/// A flusher at work, and a shard's thread that the test plays.
struct Rig {
    shard: Shard,
    commands: Receiver<Command>,
    messages: Sender<Message>,
    queue: Arc<Queue>,
    flusher: JoinHandle<()>,
}

impl Rig {
    fn new() -> Rig {
        Rig::with(settings())
    }

    fn with(settings: FlusherSettings) -> Rig {
        Rig::with_outlets(settings, vec![outlet("test")])
    }

    /// The rig's queue is that of the first outlet.
    fn with_outlets(settings: FlusherSettings, outlets: Vec<Outlet>) -> Rig {
        let (messages, inbox) = channel();
        let (commands, for_shard) = channel();
        let queue = outlets[0].sink.queue().clone();
        let link = ShardLink {
            commands,
            waker: Waker::new().expect("an eventfd"),
            drops: Vec::new(),
        };
        let flusher = Flusher::new(settings, vec![link], inbox, outlets);
        Rig {
            shard: Shard::new(ShardSettings {
                shard: 0,
                rules: Dialect::Etsy.input_rules(true, false),
                limits: Limits::default(),
                set_hash: SetHash::new(),
                refused_lines_max: 0,
                brakes: Default::default(),
                epoch: Instant::now(),
                tap: TapRules::default(),
            }),
            commands: for_shard,
            messages,
            queue,
            flusher: thread::spawn(|| drop(flusher.run())),
        }
    }

    fn record(&mut self, line: &str) {
        self.shard.batch();
        self.shard.datagram(Datagram {
            bytes: line.as_bytes(),
            cut_bytes: 0,
        });
    }

    /// Waits until the flusher asks for the interval, or for the end.
    fn wait_for_question(&mut self) -> Command {
        loop {
            match self.commands.recv().expect("the flusher lives") {
                Command::Forget(_) => {}
                Command::Change(rules) => self.shard.change(rules),
                question => return question,
            }
        }
    }

    fn answer(&mut self) {
        let hand_over = self.shard.hand_over(Interval::default(), &[]);
        let message = Message::HandOver(Box::new(hand_over));
        self.messages.send(message).expect("the flusher lives");
    }

    /// Stops the flusher, with one more interval.
    fn stop(&mut self) {
        self.messages
            .send(Message::Stop)
            .expect("the flusher lives");
        while !matches!(self.wait_for_question(), Command::Stop) {
            self.answer();
        }
        self.answer();
    }

    /// All that was handed to the sink, when all is done.
    fn parts(self) -> Vec<Part> {
        self.flusher.join().expect("the flusher ends in order");
        parts_of(&self.queue)
    }

    /// The sum of `stats.counters.a.count` over all slots, when all is done.
    fn finish(self) -> f64 {
        let values = |part: &Part| values_of("stats.counters.a.count", part);
        self.parts().iter().flat_map(values).sum()
    }
}

fn outlet(name: &str) -> Outlet {
    let queue = Arc::new(Queue::new(name.to_owned(), Order::Arrival, 16 << 20));
    Outlet {
        sink: SinkHandle::new(SinkAddress::console(), name.to_owned(), queue),
        encoding: Encoding::Text,
    }
}

/// All that was handed to a sink that gets nothing more.
fn parts_of(queue: &Queue) -> Vec<Part> {
    queue.close();
    let mut parts = Vec::new();
    while let Some(part) = queue.take_blocking() {
        queue.sent();
        parts.push(part);
    }
    parts
}

fn text_of(part: &Part) -> String {
    String::from_utf8(part.chunks.concat()).expect("lines are ASCII")
}

/// The values of the points with this path.
fn values_of(path: &str, part: &Part) -> Vec<f64> {
    let text = text_of(part);
    let values = text.lines().filter_map(|line| {
        let value = line.strip_prefix(path)?.strip_prefix(' ')?;
        value.split(' ').next()?.parse::<f64>().ok()
    });
    values.collect()
}

#[test]
fn an_interval_that_comes_too_late_is_part_of_a_later_flush() {
    let mut rig = Rig::new();
    rig.record("a:1|c");
    assert!(matches!(rig.wait_for_question(), Command::Flush(_)));
    // The flush goes on without it. As long as it has not answered it is not asked again.
    let late = Instant::now() + 5 * INTERVAL;
    let left = |at: Instant| at.saturating_duration_since(Instant::now());
    assert!(rig.commands.recv_timeout(left(late)).is_err());
    rig.answer();
    rig.record("a:2|c");
    assert!(matches!(rig.wait_for_question(), Command::Flush(_)));
    rig.answer();
    rig.stop();
    assert_eq!(rig.finish(), 3.0, "both intervals, once");
}

#[test]
fn a_stop_while_an_answer_is_due_loses_neither_interval() {
    let mut rig = Rig::new();
    rig.record("a:1|c");
    assert!(matches!(rig.wait_for_question(), Command::Flush(_)));
    rig.messages.send(Message::Stop).expect("the flusher lives");
    assert!(matches!(rig.wait_for_question(), Command::Stop));
    rig.answer();
    rig.record("a:4|c");
    rig.answer();
    assert_eq!(rig.finish(), 5.0, "both intervals, once");
}

/// Own metrics of a flush tell of the sinks as they were before it, although most of its lines are
/// handed over before they are written: otherwise `points` and `queued_lines` would not balance.
#[test]
fn a_large_flush_leaves_in_parts_of_one_slot() {
    let mut settings = settings();
    settings.own = Some(own_lines("own"));
    let mut rig = Rig::with(settings);
    for number in 0..10_000 {
        rig.record(&format!("counter.{number:06}:1|c"));
    }
    assert!(matches!(rig.wait_for_question(), Command::Flush(_)));
    rig.answer();
    assert!(matches!(rig.wait_for_question(), Command::Flush(_)));
    for number in 0..10_000 {
        rig.record(&format!("counter.{number:06}:2|c"));
    }
    rig.answer();
    rig.stop();
    let parts = rig.parts();
    let slots: Vec<&[Part]> = parts.chunk_by(|_, next| next.index > 0).collect();
    assert!(slots.len() >= 3);
    for slot in &slots[..2] {
        assert!(slot.len() > 2, "{} parts", slot.len());
        for (index, part) in (0..).zip(*slot) {
            assert_eq!((part.index, part.end_unix_s), (index, slot[0].end_unix_s));
            assert!(part.size_bytes() <= crate::format::CHUNK_BYTES as u64);
            assert_eq!(part.lines, text_of(part).lines().count() as u64);
        }
    }
    let lines = |slot: &[Part]| slot.iter().map(|part| part.lines as f64).sum::<f64>();
    assert!(lines(slots[0]) > 20_000.0);
    let last = &slots[1][slots[1].len() - 1];
    assert_eq!(values_of("own.points", last), [lines(slots[0])]);
    let queued = values_of("own.sink.test.queued_lines", last);
    assert_eq!(queued, [lines(slots[0])]);
    let last = &slots[2][slots[2].len() - 1];
    assert_eq!(values_of("own.points", last), [lines(slots[1])]);
}

#[test]
fn only_the_flusher_steps_back() {
    let niceness = || rustix::process::nice(0).expect("it can be asked");
    let before = niceness();
    let stepped_back = thread::spawn(move || {
        step_back();
        niceness()
    });
    let after = stepped_back.join().expect("no panic");
    assert_eq!(after, (before + NICENESS).min(19));
    assert_eq!(niceness(), before, "other threads are as they were");
}

#[test]
fn a_person_is_told_what_was_refused_and_why() {
    let mut refusals = Refusals::default();
    assert_eq!(refused_note(&refusals), "");
    for reason in [Refusal::BadType, Refusal::NoValue, Refusal::BadType] {
        refusals.count(reason);
    }
    assert_eq!(
        refused_note(&refusals),
        "3 refused (no_value 1, bad_type 2); -v logs some of them"
    );
}
