//! Tests of the statsites' command lines, of their files under ringstat's, and of import.

use std::io::Write;
use std::os::fd::AsRawFd;

use super::*;
use crate::cli::Parsed;
use crate::naming::Dialect;

/// A folder with one file of another daemon.
struct Foreign(TempDir);

impl Foreign {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("f.conf"), text).expect("a file in our own folder");
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("f.conf")
    }

    /// A command line in which FILE stands for the file.
    fn given(&self, line: &str) -> Result<Parsed, Exit> {
        let path = self.path();
        let word = |word: &str| match word {
            "FILE" => path.clone().into_os_string(),
            word => word.into(),
        };
        parse(line.split(' ').map(word))
    }

    #[track_caller]
    fn config(&self, line: &str) -> Config {
        match self.given(line).map(|parsed| parsed.command) {
            Ok(Command::Run(config)) => config,
            other => panic!("{line} does not run: {other:?}"),
        }
    }
}

const OF_C: &str = "[statsite]\nport = 0\nudp_port = 7\nflush_interval = 5\nlog_levle = WARN\n";
const OF_PYTHON: &str = "[collector]\nport = 7\n[statsite]\nflush_interval = 5\n";

#[test]
fn statsite_tells_its_two_kinds_apart_by_their_options() {
    assert_eq!(config("statsite").naming, Dialect::Statsite);
    assert_eq!(config("/usr/bin/statsite").naming, Dialect::Statsite);
    assert_eq!(config("statsite -l debug").naming, Dialect::PythonStatsite);
    assert_eq!(
        config("statsite -s store.port=1").sinks,
        sinks(&["localhost:1"])
    );
    let of_c = Foreign::new(OF_C);
    for line in [
        "statsite -f FILE",
        "ringstat --statsite FILE",
        "ringstat --statsite FILE -f 5",
    ] {
        let Parsed { command, warnings } = of_c.given(line).expect(line);
        let Command::Run(config) = command else {
            panic!("{line} does not run");
        };
        assert_eq!(config.bind, bind("7"), "{line}");
        assert_eq!(
            (config.flush_interval.as_secs(), config.naming),
            (5, Dialect::Statsite)
        );
        let place = format!(
            "{}:5: statsite has no key `log_levle`; it is left out",
            of_c.path().display()
        );
        assert_eq!(warnings, [place], "{line}");
    }
    let of_python = Foreign::new(OF_PYTHON);
    for line in [
        "statsite -c FILE",
        "statsite --config=FILE",
        "ringstat --python-statsite FILE",
        "statsite -c FILE -s collector.port=7",
    ] {
        let line = line.replace("=FILE", &format!("={}", of_python.path().display()));
        let config = of_python.config(&line);
        assert_eq!(config.bind, bind("0.0.0.0:7"), "{line}");
        assert_eq!(config.flush_interval.as_secs(), 5, "{line}");
    }
}

#[test]
fn options_of_ringstat_win_over_a_foreign_file() {
    let file = Foreign::new(OF_C);
    let config = file.config("ringstat --statsite FILE -f 60 -s g:1");
    assert_eq!(config.flush_interval.as_secs(), 60);
    assert_eq!(config.sinks, sinks(&["g:1"]));
    assert_eq!(config.bind, bind("7"));
}

/// Files of other daemons say where the log goes without a word about it; `--log` was refused beside them.
#[test]
fn an_option_for_the_log_takes_the_place_of_the_other_kind_in_a_file() {
    let syslog = |word: &str| Some(word.parse().expect("a facility"));
    let of_c = Foreign::new(OF_C);
    assert_eq!(
        of_c.config("ringstat --statsite FILE").syslog,
        syslog("local0")
    );
    let config = of_c.config("ringstat --statsite FILE --log a.log");
    assert_eq!((config.log, config.syslog), (Some("a.log".into()), None));
    let of_etsy = Foreign::new("{ port: 7 }");
    let config = of_etsy.config("ringstat --etsy FILE --syslog user");
    assert_eq!((config.log, config.syslog), (None, syslog("user")));
    let both = of_c.given("ringstat --statsite FILE --log a.log --syslog user");
    let Exit { message, .. } = both.expect_err("it goes to one of them");
    assert!(message.contains("does not go with syslog"), "{message}");
}

