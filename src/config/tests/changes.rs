//! One configuration after another.

use std::path::Path;

use super::super::{Config, Machine, file};

fn config(text: &str) -> Config {
    let settings = file::parse(text).expect("settings");
    Config::new(settings, &Machine::here()).expect("a configuration")
}

fn shown(changes: &[super::super::Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn what_differs_is_named_with_both_values_and_a_sink_without() {
    let before = config("flush = 10\nprefix = \"a\"\nsink = [\"command:curl -u me:secret x\"]");
    let after = config("flush = 20\nstate_file = \"s\"\nprefix = \"a\"\nsink = [\":2003\"]");
    let changes = shown(&after.changes_from(&before));
    assert!(
        changes.contains(&"flush from \"10s\" to \"20s\"".to_owned()),
        "{changes:?}"
    );
    assert!(changes.contains(&"sink".to_owned()), "{changes:?}");
    assert!(
        changes.contains(&"state_file from none to \"s\"".to_owned()),
        "{changes:?}"
    );
    assert!(
        !changes.iter().any(|change| change.starts_with("prefix")),
        "{changes:?}"
    );
    assert_eq!(before.changes_from(&before), []);
}

#[test]
fn what_only_a_start_can_change_stays_and_is_named() {
    let running = config("shards = 2\npid_file = \"p\"\nverbose = 1");
    let read = config("shards = 3\nbind = [\":1\"]\nrepeat = [\"127.0.0.1:9\"]\nprefix = \"a\"");
    let (config, kept) = read.for_running(&running).expect("they fit together");
    let keys: Vec<String> = shown(&kept);
    let begins = ["bind from", "pid_file from", "repeat from", "shards from"];
    assert_eq!(keys.len(), begins.len(), "{keys:?}");
    for (key, begin) in keys.iter().zip(begins) {
        assert!(key.starts_with(begin), "{keys:?}");
    }
    assert_eq!(
        (config.shards, &*config.prefix, config.verbose),
        (2, "a", 0)
    );
    assert_eq!(
        (&config.bind, &config.pid_file),
        (&running.bind, &running.pid_file)
    );
    assert_eq!(config.repeat, []);
}

#[test]
fn where_the_log_goes_can_change() {
    let running = config("syslog = \"local0\"");
    for text in ["syslog = \"user\"", "log = \"a.log\"", ""] {
        let read = config(text);
        assert_eq!(read.for_running(&running), Ok((read.clone(), vec![])));
    }
}

#[test]
fn what_does_not_fit_to_what_stays_is_refused() {
    let running = config("receive_buffer = 70000");
    let read = config("receive_buffer = 80000\nmax_datagram = 60000");
    assert!(read.for_running(&running).is_ok());
    let running = config("max_datagram = 60000");
    let read = config("max_datagram = 1000\nreceive_buffer = 2000");
    let (config, _) = read.for_running(&running).expect("both stay");
    assert_eq!(config.max_datagram_bytes, 60_000);
}

#[test]
fn paths_are_meant_from_the_directory_of_the_start() {
    let config = config("state_file = \"s\"\nlog = \"/l\"").in_directory(Path::new("/start"));
    assert_eq!(config.state_file.as_deref(), Some(Path::new("/start/s")));
    assert_eq!(config.log.as_deref(), Some(Path::new("/l")));
    assert_eq!(config.pid_file, None);
}
