//! The keys of each section, their defaults, and what they mean among our settings.

use std::fmt::Display;
use std::str::FromStr;

use super::Given;
use crate::config::Settings;
use crate::config::prefix::PathText;
use crate::config::values::{FlushInterval, LogLevel, Percents};
use crate::naming::Dialect;
use crate::sink::SinkAddress;
use crate::transport::BindAddress;

/// All settings.
pub(super) struct Keys {
    flush_interval: FlushInterval,
    log_level: LogLevel,
    collector: Collector,
    collector_place: Place,
    store_place: Place,
    store_prefix: String,
    is_alive: bool,
    alive_place: Place,
    percentile: Option<Percents>,
}

/// The class that takes lines in.
#[derive(Clone, Copy)]
enum Collector {
    Udp,
    Tcp,
}

/// Where to listen or to send to.
struct Place {
    /// IPv6 in brackets.
    host: String,
    port: u16,
}

impl Place {
    fn new(host: &str, port: u16) -> Self {
        let host = host.to_owned();
        Self { host, port }
    }
}

/// The prefix of all paths unless it is set.
const PREFIX: &str = "statsite";

impl Default for Keys {
    fn default() -> Self {
        Self {
            flush_interval: "10".parse().expect("a time"),
            log_level: LogLevel(log::LevelFilter::Info),
            collector: Collector::Udp,
            collector_place: Place::new("0.0.0.0", 8125),
            store_place: Place::new("localhost", 2003),
            store_prefix: PREFIX.to_owned(),
            is_alive: false,
            alive_place: Place::new("0.0.0.0", 8325),
            percentile: None,
        }
    }
}

impl Keys {
    /// Takes one value. The last of several counts.
    pub(super) fn take(&mut self, given: &Given, warnings: &mut Vec<String>) -> Result<(), String> {
        match (given.section.as_str(), given.key.as_str()) {
            ("statsite", "flush_interval") => self.flush_interval = flush_interval(given)?,
            ("statsite", "log_level") => self.log_level = log_level(given)?,
            ("collector", "class") => self.collector = collector(given)?,
            ("collector", "host") => self.collector_place.host = host(given)?,
            ("collector", "port") => self.collector_place.port = port(given, 0)?,
            ("store", "class") => check_class(given, "GraphiteStore")?,
            ("store", "host") => self.store_place.host = host(given)?,
            ("store", "port") => self.store_place.port = port(given, 1)?,
            ("store", "prefix") => self.store_prefix = prefix(given)?,
            ("store", "attempts") => warnings.push(wrong(
                given,
                "it is left out: points wait in a queue and are tried until they are sent \
                 (queue_bytes)",
            )),
            ("aggregator", "class") => check_class(given, "DefaultAggregator")?,
            ("aliveness_check", "enabled") => self.is_alive = flag(given, warnings)?,
            ("aliveness_check", "host") => self.alive_place.host = host(given)?,
            ("aliveness_check", "port") => self.alive_place.port = port(given, 1)?,
            ("metrics", "ms.percentile") => self.percentile = Some(percentile(given, warnings)?),
            _ => warnings.push(wrong(given, "statsite has no such key; it is left out")),
        }
        if given.section == "statsite" && given.place.starts_with("-s ") {
            warnings.push(wrong(given, "the Python statsite would not heed it there"));
        }
        Ok(())
    }

    /// The settings that do the same.
    pub(super) fn into_settings(self) -> Settings {
        let scheme = match self.collector {
            Collector::Udp => "udp",
            Collector::Tcp => "tcp",
        };
        let Place { host, port } = &self.collector_place;
        let bind: BindAddress = parse(&format!("{scheme}://{host}:{port}"));
        let Place { host, port } = &self.store_place;
        let sink: SinkAddress = parse(&format!("graphite://{host}:{port}"));
        let Place { host, port } = &self.alive_place;
        let liveness = self.is_alive.then(|| parse(&format!("{host}:{port}")));
        let prefix = match self.store_prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}."),
        };
        let is_usual = self.store_prefix == PREFIX;
        let of_type = |of_type| (!is_usual).then(|| PathText(format!("{prefix}{of_type}.")));
        Settings {
            bind: Some(vec![bind]),
            liveness,
            sink: Some(vec![sink]),
            flush: Some(self.flush_interval),
            naming: Some(Dialect::PythonStatsite),
            counter_prefix: of_type("counts"),
            timer_prefix: of_type("timers"),
            gauge_prefix: of_type("gauges"),
            set_prefix: of_type("sets"),
            kv_prefix: of_type("kv"),
            percent: self.percentile.map(|percentile| vec![percentile]),
            log_level: Some(self.log_level),
            ..Settings::default()
        }
    }
}

