//! Tests of the command lines and the file that they name.

mod gstatsd;
mod options;
mod statsite;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::sink::SinkAddress;
use crate::transport::BindAddress;

/// What a command line gives; the words are separated by spaces.
fn given(line: &str) -> Result<Command, Exit> {
    let parsed = parse(line.split(' ').map(OsString::from));
    parsed.map(|parsed| parsed.command)
}

#[track_caller]
fn config(line: &str) -> Config {
    match given(line) {
        Ok(Command::Run(config)) => config,
        other => panic!("{line} does not run: {other:?}"),
    }
}

#[track_caller]
fn refusal(line: &str) -> String {
    let Exit { message, code } = given(line).expect_err(line);
    assert_eq!(code, 2, "for {line}");
    assert!(message.starts_with("error: "), "{message}");
    assert!(!message.ends_with('\n'), "{message}");
    message
}

#[track_caller]
fn printed(line: &str) -> String {
    match given(line) {
        Ok(Command::Print(text)) => text,
        other => panic!("{line} prints nothing: {other:?}"),
    }
}

/// A configuration file that is deleted with the value.
struct ConfigFile(TempDir);

impl ConfigFile {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("a.toml"), text).expect("a file in our own folder");
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("a.toml")
    }

    /// Ringstat's command line with this file; the words behind it as they are.
    fn with(&self, options: &[&str]) -> Result<Command, Exit> {
        let own = [
            "ringstat".into(),
            "--config".into(),
            self.path().into_os_string(),
        ];
        let parsed = parse(own.into_iter().chain(options.iter().map(OsString::from)));
        parsed.map(|parsed| parsed.command)
    }
}

fn bind(text: &str) -> Vec<BindAddress> {
    vec![text.parse().expect("an address")]
}

fn sinks(texts: &[&str]) -> Vec<SinkAddress> {
    texts
        .iter()
        .map(|text| text.parse().expect("an address"))
        .collect()
}

#[test]
fn help_and_version_are_printed() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        printed("ringstat --version"),
        format!("ringstat {version}\n")
    );
    assert_eq!(
        printed("gstatsd --version"),
        format!("gstatsd (ringstat {version})\n")
    );
    for line in [
        "ringstat -h",
        "ringstat --help",
        "gstatsd -h",
        "gstatsd --help",
    ] {
        assert!(printed(line).contains("Usage: "), "{line}");
    }
    let help = printed("ringstat --help");
    for heading in [
        "Listening:",
        "Sinks:",
        "Aggregation:",
        "Limits:",
        "Process:",
    ] {
        assert!(
            help.contains(&format!("\n{heading}\n")),
            "{heading} is missing"
        );
    }
}

#[test]
fn settings_of_file_and_command_line_are_put_together() {
    let file = ConfigFile::new("flush = '500ms'\nprefix = 'web'\n");
    assert_eq!(
        file.with(&["-s", "g:1"])
            .expect_err("too fast for Graphite")
            .message
            .as_str(),
        format!(
            "error: {} with these options: flush = 500ms does not go with sink = {}: Graphite's \
             time stamps are whole seconds; set flush to 1s or more",
            file.path().display(),
            sinks(&["g:1"])[0]
        )
    );
    let slower = file.with(&["-s", "g:1", "-f", "1"]);
    assert_eq!(
        slower,
        Ok(Command::Run(config("ringstat -s g:1 -f 1 -x web")))
    );
}

/// The message named the settings and not the file that they were in.
#[test]
fn a_conflict_within_a_file_names_the_file() {
    let file = ConfigFile::new("flush = 1\nmax_wait = '2s'\n");
    let refused = file.with(&["-x", "web"]).expect_err("it is longer");
    assert_eq!(
        refused.message,
        format!(
            "error: {}: max_wait = 2s is longer than flush = 1s: a batch would be late for its \
             interval",
            file.path().display()
        )
    );
}

