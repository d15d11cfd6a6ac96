//! Tests of the file, of the defaults, and of how settings fit together.

mod changes;
mod properties;
mod refusals;

use super::values::Time;
use super::*;

fn machine() -> Machine {
    Machine {
        host: HostLabel::new("web7.example.net"),
        cpu_count: 16,
    }
}

/// The configuration that a file's text gives, or the message.
fn config(text: &str) -> Result<Config, String> {
    let settings = file::parse(text).map_err(|mistake| mistake.to_string())?;
    Config::new(settings, &machine())
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let expected = Config {
        bind: vec![":8125".parse().unwrap()],
        max_connections: 1_024,
        liveness: None,
        management: None,
        control: Control::Default,
        shards: 4,
        pin: false,
        engine: EngineChoice::Auto,
        max_wait: Duration::from_millis(20),
        receive_buffer_bytes: 32 * 1024 * 1024,
        max_datagram_bytes: 65_507,
        repeat: Vec::new(),
        sinks: Vec::new(),
        queue_bytes: 256 * 1024 * 1024,
        spread: Spread::default(),
        spool: None,
        spool_bytes: 1 << 30,
        spool_age: Duration::from_secs(7 * 24 * 60 * 60),
        command_timeout: Duration::from_secs(10),
        flush_interval: Duration::from_secs(10),
        align: true,
        naming: Dialect::Etsy,
        prefix: String::new(),
        counter_prefix: None,
        timer_prefix: None,
        gauge_prefix: None,
        set_prefix: None,
        kv_prefix: None,
        suffix: String::new(),
        counter_counts: true,
        extended_counters: ExtendedCounters::None,
        percents: vec![90.0],
        timer_statistics: Vec::new(),
        histograms: Vec::new(),
        weighted_timers: false,
        tags: true,
        idle_counters: Idle::After(Duration::from_secs(300)),
        idle_timers: Idle::After(Duration::from_secs(300)),
        idle_sets: Idle::After(Duration::from_secs(300)),
        idle_gauges: Idle::Never,
        own_prefix: Some("ringstat.web7".to_owned()),
        own_metrics: OwnWords::Ringstat,
        own_namespace: "stats".to_owned(),
        input_counter: None,
        max_series: 1_000_000,
        deny: Vec::new(),
        quotas: Vec::new(),
        max_memory_bytes: 8 << 30,
        max_timer_values: 4_000_000,
        timer_error: 0.005,
        max_set_values: 4_096,
        set_error: 0.0163,
        state_file: None,
        state_age: Duration::from_secs(3_600),
        pid_file: None,
        daemonize: false,
        log: None,
        syslog: None,
        log_level: LevelFilter::Info,
        log_lines: false,
        name_counts: None,
        name_counts_percent: 100.0,
        name_counts_file: None,
        title: None,
        verbose: 0,
    };
    assert_eq!(config(""), Ok(expected));
}

#[test]
fn some_defaults_follow_the_naming() {
    let etsy = config("").unwrap();
    let legacy = config("naming = 'etsy-legacy'").unwrap();
    assert_eq!(
        legacy,
        Config {
            naming: Dialect::EtsyLegacy,
            ..etsy.clone()
        }
    );
    let gstatsd = Config {
        naming: Dialect::Gstatsd,
        align: false,
        tags: false,
        idle_counters: Idle::Quiet,
        idle_timers: Idle::Quiet,
        idle_sets: Idle::Quiet,
        idle_gauges: Idle::Quiet,
        own_prefix: None,
        ..etsy
    };
    assert_eq!(config("naming = 'gstatsd'"), Ok(gstatsd.clone()));
    let python = Config {
        naming: Dialect::PythonStatsite,
        ..gstatsd.clone()
    };
    assert_eq!(config("naming = 'python-statsite'"), Ok(python));
    let statsite = Config {
        naming: Dialect::Statsite,
        percents: vec![50.0, 95.0, 99.0],
        ..gstatsd
    };
    assert_eq!(config("naming = 'statsite'"), Ok(statsite));
    let own = config("naming = 'gstatsd'\nalign = true\nown_prefix = 'own'").unwrap();
    assert!(own.align);
    assert_eq!(own.own_prefix.as_deref(), Some("own"));
}

#[test]
fn etsys_words_have_defaults_of_their_own() {
    let config = config("own_metrics = 'etsy'\nflush = '200ms'\nsink = 'g:2003'").unwrap();
    assert_eq!(config.own_prefix.as_deref(), Some("statsd"));
    assert_eq!(config.own_namespace, "stats");
    assert_eq!(config.flush_interval, Duration::from_millis(200));
}

#[test]
fn there_is_a_shard_for_each_cpu_but_no_more_than_four() {
    for (cpu_count, shards) in [(0, 1), (1, 1), (3, 3), (4, 4), (64, 4)] {
        let machine = Machine {
            cpu_count,
            ..machine()
        };
        assert_eq!(
            Config::new(Settings::default(), &machine).unwrap().shards,
            shards
        );
    }
}