#[test]
fn a_mistake_ends_with_the_code_of_whoever_is_asked_or_whose_file_it_is() {
    let wrong = Foreign::new("[statsite]\nport = x\n");
    let reason = format!(
        "error: {}:2: port: `x` is not a whole number from 0 to 65535",
        wrong.path().display()
    );
    for line in [
        "statsite -f FILE",
        "ringstat --statsite FILE",
        "ringstat --statsite FILE --check",
    ] {
        let message = reason.clone();
        assert_eq!(wrong.given(line), Err(Exit { message, code: 1 }), "{line}");
    }
    for line in [
        "statsite -x",
        "statsite -f",
        "statsite -c /nowhere/a -f b",
        "statsite file",
    ] {
        assert_eq!(wrong.given(line).expect_err(line).code, 1, "{line}");
    }
    for line in [
        "ringstat import FILE --from statsite",
        "ringstat --statsite FILE --config FILE",
        "ringstat --statsite FILE --python-statsite FILE",
        "ringstat --etsy FILE --statsite FILE",
        "ringstat -f 5 import FILE",
    ] {
        assert_eq!(wrong.given(line).expect_err(line).code, 2, "{line}");
    }
}

#[test]
fn help_and_version_of_statsite_are_printed() {
    for line in [
        "statsite -h",
        "statsite -l info -h",
        "ringstat import --help",
    ] {
        assert!(printed(line).contains("Usage: "), "{line}");
    }
    assert!(printed("statsite -v").starts_with("statsite (ringstat "));
}

#[test]
fn an_imported_file_gives_the_configuration_that_it_gave() {
    for (text, options, daemon) in [
        (OF_C, "--statsite", "the statsite in C"),
        (OF_PYTHON, "--python-statsite", "the statsite in Python"),
        (
            "// ours\n{ port: 7, graphiteHost: 'g' }\n",
            "--etsy",
            "etsy's statsd",
        ),
        (
            "[histogram]\nprefix=a\nmin=0\nmax=9\nwidth=1",
            "--statsite",
            "the statsite in C",
        ),
    ] {
        let file = Foreign::new(text);
        let Parsed { command, warnings } = file.given("ringstat import FILE").expect(text);
        let Command::Print(toml) = command else {
            panic!("{text} is not printed");
        };
        let head = format!("# From {}, a file of {daemon}.\n", file.path().display());
        assert!(toml.starts_with(&head), "{toml}");
        for warning in &warnings {
            assert!(toml.contains(&format!("\n# {warning}\n")), "{toml}");
        }
        let imported = ConfigFile::new(&toml);
        let from_file = file.config(&format!("ringstat {options} FILE"));
        assert_eq!(imported.with(&[]), Ok(Command::Run(from_file)), "{toml}");
    }
}

#[test]
fn a_pipe_is_imported_as_a_file_is() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer
        .write_all(b"[statsite]\nflush_interval = 5\nport = 7\n")
        .expect("room");
    drop(writer);
    let line = format!("ringstat import /proc/self/fd/{}", reader.as_raw_fd());
    let Ok(Parsed {
        command: Command::Print(toml),
        ..
    }) = parse(line.split(' ').map(OsString::from))
    else {
        panic!("a file of statsite's");
    };
    assert!(toml.contains("\"tcp://:7\""), "{toml}");
    assert!(toml.contains("flush = \"5s\""), "{toml}");
}

#[test]
fn a_file_whose_kind_cannot_be_seen_is_taken_with_from() {
    for text in ["[statsite]\nflush_interval = 5\n", "", "flush = 5\n"] {
        let file = Foreign::new(text);
        let Exit { message, code } = file.given("ringstat import FILE").expect_err(text);
        assert_eq!(code, 2);
        assert!(
            message.ends_with("say it with --from statsite, python-statsite or etsy"),
            "{message}"
        );
    }
    let file = Foreign::new("[statsite]\nflush_interval = 5\n");
    for format in ["statsite", "python-statsite"] {
        let parsed = file.given(&format!("ringstat import FILE --from {format}"));
        let Ok(Parsed {
            command: Command::Print(toml),
            ..
        }) = parsed
        else {
            panic!("{parsed:?}");
        };
        assert!(toml.contains(&format!("naming = \"{format}\"\n")), "{toml}");
    }
    let unknown = file
        .given("ringstat import FILE --from veneur")
        .expect_err("no such format");
    assert!(
        unknown.message.contains("statsite, python-statsite, etsy"),
        "{unknown:?}"
    );
    let missing = file
        .given("ringstat import /nowhere/a")
        .expect_err("no such file");
    assert!(
        missing.message.contains("cannot read /nowhere/a"),
        "{missing:?}"
    );
}
