//! Tests of every key of statsite's file, of each refusal with its line, and of what is warned of.

use proptest::prelude::*;

use super::*;
use crate::config::foreign::KEYS_OF_C;
use crate::config::{Config, Machine};

/// What a text comes to as TOML, and the warnings.
fn read_text(text: &str) -> Result<(String, Vec<String>), String> {
    let (settings, warnings) = parse(text).map_err(|fault| fault.to_string())?;
    let config = Config::new(settings.clone(), &Machine::here());
    config.expect("what the reader takes fits together");
    let warnings = warnings.iter().map(Fault::to_string).collect();
    Ok((settings.to_toml(), warnings))
}

const DEFAULTS: &str = r#"bind = ["udp://:8125", "tcp://:8125"]
sink = ["command:cat"]
flush = "10s"
align = false
naming = "statsite"
extended_counters = "none"
own_prefix = ""
timer_error = 0.01
set_error = 0.02
daemonize = false
syslog = "local0"
log_level = "debug"
"#;

#[test]
fn without_a_key_its_default_counts() {
    assert_eq!(defaults().to_toml(), DEFAULTS);
    assert_eq!(
        read_text("[statsite]\n[histogram]\n[other]\n"),
        Ok((
            DEFAULTS.to_owned(),
            vec!["2: [histogram] is left out: a histogram needs prefix, min, max and width".into()]
        ))
    );
}

#[test]
fn a_file_with_every_key_is_read_whole() {
    let text = "\
[statsite]
tcp_port = 8126
udp_port = 8127
udp_rcvbuf = 1048576
bind_address = 127.0.0.1
parse_stdin = no
log_level = WARN
log_facility = daemon
flush_interval = 30
timer_eps = 0.005
set_eps = 0.03
stream_cmd = python sinks/graphite.py localhost 2003 stats. ; the old one
aligned_flush = true
input_counter = inputs
daemonize = 1
pid_file = /run/statsite.pid
binary_stream = 0
prefix_binary_stream = 1
global_prefix = web.
kv_prefix = k.
gauges_prefix = g.
counts_prefix =
timers_prefix = t.
sets_prefix = s.
extended_counters = yes
legacy_extended_counters = no
timers_include = COUNT,med, sum_sq
quantiles = 0.5, 0.29,0.55,0.999

[histogram_api]
prefix = api.
min = -1.5
max = 20
width = 0.5
[Histogram2]
prefix =
min = 0
max = 1e3
width = 100
";
    let expected = r#"bind = ["udp://127.0.0.1:8127", "tcp://127.0.0.1:8126"]
receive_buffer = "1MiB"
sink = ["command:python sinks/graphite.py localhost 2003 stats."]
flush = "30s"
align = true
naming = "statsite"
counter_prefix = "web."
timer_prefix = "web.t."
gauge_prefix = "web.g."
set_prefix = "web.s."
kv_prefix = "web.k."
extended_counters = "sum"
percent = [50.0, 29.0, 55.0, 99.9]
timer_statistics = ["count", "median", "sum_sq"]
histogram = ["api.:-1.5:20:0.5", ":0:1000:100"]
own_prefix = ""
input_counter = "inputs"
timer_error = 0.005
set_error = 0.03
pid_file = "/run/statsite.pid"
daemonize = true
syslog = "daemon"
log_level = "warn"
"#;
    let comment = "12: stream_cmd: `; the old one` is a comment, as for statsite; a command goes on \
                   behind a `;` without a space before it";
    assert_eq!(
        read_text(text),
        Ok((expected.to_owned(), vec![comment.to_owned()]))
    );
}