#[test]
fn a_repeatable_setting_is_an_array_or_a_single_value() {
    let one = config("bind = 8126\nsink = '2003'\npercent = 99.9").unwrap();
    let array = config("bind = ['8126']\nsink = [2003]\npercent = ['99.9']").unwrap();
    assert_eq!(one, array);
    assert_eq!(array.bind, ["8126".parse().unwrap()]);
    assert_eq!(array.sinks, ["2003".parse().unwrap()]);
    assert_eq!(array.percents, [99.9]);
    let several = config("percent = [50, '90, 99', -10]\nsink = [2003, 'console:']").unwrap();
    assert_eq!(several.percents, [50.0, 90.0, 99.0, -10.0]);
    assert_eq!(several.sinks.len(), 2);
}

#[test]
fn an_empty_array_of_addresses_says_nothing_and_one_of_percentiles_says_none() {
    let config = config("bind = []\nsink = []\npercent = []").unwrap();
    assert_eq!(config.bind, [":8125".parse().unwrap()]);
    assert!(config.sinks.is_empty());
    assert!(config.percents.is_empty());
}

#[test]
fn what_is_given_twice_counts_once_and_keeps_its_place() {
    let config = config("bind = [2, 1, 2]\nsink = [4, 3, 4]\npercent = [99, 90, 99.0]").unwrap();
    assert_eq!(config.bind, ["2".parse().unwrap(), "1".parse().unwrap()]);
    assert_eq!(config.sinks, ["4".parse().unwrap(), "3".parse().unwrap()]);
    assert_eq!(config.percents, [99.0, 90.0]);
}

#[test]
fn the_host_name_goes_into_each_prefix() {
    let config = config("prefix = '.a.{host}.'\nown_prefix = '{host}.{host}'").unwrap();
    assert_eq!(config.prefix, "a.web7");
    assert_eq!(config.own_prefix.as_deref(), Some("web7.web7"));
}

#[test]
fn verbose_raises_the_log_level_and_never_lowers_it() {
    for (text, level) in [
        ("verbose = 1", LevelFilter::Debug),
        ("verbose = 2", LevelFilter::Trace),
        ("verbose = 200", LevelFilter::Trace),
        ("log_level = 'off'", LevelFilter::Off),
        ("log_level = 'WARN'", LevelFilter::Warn),
        ("log_level = 'warn'\nverbose = 1", LevelFilter::Debug),
        ("log_level = 'trace'\nverbose = 1", LevelFilter::Trace),
    ] {
        assert_eq!(config(text).unwrap().log_level, level, "for {text}");
    }
}

/// With a flush interval of 5 ms a shard was still gathering a batch when the flush gave up on its
/// answer, and the log said so hundreds of times in a second.
#[test]
fn a_batch_gathers_for_a_quarter_of_the_interval_by_default() {
    for (flush, max_wait) in [
        ("1ms", "250us"),
        ("5ms", "1250us"),
        ("80ms", "20ms"),
        ("1d", "20ms"),
    ] {
        let config = config(&format!("flush = '{flush}'")).expect(flush);
        assert_eq!(Time(config.max_wait).to_string(), max_wait, "for {flush}");
    }
}

#[test]
fn a_command_has_the_flush_interval_but_at_least_ten_seconds() {
    for (text, timeout) in [
        ("flush = 1", "10s"),
        ("flush = 60", "1m"),
        ("flush = 60\ncommand_timeout = 5", "5s"),
    ] {
        let config = config(text).expect(text);
        assert_eq!(
            Time(config.command_timeout).to_string(),
            timeout,
            "for {text}"
        );
    }
}

#[test]
fn each_type_is_silent_as_long_as_all_unless_it_has_its_own_time() {
    let config = config("idle = 60\nidle_timers = 'none'\nidle_sets = 0").unwrap();
    assert_eq!(config.idle_counters, Idle::After(Duration::from_secs(60)));
    assert_eq!(config.idle_timers, Idle::Quiet);
    assert_eq!(config.idle_sets, Idle::Never);
    let printed = config.to_toml();
    assert!(printed.contains("idle_counters = \"60s\"\n"), "{printed}");
    assert!(!printed.contains("\nidle = "), "{printed}");
}

#[test]
fn a_file_of_another_daemon_is_called_so() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("other");
    let message = |text: &str| {
        std::fs::write(&path, text).expect("a file");
        file::read(&path).expect_err("it is none of ours")
    };
    let etsys = message("{ port: 8125 }");
    assert!(etsys.contains("ringstat --etsy FILE reads it"), "{etsys}");
    let statsites = message("[statsite]\nudp_port = 8125\n");
    assert!(statsites.contains("--statsite FILE"), "{statsites}");
    let ours = message("flush = 'x'");
    assert!(!ours.contains("seems to be"), "{ours}");
}
