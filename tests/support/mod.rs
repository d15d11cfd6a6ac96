//! What the end-to-end tests and the fault tests stand on: the daemon as a child process, a Graphite
//! listener, sockets that send, and points read back from text.

#![allow(dead_code, reason = "two binaries share it, and neither uses all")]

pub(crate) mod carbon;
pub(crate) mod daemon;
pub(crate) mod engines;
pub(crate) mod graphite;
pub(crate) mod kept;
pub(crate) mod ledger;
pub(crate) mod lines;
pub(crate) mod link;
pub(crate) mod memory;
pub(crate) mod open_loop;
pub(crate) mod points;
pub(crate) mod udp;

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for anything. Nothing here takes this long unless it is broken, however
/// slow the machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer, for what cannot tell of itself, such as a file
/// in /proc.
pub(crate) fn poll<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Tells why a test ends early because of a tool that is missing. Where all tools must be there,
/// it fails instead.
pub(crate) fn skip(reason: &str) {
    let must_run = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!must_run, "{reason}; .ci/setup installs it");
    println!("skipped: {reason}");
}
