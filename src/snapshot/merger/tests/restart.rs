//! What a merger takes over from another process.

use super::*;

impl Rig {
    /// Goes on in another process: what outlives a slot is taken over at its end, and the first slot
    /// there ends so many intervals later.
    fn restart(&self, later: u32, idle: Idle) -> Rig {
        let mut again = Rig::new(self.tables.len(), 99, idle);
        for series in self.merger.lasting(false) {
            let silent = series.silent + INTERVAL * later;
            again.merger.restore(&Lasting { silent, ..series });
        }
        again
    }
}

#[test]
fn a_restart_does_not_make_silence_begin_anew() {
    let idle = flushes(3);
    let mut rig = Rig::new(1, 99, idle);
    assert!(rig.count(0, "a") && rig.count(0, "b"));
    assert_eq!(rig.flush(), ["a 1", "b 1"]);
    assert!(rig.count(0, "b"));
    assert_eq!(rig.flush(), ["a 0", "b 1"]);
    // Without a restart there are two more zeros of a, and three of b.
    let mut again = rig.restart(1, idle);
    assert_eq!(again.flush(), ["a 0", "b 0"]);
    assert_eq!(again.merger.counts().new, 0);
    assert_eq!(again.flush(), ["a 0", "b 0"]);
    assert_eq!(again.flush(), ["b 0"]);
    assert_eq!(again.flush(), [""; 0]);
    // While nothing ran the clocks went on.
    assert_eq!(rig.restart(3, idle).flush(), ["b 0"]);
    assert_eq!(rig.restart(9, idle).flush(), [""; 0]);
}

#[test]
fn no_more_series_are_taken_over_than_there_is_room_for() {
    let mut rig = Rig::new(1, 99, Idle::Never);
    for number in 0..9 {
        assert!(rig.count(0, &format!("a{number}")));
    }
    rig.flush();
    let mut again = Rig::new(1, 4, Idle::Never);
    let taken = rig.merger.lasting(false);
    assert_eq!(
        taken.filter(|series| again.merger.restore(series)).count(),
        4
    );
    assert_eq!(again.flush().len(), 4);
}

#[test]
fn what_is_not_reported_while_it_is_silent_is_not_kept() {
    let mut rig = Rig::new(1, 99, Idle::Quiet);
    assert!(rig.count(0, "a"));
    assert!(rig.record(0, "g", Values::Gauge(&[number(5.0)])));
    rig.flush();
    let mut lasting = rig.merger.lasting(false);
    assert_eq!(
        lasting.next().map(|series| series.name.path),
        Some(&b"g"[..])
    );
    assert_eq!(lasting.next(), None);
}
