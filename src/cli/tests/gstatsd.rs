//! Tests of the command line under the name gstatsd.

use std::time::Duration;

use super::{bind, config, refusal, sinks};
use crate::naming::Dialect;
use crate::snapshot::Idle;

#[test]
fn the_examples_of_gstatsd_work_under_both_names() {
    for name in [
        "gstatsd",
        "/usr/bin/gstatsd",
        "./gstatsd",
        "ringstat",
        "/opt/x",
    ] {
        let local = config(&format!("{name} -s 2003 -f 5"));
        assert_eq!(local.sinks, sinks(&["graphite://localhost:2003"]));
        assert_eq!(local.flush_interval, Duration::from_secs(5));

        let hosts = config(&format!("{name} -b foo:8126 -s bar:2003 -f 20"));
        assert_eq!(hosts.bind, bind("foo:8126"));
        assert_eq!(hosts.sinks, sinks(&["graphite://bar:2003"]));
        assert_eq!(hosts.flush_interval, Duration::from_secs(20));

        let several = config(&format!("{name} -b :8125 -s stats1:2003 -s stats2:2004"));
        assert_eq!(several.bind, bind(":8125"));
        assert_eq!(
            several.sinks,
            sinks(&["graphite://stats1:2003", "graphite://stats2:2004"])
        );

        assert_eq!(config(&format!("{name} -s :2003")).sinks, local.sinks);
        assert_eq!(
            config(&format!("{name} --sink=[::1]:2003")).sinks,
            sinks(&["[::1]:2003"])
        );
    }
}

#[test]
fn the_name_gstatsd_brings_its_defaults() {
    let gstatsd = config("gstatsd -s 2003");
    assert_eq!(gstatsd.bind, bind(":8125"));
    assert_eq!(gstatsd.naming, Dialect::Gstatsd);
    assert_eq!(gstatsd.flush_interval, Duration::from_secs(10));
    assert_eq!(gstatsd.percents, [90.0]);
    assert!(!gstatsd.align);
    assert_eq!(
        (gstatsd.idle_counters, gstatsd.idle_gauges),
        (Idle::Quiet, Idle::Quiet)
    );
    assert_eq!(gstatsd.own_prefix, None);
    assert_eq!(config("ringstat -s 2003").naming, Dialect::Etsy);
}

#[test]
fn gstatsd_takes_its_options_and_no_others() {
    let all = config("gstatsd -s 1 -vv -f 2.5 -x .web. -p 99.9 -D");
    assert_eq!(all.verbose, 2);
    assert_eq!(all.flush_interval, Duration::from_millis(2_500));
    assert_eq!(all.prefix, "web");
    assert_eq!(all.percents, [99.9]);
    assert!(all.daemonize);
    let long = "gstatsd --sink=1 -v -v --flush=2.5 --prefix=web --percent=99.9 --daemonize";
    assert_eq!(config(long), all);
    for other in [
        "--naming etsy",
        "--config x",
        "--check",
        "--align true",
        "--verbose",
        "-V",
    ] {
        let message = refusal(&format!("gstatsd -s 2003 {other}"));
        assert!(
            message.contains("unexpected argument"),
            "{other}: {message}"
        );
    }
}

#[test]
fn as_gstatsd_the_last_of_an_option_counts_and_long_ones_may_be_shortened() {
    let config = config("gstatsd -s 2003 -f 5 --fl 6 -b :1 -b :2 --perc=50 -D -D");
    assert_eq!(config.flush_interval, Duration::from_secs(6));
    assert_eq!(config.bind, bind(":2"));
    assert_eq!(config.percents, [50.0]);
}

#[test]
fn gstatsd_asks_for_a_sink() {
    assert_eq!(
        refusal("gstatsd"),
        "error: gstatsd needs at least one Graphite server to send to, such as -s 2003 (port 2003 \
         on this machine) or -s graphite.example.net:2003"
    );
    assert!(config("ringstat").sinks.is_empty());
}

#[test]
fn gstatsd_sends_graphite_text_only() {
    for sink in ["console:", "graphite+pickle://g:2004"] {
        let message = refusal(&format!("gstatsd -s {sink}"));
        assert!(
            message.contains("gstatsd sends Graphite's text only"),
            "{message}"
        );
    }
}
