//! Slots that wait for the moment of their host, so that many hosts do not send at one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::outages::SENT;
use crate::support::daemon::Daemon;
use crate::support::graphite::Graphite;
use crate::support::points::OWN;
use crate::support::skip;

const FLUSH: Duration = Duration::from_secs(2);

/// Half of the interval.
const SHARE: Duration = Duration::from_secs(1);

/// A host name that comes late in the share, so that there is something to see.
fn late_host() -> String {
    let names = (0..).map(|number| format!("host{number}.example.org"));
    let mut late = names.filter(|name| {
        let mut hasher = DefaultHasher::new();
        name.as_str().hash(&mut hasher);
        (0.7..0.8).contains(&(hasher.finish() as f64 / 2f64.powi(64)))
    });
    late.next().expect("each tenth is one")
}

/// How long after a slot's end it is now.
fn since(end_unix_s: u64) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("it is after 1970");
    now.saturating_sub(Duration::from_secs(end_unix_s))
}

/// Goal: with a spread a slot is cut and stamped at its end, and sent at the host's moment within the share of
/// the interval; what comes meanwhile is in the next slot. Method: a host name of a namespace's own; a sink
/// that waits beside one that does not; a sample as soon as the latter has a slot.
#[test]
fn a_spread_delays_what_is_sent_and_not_where_it_is_cut() {
    let mut unshare = Command::new("unshare");
    let allowed = unshare.args(["-u", "true"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return skip("no host name of its own: this needs root");
    }
    let graphite = Graphite::start();
    let mut command = Command::new("unshare");
    let script = "echo \"$0\" > /proc/sys/kernel/hostname && exec \"$@\"";
    command.args(["-u", "sh", "-c", script, &late_host()]);
    command.arg(env!("CARGO_BIN_EXE_ringstat"));
    let arguments = format!(
        "-b 127.0.0.1:0 -f 2 --spread 0.5 --own-prefix {OWN} --idle none -s {} -s console:",
        graphite.sink()
    );
    command.args(arguments.split(' '));
    let daemon = Daemon::spawn_with_control(command);
    daemon.log.wait_for_text("sent a slot 7");
    let earliest = SHARE.mul_f64(0.7);
    let sender = daemon.sender();
    let (mut sums, mut waits, mut cut_meanwhile) = (Vec::new(), Vec::new(), 0);
    for round in 0..4 {
        // One digit for each slot shows what was in it.
        let sample = 10_u32.pow(round);
        sender.send(format!("sent:{sample}|c"));
        sums.push(f64::from(sample));
        let sum = sums.iter().sum();
        let ended = daemon.wait_for_sum(SENT, sum);
        let end_unix_s = *ended.times(SENT).last().expect("a slot");
        // The next sample is sent before this slot.
        cut_meanwhile += u32::from(graphite.points().sum(SENT) < sum);
        if round < 3 {
            continue;
        }
        graphite.wait_for_sum(SENT, sum);
        waits.push(since(end_unix_s));
    }
    for _ in 0..2 {
        let before = graphite.points().own_values("datagrams").len();
        let points = graphite.wait_for("a slot", |points| {
            points.own_values("datagrams").len() > before
        });
        let times = points.times(&format!("{OWN}.datagrams"));
        waits.push(since(*times.last().expect("a slot")));
    }
    assert!(cut_meanwhile > 0, "a sample came while a slot waited");
    assert!(waits.iter().all(|wait| *wait >= earliest), "{waits:?}");
    // On a busy machine one may be late, but not each.
    let soonest = waits.iter().min().expect("three");
    assert!(*soonest < SHARE + FLUSH / 8, "{waits:?}");
    let printed = daemon.stop_and_read();
    let points = graphite.points_to_end();
    for got in [&points, &printed] {
        assert_eq!(got.values(SENT), sums, "each in a slot of its own");
        let times = got.times(SENT);
        assert!(times.iter().all(|end| end.is_multiple_of(FLUSH.as_secs())));
        assert!(times.is_sorted_by(|one, next| one < next), "{times:?}");
    }
    assert_eq!(points.times(SENT), printed.times(SENT));
}
