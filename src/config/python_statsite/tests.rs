//! Tests of every key of the Python statsite's files, of each refusal with its line, and of warnings.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::config::{Config, Machine};

/// What files with these texts, named 0, 1 and so on, and settings come to; messages without the
/// folder.
fn read_texts(
    texts: &[&str],
    settings: &[&str],
    log_level: Option<&str>,
) -> Result<(String, Vec<String>), String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |(index, text): (usize, &&str)| {
        let path = folder.path().join(index.to_string());
        fs::write(&path, text).unwrap();
        path
    };
    let paths: Vec<_> = texts.iter().enumerate().map(write).collect();
    let settings: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
    let without_folder = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    let (settings, warnings) = read(&paths, &settings, log_level).map_err(without_folder)?;
    let config = Config::new(settings.clone(), &Machine::here());
    config.expect("what the reader takes fits together");
    let warnings = warnings.into_iter().map(without_folder).collect();
    Ok((settings.to_toml(), warnings))
}

const DEFAULTS: &str = r#"bind = ["udp://0.0.0.0:8125"]
sink = ["graphite://localhost:2003"]
flush = "10s"
naming = "python-statsite"
log_level = "info"
"#;

#[test]
fn without_a_key_its_default_counts() {
    assert_eq!(
        read_texts(&[], &[], None),
        Ok((DEFAULTS.to_owned(), vec![]))
    );
    assert_eq!(
        read_texts(&["# a\n"], &[], None),
        Ok((DEFAULTS.to_owned(), vec![]))
    );
}

#[test]
fn a_file_with_every_key_is_read_whole() {
    let text = "\
[statsite]
flush_interval = 20
log_level = WARNING
[collector]
class = statsite.collector.TCPCollector
host = 127.0.0.1
port = 8126
[store]
class: metrics_store.GraphiteStore
host: graphite.example.net ; the new one
port: 2013
prefix: web.stats
attempts: 5
[aggregator]
class = aggregator.DefaultAggregator
[aliveness_check]
enabled = True
host = ::1
port = 8326
[metrics]
ms.percentile = 99.5
";
    let expected = r#"bind = ["tcp://127.0.0.1:8126"]
liveness = "[::1]:8326"
sink = ["graphite://graphite.example.net:2013"]
flush = "20s"
naming = "python-statsite"
counter_prefix = "web.stats.counts."
timer_prefix = "web.stats.timers."
gauge_prefix = "web.stats.gauges."
set_prefix = "web.stats.sets."
kv_prefix = "web.stats.kv."
percent = [99.5]
log_level = "warn"
"#;
    let warnings = [
        "0:13: [store] attempts: it is left out: points wait in a queue and are tried until they are \
         sent (queue_bytes)",
        "0:21: [metrics] ms.percentile: the Python statsite takes it for a text and then sends \
         nothing of an interval with timers; here it counts",
    ];
    let warnings = warnings.map(str::to_owned).to_vec();
    assert_eq!(
        read_texts(&[text], &[], None),
        Ok((expected.to_owned(), warnings))
    );
}

#[test]
fn later_files_win_and_the_command_line_over_all() {
    let files = [
        "[collector]\nport = 1\nhost = a\n[store]\nhost = a\n",
        "[collector]\nport = 2\n[statsite]\nlog_level = error\n",
    ];
    let (toml, warnings) = read_texts(
        &files,
        &[
            "collector.port=3",
            "store.port = 4",
            "metrics.ms.percentile=80",
        ],
        Some("debug"),
    )
    .unwrap();
    for line in [
        "bind = [\"udp://a:3\"]",
        "sink = [\"graphite://a:4\"]",
        "percent = [80.0]",
        "log_level = \"debug\"",
    ] {
        assert!(toml.lines().any(|read| read == line), "{line}: {toml}");
    }
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let (toml, warnings) = read_texts(&[], &["statsite.flush_interval=5"], None).unwrap();
    assert!(toml.contains("flush = \"5s\"\n"), "{toml}");
    assert_eq!(
        warnings,
        [
            "-s statsite.flush_interval=5: [statsite] flush_interval: the Python statsite would not \
             heed it there"
        ]
    );
}

