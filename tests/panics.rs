//! A panic in one thread ends the process, whatever the build makes of panics.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// Says to a copy of this program that it is the one to panic.
const IN_COPY: &str = "RINGSTAT_TEST_PANICS";

#[test]
fn a_thread_that_panics_takes_the_process_down() {
    if std::env::var_os(IN_COPY).is_some() {
        ringstat::daemon::abort_on_panic();
        let thread = std::thread::spawn(|| panic!("one shard is broken"));
        // Without the abort this thread would go on alone, and end in order.
        assert!(thread.join().is_err());
        return;
    }
    let this = std::env::current_exe().expect("a running program has a file");
    let output = Command::new(this)
        .arg("a_thread_that_panics_takes_the_process_down")
        .env(IN_COPY, "1")
        .output()
        .expect("a copy of this program");
    const SIGABRT: i32 = 6;
    assert_eq!(output.status.signal(), Some(SIGABRT), "{output:?}");
}

#[test]
fn release_builds_abort_by_themselves() {
    let manifest = include_str!("../Cargo.toml");
    let profile = manifest.split("[profile.release]").nth(1);
    let profile = profile.expect("a release profile").split("\n[").next();
    assert!(profile.expect("its keys").contains("\npanic = \"abort\"\n"));
}
