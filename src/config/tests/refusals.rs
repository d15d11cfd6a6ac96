//! Tests of what is refused, with which words, and of what is just not refused.

use std::fs;

use super::config;
use crate::config::*;

#[track_caller]
fn refused(text: &str, message: &str) {
    assert_eq!(
        config(text).expect_err("the text is wrong"),
        message,
        "for {text}"
    );
}

#[test]
fn a_mistake_is_reported_with_its_place() {
    refused(
        "align = true\nflush = \"soon\"  # later\n",
        "2:9: `soon` is not a time, such as 10s, 500ms or 5m\n  \
         flush = \"soon\"  # later\n          ^",
    );
    refused(
        "percent = [50, 90, 101]",
        "1:20: `101` is not a percentile: from -100 to 100, but not 0\n  \
         percent = [50, 90, 101]\n                     ^",
    );
    refused(
        "# ü\npin = 1",
        "2:7: invalid type: integer `1`, expected a boolean\n  pin = 1\n        ^",
    );
    refused(
        "pin = 1 # \u{1b}[31m",
        "1:11: invalid comment character, expected printable characters\n  pin = 1 #  [31m\n            ^",
    );
    refused(
        "flush = \"\\u001b[31m\"",
        "1:9: ` [31m` is not a time, such as 10s, 500ms or 5m\n  flush = \"\\u001b[31m\"\n          ^",
    );
    refused(
        "log\t= 'ü'\nlog_level\t= 'ü'\r\n",
        "2:13: `ü` is not a log level: off, error, warn, info, debug, trace\n  \
         log_level = 'ü'\n              ^",
    );
}

#[test]
fn an_unknown_key_is_refused() {
    refused(
        "flsh = 1",
        "1:1: there is no setting `flsh`; ringstat --help lists them, with `-` where keys have \
         `_`\n  flsh = 1\n  ^",
    );
    refused(
        "max-wait = 1",
        "1:1: there is no setting `max-wait`; keys have `_` where options have `-`\n  \
         max-wait = 1\n  ^",
    );
}

