//! A slot that a restart cut in two.

use std::time::SystemTime;

use super::*;
use crate::flusher::state::{Head, SlotText, StateText};
use crate::metric::{Counter, MetricType};
use crate::snapshot::{Lasting, Piece, SeriesName};

const SECOND: Duration = Duration::from_secs(1);

/// The end of the next slot of a second, which is not so near that it may be over soon.
fn next_end() -> Duration {
    loop {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.expect("it is later than 1970");
        if now.subsec_millis() < 700 {
            return Duration::from_secs(now.as_secs() + 1);
        }
        thread::park_timeout(SECOND / 10);
    }
}

/// What a process leaves that had an interval of two seconds: a counter of 10, and a gauge of 5.
fn state(end: Duration) -> Vec<u8> {
    let name = |path| SeriesName { path, tags: b"" };
    let mut text = StateText::new(Head {
        written: end - SECOND,
        end,
        interval: 2 * SECOND,
    });
    text.series(&Lasting {
        metric_type: MetricType::Gauge,
        name: name(b"g"),
        silent: Duration::ZERO,
        level: Some(5.0),
    });
    let mut slot = SlotText::new(end, 2 * SECOND, None);
    let (sum, count) = (10.0, 1.0);
    slot.piece(name(b"a"), &Piece::Counter(Counter { sum, count }));
    slot.piece(name(b"g"), &Piece::Gauge(5.0));
    text.finish(Some(slot))
}

/// Settings with an interval of a second.
fn settings_of_a_second() -> FlusherSettings {
    FlusherSettings {
        interval: SECOND,
        align: true,
        idle_rules: Dialect::Etsy.idle_rules(SECOND, IdleTimes::QUIET),
        own: Some(own_lines("own")),
        ..settings()
    }
}

/// The same where a process has left this state.
fn settings_that_find(state: Vec<u8>, folder: &std::path::Path) -> FlusherSettings {
    let path = folder.join("state");
    std::fs::write(&path, state).expect("a file");
    let mut file = StateFiles::default().at(path, Duration::ZERO);
    file.begin_opening().expect("a thread");
    let until = Instant::now() + 60 * SECOND;
    file.wait_until_open(until).expect("a folder of ours");
    FlusherSettings {
        state_file: Some(file),
        ..settings_of_a_second()
    }
}

/// Goal: a slot is sent whole where the process after the cut has a shorter interval, so that others end
/// before it. Method: one is flushed before, in which the gauge moves; a sink that adds up gets the rest.
#[test]
fn a_slot_that_is_not_the_first_to_end_is_sent_whole_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let end = next_end() + SECOND;
    let settings = settings_that_find(state(end), folder.path());
    let adding = outlet("adding");
    let keeping = Outlet {
        sink: SinkHandle::new(
            "localhost:2003".parse().expect("an address"),
            "keeping".to_owned(),
            outlet("keeping").sink.queue().clone(),
        ),
        encoding: Encoding::Text,
    };
    let queue = keeping.sink.queue().clone();
    let mut rig = Rig::with_outlets(settings, vec![adding, keeping]);
    rig.record("a:1|c\ng:+1|g");
    assert!(matches!(rig.wait_for_question(), Command::Flush(_)));
    rig.answer();
    rig.record("a:2|c\ng:+1|g");
    rig.stop();
    let of_adding = rig.parts();
    for (parts, of_second) in [(of_adding, 2.0), (parts_of(&queue), 12.0)] {
        let values = |path| parts.iter().flat_map(move |part| values_of(path, part));
        let ends: Vec<u64> = parts.iter().map(|part| part.end_unix_s).collect();
        assert_eq!(ends, [end.as_secs() - 1, end.as_secs()]);
        let sums: Vec<f64> = values("stats.counters.a.count").collect();
        assert_eq!(sums, [1.0, of_second]);
        let levels: Vec<f64> = values("stats.gauges.g").collect();
        assert_eq!(levels, [6.0, 7.0]);
    }
}

/// Goal: a first part that is given up is counted. Method: settings are read again before the end of the
/// slot that was cut.
#[test]
fn a_first_part_that_is_given_up_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let end = next_end() + SECOND;
    let mut rig = Rig::with(settings_that_find(state(end), folder.path()));
    let done = rig.reload(settings_of_a_second(), vec![rig.outlet()]);
    rig.flush();
    done.recv().expect("the flusher goes on");
    rig.record("a:2|c");
    rig.flush();
    rig.stop();
    let parts = rig.parts();
    let values = |path| parts.iter().flat_map(move |part| values_of(path, part));
    assert_eq!(values("stats.counters.a.count").sum::<f64>(), 2.0);
    let halved: Vec<f64> = values("own.flush.halved_slots").collect();
    assert_eq!(halved, [0.0, 1.0, 0.0]);
}
