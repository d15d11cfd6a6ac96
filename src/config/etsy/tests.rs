//! Files of etsy's statsd: what each key comes to, and what each mistake is told as.

mod properties;

use std::fs;

use super::*;
use crate::config::{Config, Machine, file, prefix::HostLabel};

/// The settings that a text of ours gives.
fn ours(text: &str) -> Settings {
    file::parse(text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"))
}

/// What every file comes to that says nothing of it.
const ALWAYS: &str = "align = false\nnaming = \"etsy-legacy\"\nown_metrics = \"etsy\"\n\
                      own_prefix = \"statsd\"\nidle = 0\nidle_gauges = 0\nlog = \"-\"\n\
                      management = \":8126\"\ntitle = \"statsd\"\n\
                      bind = \"udp://0.0.0.0:8125\"\nsink = []\n";

/// A file with these keys comes to these settings of ours over the usual ones, and to notes.
#[track_caller]
fn check(keys: &str, expected: &str, notes: &[&str]) {
    let text = format!("{{\n{keys}\n}}");
    let (settings, told) = parse(&text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"));
    assert_eq!(settings, ours(expected).or(ours(ALWAYS)), "{text}");
    let told: Vec<String> = told
        .iter()
        .map(|note| format!("{}: {}", note.line, note.reason))
        .collect();
    assert_eq!(told.len(), notes.len(), "{text}: {told:?}");
    for (told, note) in told.iter().zip(notes) {
        assert!(told.starts_with(note), "{text}: {told:?}, not {note:?}");
    }
}

/// A file is refused at this line, for this reason.
#[track_caller]
fn refuse(text: &str, line: usize, reason: &str) {
    let mistake = parse(text).map(drop).expect_err(text);
    assert_eq!(mistake.line, line, "{text}: {mistake}");
    assert!(mistake.reason.contains(reason), "{text}: {mistake}");
}

#[test]
fn nothing_gives_the_defaults_of_etsys_statsd() {
    check("", "", &[]);
    let (settings, _) = parse("{}").expect("it is empty");
    let machine = Machine {
        host: HostLabel::new("host"),
        cpu_count: 1,
    };
    let config = Config::new(settings, &machine).expect("defaults fit together");
    assert_eq!(config.flush_interval.as_secs(), 10);
    assert_eq!(config.percents, [90.0]);
    assert_eq!(config.own_prefix.as_deref(), Some("statsd"));
}

#[test]
fn it_is_javascript_as_far_as_plain_values_go() {
    let text = "\u{feff}// a comment\n/* and\n one more */ {\n 'port': +0x1fbe, // twice\n port : 8126.0,\n\
                \"debug\": false,\r\n deleteIdleStats: null,\n graphiteHost: 'g\\x2e\\u0065xample',\n};\n";
    let (settings, notes) = parse(text).expect("it is such a file");
    assert_eq!(notes, []);
    let expected = "bind = \"udp://0.0.0.0:8126\"\n\
                    sink = \"graphite://g.example:2003?connection=flush\"";
    assert_eq!(settings, ours(expected).or(ours(ALWAYS)));
}

/// etsy's statsd evaluates `config = TEXT`.
#[test]
fn parentheses_around_the_object_say_nothing() {
    let expected = ours("bind = \"udp://0.0.0.0:7\"").or(ours(ALWAYS));
    for text in [
        "({ port: 7 })",
        "\u{feff}// (a)\n/* ( */ ( // b)\n{ port: 7 } /* ) */ ) // :)\n ;\n",
        "({ port: 7, 'a)': ')' })",
    ] {
        let (settings, _) = parse(text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"));
        assert_eq!(settings, expected, "{text}");
    }
    let (_, notes) = parse("({\n  colour: 'red' })").expect("it is such a file");
    assert_eq!((notes[0].line, notes[0].column), (2, 11));
    refuse("({ port: 7 }", 1, "begins with `{`");
    refuse("({ port: 7 }) + 1", 1, "begins with `{`");
    refuse("(7)", 1, "an object in braces");
}

#[test]
fn javascript_that_would_have_to_run_is_refused_with_what_to_write() {
    let value = "write the value that it comes to";
    refuse(
        "{\n a: require('os').hostname() }",
        2,
        "`require` is JavaScript",
    );
    refuse(
        "{ a: 1,\n\n b: process.env.PORT }",
        3,
        "`process` is JavaScript",
    );
    refuse("{ a: function () {} }", 1, "`function` is JavaScript");
    refuse("{ a: new Date() }", 1, "`new` is JavaScript");
    refuse("{ a: nothing }", 1, "`nothing` is JavaScript");
    refuse("{ a: true ? 1 : 2 }", 1, value);
    refuse("{ a: truthy }", 1, "`truthy` is JavaScript");
    refuse("{ flushInterval:\n 10 * 1000 }", 2, value);
    refuse("{ flushInterval: 10*1000 }", 1, value);
    refuse("{ flushInterval: 20000/2 }", 1, value);
    refuse("{ flushInterval: 1+1 }", 1, value);
    refuse("{ a: 'b' + 'c' }", 1, value);
    refuse("{ a: [1, (2)] }", 1, "a value is missing");
    refuse("{ a: undefined }", 1, "leave the key out");
    refuse("{ a: `b` }", 1, "quotes");
    refuse("{ socket_mod: 0660 }", 1, "'0660'");
    refuse("\nmodule.exports = {}", 2, "begins with `{`");
    refuse("", 1, "begins with `{`");
    refuse("{ a: 1\n b: 2 }", 2, "a comma is missing");
    refuse("{ a: 1 } ; { }", 1, "nothing may follow");
    refuse("{ a:\n {\n b: 1\n", 2, "the file ends before");
    refuse("{", 1, "the file ends before");
    refuse("[]", 1, "an object in braces");
    refuse("7", 1, "an object in braces");
    refuse(
        &format!("{{ a: {}", "[".repeat(100_000)),
        1,
        "nested deeper",
    );
}

#[test]
fn addresses_to_listen_on() {
    check("port: 8127", "bind = \"udp://0.0.0.0:8127\"", &[]);
    check("port: '8127'", "bind = \"udp://0.0.0.0:8127\"", &[]);
    check("port: 0", "bind = \"udp://0.0.0.0:8125\"", &[]);
    check("address: '10.1.2.3'", "bind = \"udp://10.1.2.3:8125\"", &[]);
    check("address: '::1'", "bind = \"udp://[::1]:8125\"", &[]);
    check("address_ipv6: true", "bind = \"udp://:8125\"", &[]);
    check(
        "server: './servers/tcp', port: 1",
        "bind = \"tcp://:1\"",
        &[],
    );
    check(
        "servers: [\n { server: './servers/udp', address: 'localhost', port: 1 },\n\
         { server: './servers/tcp.js', address: '::', port: 2 },\n\
         { server: './servers/tcp', socket: '/run/s', socket_mod: '0660', port: 3 } ]",
        "bind = [\"udp://localhost:1\", \"tcp://[::]:2\", \"unix:/run/s?mode=0660\"]",
        &[],
    );
    check(
        "server: './servers/tcp', socket: '/run/s', socket_mod: 0x1ff",
        "bind = \"unix:/run/s?mode=0777\"",
        &[],
    );
    check(
        "servers: [{ colour: 1 }],\nport: 7",
        "",
        &[
            "2: etsy's statsd has no setting `servers.colour`",
            "3: port has no effect beside servers",
        ],
    );
    refuse(
        "{ servers: [\n { server: './servers/sctp' } ] }",
        2,
        "`sctp`",
    );
    refuse("{ servers: [] }", 1, "nothing would be received");
    refuse("{ servers: [\n7 ] }", 2, "an object in braces");
    refuse("{ port: 65536 }", 1, "from 1 to 65535");
    refuse("{ port: [] }", 1, "port is a number");
    refuse("{\n address: 'a b' }", 2, "host");
    refuse(
        "{ server: 'tcp', socket: 's', socket_mod:\n '0999' }",
        2,
        "octal",
    );
}

#[test]
fn backends() {
    let graphite = "sink = \"graphite://g:2003?connection=flush\"";
    check("graphiteHost: 'g'", graphite, &[]);
    check(
        "graphiteHost: 'g', backends: ['./backends/graphite']",
        graphite,
        &[],
    );
    check("graphiteHost: 'g', backends: 'graphite'", graphite, &[]);
    check(
        "graphiteHost: '::1', graphitePort: 2013, graphitePicklePort: 2014",
        "sink = \"graphite://[::1]:2013?connection=flush\"",
        &[],
    );
    check(
        "graphiteHost: 'g', graphiteProtocol: 'pickle', graphitePicklePort: 2014",
        "sink = \"graphite+pickle://g:2014?connection=flush\"",
        &[],
    );
    check(
        "graphiteHost: 'g', console: { prettyprint: false },\n\
         backends: ['./backends/console', './backends/graphite']",
        "sink = [\"console:\", \"graphite://g:2003?connection=flush\"]",
        &[],
    );
    check(
        "graphiteHost: 'g', backends: ['./backends/console']",
        "sink = \"console:\"",
        &[],
    );
    refuse("{ graphiteHost: 7 }", 1, "a text in quotes");
    refuse("{\n graphiteHost: 'a b' }", 2, "host name");
    refuse("{ graphiteProtocol: 'udp' }", 1, "text or pickle");
    refuse(
        "{ backends: [\n'statsd-influxdb-backend' ] }",
        2,
        "command:PROGRAM",
    );
    refuse("{ backends: [{}] }", 1, "a name in quotes");
}

#[test]
fn the_repeater() {
    let others = "repeater: [ { host: '10.0.0.1', port: 8127 }, { host: '::1', port: '8128' } ]";
    check(
        &format!("backends: ['./backends/repeater'], {others}"),
        "repeat = [\"10.0.0.1:8127\", \"[::1]:8128\"]",
        &[],
    );
    check(
        &format!("backends: ['./backends/repeater'], repeaterProtocol: 'udp6', {others}"),
        "repeat = [\"10.0.0.1:8127\", \"[::1]:8128\"]",
        &[],
    );
    check(
        others,
        "",
        &["2: repeater has no effect without ./backends/repeater"],
    );
    check(
        "backends: ['repeater']",
        "",
        &["2: the backend repeater has no repeater"],
    );
    refuse(
        "{ repeaterProtocol:\n 'tcp', repeater: [{ host: 'h', port: 1 }] }",
        2,
        "by UDP",
    );
    refuse("{ repeater: [\n{ host: 'h' }] }", 2, "a host and a port");
}

#[test]
fn namespaces() {
    check("graphite: {}", "", &[]);
    check("graphite: { legacyNamespace: true }", "", &[]);
    check(
        "graphite: { legacyNamespace: false }",
        "naming = \"etsy\"",
        &[],
    );
    check(
        "graphite: { legacyNamespace: false, globalPrefix: 'gp' }",
        "naming = \"etsy\"\nown_namespace = \"gp\"\ncounter_prefix = \"gp.counters.\"\n\
         timer_prefix = \"gp.timers.\"\ngauge_prefix = \"gp.gauges.\"\nset_prefix = \"gp.sets.\"\n\
         kv_prefix = \"gp.kv.\"",
        &[],
    );
    check(
        "graphite: { legacyNamespace: false, globalPrefix: '', prefixCounter: '', prefixTimer: 't' }",
        "naming = \"etsy\"\nown_namespace = \"\"\ncounter_prefix = \"\"\ntimer_prefix = \"t.\"\n\
         gauge_prefix = \"gauges.\"\nset_prefix = \"sets.\"\nkv_prefix = \"kv.\"",
        &[],
    );
    check(
        "graphite: { legacyNamespace: false, prefixGauge: 'g', prefixSet: 's' }",
        "naming = \"etsy\"\ngauge_prefix = \"stats.g.\"\nset_prefix = \"stats.s.\"",
        &[],
    );
    check(
        "graphite: {\n globalPrefix: 'gp',\n globalSuffix: 'web1',\n prefixes: 1 }",
        "suffix = \"web1\"",
        &[
            "3: prefixes have no effect",
            "5: etsy's statsd has no setting `graphite.prefixes`",
        ],
    );
    check("prefixStats: 'self'", "own_prefix = \"self\"", &[]);
    check(
        "prefixStats: ''",
        "own_prefix = \"\"",
        &["2: an empty prefixStats"],
    );
    check("flush_counts: true", "", &[]);
    check("flush_counts: false", "counter_counts = false", &[]);
    check("keyNameSanitize: true", "", &[]);
    check(
        "keyNameSanitize: false",
        "",
        &["2: keyNameSanitize: names are always"],
    );
    refuse(
        "{ graphite: { legacyNamespace: 'no' } }",
        1,
        "true or false",
    );
    refuse("{ graphite:\n'stats' }", 2, "an object in braces");
    refuse("{ prefixStats: 'a b' }", 1, "Graphite path");
}

#[test]
fn timers() {
    check("percentThreshold: 95", "percent = 95", &[]);
    check("percentThreshold: '95'", "percent = 95", &[]);
    check(
        "percentThreshold: [-10, 0, 99.9]",
        "percent = [-10, 99.9]",
        &[],
    );
    check("percentThreshold: 0", "percent = 90", &[]);
    check("percentThreshold: []", "percent = []", &[]);
    check(
        "calculatedTimerMetrics: ['count', 'upper_percent',\n 'colour']",
        "timer_statistics = [\"count\", \"upper_percent\"]",
        &["3: there is no such statistic of timers; there are count, count_ps, "],
    );
    check(
        "calculatedTimerMetrics: ['upper_99_percent']",
        "timer_statistics = [\"upper_99_percent\"]",
        &[],
    );
    check("calculatedTimerMetrics: []", "", &[]);
    check(
        "calculatedTimerMetrics: 'all'",
        "",
        &["2: calculatedTimerMetrics is a list"],
    );
    check(
        "histogram: [ { metric: 'foo', bins: [] }, { metric: '', bins: [0.5, '10', 'inf'] } ]",
        "histogram = [\"foo:\", \":0.5,10,inf\"]",
        &[],
    );
    check(
        "histogram: [ { metric: 'a', bins: [ 5,\n1,\n7, 'inf',\n9, 7 ] } ]",
        "histogram = [\"a:5,7,inf\"]",
        &[
            "3: a bin that ends below one before it",
            "5: a bin that ends below",
            "5: a bin that ends below",
        ],
    );
    check("histogram: []", "", &[]);
    refuse("{ percentThreshold: [90,\n 101] }", 2, "not a percentile");
    refuse("{ percentThreshold: 'all' }", 1, "is a number");
    refuse(
        "{ calculatedTimerMetrics: ['colour'] }",
        1,
        "nothing would be left of any timer; there are count, count_ps, mean, median, ",
    );
    refuse("{ histogram: [\n{ metric: 'a' }] }", 2, "bins");
    refuse(
        "{ histogram: [{ metric: 'a', bins: ['many'] }] }",
        1,
        "bins",
    );
}

#[test]
fn idle_series_stay_unless_they_are_deleted() {
    let none = "idle_counters = \"none\"\nidle_timers = \"none\"\nidle_sets = \"none\"\n";
    check("deleteIdleStats: false", "", &[]);
    check(
        "deleteIdleStats: true",
        &format!("{none}idle_gauges = \"5s\""),
        &[],
    );
    check("deleteIdleStats: true, deleteGauges: false", none, &[]);
    check(
        "deleteIdleStats: true, deleteCounters: false, deleteTimers: false, deleteSets: false, \
         gaugesMaxTTL: 3, flushInterval: 20000",
        "idle_gauges = \"50s\"\nflush = \"20s\"",
        &[],
    );
    check("deleteCounters: true", "idle_counters = \"none\"", &[]);
    check("deleteTimers: true", "idle_timers = \"none\"", &[]);
    check("deleteSets: true", "idle_sets = \"none\"", &[]);
    check("deleteGauges: true", "idle_gauges = \"5s\"", &[]);
    check(
        "deleteGauges: true, gaugesMaxTTL: 1.5",
        "idle_gauges = \"5s\"",
        &[],
    );
    check("gaugesMaxTTL: 3", "", &[]);
}

#[test]
fn flush_intervals() {
    check("flushInterval: 60000", "flush = \"60s\"", &[]);
    check("flushInterval: 0", "", &[]);
    check(
        "flushInterval: 200",
        "flush = \"200ms\"",
        &["2: flushes less than a second apart"],
    );
    refuse("{ flushInterval:\n 1e12 }", 2, "between 1ms and 1d");
    refuse("{ flushInterval: -1 }", 1, "not a time");
    refuse("{ flushInterval: 'often' }", 1, "is a number");
}

#[test]
fn the_process() {
    check("debug: true", "verbose = 1", &[]);
    check("log: {}", "", &[]);
    check("log: { backend: 'stdout' }", "", &[]);
    let text = "{ log: { backend: 'syslog', application: 'statsd', level: 'LOG_INFO' } }";
    let (settings, notes) = parse(text).expect("it can be had");
    assert_eq!(settings.log, None);
    assert_eq!(settings.syslog, ours("syslog = \"local0\"").syslog);
    assert_eq!(notes.len(), 1, "of the level: {notes:?}");
    let text = "{ title: 'metrics', log: { backend: 'syslog',\n application: 'statsd' } }";
    let (settings, notes) = parse(text).expect("it can be had");
    assert_eq!(settings.title, ours("title = \"metrics\"").title);
    assert_eq!((notes.len(), notes[0].line), (1, 2));
    check(
        "dumpMessages: true,\ntitle: 'x',\nautomaticConfigReload: true,\nmgmt_port: 8127,\n\
         mgmt_address: '127.0.0.1',\nhealthStatus: 'up',\nbatch: 1",
        "management = \"127.0.0.1:8127\"\nlog_lines = true\ntitle = \"x\"",
        &[
            "4: automaticConfigReload: ",
            "7: healthStatus: ",
            "8: etsy's statsd has no setting `batch`",
        ],
    );
    check(
        "dumpMessages: false, automaticConfigReload: false, keyFlush: { interval: 0, percent: 5 }",
        "",
        &[],
    );
    for text in ["{ title: false }", "{ title: '' }"] {
        assert_eq!(parse(text).expect("it keeps its name").0.title, None);
    }
    refuse("{\ntitle: 5 }", 2, "title is a text");
    let long = "x".repeat(50);
    check(
        &format!("title: '{long}'"),
        &format!("title = '{}'", &long[..48]),
        &["2: a title has up to 48 characters"],
    );
    check(
        "title: 'web: stats [1] \u{e9}'",
        "title = 'web__stats__1___'",
        &[
            "2: a title has up to 48 characters without spaces, colons and brackets; it becomes web__",
        ],
    );
    check(
        "keyFlush: { interval: 60000, percent: 150, log: '/var/log/names.log', every: 1 }",
        "name_counts = '60s'\nname_counts_percent = 100\nname_counts_file = '/var/log/names.log'",
        &["2: etsy's statsd has no setting `keyFlush.every`"],
    );
    check(
        "keyFlush: { interval: '500', percent: 0, log: '' }",
        "name_counts = '500ms'",
        &[],
    );
    check("mgmt_address: '::1'", "management = \"[::1]:8126\"", &[]);
    check("mgmt_port: '8129'", "management = \":8129\"", &[]);
    refuse("{\nmgmt_port: 0.5 }", 2, "mgmt_port is a port");
    refuse("{ log: { backend:\n 'file' } }", 2, "stdout or syslog");
}

#[test]
fn a_message_names_the_file_and_the_place() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config.js");
    fs::write(&path, "{\n  port: 8125,\n  colour: 'red',\n}\n").expect("a file");
    let (_, notes) = read(&path).expect("it is read");
    let shown = path.display();
    let note = "etsy's statsd has no setting `colour`; it has no effect";
    assert_eq!(notes, [format!("{shown}:3:11: {note}")]);
    fs::write(&path, "{\n  port: 8125 +\n}\n").expect("a file");
    let error = read(&path).expect_err("it is no plain value");
    assert!(error.starts_with(&format!("{shown}:2:14: ")), "{error}");
    fs::write(&path, b"{\n  // caf\xe9\n  port: 8125,\n}\n").expect("a file");
    read(&path).expect("a comment has any encoding");
    fs::remove_file(&path).expect("it is there");
    let error = read(&path).expect_err("it is gone");
    assert!(error.contains("config.js"), "{error}");
}
