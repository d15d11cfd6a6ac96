//! Tests that options, keys of the file, help, defaults and README's table are one list.

use std::collections::BTreeSet;

use clap::{Arg, CommandFactory};

use super::{ConfigFile, config};
use crate::cli::ringstat::Arguments;
use crate::cli::table::{ONLY_OPTIONS, split_default};
use crate::cli::{Command, options_table};
use crate::config::Settings;
use crate::naming::Dialect;

/// Every option that is also a key.
fn options() -> Vec<Arg> {
    let command = Arguments::command();
    let all = command
        .get_arguments()
        .filter(|option| !ONLY_OPTIONS.contains(&option.get_long().unwrap_or_default()));
    all.cloned().collect()
}

fn key(option: &Arg) -> String {
    option
        .get_long()
        .expect("each option has a long name")
        .replace('-', "_")
}

#[test]
fn every_option_has_a_place_a_summary_a_default_and_more_to_say() {
    for option in options() {
        let name = key(&option);
        assert!(
            option.get_help_heading().is_some(),
            "{name} stands under no heading"
        );
        let help = option
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let (summary, default, _) = split_default(&help);
        assert!(!summary.is_empty() && !default.is_empty(), "{name}: {help}");
        assert!(
            option.get_long_help().is_some(),
            "{name} does not say when to change it"
        );
    }
}

#[test]
fn every_option_is_a_key_of_the_file_and_the_other_way_round() {
    let on_the_command_line: BTreeSet<String> = options().iter().map(key).collect();
    // Serde's words for an unknown key name all those that it knows.
    let words = toml::from_str::<Settings>("no-such-key = 1")
        .expect_err("unknown")
        .to_string();
    let list = words
        .split_once("expected one of ")
        .expect("serde lists the keys")
        .1;
    let in_the_file = list
        .trim()
        .split(", ")
        .map(|key| key.trim_matches('`').to_owned());
    assert_eq!(on_the_command_line, in_the_file.collect());
}

/// For each option: two values, both other than the default.
const TWO_VALUES: [(&str, &str, &str); 66] = [
    ("bind", "127.0.0.1:1", "127.0.0.1:2"),
    ("shards", "7", "8"),
    ("pin", "true", "false"),
    ("engine", "recvmmsg", "io_uring"),
    ("max-wait", "6ms", "0"),
    ("receive-buffer", "1MiB", "2MB"),
    ("max-datagram", "9000", "8KiB"),
    ("repeat", "127.0.0.1:1", "127.0.0.1:2"),
    ("sink", "graphite://a:1", "console:"),
    ("queue-bytes", "1GiB", "1000"),
    ("spread", "0.5", "0.2"),
    ("spool", "/a", "/b"),
    ("spool-bytes", "1MiB", "1000"),
    ("spool-age", "5m", "1h"),
    ("command-timeout", "5", "500ms"),
    ("flush", "60", "1.5"),
    ("align", "false", "true"),
    ("naming", "gstatsd", "etsy-legacy"),
    ("prefix", "a", "b.c"),
    ("counter-prefix", "a.", ""),
    ("timer-prefix", "a.", ""),
    ("gauge-prefix", "a.", ""),
    ("set-prefix", "a.", ""),
    ("kv-prefix", "a.", ""),
    ("suffix", "a", "b.c"),
    ("counter-counts", "false", "true"),
    ("extended-counters", "sum", "samples"),
    ("percent", "50", "-10"),
    ("timer-statistics", "mean", "upper"),
    ("histogram", "a:1,2", "b:"),
    ("weighted-timers", "true", "false"),
    ("tags", "false", "true"),
    ("idle", "none", "1h"),
    ("idle-counters", "none", "1h"),
    ("idle-timers", "none", "1h"),
    ("idle-sets", "none", "1h"),
    ("idle-gauges", "7m", "none"),
    ("own-prefix", "", "own"),
    ("own-metrics", "etsy", "ringstat"),
    ("own-namespace", "a", "b.c"),
    ("input-counter", "a", "b"),
    ("max-series", "10", "11"),
    ("max-connections", "10", "11"),
    ("liveness", ":1", "localhost"),
    ("management", ":1", "localhost"),
    ("control", "a", "none"),
    ("max-timer-values", "10", "11"),
    ("timer-error", "0.01", "0.5"),
    ("max-set-values", "10", "11"),
    ("set-error", "0.02", "0.01"),
    ("deny", "a.*", "b.*"),
    ("quota", "a.*=5", "b.*=6"),
    ("max-memory", "1GiB", "2GiB"),
    ("state-file", "a", "b"),
    ("state-age", "5m", "0"),
    ("pid-file", "a", "b"),
    ("daemonize", "true", "false"),
    ("log", "a", "b"),
    ("syslog", "user", "LOCAL7"),
    ("log-level", "warn", "error"),
    ("log-lines", "true", "false"),
    ("name-counts", "60s", "90s"),
    ("name-counts-percent", "5", "50"),
    ("name-counts-file", "a", "b"),
    ("title", "a", "b"),
    ("verbose", "1", "2"),
];