#[test]
fn each_value_means_what_its_author_meant() {
    for (text, line, warned) in [
        (
            "[aliveness_check]\nenabled = yes",
            "liveness = \"0.0.0.0:8325\"",
            0,
        ),
        ("[aliveness_check]\nenabled = False", "flush = \"10s\"", 1),
        ("[aliveness_check]\nenabled =", "flush = \"10s\"", 0),
        ("[store]\nprefix =", "kv_prefix = \"kv.\"", 0),
        ("[collector]\nhost =", "bind = [\"udp://0.0.0.0:8125\"]", 0),
        (
            "[collector]\nclass = collector.UDPCollector",
            "bind = [\"udp://0.0.0.0:8125\"]",
            0,
        ),
        (
            "[statsite]\nlog_level = critical",
            "log_level = \"error\"",
            0,
        ),
        ("[statsite]\nlog_level = NOTSET", "log_level = \"trace\"", 0),
        ("[statsite]\nflash_interval = 1", "flush = \"10s\"", 1),
        ("[other]\na = b", "flush = \"10s\"", 1),
        ("[metrics]\nc.rate = 1", "flush = \"10s\"", 1),
    ] {
        let (toml, warnings) = read_texts(&[text], &[], None).expect(text);
        assert!(toml.lines().any(|read| read == line), "{text}: {toml}");
        assert_eq!(warnings.len(), warned, "{text}: {warnings:?}");
    }
    let (toml, _) = read_texts(&["[aliveness_check]\nenabled = False"], &[], None).unwrap();
    assert!(!toml.contains("liveness"), "{toml}");
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    for (text, message) in [
        (
            "[statsite]\nflush_interval = 1.5",
            "0:2: [statsite] flush_interval: `1.5` is not a whole number of seconds from 1 to 86400",
        ),
        (
            "[statsite]\nlog_level = loud",
            "0:2: [statsite] log_level: `loud` is not a log level: debug, info, warning, error, \
             critical",
        ),
        (
            "[collector]\nclass = mine.Collector",
            "0:2: [collector] class: `mine.Collector` is a class of Python, which cannot be run \
             here; there is collector.UDPCollector or collector.TCPCollector",
        ),
        (
            "[store]\nclass = mine.Store",
            "0:2: [store] class: `mine.Store` is a class of Python, which cannot be run here; there \
             is GraphiteStore",
        ),
        (
            "[aggregator]\nclass = mine.Aggregator",
            "0:2: [aggregator] class: `mine.Aggregator` is a class of Python, which cannot be run \
             here; there is DefaultAggregator",
        ),
        (
            "[collector]\nport = x",
            "0:2: [collector] port: `x` is not a port from 0 to 65535",
        ),
        (
            "[store]\nport = 0",
            "0:2: [store] port: `0` is not a port from 1 to 65535",
        ),
        (
            "[store]\nprefix = a b",
            "0:2: [store] prefix: the path `a b` holds ' ': only printable ASCII without spaces and \
             `|` is safe for what reads the points",
        ),
        (
            "[aliveness_check]\nenabled = maybe",
            "0:2: [aliveness_check] enabled: `maybe` is neither true nor false",
        ),
        (
            "[metrics]\nms.percentile = 0",
            "0:2: [metrics] ms.percentile: `0` is not a percentile: above 0, at most 100",
        ),
        (
            "[collector]\nport",
            "0:2: `port` is no setting: write KEY = VALUE, or # before a comment",
        ),
        ("port = 1", "0:1: a heading such as [statsite] comes first"),
    ] {
        assert_eq!(
            read_texts(&[text], &[], None).expect_err(text),
            message,
            "{text}"
        );
    }
    for host in ["a b", "[::1", "a/b"] {
        let text = format!("[store]\nhost = {host}");
        let message = read_texts(&[&text], &[], None).expect_err(host);
        assert!(message.starts_with("0:2: [store] host: "), "{message}");
    }
    for setting in ["collector", "collector.port", "collector=1"] {
        assert_eq!(
            read_texts(&[], &[setting], None).expect_err(setting),
            format!("-s {setting}: write SECTION.KEY=VALUE, as in collector.port=8125")
        );
    }
    let level = read_texts(&[], &[], Some("loud")).expect_err("no level");
    assert!(
        level.starts_with("-l loud: [statsite] log_level: "),
        "{level}"
    );
}

#[test]
fn no_control_character_of_a_file_reaches_the_terminal() {
    let (_, warnings) = read_texts(&["[st\u{6}\0]\npo\u{1b}rt = 1"], &[], None).unwrap();
    assert_eq!(
        warnings,
        ["0:2: [st  ] po rt: statsite has no such key; it is left out"]
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        parts in proptest::collection::vec(prop_oneof![
            ".*",
            "[\\[\\]=:;# \n\t-]{1,4}",
            "\n\\[(statsite|collector|store|aliveness_check|metrics)\\]\n",
            "\n(host|port|prefix|class|enabled|ms.percentile|flush_interval) = ",
            "-?[0-9]{1,25}(\\.[0-9]{0,3})?[a-zA-Z]{0,3}",
        ], 0..12)
    ) {
        let text = parts.concat();
        if let Ok((settings, _)) = parse("f", &text) {
            let toml = settings.to_toml();
            let read = crate::config::file::parse(&toml);
            prop_assert_eq!(read.ok(), Some(settings), "{}", toml);
        }
    }
}
