//! Slots and their time stamps, and levels that outlive a restart.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::support::daemon::{Daemon, command, run};
use crate::support::graphite::Graphite;
use crate::support::points::OWN;

fn now_unix_s() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("it is after 1970").as_secs_f64()
}

/// Goal: Graphite gets each slot once, under its end, the last one too, which has not ended yet.
/// Method: an interval of two seconds; own metrics and a gauge are in every slot.
#[test]
fn time_stamps_are_the_ends_of_slots_and_none_comes_twice() {
    let graphite = Graphite::start();
    let mut daemon = Daemon::start(&format!(
        "-b 127.0.0.1:0 -s 127.0.0.1:{} -f 2",
        graphite.port
    ));
    daemon.sender().send("level:5|g");
    let level = "stats.gauges.level";
    graphite.wait_for("three slots", |points| points.times(level).len() >= 3);
    let stopped_unix_s = now_unix_s();
    assert_eq!(daemon.stop(), Some(0));
    let points = graphite.points_to_end();
    let times = points.times(&format!("{OWN}.datagrams"));
    assert!(times.iter().all(|time| time % 2 == 0), "{times:?}");
    assert!(times.is_sorted_by(|one, next| one < next), "{times:?}");
    // The last slot holds the moment of the signal, and has not ended yet.
    let last = *times.last().expect("slots") as f64;
    assert!(last >= stopped_unix_s && last <= now_unix_s() + 2.0);
    let of_gauge = points.times(level);
    assert!(times.ends_with(&of_gauge), "{times:?} {of_gauge:?}");
}

/// Goal: a restart does not make a gauge begin at 0. Method: a move after the restart, from a
/// level before it.
#[test]
fn a_gauge_goes_on_from_its_level_after_a_restart() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let start = || {
        let mut command = command("-b 127.0.0.1:0 -f 0.2 --state-file");
        command.arg(directory.path().join("gauges"));
        Daemon::spawn(command)
    };
    let level = "stats.gauges.level";
    let daemon = start();
    daemon.sender().send("level:5|g");
    let points = daemon.stop_and_read();
    assert_eq!(points.values(level).last(), Some(&5.0));
    let daemon = start();
    // It is reported before anybody sends it anew.
    daemon.wait_for("the level", |points| points.values(level).contains(&5.0));
    daemon.sender().send("level:+1|g");
    let points = daemon.stop_and_read();
    assert_eq!(points.values(level).last(), Some(&6.0));
}

/// Goal: a state file that cannot be is told of at the start; it was a minute later, or at the end.
/// Method: a folder that is not there.
#[test]
fn a_state_file_that_cannot_be_written_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut command = command("-b 127.0.0.1:0 -s console: --state-file");
    command.arg(directory.path().join("missing").join("gauges"));
    let ended = run(command);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.log.contains("missing/gauges"), "{ended:?}");
}

/// Goal: levels from long ago are not repeated as if they were of today. Method: a file from two hours
/// ago, with the default age and with any.
#[test]
fn a_state_file_that_is_too_old_is_not_read() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("gauges");
    let two_hours_ago = SystemTime::now() - Duration::from_secs(7_200);
    for (age, is_read) in [("1h", false), ("0", true), ("3h", true)] {
        fs::write(&path, "ringstat gauges 1\n5.0 level\n").expect("a file");
        let file = fs::File::options().append(true).open(&path);
        let set = file.and_then(|file| file.set_modified(two_hours_ago));
        set.expect("its time can be set");
        let mut command = command("-b 127.0.0.1:0 -f 0.2 --state-file");
        command.arg(&path).args(["--state-age", age]);
        let points = Daemon::spawn(command).stop_and_read();
        let levels = points.values("stats.gauges.level");
        assert_eq!(!levels.is_empty(), is_read, "{age}: {levels:?}");
    }
}