#[test]
fn flags_may_be_switched_off_again() {
    for name in ["--pin", "--weighted-timers", "--daemonize", "-D"] {
        let on = config(&format!("ringstat {name}"));
        assert_ne!(on, config("ringstat"), "{name}");
        assert_eq!(on, config(&format!("ringstat {name}=true")));
        assert_eq!(
            config(&format!("ringstat {name}=false")),
            config("ringstat")
        );
    }
    assert_eq!(
        config("ringstat -Dvv"),
        config("ringstat -v --daemonize -v")
    );
}

#[test]
fn times_sizes_and_lists_have_several_spellings() {
    for (one, other) in [
        ("-f 0.5", "--flush=500ms"),
        ("-f 90", "-f 1.5m"),
        ("--max-wait 0.005", "--max-wait 5000us"),
        ("--receive-buffer 1MiB", "--receive-buffer 1024KiB"),
        ("--receive-buffer 1048576", "--receive-buffer 1MiB"),
        ("--queue-bytes 1.5kB", "--queue-bytes 1500"),
        ("--max-series 1_000", "--max-series 1000"),
        ("-p 50,99.9,-10", "-p 50 -p 99.9 -p -10"),
        ("--percent=", "--percent= --percent="),
        ("--idle 0", "--idle 0s"),
        ("-x web", "-x ..web."),
    ] {
        assert_eq!(
            config(&format!("ringstat {one}")),
            config(&format!("ringstat {other}"))
        );
    }
}

#[test]
fn wrong_options_are_refused() {
    for (line, words) in [
        ("ringstat --flsh 1", "unexpected argument '--flsh'"),
        ("ringstat 8125", "unrecognized subcommand '8125'"),
        ("ringstat -f", "a value is required for '--flush <SECONDS>'"),
        ("ringstat -f 1 -f 2", "cannot be used multiple times"),
        (
            "ringstat -f soon",
            "invalid value 'soon' for '--flush <SECONDS>': `soon` is not a time",
        ),
        ("ringstat -p -v", "`-v` is not a percentile"),
        (
            "ringstat --align maybe",
            "invalid value 'maybe' for '--align",
        ),
        (
            "ringstat -b x:y",
            "invalid value 'x:y' for '--bind <ADDRESS>'",
        ),
        (
            "ringstat -s s3://x",
            "invalid value 's3://x' for '--sink <ADDRESS>'",
        ),
        (
            "ringstat --naming carbon",
            "invalid value 'carbon' for '--naming <NAMING>'",
        ),
        (
            "ringstat --max-wait 11s",
            "error: max_wait = 11s is longer than flush = 10s",
        ),
        (
            "ringstat --config /nowhere/a.toml",
            "error: cannot read /nowhere/a.toml: No such file",
        ),
        (
            "gstatsd -s 1 -f 0.5",
            "error: flush = 500ms does not go with sink = ",
        ),
    ] {
        let message = refusal(line);
        assert!(message.contains(words), "{line}: {message}");
    }
}

#[test]
fn a_mistake_in_the_file_is_reported_with_its_place() {
    let file = ConfigFile::new("flush = 10\nshards = 'all'\n");
    let Exit { message, code } = file.with(&[]).expect_err("wrong");
    assert_eq!(code, 2);
    assert_eq!(
        message,
        format!(
            "error: {}:2:10: `all` is not a whole number from 1 to 256\n  shards = 'all'\n           ^",
            file.path().display()
        )
    );
}

#[test]
fn check_gives_the_configuration_that_would_run() {
    let line = "-s g:2003 -x web -p 50,99.9 --shards 3";
    let Ok(Command::Check(checked)) = given(&format!("ringstat --check {line}")) else {
        panic!("--check does not check");
    };
    assert_eq!(checked, config(&format!("ringstat {line}")));
    let file = ConfigFile::new(&checked.to_toml());
    assert_eq!(file.with(&[]), Ok(Command::Run(checked)));
}
