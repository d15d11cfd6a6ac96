//! What a real Graphite receiver makes of what is sent.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::carbon::Carbon;
use crate::support::daemon::Daemon;
use crate::support::skip;

/// Goal: what is sent to Graphite is there to be drawn, by either protocol. Method: a sample to a
/// daemon for each; the value and its time are read from the file that carbon wrote.
#[test]
fn carbon_stores_what_is_sent_as_text_and_as_pickle() {
    let Some(carbon) = Carbon::start() else {
        return skip("carbon-cache of the package graphite-carbon is missing");
    };
    let began_unix_s = now_unix_s();
    let sinks = [
        ("text", format!("graphite://127.0.0.1:{}", carbon.text_port)),
        (
            "pickle",
            format!("graphite+pickle://127.0.0.1:{}", carbon.pickle_port),
        ),
    ];
    let daemons = sinks.map(|(prefix, sink)| {
        let daemon = Daemon::start(&format!("-b 127.0.0.1:0 -f 1 -s {sink} -x {prefix}"));
        daemon.sender().send("a:5|c\nb:0.125|g");
        (prefix, daemon)
    });
    for (prefix, mut daemon) in daemons {
        let counted = carbon.wait_for(&format!("stats/counters/{prefix}/a/count"), 5.0);
        let [(time_unix_s, _)] = counted[..] else {
            panic!("once, and 0 in other slots: {counted:?}");
        };
        assert!(time_unix_s >= began_unix_s && time_unix_s <= now_unix_s() + 1);
        let levels = carbon.wait_for(&format!("stats/gauges/{prefix}/b"), 0.125);
        assert_eq!(levels[0].0, time_unix_s, "both are of one slot");
        assert_eq!(daemon.stop(), Some(0));
    }
}

fn now_unix_s() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("it is after 1970").as_secs()
}
