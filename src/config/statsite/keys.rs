//! The keys of the section `[statsite]`, their defaults, and what they mean among our settings.

use std::fmt::Display;
use std::str::FromStr;

use super::values::{flag, number, parsed, whole, wrong};
use crate::config::Settings;
use crate::config::facility::Facility;
use crate::config::foreign::Fault;
use crate::config::ini::Entry;
use crate::config::prefix::{PathText, Prefix};
use crate::config::relations::RECEIVE_BUFFER_BYTES_MAX;
use crate::config::values::{
    DATAGRAM_BYTES_MAX, FilePath, FlushInterval, LogLevel, Percents, SetError, Size, StatisticName,
    TimerError,
};
use crate::naming::{
    Dialect, ExtendedCounters, Histogram, NO_STATISTICS, STATSITE_STATISTICS, statsite_statistic,
};
use crate::sink::SinkAddress;
use crate::transport::BindAddress;

/// The settings of all keys, each under the name of its key, and the histograms.
pub(super) struct Keys {
    /// The last line that says where to listen; 0 if none does.
    bind_line: usize,
    port: u16,
    udp_port: u16,
    udp_rcvbuf: Option<Size>,
    /// As in our addresses: IPv6 in brackets, empty for all.
    bind_address: String,
    parse_stdin: bool,
    log_level: LogLevel,
    log_facility: Facility,
    flush_interval: FlushInterval,
    timer_eps: TimerError,
    set_eps: SetError,
    stream_cmd: String,
    aligned_flush: bool,
    input_counter: Option<PathText>,
    daemonize: bool,
    pid_file: Option<FilePath>,
    binary_stream: bool,
    use_type_prefix: bool,
    global_prefix: String,
    kv_prefix: String,
    gauges_prefix: String,
    counts_prefix: String,
    timers_prefix: String,
    sets_prefix: String,
    extended_counters: bool,
    legacy_extended_counters: bool,
    timers_include: Option<Vec<StatisticName>>,
    prefix_binary_stream: bool,
    quantiles: Option<Percents>,
    pub(super) histograms: Vec<Histogram>,
}

/// The least a name may be shortened to, in bytes.
const STATISTIC_BYTES_MIN: usize = 3;

/// What is meant by an address for all of them: IPv4 and IPv6.
const ALL_ADDRESSES: &str = "::";

/// What C libraries take for that.
const ANY_ADDRESS: &str = "*";

impl Default for Keys {
    fn default() -> Self {
        let error = "it is in the range";
        Self {
            bind_line: 0,
            port: 8125,
            udp_port: 8125,
            udp_rcvbuf: None,
            bind_address: String::new(),
            parse_stdin: false,
            log_level: LogLevel(log::LevelFilter::Debug),
            log_facility: "local0".parse().expect("there is such a facility"),
            flush_interval: "10".parse().expect("a time"),
            timer_eps: "0.01".parse().expect(error),
            set_eps: "0.02".parse().expect(error),
            stream_cmd: "cat".to_owned(),
            aligned_flush: false,
            input_counter: None,
            daemonize: false,
            pid_file: Some(FilePath("/var/run/statsite.pid".to_owned())),
            binary_stream: false,
            use_type_prefix: true,
            global_prefix: String::new(),
            kv_prefix: "kv.".to_owned(),
            gauges_prefix: "gauges.".to_owned(),
            counts_prefix: "counts.".to_owned(),
            timers_prefix: "timers.".to_owned(),
            sets_prefix: "sets.".to_owned(),
            extended_counters: false,
            legacy_extended_counters: true,
            timers_include: None,
            prefix_binary_stream: false,
            quantiles: None,
            histograms: Vec::new(),
        }
    }
}