#[test]
fn each_key_means_what_it_means_there() {
    for (entry, line) in [
        ("port = 0", "bind = [\"udp://:8125\"]"),
        ("udp_port = 0", "bind = [\"tcp://:8125\"]"),
        (
            "bind_address = ::1",
            "bind = [\"udp://[::1]:8125\", \"tcp://[::1]:8125\"]",
        ),
        (
            "bind_address = 0.0.0.0",
            "bind = [\"udp://0.0.0.0:8125\", \"tcp://0.0.0.0:8125\"]",
        ),
        ("PORT: 7", "bind = [\"udp://:8125\", \"tcp://:7\"]"),
        ("binary_stream = true", "sink = [\"command+binary:cat\"]"),
        (
            "binary_stream = 1\nprefix_binary_stream = 1",
            "sink = [\"command+binary+prefix:cat\"]",
        ),
        (
            "binary_stream = 1\nextended_counters = 0",
            "extended_counters = \"samples\"",
        ),
        (
            "binary_stream = 1\nlegacy_extended_counters = 0",
            "extended_counters = \"sum\"",
        ),
        ("prefix_binary_stream = true", "sink = [\"command:cat\"]"),
        (
            "stream_cmd = a 'b' | c > d;e",
            "sink = [\"command:a 'b' | c > d;e\"]",
        ),
        ("use_type_prefix = 0", "counter_prefix = \"\""),
        ("extended_counters = 1", "extended_counters = \"samples\""),
        (
            "legacy_extended_counters = 0",
            "extended_counters = \"none\"",
        ),
        (
            "bind_address = *",
            "bind = [\"udp://:8125\", \"tcp://:8125\"]",
        ),
        ("quantiles =", "percent = []"),
        ("log_level = critical", "log_level = \"error\""),
        ("log_facility = LOCAL7", "syslog = \"local7\""),
        ("set_eps = 0.00204", "set_error = 0.0021"),
        ("pid_file = a\ndaemonize = 1", "pid_file = \"a\""),
        ("daemonize = 1", "pid_file = \"/var/run/statsite.pid\""),
        ("flush_interval = 5\nflush_interval = 7", "flush = \"7s\""),
    ] {
        let (toml, warnings) = read_text(&format!("[STATSITE]\n{entry}\n")).expect(entry);
        assert!(toml.lines().any(|read| read == line), "{entry}: {toml}");
        assert!(warnings.is_empty(), "{entry}: {warnings:?}");
    }
    for (text, unused) in [
        ("pid_file = a", "pid_file"),
        ("pid_file =\ndaemonize = 1", "pid_file"),
        ("input_counter =", "input_counter"),
        (
            "timers_include = sum\nbinary_stream = 1",
            "timer_statistics",
        ),
    ] {
        let (toml, _) = read_text(&format!("[statsite]\n{text}\n")).expect(text);
        assert!(!toml.contains(unused), "{toml}");
    }
    for none in ["", "up", "highest"] {
        let (toml, _) = read_text(&format!("[statsite]\ntimers_include = {none}\n")).expect(none);
        assert!(
            toml.contains("timer_statistics = [\"none\"]"),
            "{none}: {toml}"
        );
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_line() {
    const NO_FLAG: &str = "`maybe` is neither yes, true or 1 nor no, false or 0";
    for (entry, reason) in [
        (
            "port = 65536",
            "port: `65536` is not a whole number from 0 to 65535",
        ),
        (
            "tcp_port = x",
            "tcp_port: `x` is not a whole number from 0 to 65535",
        ),
        (
            "udp_port = -1",
            "udp_port: `-1` is not a whole number from 0 to 65535",
        ),
        (
            "udp_rcvbuf = -1",
            "udp_rcvbuf: `-1` is not a whole number from 0 to 1073741824",
        ),
        ("bind_address = a b", "bind_address: udp://a b:1: "),
        ("parse_stdin = maybe", NO_FLAG),
        ("aligned_flush = maybe", NO_FLAG),
        ("daemonize = maybe", NO_FLAG),
        ("binary_stream = maybe", NO_FLAG),
        ("use_type_prefix = maybe", NO_FLAG),
        ("extended_counters = maybe", NO_FLAG),
        ("legacy_extended_counters = maybe", NO_FLAG),
        ("prefix_binary_stream = maybe", NO_FLAG),
        (
            "log_level = loud",
            "log_level: `loud` is not a log level: DEBUG, INFO",
        ),
        (
            "log_facility = kern",
            "log_facility: `kern` is not a facility: user, daemon",
        ),
        (
            "log_facility = local8",
            "log_facility: `local8` is no facility of syslog",
        ),
        (
            "flush_interval = 0",
            "flush_interval: `0` is not a whole number from 1 to 86400",
        ),
        (
            "flush_interval = ten",
            "flush_interval: `ten` is not a whole number",
        ),
        ("timer_eps = 0", "timer_eps: 0 is not between 0 and 0.5"),
        ("timer_eps = 0.5", "timer_eps: 0.5 is not between 0 and 0.5"),
        ("timer_eps =", "timer_eps: `` is not a number"),
        ("timer_eps = inf", "timer_eps: `inf` is not a number"),
        (
            "set_eps = 0.002",
            "set_eps: 0.002 is not between 0.0021 and 0.3676",
        ),
        (
            "set_eps = 0.4",
            "set_eps: 0.4 is not between 0.0021 and 0.3676",
        ),
        ("stream_cmd =", "stream_cmd: "),
        ("stream_cmd = \u{a0}", "stream_cmd: "),
        ("stream_cmd = \0b", "stream_cmd: "),
        (
            "input_counter = a b",
            "input_counter: the path `a b` holds ' '",
        ),
        (
            "global_prefix = a|",
            "global_prefix: the path `a|` holds '|'",
        ),
        (
            "sets_prefix = \u{e4}",
            "sets_prefix: the path `\u{e4}` holds",
        ),
        (
            "quantiles = 0.5, 1",
            "quantiles: `1` is not a quantile: above 0 and below 1",
        ),
        (
            "quantiles = 0.5 0.9",
            "quantiles: `0.5 0.9` is not a quantile",
        ),
        (
            "port",
            "`port` is no setting: write KEY = VALUE, or # before a comment",
        ),
    ] {
        let refused = read_text(&format!("# a\n[statsite]\n\n{entry}\n")).expect_err(entry);
        assert!(refused.starts_with("4: "), "{entry}: {refused}");
        assert!(refused.contains(reason), "{entry}: {refused}");
    }
    for (text, reason) in [
        (
            "[statsite]\n[sink]\na = b",
            "3: [sink] is not a section of statsite: [statsite], [histogram...]",
        ),
        ("port = 1", "1: `port` stands before [statsite]"),
        (
            "[histogram]\nprefix = a:b",
            "2: prefix: no name holds a `:`",
        ),
        ("[histogram]\nmin = low", "2: min: `low` is not a number"),
        (
            "[histogram]\nprefix=\nmax=1\nmin=1\nwidth=1",
            "5: [histogram]: bins end above where they begin, 1 is not above 1",
        ),
        (
            "[statsite]\nport = 0\nudp_port = 0\ndaemonize = 0",
            "3: port and udp_port are 0 and parse_stdin is off: there is nothing to listen on",
        ),
    ] {
        assert_eq!(read_text(text).expect_err(text), reason, "{text}");
    }
}

#[test]
fn what_is_not_taken_as_it_stands_is_warned_of() {
    for (text, warning) in [
        (
            "[statsite]\nudp_prot = 1",
            "2: statsite has no key `udp_prot`; it is left out",
        ),
        (
            "[statsite]\nflush_interval = 10 # s",
            "2: flush_interval: only `10` of `10 # s` is read, as by statsite; a comment begins with \
             a space and `;`",
        ),
        (
            "[statsite]\ntimer_eps = .1e-1x",
            "2: timer_eps: only `.1e-1` of `.1e-1x` is read, as by statsite; a comment begins with a \
             space and `;`",
        ),
        (
            "[statsite]\ntimer_eps = 0.00001",
            "2: timer_eps: 0.00001 is less than a sketch can have; it gets 0.0001",
        ),
        (
            "[statsite]\nset_eps = 0.3",
            "2: set_eps: 0.3 is more than an estimate can have; it gets 0.26",
        ),
        (
            "[statsite]\nudp_rcvbuf = 4096",
            "2: udp_rcvbuf: 4096 bytes do not hold a datagram; 65507 are asked for",
        ),
        (
            "[statsite]\ntimers_include = sum, highest",
            "2: timers_include: `highest` is none of count, mean, stdev, sum, sum_sq, lower, upper, \
             rate, median, sample_rate",
        ),
        (
            "[statsite]\ntimers_include = sum,up,mean",
            "2: timers_include: `up` is too short for a statistic and ends the list",
        ),
        (
            "[statsite]\ntimers_include =",
            "2: timers_include: it names no statistic; of timers only quantiles and bins are sent",
        ),
        (
            "[histogram]\nprefix=\nmin=0\nmax=1\nwidth=1\nstep=1",
            "6: step: a histogram has no such key: prefix, min, max, width",
        ),
        (
            "[histogram]\nprefix=\nmin=0\nmax=200\nwidth=1",
            "1: [histogram] has many bins: each is a point of each such timer at each flush",
        ),
    ] {
        let (_, warnings) = read_text(text).expect(text);
        assert_eq!(warnings, [warning], "{text}");
    }
}

#[test]
fn a_file_is_named_in_all_that_is_said_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("statsite.conf");
    let shown = path.display();
    let missing = read(&path).expect_err("there is none");
    assert!(
        missing.starts_with(&format!("cannot read {shown}: ")),
        "{missing}"
    );
    std::fs::write(&path, "[statsite]\nprot = 1\n# \u{fffd}\n").unwrap();
    let (_, warnings) = read(&path).unwrap();
    assert_eq!(
        warnings,
        [format!(
            "{shown}:2: statsite has no key `prot`; it is left out"
        )]
    );
    std::fs::write(&path, b"[statsite]\n# \xff\nport = \xff\n").unwrap();
    let refused = read(&path).expect_err("no port");
    assert!(
        refused.starts_with(&format!("{shown}:3: port: ")),
        "{refused}"
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        parts in proptest::collection::vec(prop_oneof![
            ".*",
            "[\\[\\]=:;# \n\t-]{1,4}",
            "\n\\[(statsite|histogram)\\]\n",
            "\n(port|udp_rcvbuf|timer_eps|set_eps|quantiles|timers_include|stream_cmd|prefix|min|max|width) = ",
            "-?[0-9]{1,25}(\\.[0-9]{0,3})?(e[0-9]{1,3})?[a-zA-Z,]{0,3}",
        ], 0..12)
    ) {
        let text = parts.concat();
        let line_count = text.split('\n').count();
        match parse(&text) {
            Ok((settings, warnings)) => {
                prop_assert!(warnings.iter().all(|fault| (1..=line_count).contains(&fault.line)));
                let toml = settings.to_toml();
                let read = crate::config::file::parse(&toml);
                prop_assert_eq!(read.ok(), Some(settings), "{}", toml);
            }
            Err(fault) => prop_assert!((1..=line_count).contains(&fault.line)),
        }
    }
}

#[test]
fn the_keys_that_a_file_is_known_by_are_keys() {
    for key in KEYS_OF_C {
        let mut warnings = Vec::new();
        let entry = ini::Entry {
            line: 1,
            key: key.to_owned(),
            value: "1".to_owned(),
            comment: String::new(),
        };
        // Some do not take a number, which is another message.
        let _ = Keys::default().take(&entry, &mut warnings);
        let has_no = |fault: &Fault| fault.reason.contains("has no key");
        assert!(!warnings.iter().any(has_no), "{warnings:?}");
    }
}

#[test]
fn in_the_background_there_is_no_standard_input() {
    let (toml, warnings) = read_text("[statsite]\nparse_stdin = yes").expect("a file");
    assert!(toml.contains("\"stdin:\"]"), "{toml}");
    assert!(warnings.is_empty(), "{warnings:?}");
    let text = "\n[statsite]\nparse_stdin = yes\ndaemonize = yes";
    let (toml, warnings) = read_text(text).expect(text);
    assert!(!toml.contains("stdin:"), "{toml}");
    let warning = "2: parse_stdin has no effect with daemonize: in the background there is no \
                   standard input";
    assert_eq!(warnings, [warning]);
}