#[test]
fn wrong_values_are_refused_where_they_stand() {
    const NO_TIME: &str = "is not a time, such as 10s, 500ms or 5m";
    const NO_SIZE: &str = "is not a size, such as 32MiB, 64KiB or 65507";
    const NO_FLUSH: &str = "is not between 1ms and 1d";
    const NO_COUNT: &str = "`0` is not a whole number from 1 to 4294967295";
    const TOO_LONG: &str = "is too long: at most 512 bytes, and 255 between two dots";
    for (text, reason) in [
        ("flush = 0", NO_FLUSH),
        ("flush = 0.0009", NO_FLUSH),
        ("flush = 86401", NO_FLUSH),
        ("flush = -1", NO_TIME),
        ("flush = nan", NO_TIME),
        (
            "flush = true",
            "invalid type: boolean `true`, expected a string or a number",
        ),
        ("max_wait = '5 weeks'", NO_TIME),
        ("max_wait = '99999999999999999999'", NO_TIME),
        ("max_wait = ''", NO_TIME),
        ("receive_buffer = '8 MX'", NO_SIZE),
        ("receive_buffer = '-8MiB'", NO_SIZE),
        ("queue_bytes = '99999999TiB'", NO_SIZE),
        (
            "queue_bytes = 0",
            "a size of `0` is too small: at least 1 byte",
        ),
        (
            "max_datagram = 0",
            "a size of `0` is too small: at least 1 byte",
        ),
        (
            "max_datagram = 65508",
            "`65508` is more than a UDP datagram holds: 65507",
        ),
        ("max_series = 0", NO_COUNT),
        ("max_timer_values = 0", NO_COUNT),
        ("max_set_values = 0", NO_COUNT),
        ("shards = 0", "`0` is not a whole number from 1 to 256"),
        ("shards = 257", "`257` is not a whole number from 1 to 256"),
        ("shards = 1.5", "`1.5` is not a whole number from 1 to 256"),
        (
            "percent = 0",
            "`0` is not a percentile: from -100 to 100, but not 0",
        ),
        (
            "percent = nan",
            "`NaN` is not a percentile: from -100 to 100, but not 0",
        ),
        (
            "percent = '90,,99'",
            "`` is not a percentile: from -100 to 100, but not 0",
        ),
        (
            "percent = -100.1",
            "`-100.1` is not a percentile: from -100 to 100, but not 0",
        ),
        (
            "percent = { p = 9 }",
            "invalid type: map, expected an array",
        ),
        (
            "timer_error = 0.00009",
            "`0.00009` is not a relative error from 0.0001 to 0.5",
        ),
        (
            "timer_error = nan",
            "`NaN` is not a relative error from 0.0001 to 0.5",
        ),
        (
            "set_error = 1",
            "`1` is not a relative error from 0.0021 to 0.26",
        ),
        (
            "spread = 0.91",
            "`0.91` is not a share of the flush interval from 0 to 0.9",
        ),
        ("spread = -0.1", "`-0.1` is not a share"),
        ("spread = nan", "`NaN` is not a share"),
        ("counter_prefix = 'a b'", "the path `a b` holds ' ': only"),
        ("input_counter = 'a|b'", "the path `a|b` holds '|': only"),
        ("kv_prefix = 'ä'", "the path `ä` holds 'ä': only"),
        ("suffix = 'a b'", "the path `a b` holds ' ': letters"),
        ("command_timeout = 'long'", NO_TIME),
        (
            "timer_statistics = 'sum sq'",
            "`sum sq` is not the name of a statistic",
        ),
        (
            "histogram = 'api'",
            "\"api\" is no histogram: it has neither one colon nor three",
        ),
        (
            "extended_counters = true",
            "invalid type: boolean `true`, expected a string or a number",
        ),
        (
            "extended_counters = 'all'",
            "\"all\" is no kind of extended counters; there are none, sum, samples",
        ),
        (
            "syslog = 'local8'",
            "`local8` is no facility of syslog: kern, user, mail, daemon",
        ),
        (
            "prefix = 'a b'",
            "the path `a b` holds ' ': letters, digits",
        ),
        ("prefix = 'ä'", "the path `ä` holds 'ä': letters, digits"),
        (
            "prefix = '{hosts}'",
            "the path `{hosts}` holds '{': letters, digits",
        ),
        (
            "own_prefix = 'a..b'",
            "the path `a..b` holds two dots in a row",
        ),
        (
            "log_level = 'loud'",
            "`loud` is not a log level: off, error, warn, info, debug, trace",
        ),
        ("log = ''", "\"\" is not the path of a file"),
        (
            "pid_file = \"a\\u0000\"",
            "\"a\\0\" is not the path of a file",
        ),
        (
            "verbose = -1",
            "invalid value: integer `-1`, expected a whole number from 0 to 255",
        ),
    ] {
        let message = config(text).expect_err(text);
        let first_line = message.lines().next().unwrap_or_default();
        let place = text
            .find("= ")
            .map(|equals| format!("1:{}: ", equals + 3))
            .unwrap();
        assert!(first_line.starts_with(&place), "{text}: {first_line}");
        assert!(first_line.contains(reason), "{text}: {first_line}");
    }
    for long in ["x".repeat(256), "x.".repeat(257)] {
        assert!(
            config(&format!("prefix = '{long}'"))
                .expect_err("too long")
                .contains(TOO_LONG)
        );
    }
}