impl Keys {
    /// Takes one key. The last of several counts.
    pub(super) fn take(&mut self, entry: &Entry, warnings: &mut Vec<Fault>) -> Result<(), Fault> {
        if matches!(
            entry.key.as_str(),
            "port" | "tcp_port" | "udp_port" | "parse_stdin"
        ) {
            self.bind_line = entry.line;
        }
        match entry.key.as_str() {
            "port" | "tcp_port" => self.port = port(entry, warnings)?,
            "udp_port" => self.udp_port = port(entry, warnings)?,
            "udp_rcvbuf" => self.udp_rcvbuf = receive_buffer(entry, warnings)?,
            "bind_address" => self.bind_address = host(entry)?,
            "parse_stdin" => self.parse_stdin = flag(entry)?,
            "log_level" => self.log_level = log_level(entry)?,
            "log_facility" => self.log_facility = log_facility(entry)?,
            "flush_interval" => self.flush_interval = flush_interval(entry, warnings)?,
            "timer_eps" => self.timer_eps = timer_error(entry, warnings)?,
            "set_eps" => self.set_eps = set_error(entry, warnings)?,
            "stream_cmd" => self.stream_cmd = command(entry, warnings)?,
            "aligned_flush" => self.aligned_flush = flag(entry)?,
            "input_counter" => self.input_counter = named(entry, warnings)?,
            "daemonize" => self.daemonize = flag(entry)?,
            "pid_file" => self.pid_file = named(entry, warnings)?,
            "binary_stream" => self.binary_stream = flag(entry)?,
            "use_type_prefix" => self.use_type_prefix = flag(entry)?,
            "global_prefix" => self.global_prefix = path_text(entry)?,
            "kv_prefix" => self.kv_prefix = path_text(entry)?,
            "gauges_prefix" => self.gauges_prefix = path_text(entry)?,
            "counts_prefix" => self.counts_prefix = path_text(entry)?,
            "timers_prefix" => self.timers_prefix = path_text(entry)?,
            "sets_prefix" => self.sets_prefix = path_text(entry)?,
            "extended_counters" => self.extended_counters = flag(entry)?,
            "legacy_extended_counters" => self.legacy_extended_counters = flag(entry)?,
            "timers_include" => self.timers_include = Some(timer_statistics(entry, warnings)),
            "prefix_binary_stream" => self.prefix_binary_stream = flag(entry)?,
            "quantiles" => self.quantiles = Some(percents(entry)?),
            key => warnings.push(Fault::new(
                entry.line,
                format!("statsite has no key `{key}`; it is left out"),
            )),
        }
        Ok(())
    }

    /// Whether the standard input is asked for where there is none.
    pub(super) fn has_stdin_in_background(&self) -> bool {
        self.parse_stdin && self.daemonize
    }

    /// The settings that do the same.
    pub(super) fn into_settings(self) -> Result<Settings, Fault> {
        let bind = self.bind();
        if bind.is_empty() {
            return Err(Fault::new(
                self.bind_line,
                "port and udp_port are 0 and parse_stdin is off: there is nothing to listen on",
            ));
        }
        // The binary stream always has a count and a rate of a counter, and all of a timer.
        let extended_counters = self.extended_counters || self.binary_stream;
        let extended_counters = match (extended_counters, self.legacy_extended_counters) {
            (false, _) => ExtendedCounters::None,
            (true, true) => ExtendedCounters::Samples,
            (true, false) => ExtendedCounters::Sum,
        };
        Ok(Settings {
            bind: Some(bind),
            receive_buffer: self.udp_rcvbuf,
            sink: Some(vec![self.sink()]),
            flush: Some(self.flush_interval),
            align: Some(self.aligned_flush),
            naming: Some(Dialect::Statsite),
            counter_prefix: self.type_prefix(&self.counts_prefix, "counts."),
            timer_prefix: self.type_prefix(&self.timers_prefix, "timers."),
            gauge_prefix: self.type_prefix(&self.gauges_prefix, "gauges."),
            set_prefix: self.type_prefix(&self.sets_prefix, "sets."),
            kv_prefix: self.type_prefix(&self.kv_prefix, "kv."),
            extended_counters: Some(extended_counters),
            percent: self
                .quantiles
                .map(|Percents(quantiles)| match quantiles.is_empty() {
                    true => Vec::new(),
                    false => vec![Percents(quantiles)],
                }),
            timer_statistics: self.timers_include.filter(|_| !self.binary_stream),
            histogram: Some(self.histograms).filter(|histograms| !histograms.is_empty()),
            own_prefix: Some(Prefix::default()),
            input_counter: self.input_counter,
            timer_error: Some(self.timer_eps),
            set_error: Some(self.set_eps),
            // Only in the background does statsite write it.
            pid_file: self.pid_file.filter(|_| self.daemonize),
            daemonize: Some(self.daemonize),
            syslog: Some(self.log_facility),
            log_level: Some(self.log_level),
            ..Settings::default()
        })
    }

