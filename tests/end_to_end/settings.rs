//! Wrong options and files are refused with the place; right ones can be checked.

use std::fs;
use std::process::Stdio;

use crate::support::daemon::{Ended, command, run};

fn run_with_pipe(arguments: &str) -> Ended {
    let mut command = command(arguments);
    command.stdout(Stdio::piped());
    run(command)
}

/// Goal: a wrong setting ends with 2 and a message that names it. Method: one of each kind.
#[test]
fn a_wrong_option_is_named() {
    for (arguments, named) in [
        ("--nonsense", "--nonsense"),
        ("-f never", "never"),
        ("-b nowhere:99999", "99999"),
        ("-s smtp://localhost", "smtp"),
        ("--engine epoll", "epoll"),
        ("-f 0.5 -s 127.0.0.1:2003", "flush"),
        ("--config /nonexistent.toml", "/nonexistent.toml"),
    ] {
        let ended = run_with_pipe(arguments);
        assert_eq!(ended.code, Some(2), "{arguments}: {ended:?}");
        assert!(ended.log.contains(named), "{arguments}: {ended:?}");
        assert_eq!(ended.out, "", "{arguments}");
    }
}

/// Goal: a mistake in a file is found quickly. Method: the message begins with file, line, column.
#[test]
fn a_mistake_in_a_file_has_its_place() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("wrong.toml");
    fs::write(&path, "flush = \"10s\"\nshards = \"many\"\n").expect("a file");
    let mut command = command("--config");
    command.arg(&path).stdout(Stdio::piped());
    let ended = run(command);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let place = format!("{}:2:10: ", path.display());
    assert!(ended.log.contains(&place), "{ended:?}");
}

/// Goal: what a script sees is the exit code, whatever becomes of the words. A full standard error
/// made the process abort, and a check that could not be printed looked like one that passed.
/// Method: a device that is always full.
#[test]
fn a_full_output_does_not_change_the_exit_code() {
    let full = || fs::File::create("/dev/full").expect("a device");
    let mut wrong = command("-f never");
    let status = wrong.stderr(full()).status().expect("it starts");
    assert_eq!(status.code(), Some(2));
    let mut check = command("--check");
    check.stdout(full());
    let ended = run(check);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.log.contains("standard output"), "{ended:?}");
}

/// Goal: what is in force can be seen without starting anything. Method: check a file and an
/// option that wins over it, then check what was printed.
#[test]
fn a_check_prints_a_file_that_gives_the_same_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let check = |text: &str, more: &str| {
        let path = directory.path().join("ringstat.toml");
        fs::write(&path, text).expect("a file");
        let mut command = command(more);
        command.arg("--config").arg(&path).stdout(Stdio::piped());
        let ended = run(command);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.out
    };
    let text = check(
        "flush = \"20s\"\npercent = [50, 99.9]\n",
        "--check -f 30 -s :2003",
    );
    assert!(text.contains("flush = \"30s\""), "{text}");
    assert!(
        text.contains("sink = [\"graphite://localhost:2003\"]"),
        "{text}"
    );
    assert!(text.contains("99.9"), "{text}");
    assert_eq!(check(&text, "--check"), text);
}

/// Goal: help and version need no working configuration. Method: ask for them.
#[test]
fn help_and_version_go_to_the_standard_output() {
    let version = run_with_pipe("--version");
    assert_eq!(version.code, Some(0));
    assert_eq!(version.out, concat!("ringstat ", env!("CARGO_PKG_VERSION")));
    let help = run_with_pipe("-h");
    assert_eq!(help.code, Some(0));
    assert!(help.out.contains("--sink"), "{}", help.out);
}