/// What each part of it was checked for.
fn parse<T: FromStr<Err: Display>>(text: &str) -> T {
    match text.parse() {
        Ok(parsed) => parsed,
        Err(reason) => panic!("host and port were checked: {reason}"),
    }
}

fn flush_interval(given: &Given) -> Result<FlushInterval, String> {
    match given.value.parse::<u32>() {
        Ok(seconds @ 1..=86_400) => parsed(given, &seconds.to_string()),
        Ok(_) | Err(_) => Err(wrong(
            given,
            format!(
                "`{}` is not a whole number of seconds from 1 to 86400",
                given.value
            ),
        )),
    }
}

/// The names of Python's logging.
fn log_level(given: &Given) -> Result<LogLevel, String> {
    match given.value.to_lowercase().as_str() {
        level @ ("debug" | "info" | "warn" | "error") => parsed(given, level),
        "warning" => parsed(given, "warn"),
        "critical" | "fatal" => parsed(given, "error"),
        "notset" => parsed(given, "trace"),
        level => Err(wrong(
            given,
            format!("`{level}` is not a log level: debug, info, warning, error, critical"),
        )),
    }
}

fn collector(given: &Given) -> Result<Collector, String> {
    match class(given) {
        "UDPCollector" => Ok(Collector::Udp),
        "TCPCollector" => Ok(Collector::Tcp),
        _ => Err(own_class(
            given,
            "collector.UDPCollector or collector.TCPCollector",
        )),
    }
}

fn check_class(given: &Given, only: &str) -> Result<(), String> {
    match class(given) == only {
        true => Ok(()),
        false => Err(own_class(given, only)),
    }
}

/// The name of a class behind that of its module.
fn class(given: &Given) -> &str {
    given.value.rsplit('.').next().unwrap_or_default()
}

fn own_class(given: &Given, known: &str) -> String {
    wrong(
        given,
        format!(
            "`{}` is a class of Python, which cannot be run here; there is {known}",
            given.value
        ),
    )
}

fn host(given: &Given) -> Result<String, String> {
    let host = match given.value.as_str() {
        // An empty host is every address to Python's sockets.
        "" => "0.0.0.0".to_owned(),
        ipv6 if ipv6.contains(':') => format!("[{ipv6}]"),
        host => host.to_owned(),
    };
    parsed::<BindAddress>(given, &format!("udp://{host}:1"))?;
    parsed::<SinkAddress>(given, &format!("graphite://{host}:1"))?;
    Ok(host)
}

fn port(given: &Given, least: u16) -> Result<u16, String> {
    match given.value.parse() {
        Ok(port) if port >= least => Ok(port),
        _ => Err(wrong(
            given,
            format!("`{}` is not a port from {least} to 65535", given.value),
        )),
    }
}

fn prefix(given: &Given) -> Result<String, String> {
    parsed::<PathText>(given, &given.value).map(|PathText(text)| text)
}

/// Any text but an empty one is true to Python, `False` too.
fn flag(given: &Given, warnings: &mut Vec<String>) -> Result<bool, String> {
    match given.value.to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "" => Ok(false),
        "false" | "no" | "off" | "0" => {
            let reason = format!(
                "the Python statsite takes every text for true, also `{}`; here it is off",
                given.value
            );
            warnings.push(wrong(given, reason));
            Ok(false)
        }
        value => Err(wrong(given, format!("`{value}` is neither true nor false"))),
    }
}

fn percentile(given: &Given, warnings: &mut Vec<String>) -> Result<Percents, String> {
    match given.value.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => {
            warnings.push(wrong(
                given,
                "the Python statsite takes it for a text and then sends nothing of an interval \
                 with timers; here it counts",
            ));
            Ok(Percents(vec![percent]))
        }
        _ => Err(wrong(
            given,
            format!(
                "`{}` is not a percentile: above 0, at most 100",
                given.value
            ),
        )),
    }
}

fn parsed<T: FromStr<Err: Display>>(given: &Given, text: &str) -> Result<T, String> {
    text.parse().map_err(|reason| wrong(given, reason))
}

fn wrong(given: &Given, reason: impl Display) -> String {
    let Given {
        place,
        section,
        key,
        ..
    } = given;
    // A control character could play tricks on the terminal.
    format!("{place}: [{section}] {key}: {reason}").replace(char::is_control, " ")
}