    /// Where to listen; port 0 is off.
    fn bind(&self) -> Vec<BindAddress> {
        let ports = [("udp", self.udp_port), ("tcp", self.port)];
        let on = ports.into_iter().filter(|(_, port)| *port != 0);
        let mut bind: Vec<BindAddress> = on
            .map(|(scheme, port)| {
                let address = format!("{scheme}://{}:{port}", self.bind_address);
                address.parse().expect("the host was checked")
            })
            .collect();
        // There statsite reads /dev/null, which has nothing.
        if self.parse_stdin && !self.daemonize {
            bind.push(BindAddress::Stdin);
        }
        bind
    }

    fn sink(&self) -> SinkAddress {
        let scheme = match (self.binary_stream, self.prefix_binary_stream) {
            (false, _) => "command",
            (true, false) => "command+binary",
            (true, true) => "command+binary+prefix",
        };
        let address = format!("{scheme}:{}", self.stream_cmd);
        address.parse().expect("the command was checked")
    }

    /// What goes before names of a type, unless it is what the naming has there.
    fn type_prefix(&self, of_type: &str, default: &str) -> Option<PathText> {
        let of_type = match self.use_type_prefix {
            true => of_type,
            false => "",
        };
        let prefix = format!("{}{of_type}", self.global_prefix);
        (prefix != default).then_some(PathText(prefix))
    }
}

fn port(entry: &Entry, warnings: &mut Vec<Fault>) -> Result<u16, Fault> {
    let port = whole(entry, 0..=u16::MAX.into(), warnings)?;
    Ok(u16::try_from(port).expect("it is in the range"))
}

/// 0 leaves it to us, as it leaves it to the kernel there.
fn receive_buffer(entry: &Entry, warnings: &mut Vec<Fault>) -> Result<Option<Size>, Fault> {
    let bytes = whole(entry, 0..=RECEIVE_BUFFER_BYTES_MAX as u64, warnings)?;
    let bytes = usize::try_from(bytes).expect("it is in the range");
    let least = DATAGRAM_BYTES_MAX;
    if (1..least).contains(&bytes) {
        let reason = format!("{bytes} bytes do not hold a datagram; {least} are asked for");
        warnings.push(wrong(entry, reason));
    }
    Ok((bytes > 0).then(|| Size(bytes.max(least))))
}

fn host(entry: &Entry) -> Result<String, Fault> {
    let host = match entry.value.as_str() {
        ALL_ADDRESSES | ANY_ADDRESS => String::new(),
        ipv6 if ipv6.contains(':') => format!("[{ipv6}]"),
        host => host.to_owned(),
    };
    parsed::<BindAddress>(entry, &format!("udp://{host}:1"))?;
    Ok(host)
}

fn log_level(entry: &Entry) -> Result<LogLevel, Fault> {
    match entry.value.to_ascii_lowercase().as_str() {
        level @ ("debug" | "info" | "warn" | "error") => parsed(entry, level),
        // Nothing here is worse than an error.
        "critical" => parsed(entry, "error"),
        level => Err(wrong(
            entry,
            format!("`{level}` is not a log level: DEBUG, INFO, WARN, ERROR, CRITICAL"),
        )),
    }
}

fn log_facility(entry: &Entry) -> Result<Facility, Fault> {
    let known = entry.value.to_ascii_lowercase();
    match known.strip_prefix("local") {
        None if known != "user" && known != "daemon" => Err(wrong(
            entry,
            format!("`{known}` is not a facility: user, daemon, local0 to local7"),
        )),
        _ => parsed(entry, &known),
    }
}

fn flush_interval(entry: &Entry, warnings: &mut Vec<Fault>) -> Result<FlushInterval, Fault> {
    let seconds = whole(entry, 1..=86_400, warnings)?;
    parsed(entry, &seconds.to_string())
}