#[test]
fn values_that_others_define_are_refused_where_they_stand() {
    for text in ["bind = [1, 'a:b']", "sink = [1, 's3://x']"] {
        assert!(
            config(text).expect_err(text).starts_with("1:12: "),
            "{text}"
        );
    }
    for text in ["engine = 'steam'", "naming = 'carbon'"] {
        assert!(
            config(text).expect_err(text).starts_with("1:10: "),
            "{text}"
        );
    }
    assert!(
        config("idle = 'never'")
            .expect_err("idle")
            .starts_with("1:8: ")
    );
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let sink: SinkAddress = "graphite://g:2003".parse().unwrap();
    refused(
        "flush = '999ms'\nsink = ['console:', 'graphite://g:2003']",
        &format!(
            "flush = 999ms does not go with sink = {sink}: Graphite's time stamps are whole \
             seconds; set flush to 1s or more"
        ),
    );
    refused(
        "flush = 1\nmax_wait = '1001ms'",
        "max_wait = 1001ms is longer than flush = 1s: a batch would be late for its interval",
    );
    refused(
        "receive_buffer = '1025MiB'",
        "receive_buffer = 1025MiB is more than a kernel gives: at most 1GiB",
    );
    refused(
        "receive_buffer = 65506",
        "receive_buffer = 65506 cannot hold one datagram of max_datagram = 65507",
    );
    refused(
        "naming = 'gstatsd'\npercent = [90, -10]",
        "percent = -10 does not go with naming = gstatsd, which has no percentiles from the top",
    );
    refused(
        "naming = 'gstatsd'\npercent = [99.9, 90, 99]",
        "percent = 99.9 and percent = 99 are both upper_99 with naming = gstatsd",
    );
    refused(
        "naming = 'gstatsd'\nidle = 300",
        "idle_counters = 300s does not go with naming = gstatsd, which says nothing of silent \
         series; set idle_counters to none",
    );
    refused(
        "naming = 'gstatsd'\nown_metrics = 'etsy'\nidle = 'none'",
        "own_metrics = etsy does not go with naming = gstatsd: only with etsy and etsy-legacy",
    );
    for text in [
        "own_namespace = 'acme'",
        "own_namespace = 'acme'\nnaming = 'etsy-legacy'\nown_metrics = 'etsy'",
    ] {
        let message = config(text).expect_err(text);
        assert!(
            message.contains("own_namespace = \"acme\" has no effect"),
            "{message}"
        );
    }
    refused(
        "naming = 'gstatsd'\nidle_gauges = 0",
        "idle_gauges = 0 does not go with naming = gstatsd, which says nothing of silent series; \
         set idle_gauges to none",
    );
    refused(
        "command_timeout = 0",
        "command_timeout = 0s leaves a command no time at all",
    );
    refused(
        "naming = 'gstatsd'\nsuffix = 'web'",
        "suffix = web does not go with naming = gstatsd: only etsy and etsy-legacy have one",
    );
    refused(
        "naming = 'gstatsd'\ncounter_counts = false",
        "counter_counts = false does not go with naming = gstatsd: only etsy and etsy-legacy can \
         leave them out",
    );
    refused(
        "naming = 'etsy-legacy'\nset_prefix = ''",
        "set_prefix = \"\" does not go with naming = etsy-legacy, whose paths begin in more than one \
         way; naming = etsy has one for each type",
    );
    refused(
        "extended_counters = 'sum'",
        "extended_counters = sum does not go with naming = etsy: only statsite has them",
    );
    refused(
        "naming = 'statsite'\nhistogram = ['a:0:5:1', 'b:1,2']",
        "histogram = b:1,2 does not go with naming = statsite: statsite has PREFIX:MIN:MAX:WIDTH, \
         etsy and etsy-legacy have TEXT:EDGE,EDGE, the others none",
    );
    refused(
        "naming = 'statsite'\ntimer_statistics = ['sum', 'upper_percent']",
        "timer_statistics = upper_percent does not go with naming = statsite, which has count, \
         mean, stdev, sum, sum_sq, lower, upper, rate, median, sample_rate, or none alone",
    );
    refused(
        "naming = 'statsite'\ntimer_statistics = ['sum', 'none']",
        "timer_statistics = none does not go with naming = statsite, which has count, mean, stdev, \
         sum, sum_sq, lower, upper, rate, median, sample_rate, or none alone",
    );
    for word in [
        "colour",
        "none",
        "upper_90",
        "upper_9x_percent",
        "std_99_percent",
    ] {
        refused(
            &format!("naming = 'etsy-legacy'\ntimer_statistics = ['sum', '{word}']"),
            &format!(
                "timer_statistics = {word} does not go with naming = etsy-legacy, which has count, \
                 count_ps, mean, median, std, sum, sum_squares, upper, lower, histogram, \
                 count_percent, mean_percent, upper_percent, lower_percent, sum_percent, \
                 sum_squares_percent"
            ),
        );
    }
    refused(
        "naming = 'gstatsd'\ntimer_statistics = 'mean'",
        "timer_statistics = mean does not go with naming = gstatsd, which always sends all",
    );
    refused(
        "input_counter = ''",
        "input_counter is empty: a counter has a name; leave it out to have none",
    );
    refused(
        "bind = [':0', 'stdin:']\nsink = 'g'\ndaemonize = true",
        "bind = stdin: does not go with daemonize = true: in the background there is no standard \
         input, and nothing would come",
    );
    refused(
        "log = '-'\ndaemonize = true",
        "log = - does not go with daemonize = true: in the background there is no standard output; \
         name a file",
    );
    refused(
        "log = 'a.log'\nsyslog = 'daemon'",
        "log = a.log does not go with syslog = daemon: the log goes to one of them",
    );
    refused(
        "sink = ['g:1', 'g:2', 'graphite://g:1?queue_bytes=8']",
        "sink = graphite://g:1 and sink = graphite://g:1?queue_bytes=8 lead to the same place: \
         every point would be sent twice",
    );
    refused(
        "sink = 'g:1?spool_bytes=8'",
        "sink = graphite://g:1?spool_bytes=8 has limits of a spool and no spool: set spool, the folder \
         that they are about",
    );
    refused(
        "spool_age = '999ms'",
        "spool_age = 999ms is below 1s: time stamps are whole seconds",
    );
    refused(
        "daemonize = true\nsink = [\"g\", \"console:\"]",
        "sink = console: does not go with daemonize = true: in the background there is no standard \
         output, and every point would be lost",
    );
}

