//! Checks how settings fit together; each message names those that do not.

use std::time::Duration;

use super::Config;
use super::defaults::DEFAULT_OWN_NAMESPACE;
use super::values::{Size, Time};
use crate::naming::{
    Dialect, ETSY_STATISTICS, ExtendedCounters, NO_STATISTICS, STATSITE_STATISTICS,
    is_etsy_statistic,
};
use crate::sink::SinkAddress;
use crate::sink::address::SinkKind;
use crate::snapshot::Idle;
use crate::telemetry::OwnWords;
use crate::transport::BindAddress;

/// Below this, two flushes would have one time stamp in Graphite.
const GRAPHITE_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Files of a spool are named by whole seconds.
const SPOOL_AGE_MIN: Duration = Duration::from_secs(1);

/// Kernels hold a receive buffer's size in an int and double what is asked for.
pub(super) const RECEIVE_BUFFER_BYTES_MAX: usize = 1 << 30;

/// Checks all relations.
///
/// # Errors
/// A message about the first that does not hold.
pub(super) fn check(config: &Config) -> Result<(), String> {
    check_times(config)?;
    check_receive_buffer(config)?;
    check_sinks(config)?;
    check_standard_input(config)?;
    check_log(config)?;
    check_name_counts(config)?;
    check_input_counter(config)?;
    check_own_metrics(config)?;
    check_type_prefixes(config)?;
    check_counters(config)?;
    check_timers(config)?;
    check_brakes(config)?;
    match config.naming {
        Dialect::Etsy | Dialect::EtsyLegacy => Ok(()),
        Dialect::Gstatsd | Dialect::PythonStatsite => {
            check_percents_from_the_top(config)?;
            check_cut_percents(config)?;
            check_silence(config)?;
            check_etsys_own(config)
        }
        Dialect::Statsite => {
            check_percents_from_the_top(config)?;
            check_silence(config)?;
            check_etsys_own(config)
        }
    }
}

fn check_times(config: &Config) -> Result<(), String> {
    let flush = Time(config.flush_interval);
    let in_whole_seconds = config.sinks.iter().find(|sink| match sink.kind {
        SinkKind::GraphiteText | SinkKind::GraphitePickle => true,
        SinkKind::Console
        | SinkKind::CommandText
        | SinkKind::CommandBinary
        | SinkKind::CommandPrefixedBinary => false,
    });
    // etsy's statsd takes such intervals too, and whoever sends in its words comes from there.
    if let Some(sink) = in_whole_seconds
        && config.flush_interval < GRAPHITE_INTERVAL_MIN
        && config.own_metrics == OwnWords::Ringstat
    {
        return Err(format!(
            "flush = {flush} does not go with sink = {sink}: Graphite's time stamps are whole \
             seconds; set flush to 1s or more"
        ));
    }
    if config.command_timeout.is_zero() {
        return Err("command_timeout = 0s leaves a command no time at all".to_owned());
    }
    if config.max_wait > config.flush_interval {
        return Err(format!(
            "max_wait = {} is longer than flush = {flush}: a batch would be late for its interval",
            Time(config.max_wait)
        ));
    }
    Ok(())
}

fn check_receive_buffer(config: &Config) -> Result<(), String> {
    let receive_buffer = Size(config.receive_buffer_bytes);
    if config.receive_buffer_bytes > RECEIVE_BUFFER_BYTES_MAX {
        return Err(format!(
            "receive_buffer = {receive_buffer} is more than a kernel gives: at most 1GiB"
        ));
    }
    if config.receive_buffer_bytes < config.max_datagram_bytes {
        return Err(format!(
            "receive_buffer = {receive_buffer} cannot hold one datagram of max_datagram = {}",
            config.max_datagram_bytes
        ));
    }
    Ok(())
}

