//! The flusher with shards that a test plays, against faults: a shard that misses the deadline, a
//! stop in the middle of a flush.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::*;
use crate::kernel::{Datagram, Visit};
use crate::metric::{Interval, SetHash};
use crate::naming::Dialect;
use crate::shard::{Shard, ShardSettings};
use crate::sink::backlog::Order;
use crate::sink::{Queue, SinkAddress};
use crate::snapshot::Idle;

const INTERVAL: Duration = Duration::from_millis(200);

fn settings() -> FlusherSettings {
    FlusherSettings {
        interval: INTERVAL,
        align: false,
        max_wait: Duration::ZERO,
        naming: Naming::new(Dialect::Etsy, &[90.0], ""),
        idle_rules: Dialect::Etsy.idle_rules(INTERVAL, Idle::Quiet, Idle::Quiet),
        limits: Limits::default(),
        weighted_timers: false,
        own_prefix: None,
        state_file: None,
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
        let (messages, inbox) = channel();
        let (commands, for_shard) = channel();
        let queue = Arc::new(Queue::new("test".to_owned(), Order::Arrival, 1 << 20));
        let sink = SinkHandle::new(SinkAddress::console(), "test".to_owned(), queue.clone());
        let settings = settings();
        let link = ShardLink {
            commands,
            waker: Waker::new().expect("an eventfd"),
        };
        let outlet = Outlet {
            sink,
            encoding: Encoding::Text,
        };
        let flusher = Flusher::new(settings, vec![link], inbox, vec![outlet]);
        Rig {
            shard: Shard::new(ShardSettings {
                shard: 0,
                rules: Dialect::Etsy.input_rules(true, false),
                limits: Limits::default(),
                set_hash: SetHash::new(),
                refused_lines_max: 0,
                epoch: Instant::now(),
            }),
            commands: for_shard,
            messages,
            queue,
            flusher: thread::spawn(|| flusher.run()),
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
    fn wait_for_question(&self) -> Command {
        loop {
            match self.commands.recv().expect("the flusher lives") {
                Command::Forget(_) => {}
                question => return question,
            }
        }
    }

    fn answer(&mut self) {
        let hand_over = self.shard.hand_over(Interval::default(), &[]);
        let message = Message::HandOver(Box::new(hand_over));
        self.messages.send(message).expect("the flusher lives");
    }

    /// The sum of `stats.counters.a.count` over all slots, when all is done.
    fn finish(self) -> f64 {
        self.flusher.join().expect("the flusher ends in order");
        self.queue.close();
        let mut sum = 0.0;
        while let Some(slot) = self.queue.take_blocking() {
            let text: Vec<u8> = slot.chunks.concat();
            let text = String::from_utf8(text).expect("lines are ASCII");
            let points = text.lines().filter_map(|line| {
                let value = line.strip_prefix("stats.counters.a.count ")?;
                value.split(' ').next()?.parse::<f64>().ok()
            });
            sum += points.sum::<f64>();
            self.queue.sent();
        }
        sum
    }
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
    rig.messages.send(Message::Stop).expect("the flusher lives");
    while !matches!(rig.wait_for_question(), Command::Stop) {
        rig.answer();
    }
    rig.answer();
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
