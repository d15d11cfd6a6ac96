//! A trial without risk: the stand-in of an old daemon and a new one on the same traffic, by
//! `--repeat`, and what `ringstat compare` says of both.

use std::net::SocketAddr;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::daemon::{Daemon, Guarded, command};
use crate::support::lines::Lines;
use crate::support::points::Points;

/// `ringstat compare`, with both daemons in front of it.
struct Trial {
    compare: Guarded,
    progress: Lines,
    report: Lines,
    old: Daemon,
    new: Daemon,
    sent: u32,
}

impl Trial {
    /// Starts all three, and waits until slots are compared, so that what is sent from now on is.
    fn start(options_of_new: &str) -> Trial {
        let mut compare = command("compare --old 0 --new 0 --interval 1 --for 1h --ignore own.");
        compare.stdin(Stdio::null()).stdout(Stdio::piped());
        let compare = compare.stderr(Stdio::piped()).spawn();
        let mut compare = Guarded(compare.expect("the comparison starts"));
        let progress = Lines::of(compare.0.stderr.take().expect("a pipe"));
        let report = Lines::of(compare.0.stdout.take().expect("a pipe"));
        let address = |name: &str| -> SocketAddr {
            let line = progress.wait_for_text(&format!("waiting for {name} on "));
            let address = line.rsplit(' ').next().expect("a word");
            address.parse().expect("an address")
        };
        let (at_old, at_new) = (address("old"), address("new"));
        let old = Daemon::start(&format!("-b 127.0.0.1:0 -f 1 --shards 1 -s {at_old}"));
        let repeat = old.address();
        let new = Daemon::start(&format!(
            "-b 127.0.0.1:0 -f 1 --shards 2 -s {at_new} -s console: --repeat {repeat} \
             {options_of_new}"
        ));
        let trial = Trial {
            compare,
            progress,
            report,
            old,
            new,
            sent: 0,
        };
        trial.wait_for_slots(1);
        trial
    }

    /// Sends traffic of all types to the new daemon, from more than one client.
    fn send(&mut self) {
        for client in 0..4 {
            let sender = self.new.sender();
            for number in 0..50 {
                sender.send(format!(
                    "requests:{number}|c\nclient.{client}:1|c|@0.1\ntime:{number}|ms:7|ms|@0.5\n\
                     level:+{number}|g\nmembers:{number}|s\ntagged:1|c|#env:prod\nbad"
                ));
                self.sent += 1;
            }
        }
    }

    /// Waits until so many more slots are compared; returns how many are.
    fn wait_for_slots(&self, more: u64) -> u64 {
        let compared = |lines: &[String]| {
            let line = lines
                .iter()
                .rfind(|line| line.contains(" slots compared"))?;
            let before = line.split(" slots compared").next()?;
            before.rsplit(' ').next()?.parse::<u64>().ok()
        };
        let now = compared(&self.progress.now()).unwrap_or(0);
        let reached = |lines: &[String]| compared(lines).filter(|slots| *slots >= now + more);
        self.progress.wait_for("slots to be compared", reached)
    }

    /// Ends all three once what was sent is compared. Returns the exit code and the report of the
    /// comparison, and what the new daemon counted.
    fn end(mut self) -> (Option<i32>, String, Points) {
        // A level is known to differ after three slots, and a slot is compared two slots later.
        self.wait_for_slots(7);
        let process = Pid::from_child(&self.compare.0);
        kill_process(process, Signal::INT).expect("a child of ours");
        let code = self.compare.wait();
        let report = self.report.to_end().join("\n");
        assert_eq!(self.old.stop(), Some(0));
        (code, report, self.new.stop_and_read())
    }
}

#[track_caller]
fn assert_says(report: &str, parts: &[&str]) {
    for part in parts {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
}

#[test]
fn two_daemons_on_the_same_traffic_are_equal() {
    let mut trial = Trial::start("");
    trial.send();
    trial.wait_for_slots(2);
    trial.send();
    let sent = f64::from(trial.sent);
    let (code, report, counted) = trial.end();
    let none = [
        "0 paths: different\n",
        "0 paths: only in old",
        "0 paths: only in new",
    ];
    assert_says(&report, &none);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(counted.own_sum("repeat.datagrams"), sent);
    assert_eq!(counted.own_sum("repeat.dropped"), 0.0);
}

/// Goal: what one of them makes of the traffic differently is found, and nothing else. Method:
/// another percentile for the new one, and lines that only the old one gets.
#[test]
fn planted_differences_are_found_and_nothing_else() {
    let mut trial = Trial::start("--percent 95");
    trial.send();
    trial.old.sender().send("requests:1|c\nplanted:1|c");
    let (code, report, _) = trial.end();
    assert_says(
        &report,
        &[
            "2 paths: different\n",
            "7 paths: only in old",
            "5 paths: only in new",
            "stats.timers.time.upper_90: only in old",
            "stats.timers.time.upper_95: only in new",
            "stats.counters.planted.count: only in old",
            "stats.counters.planted.rate: only in old",
            "stats.counters.requests.count: old ",
            "over the whole time 4901 and 4900",
            "stats.counters.requests.rate: old ",
        ],
    );
    assert_eq!(code, Some(1), "{report}");
}