/// Repetitions are gone already; what is left of one place differs in its query.
fn check_sinks(config: &Config) -> Result<(), String> {
    if config.spool_age < SPOOL_AGE_MIN {
        return Err(format!(
            "spool_age = {} is below 1s: time stamps are whole seconds",
            Time(config.spool_age)
        ));
    }
    for (index, sink) in config.sinks.iter().enumerate() {
        let place = (sink.kind, &sink.place);
        let same = |earlier: &&SinkAddress| place == (earlier.kind, &earlier.place);
        if let Some(earlier) = config.sinks[..index].iter().find(same) {
            return Err(format!(
                "sink = {earlier} and sink = {sink} lead to the same place: every point would be \
                 sent twice"
            ));
        }
        let spool = &sink.spool;
        let has_spool = config.spool.is_some() || spool.folder.is_some();
        if !has_spool && (spool.bytes_max.is_some() || spool.age_max_s.is_some()) {
            return Err(format!(
                "sink = {sink} has limits of a spool and no spool: set spool, the folder that they are \
                 about"
            ));
        }
        if config.daemonize && sink.kind == SinkKind::Console {
            return Err(format!(
                "sink = {sink} does not go with daemonize = true: in the background there is no \
                 standard output, and every point would be lost"
            ));
        }
    }
    Ok(())
}

/// Only etsy has percentiles from the top.
fn check_percents_from_the_top(config: &Config) -> Result<(), String> {
    match config.percents.iter().find(|&&percent| percent < 0.0) {
        Some(percent) => Err(format!(
            "percent = {percent} does not go with naming = {}, which has no percentiles from the \
             top",
            config.naming
        )),
        None => Ok(()),
    }
}

/// Where a percentile is cut to an integer for its path, two may become one.
fn check_cut_percents(config: &Config) -> Result<(), String> {
    let percents = &config.percents;
    for (index, percent) in percents.iter().enumerate() {
        let same = |earlier: &&f64| earlier.trunc() == percent.trunc();
        if let Some(earlier) = percents[..index].iter().find(same) {
            return Err(format!(
                "percent = {earlier} and percent = {percent} are both upper_{} with naming = {}",
                percent.trunc(),
                config.naming
            ));
        }
    }
    Ok(())
}

/// What would have no effect is refused, lest somebody counts on it.
fn check_silence(config: &Config) -> Result<(), String> {
    let naming = config.naming;
    for (key, idle) in [
        ("idle_counters", config.idle_counters),
        ("idle_timers", config.idle_timers),
        ("idle_sets", config.idle_sets),
        ("idle_gauges", config.idle_gauges),
    ] {
        if idle != Idle::Quiet {
            return Err(format!(
                "{key} = {idle} does not go with naming = {naming}, which says nothing of silent \
                 series; set {key} to none"
            ));
        }
    }
    Ok(())
}

/// What only etsy's statsd has.
fn check_etsys_own(config: &Config) -> Result<(), String> {
    let naming = config.naming;
    if !config.suffix.is_empty() {
        return Err(format!(
            "suffix = {} does not go with naming = {naming}: only etsy and etsy-legacy have one",
            config.suffix
        ));
    }
    if !config.counter_counts {
        return Err(format!(
            "counter_counts = false does not go with naming = {naming}: only etsy and etsy-legacy \
             can leave them out"
        ));
    }
    Ok(())
}

/// Namings that put a series under two paths have no one text that could stand before both.
fn check_type_prefixes(config: &Config) -> Result<(), String> {
    match config.naming {
        Dialect::Etsy | Dialect::Statsite | Dialect::PythonStatsite => return Ok(()),
        Dialect::EtsyLegacy | Dialect::Gstatsd => {}
    }
    let prefixes = [
        ("counter_prefix", &config.counter_prefix),
        ("timer_prefix", &config.timer_prefix),
        ("gauge_prefix", &config.gauge_prefix),
        ("set_prefix", &config.set_prefix),
        ("kv_prefix", &config.kv_prefix),
    ];
    for (key, prefix) in prefixes {
        if let Some(prefix) = prefix {
            return Err(format!(
                "{key} = {prefix:?} does not go with naming = {}, whose paths begin in more than \
                 one way; naming = etsy has one for each type",
                config.naming
            ));
        }
    }
    Ok(())
}

/// etsy's words are made for etsy's namespaces.
fn check_own_metrics(config: &Config) -> Result<(), String> {
    let (naming, words) = (config.naming, config.own_metrics);
    let has_namespace = match (words, naming) {
        (OwnWords::Etsy, Dialect::Etsy) => true,
        (OwnWords::Etsy, Dialect::EtsyLegacy) | (OwnWords::Ringstat, _) => false,
        (OwnWords::Etsy, Dialect::Gstatsd | Dialect::Statsite | Dialect::PythonStatsite) => {
            return Err(format!(
                "own_metrics = etsy does not go with naming = {naming}: only with etsy and \
                 etsy-legacy"
            ));
        }
    };
    if !has_namespace && config.own_namespace != DEFAULT_OWN_NAMESPACE {
        return Err(format!(
            "own_namespace = {:?} has no effect with own_metrics = {words} and naming = {naming}; \
             it is for own_metrics = etsy and naming = etsy",
            config.own_namespace
        ));
    }
    Ok(())
}

