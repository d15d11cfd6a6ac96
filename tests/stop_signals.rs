//! Signals to this test's own process: it has no other test, whose system calls they would
//! interrupt.

use std::sync::mpsc;
use std::time::Duration;

use ringstat::io::{Backend, Settings, Signal as Told, run};
use rustix::process::{Signal, getpid, kill_process};

const DEADLINE: Duration = Duration::from_secs(20);

/// Goal: SIGTERM, SIGINT and SIGHUP are told of, each time. Method: both back ends, or the one that
/// there is.
#[test]
fn signals_are_told_of() {
    for backend in [Some(Backend::Tokio), None] {
        let mut settings = Settings::new(Vec::new(), 1, Duration::from_secs(10));
        settings.backend = backend;
        let (tell, told) = mpsc::channel();
        let on_signal = Box::new(move |signal| tell.send(signal).expect("the test listens"));
        let io = run(&settings, Some(on_signal)).expect("the io thread starts");
        for (signal, expected) in [
            (Signal::HUP, Told::HungUp),
            (Signal::TERM, Told::Terminated),
            (Signal::INT, Told::Interrupted),
            (Signal::HUP, Told::HungUp),
            (Signal::TERM, Told::Terminated),
        ] {
            kill_process(getpid(), signal).expect("a signal to ourselves");
            assert_eq!(told.recv_timeout(DEADLINE), Ok(expected));
        }
        assert_eq!(io.close_and_wait(DEADLINE), []);
    }
}
