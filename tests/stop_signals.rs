//! Signals to this test's own process: it has no other test, whose system calls they would
//! interrupt.

use std::sync::mpsc;
use std::time::Duration;

use ringstat::io::{Backend, Settings, Stop, run};
use rustix::process::{Signal, getpid, kill_process};

const DEADLINE: Duration = Duration::from_secs(20);

/// Goal: SIGTERM and SIGINT are told of, each time; SIGHUP ends nothing. Method: both back ends,
/// or the one that there is.
#[test]
fn stop_signals_are_told_of() {
    for backend in [Some(Backend::Tokio), None] {
        let mut settings = Settings::new(Vec::new(), 1, Duration::from_secs(10));
        settings.backend = backend;
        let (told, stops) = mpsc::channel();
        let on_stop = Box::new(move |stop| told.send(stop).expect("the test listens"));
        let io = run(settings, Some(on_stop)).expect("the io thread starts");
        for (signal, stop) in [
            (Signal::HUP, None),
            (Signal::TERM, Some(Stop::Terminated)),
            (Signal::INT, Some(Stop::Interrupted)),
            (Signal::TERM, Some(Stop::Terminated)),
        ] {
            kill_process(getpid(), signal).expect("a signal to ourselves");
            if let Some(stop) = stop {
                assert_eq!(stops.recv_timeout(DEADLINE), Ok(stop));
            }
        }
        assert_eq!(io.close_and_wait(DEADLINE), []);
    }
}