fn check_counters(config: &Config) -> Result<(), String> {
    let naming = config.naming;
    let has_them = naming == Dialect::Statsite;
    if config.extended_counters != ExtendedCounters::None && !has_them {
        return Err(format!(
            "extended_counters = {} does not go with naming = {naming}: only statsite has them",
            config.extended_counters
        ));
    }
    Ok(())
}

fn check_timers(config: &Config) -> Result<(), String> {
    let naming = config.naming;
    if let Some(histogram) = config.histograms.iter().find(|bins| !bins.is_of(naming)) {
        return Err(format!(
            "histogram = {histogram} does not go with naming = {naming}: statsite has \
             PREFIX:MIN:MAX:WIDTH, etsy and etsy-legacy have TEXT:EDGE,EDGE, the others none"
        ));
    }
    let mut statistics = config.timer_statistics.iter();
    let (unknown, known) = match naming {
        Dialect::Etsy | Dialect::EtsyLegacy => (
            statistics.find(|name| !is_etsy_statistic(name)),
            format!("has {}", ETSY_STATISTICS.join(", ")),
        ),
        Dialect::Statsite => (
            statistics.find(|name| {
                !STATSITE_STATISTICS.contains(&name.as_str())
                    && (name.as_str() != NO_STATISTICS || config.timer_statistics.len() > 1)
            }),
            format!(
                "has {}, or {NO_STATISTICS} alone",
                STATSITE_STATISTICS.join(", ")
            ),
        ),
        Dialect::Gstatsd | Dialect::PythonStatsite => {
            (statistics.next(), "always sends all".to_owned())
        }
    };
    match unknown {
        None => Ok(()),
        Some(name) => Err(format!(
            "timer_statistics = {name} does not go with naming = {naming}, which {known}"
        )),
    }
}

/// A rule is asked for each new name, and has a metric of its own.
const RULES_MAX: usize = 64;

fn check_brakes(config: &Config) -> Result<(), String> {
    for (key, count) in [("deny", config.deny.len()), ("quota", config.quotas.len())] {
        if count > RULES_MAX {
            return Err(format!(
                "{key} has {count} patterns, and may have {RULES_MAX}; a `*` can stand for many names"
            ));
        }
    }
    for pair in config.quotas.windows(2) {
        if pair[0].pattern == pair[1].pattern {
            return Err(format!(
                "quota = {} and quota = {} are for the same names",
                pair[0], pair[1]
            ));
        }
    }
    Ok(())
}

fn check_input_counter(config: &Config) -> Result<(), String> {
    match config.input_counter.as_deref() {
        Some("") => Err(
            "input_counter is empty: a counter has a name; leave it out to have \
                         none"
                .to_owned(),
        ),
        Some(_) | None => Ok(()),
    }
}

fn check_standard_input(config: &Config) -> Result<(), String> {
    if config.daemonize && config.bind.contains(&BindAddress::Stdin) {
        return Err(
            "bind = stdin: does not go with daemonize = true: in the background there is no \
             standard input, and nothing would come"
                .to_owned(),
        );
    }
    Ok(())
}

fn check_name_counts(config: &Config) -> Result<(), String> {
    match (config.name_counts, &config.name_counts_file) {
        (Some(Duration::ZERO), _) => Err(
            "name_counts = 0s would write names all the time; leave it out for never".to_owned(),
        ),
        (None, Some(path)) => Err(format!(
            "name_counts_file = {} has no effect without name_counts",
            path.display()
        )),
        (Some(_), _) | (None, None) => Ok(()),
    }
}

fn check_log(config: &Config) -> Result<(), String> {
    if config.daemonize && config.logs_to_output() {
        return Err(
            "log = - does not go with daemonize = true: in the background there is no standard \
             output; name a file"
                .to_owned(),
        );
    }
    match (&config.log, config.syslog) {
        (Some(path), Some(facility)) => Err(format!(
            "log = {} does not go with syslog = {facility}: the log goes to one of them",
            path.display()
        )),
        (_, None) | (None, Some(_)) => Ok(()),
    }
}
