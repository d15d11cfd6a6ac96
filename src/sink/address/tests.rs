//! Addresses that must be read, and addresses that must be refused.

use super::*;

#[test]
fn short_and_long_forms_lead_to_the_same_places() {
    for (text, full) in [
        ("2003", "graphite://localhost:2003"),
        (":2013", "graphite://localhost:2013"),
        ("bar", "graphite://bar:2003"),
        ("bar:2003", "graphite://bar:2003"),
        ("10.1.2.3:1", "graphite://10.1.2.3:1"),
        ("10.1.2.3", "graphite://10.1.2.3:2003"),
        ("[::1]:2003", "graphite://[::1]:2003"),
        ("[fe80::1]", "graphite://[fe80::1]:2003"),
        ("graphite:2003", "graphite://graphite:2003"),
        ("graphite://g.example.org", "graphite://g.example.org:2003"),
        ("graphite://g:65535/", "graphite://g:65535"),
        ("graphite://", "graphite://localhost:2003"),
        ("graphite://[::1]:9", "graphite://[::1]:9"),
        ("graphite+pickle://g", "graphite+pickle://g:2004"),
        ("graphite+pickle://:7", "graphite+pickle://localhost:7"),
        ("console:", "console:"),
        ("console://", "console:"),
        ("command:cat", "command:cat"),
        (
            "command:curl -d @- 'http://h:1/?a=b&c' | tee /var/x",
            "command:curl -d @- 'http://h:1/?a=b&c' | tee /var/x",
        ),
        ("command: a\nb:c", "command: a\nb:c"),
        ("command://g:2003", "command://g:2003"),
        ("command+binary:x", "command+binary:x"),
        ("command+binary+prefix:x y", "command+binary+prefix:x y"),
        ("g:1?queue_bytes=64KiB", "graphite://g:1?queue_bytes=65536"),
        ("console:?queue_bytes=9", "console:?queue_bytes=9"),
        ("g?connection=lasting", "graphite://g:2003"),
        (
            "g:1?queue_bytes=9&connection=flush",
            "graphite://g:1?connection=flush&queue_bytes=9",
        ),
        (
            "graphite+pickle://g?connection=flush",
            "graphite+pickle://g:2004?connection=flush",
        ),
        (
            "g?spool=/var/spool/x",
            "graphite://g:2003?spool=/var/spool/x",
        ),
        (
            "g?spool_bytes=1KiB&spool=/x&queue_bytes=1&spool_age=2h",
            "graphite://g:2003?queue_bytes=1&spool=/x&spool_bytes=1024&spool_age=7200s",
        ),
    ] {
        let address: SinkAddress = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(address.to_string(), full, "{text}");
        assert_eq!(full.parse(), Ok(address), "{full} reads back");
    }
}

#[test]
fn wrong_addresses_say_what_is_wrong() {
    for (text, part) in [
        ("", "the address is empty"),
        ("?queue_bytes=1", "the address is empty"),
        ("statsd://g", "no such type of sink"),
        ("file:x", "`graphite+pickle://host:2004`"),
        ("file:x", "`command+binary+prefix:CMD`"),
        ("command+text:x", "no such type of sink"),
        ("g?connection=often", "`lasting`"),
        ("console:?connection=flush", "no such setting"),
        ("command:", "the command is empty"),
        ("command+binary: \t", "the command is empty"),
        ("g:port", "no such type of sink"),
        ("g:", "no such type of sink"),
        ("g:0", "is not a port"),
        ("g:65536", "is not a port"),
        ("g:20x", "is not a port"),
        ("graphite://g:+1", "is not a port"),
        ("::1", "in brackets"),
        ("fe80::1:2003", "in brackets"),
        ("[::1", "`[` without `]`"),
        ("[g]:1", "not an IPv6 address"),
        ("[::1]x", "follows `]`"),
        ("a b:1", "` ` has no place"),
        ("graphite://g/x", "`/` has no place"),
        ("console:x", "nothing follows"),
        ("g:1?spam=2", "there are: queue_bytes, spool, spool_bytes"),
        ("g:1?spool=x", "absolute path"),
        ("g:1?spool", "absolute path"),
        ("g:1?spool_age=0", "whole seconds above 0"),
        ("g:1?spool_age=1.5h", "whole seconds above 0"),
        ("console:?spool=/x", "no such setting `spool`"),
        ("g:1?queue_bytes", "is not a size"),
        ("g:1?queue_bytes=0", "is not a size"),
        ("g:1?queue_bytes=99999999999GiB", "is not a size"),
    ] {
        let error = text.parse::<SinkAddress>().expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn names_are_one_segment_of_a_metric_path() {
    for (text, name) in [
        ("g.example.org", "graphite_g_example_org_2003"),
        ("[::1]:2003", "graphite___1_2003"),
        ("graphite+pickle://a-b:1", "graphite_pickle_a-b_1"),
        ("console:", "console"),
        ("command:mail --password x", "command"),
        ("command+binary+prefix:x", "command_binary_prefix"),
    ] {
        let address: SinkAddress = text.parse().expect(text);
        assert_eq!(address.name(), name);
    }
}

#[test]
fn a_command_is_kept_as_it_is() {
    let address: SinkAddress = "command: a:b?queue_bytes=1 ".parse().expect("a command");
    let command = Place::Command(" a:b?queue_bytes=1 ".to_owned());
    assert_eq!((address.place, address.queue_bytes), (command, None));
    let error = "command:a\0b".parse::<SinkAddress>().expect_err("zero");
    assert!(error.to_string().contains("a zero byte"), "{error}");
}