#[test]
fn settings_that_just_go_together_are_taken() {
    for text in [
        "flush = '1s'\nsink = 'graphite://g:2003'",
        "flush = '999ms'\nsink = 'console:'",
        "flush = '1ms'",
        "flush = '1ms'\nmax_wait = '1ms'",
        "flush = '1d'",
        "naming = 'statsite'\nhistogram = 'a:0:5:1'\ntimer_statistics = 'sum_sq'",
        "naming = 'statsite'\nextended_counters = 'samples'\nset_prefix = ''",
        "histogram = ['a:1,inf', ':']\ntimer_statistics = ['upper_percent', 'std']",
        "timer_statistics = ['upper_99_percent', 'sum_squares_top9_percent', 'histogram']",
        "naming = 'python-statsite'\ncounter_prefix = 'a.counts.'",
        "command_timeout = '1ms'",
        "naming = 'etsy-legacy'\nsuffix = 'web'\ncounter_counts = false",
        "counter_prefix = ''\nkv_prefix = 'a;b.'",
        "idle = 0\nidle_sets = 'none'\nidle_timers = 5",
        "max_wait = 0",
        "receive_buffer = '1GiB'",
        "receive_buffer = 1\nmax_datagram = 1",
        "percent = [-100, 100, 0.001]",
        "naming = 'gstatsd'\npercent = [99.9, 90]",
        "naming = 'gstatsd'\nidle = 'none'\nidle_gauges = 'none'",
        "sink = ['g:1', 'g:2', 'h:1', 'graphite+pickle://g:1', 'console:']",
        "naming = 'etsy'\npercent = [99.9, 99]",
    ] {
        assert_eq!(config(text).err(), None, "for {text}");
    }
}

#[test]
fn a_prefix_that_grows_too_long_with_the_host_name_is_refused() {
    let settings = file::parse(&format!("prefix = '{}{{host}}'", "x".repeat(250))).unwrap();
    let long_host = Machine {
        host: HostLabel::new("host-of-14-lon"),
        cpu_count: 1,
    };
    let message = Config::new(settings.clone(), &long_host).expect_err("264 bytes");
    assert!(message.contains("too long"), "{message}");
    let short_host = Machine {
        host: HostLabel::new("short"),
        cpu_count: 1,
    };
    assert!(Config::new(settings, &short_host).is_ok());
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing.toml");
    let message = file::read(&path).expect_err("there is no such file");
    let expected = format!("cannot read {}: No such file or directory", path.display());
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn a_mistake_in_a_file_is_reported_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.toml");
    fs::write(&path, "\nshards = 0\n").unwrap();
    let message = file::read(&path).expect_err("no shard");
    assert!(
        message.starts_with(&format!("{}:2:10: `0` is not", path.display())),
        "{message}"
    );
}
