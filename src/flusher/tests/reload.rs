//! A flusher that is told to go on in another way.

use super::*;
use crate::metric::InputRules;
use crate::shard::ShardRules;

fn shard_rules(input: InputRules) -> ShardRules {
    ShardRules {
        input,
        limits: Limits::default(),
        refused_lines_max: 0,
        max_wait: Duration::ZERO,
        tap: TapRules::default(),
        brakes: Arc::default(),
    }
}

impl Rig {
    /// The sink of the rig.
    pub(super) fn outlet(&self) -> Outlet {
        Outlet {
            sink: SinkHandle::new(
                SinkAddress::console(),
                "test".to_owned(),
                self.queue.clone(),
            ),
            encoding: Encoding::Text,
        }
    }

    /// Tells the flusher to go on in this way. The channel tells when it does.
    pub(super) fn reload(&self, settings: FlusherSettings, outlets: Vec<Outlet>) -> Receiver<()> {
        let (sender, done) = channel();
        let reload = Reload {
            shards: shard_rules(settings.input_rules),
            settings,
            outlets,
            done: Box::new(move || sender.send(()).expect("the test listens")),
        };
        let message = Message::Reload(Box::new(reload));
        self.messages.send(message).expect("the flusher lives");
        done
    }

    pub(super) fn flush(&mut self) {
        assert!(matches!(self.wait_for_question(), Command::Flush(_)));
        self.answer();
    }
}

/// As [`settings`], with the paths and rules of gstatsd.
fn other_settings() -> FlusherSettings {
    FlusherSettings {
        naming: Naming::new(&NamingSettings::new(Dialect::Gstatsd)),
        idle_rules: Dialect::Gstatsd.idle_rules(INTERVAL, IdleTimes::QUIET),
        input_rules: Dialect::Gstatsd.input_rules(false, false),
        ..settings()
    }
}

fn sum_of(path: &str, parts: &[Part]) -> f64 {
    parts.iter().flat_map(|part| values_of(path, part)).sum()
}

#[test]
fn a_reload_cuts_no_slot_in_two() {
    let mut rig = Rig::new();
    let added = outlet("added");
    rig.record("a:1|c");
    let done = rig.reload(other_settings(), vec![rig.outlet(), added.clone()]);
    rig.record("a:2|c\na=:4|c");
    assert!(done.try_recv().is_err(), "the slot has not ended");
    rig.flush();
    done.recv().expect("the flusher goes on");
    // By the new rules both spellings are one name.
    rig.record("a:8|c\na=:16|c");
    rig.flush();
    rig.stop();
    let both = parts_of(added.sink.queue());
    let all = rig.parts();
    assert_eq!(sum_of("stats.counters.a.count", &all), 3.0);
    assert_eq!(sum_of("stats.counters.a=.count", &all), 4.0);
    assert_eq!(sum_of("stats_counts.a", &all), 24.0);
    assert_eq!(sum_of("stats_counts.a", &both), 24.0);
    assert_eq!(sum_of("stats.counters.a.count", &both), 0.0);
}

/// Goal: a shard that is late for the flush of a reload loses nothing and is told of the change
/// all the same. Method: it answers only after the flusher has gone on.
#[test]
fn a_reload_while_an_answer_is_due_loses_nothing() {
    let mut rig = Rig::new();
    rig.record("a:1|c");
    assert!(matches!(rig.wait_for_question(), Command::Flush(_)));
    let done = rig.reload(other_settings(), vec![rig.outlet()]);
    done.recv().expect("the flusher goes on without it");
    rig.record("a:2|c");
    rig.answer();
    // In its own time by the old rules, as it has not heard of others yet.
    rig.record("a:4|c\na=:8|c");
    rig.flush();
    rig.record("a:16|c\na=:32|c");
    rig.flush();
    rig.stop();
    let all = rig.parts();
    let sums = [
        "stats.counters.a.count",
        "stats_counts.a",
        "stats_counts.a=",
    ]
    .map(|path| sum_of(path, &all));
    assert_eq!(sums, [0.0, 55.0, 8.0]);
}

#[test]
fn own_metrics_of_a_sink_that_stays_go_on_and_the_prefix_changes() {
    let with_prefix = |prefix: &str| FlusherSettings {
        own: Some(own_lines(prefix)),
        ..settings()
    };
    let mut rig = Rig::with(with_prefix("old"));
    let queue = rig.queue.clone();
    rig.flush();
    let first = queue.take_blocking().expect("a part");
    queue.sent();
    let added = outlet("added");
    let done = rig.reload(with_prefix("new"), vec![added.clone(), rig.outlet()]);
    rig.flush();
    done.recv().expect("the flusher goes on");
    rig.flush();
    rig.stop();
    let parts = rig.parts();
    let (own, lines) = ("new.sink.test.lines", first.lines as f64);
    assert_eq!(sum_of("old.sink.test.lines", &parts), lines);
    assert_eq!(sum_of(own, &parts), 0.0, "told already");
    assert_eq!(values_of("new.points", &parts[1]), [parts[0].lines as f64]);
    assert_eq!(values_of("new.sink.added.lines", &parts[1]), [0.0]);
}

#[test]
fn a_reload_changes_the_length_of_slots_and_gauges_keep_their_levels() {
    let mut rig = Rig::new();
    rig.record("g:5|g");
    let mut settings = settings();
    settings.interval = Duration::from_secs(1);
    settings.idle_rules.interval = settings.interval;
    let done = rig.reload(settings, vec![rig.outlet()]);
    rig.flush();
    done.recv().expect("the flusher goes on");
    rig.record("a:10|c\ng:+1|g");
    rig.flush();
    rig.stop();
    let parts = rig.parts();
    assert_eq!(values_of("stats.gauges.g", &parts[0]), [5.0]);
    assert_eq!(values_of("stats.gauges.g", &parts[1]), [6.0]);
    assert_eq!(values_of("stats.counters.a.rate", &parts[1]), [10.0]);
}