/// An error that statsite takes and we do not have becomes the nearest that we have.
fn timer_error(entry: &Entry, warnings: &mut Vec<Fault>) -> Result<TimerError, Fault> {
    let error = number(entry, warnings)?;
    if error <= 0.0 || error >= 0.5 {
        return Err(wrong(entry, format!("{error} is not between 0 and 0.5")));
    }
    let bounded = TimerError::bounded(error);
    if bounded.0 != error {
        let reason = format!(
            "{error} is less than a sketch can have; it gets {}",
            bounded.0
        );
        warnings.push(wrong(entry, reason));
    }
    Ok(bounded)
}

fn set_error(entry: &Entry, warnings: &mut Vec<Fault>) -> Result<SetError, Fault> {
    let error = number(entry, warnings)?;
    // From 2^4 to 2^18 registers, the next power of two: src/hll.c.
    if error < 1.04 / 512.0 || error >= 1.04 / 8.0_f64.sqrt() {
        let reason = format!("{error} is not between 0.0021 and 0.3676");
        return Err(wrong(entry, reason));
    }
    let bounded = SetError::bounded(error);
    // What is below 0.0021 gives as many registers there as 0.0021.
    if bounded.0 < error {
        let reason = format!(
            "{error} is more than an estimate can have; it gets {}",
            bounded.0
        );
        warnings.push(wrong(entry, reason));
    }
    Ok(bounded)
}

fn command(entry: &Entry, warnings: &mut Vec<Fault>) -> Result<String, Fault> {
    parsed::<SinkAddress>(entry, &format!("command:{}", entry.value))?;
    if !entry.comment.is_empty() {
        let reason = format!(
            "`{}` is a comment, as for statsite; a command goes on behind a `;` without a space \
             before it",
            entry.comment
        );
        warnings.push(wrong(entry, reason));
    }
    Ok(entry.value.clone())
}

/// What is named by a key; None for an empty name, of which statsite makes nothing of use either.
fn named<T: FromStr<Err: Display>>(
    entry: &Entry,
    warnings: &mut Vec<Fault>,
) -> Result<Option<T>, Fault> {
    if entry.value.is_empty() {
        warnings.push(wrong(entry, "it has no name, so there is none"));
        return Ok(None);
    }
    parsed(entry, &entry.value).map(Some)
}

fn path_text(entry: &Entry) -> Result<String, Fault> {
    parsed::<PathText>(entry, &entry.value).map(|PathText(text)| text)
}

/// The words, each at its full length. As in statsite a word that it does not know says nothing, and
/// one of less than three letters ends the list; a list that says nothing leaves quantiles and bins.
fn timer_statistics(entry: &Entry, warnings: &mut Vec<Fault>) -> Vec<StatisticName> {
    let mut statistics = Vec::new();
    for word in entry
        .value
        .split([',', ' '])
        .filter(|word| !word.is_empty())
    {
        if word.len() < STATISTIC_BYTES_MIN {
            let reason = format!("`{word}` is too short for a statistic and ends the list");
            warnings.push(wrong(entry, reason));
            break;
        }
        match statsite_statistic(word) {
            Some(name) => statistics.push(StatisticName(name.to_owned())),
            None => warnings.push(wrong(
                entry,
                format!("`{word}` is none of {}", STATSITE_STATISTICS.join(", ")),
            )),
        }
    }
    if statistics.is_empty() {
        let reason = "it names no statistic; of timers only quantiles and bins are sent";
        warnings.push(wrong(entry, reason));
        statistics.push(StatisticName(NO_STATISTICS.to_owned()));
    }
    statistics
}

fn percents(entry: &Entry) -> Result<Percents, Fault> {
    let words = entry.value.split(',').map(str::trim);
    let words = words.filter(|word| !word.is_empty());
    let percents = words.map(|word| match word.parse::<f64>() {
        // By the decimal point, as 0.55 times 100 is 55.00000000000001.
        Ok(quantile) if quantile > 0.0 && quantile < 1.0 => parsed(entry, &format!("{quantile}e2")),
        _ => Err(wrong(
            entry,
            format!("`{word}` is not a quantile: above 0 and below 1"),
        )),
    });
    let percents: Result<Vec<Percents>, _> = percents.collect();
    let percents = percents?
        .into_iter()
        .flat_map(|Percents(percents)| percents);
    Ok(Percents(percents.collect()))
}