/// The option with its value as the command line has it.
fn as_option(name: &str, value: &str) -> String {
    match name {
        "verbose" => format!("-{}", "v".repeat(value.parse().expect("a count"))),
        _ => format!("--{name}={value}"),
    }
}

/// The option with its value as the file has it.
fn as_key(name: &str, value: &str) -> String {
    let key = name.replace('-', "_");
    match (name, value) {
        ("verbose", _) | (_, "true" | "false") => format!("{key} = {value}"),
        ("quota", _) => {
            let (pattern, count) = value.split_once('=').expect("a quota");
            format!("quota.'{pattern}' = {count}")
        }
        _ => format!("{key} = '{value}'"),
    }
}

#[test]
fn the_command_line_wins_over_the_file_and_the_file_over_the_default() {
    let tested: BTreeSet<String> = TWO_VALUES.map(|(name, ..)| name.replace('-', "_")).into();
    assert_eq!(options().iter().map(key).collect::<BTreeSet<_>>(), tested);

    for (name, in_file, on_line) in TWO_VALUES {
        let naming: &[&str] = match name {
            "extended-counters" => &["--naming=statsite"],
            "own-namespace" => &["--own-metrics=etsy"],
            "name-counts-file" => &["--name-counts=60s"],
            _ => &[],
        };
        let on_command_line = |options: &[&str]| {
            let words = [&["ringstat"], naming, options].concat();
            config(&words.join(" "))
        };
        let default = on_command_line(&[]);
        let file = ConfigFile::new(&as_key(name, in_file));
        let run = |command| match command {
            Ok(Command::Run(config)) => config,
            other => panic!("{name}: {other:?}"),
        };
        let from_file = run(file.with(naming));
        let from_both = run(file.with(&[naming, &[&as_option(name, on_line)]].concat()));
        let from_line = on_command_line(&[&as_option(name, on_line)]);
        assert_ne!(from_file, default, "{name} in the file has no effect");
        assert_eq!(
            on_command_line(&[&as_option(name, in_file)]),
            from_file,
            "{name}"
        );
        assert_ne!(
            from_both, from_file,
            "{name} on the command line does not win"
        );
        assert_eq!(from_both, from_line, "{name} in the file shines through");
    }
}

#[test]
fn the_defaults_that_the_help_names_are_the_defaults() {
    let words = [
        "one per allowed CPU, at most 4",
        "none",
        "the flush interval, but at least 10s",
        "all of them",
        "that of the naming",
        "as idle",
        "/run/ringstat/ctl, where that can be made",
    ];
    for option in options() {
        let help = option
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let (_, default, _) = split_default(&help);
        let name = option.get_long().expect("a long name");
        let default = default
            .strip_suffix("; statsd with own_metrics etsy")
            .unwrap_or(default);
        let (default, other) = match default.split_once("; ") {
            Some((default, rest)) => (default, rest.split_once(" with naming ")),
            None => (default, Some(("", ""))),
        };
        let (other, others) = other.unwrap_or_else(|| panic!("unusual default: {help}"));
        let others: &[&str] = match others {
            "" => &[],
            "gstatsd or statsite's" => &["gstatsd", "statsite", "python-statsite"],
            "statsite" => &["statsite"],
            _ => panic!("unusual default: {help}"),
        };
        for naming in Dialect::ALL.map(Dialect::word) {
            let default = match others.contains(&naming) {
                true => other,
                false => default,
            };
            let plain = config(&format!("ringstat --naming={naming}"));
            let option = match (name, default) {
                ("naming", _) => continue,
                ("sink", "console:") if plain.sinks.is_empty() => continue,
                ("verbose", "0") => "-f10".to_owned(),
                ("own-prefix" | "prefix" | "suffix", "none") => format!("--{name}="),
                ("idle" | "idle-gauges", "none") => format!("--{name}=none"),
                _ if words.contains(&default) => continue,
                _ => as_option(name, default),
            };
            let given = config(&format!("ringstat --naming={naming} {option}"));
            assert_eq!(
                given, plain,
                "{option} is not the default with naming {naming}"
            );
        }
    }
    assert_eq!(config("ringstat --naming=etsy"), config("ringstat"));
}

#[test]
fn the_table_has_a_row_for_each_option() {
    let table = options_table();
    for option in options() {
        let long = option.get_long().expect("a long name");
        let row = format!("`--{long}` | `{}` | ", key(&option));
        assert_eq!(table.matches(&row).count(), 1, "{long} in {table}");
    }
    let flush =
        "| `-f`, `--flush` | `flush` | 10s | Flush interval: seconds, also 0.5, 500ms or 1m. ";
    assert!(table.contains(flush), "{table}");
    assert!(table.contains("\n\n**Listening**\n\n| option | key in the file | default |"));
    assert!(
        table.contains("| `-b`, `--bind` | `bind` | :8125 | Listen on"),
        "{table}"
    );
    for line in table.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(
            line.matches('|').count() - line.matches("\\|").count(),
            5,
            "{line}"
        );
    }
}
