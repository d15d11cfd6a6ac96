//! Properties of all settings and all texts: what is printed reads back, nothing panics.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::machine;
use crate::config::prefix::{PathText, Prefix};
use crate::config::values::*;
use crate::config::*;

/// Settings of all kinds; some do not go together.
fn any_settings() -> impl Strategy<Value = Settings> {
    let number = |max: usize| of(1..=max);
    let flag = of(any::<bool>());
    let idle = prop_oneof![
        Just(Idle::Never),
        Just(Idle::Quiet),
        (1..2_592_000_000_u64).prop_map(|ms| Idle::After(Duration::from_millis(ms))),
    ];
    let percent = (-100.0..=100.0_f64).prop_filter("not 0", |percent| *percent != 0.0);
    let prefix = prop_oneof![
        "",
        r"[A-Za-z0-9_-]{1,9}(\.[a-z]{1,9}){0,3}",
        Just("x.{host}".into())
    ];
    let text = of("[!-{}~]{0,12}".prop_map(PathText));
    const COUNT: usize = u32::MAX as usize;
    let path = "[^\0]{1,20}";
    let receiving = (
        of(vec(
            (0..=u16::MAX).prop_map(|port| format!("h:{port}").parse().unwrap()),
            0..4,
        )),
        number(256),
        flag.clone(),
        of(prop_oneof![
            Just(EngineChoice::Auto),
            Just(EngineChoice::Recvmmsg)
        ]),
        of(any::<u32>()),
        number(1 << 30),
        number(65_507),
        of(vec(
            (1..=u16::MAX).prop_map(|port| format!("h:{port}").parse().unwrap()),
            0..4,
        )),
        number(1_000_000),
        of(any::<u16>().prop_map(|port| format!("h:{port}").parse().unwrap())),
        of(any::<u16>().prop_map(|port| format!("[::1]:{port}").parse().unwrap())),
    );
    let sending = (
        of(vec(
            (1..=u16::MAX).prop_map(|port| format!("h:{port}").parse().unwrap()),
            0..4,
        )),
        number(usize::MAX),
        of(any::<u32>()),
        of(1_000_000..=86_400_000_000_000_u64),
        flag.clone(),
        of(0.0..=0.9_f64),
        of(path),
        number(usize::MAX),
        of(any::<u64>()),
    );
    let adding = (
        of(prop_oneof![
            Just(Dialect::Etsy),
            Just(Dialect::EtsyLegacy),
            Just(Dialect::Gstatsd),
            Just(Dialect::Statsite),
            Just(Dialect::PythonStatsite)
        ]),
        of(prefix.clone().prop_map(Prefix)),
        of(vec(vec(percent, 0..3).prop_map(Percents), 0..3)),
        flag.clone(),
        flag.clone(),
        of(idle.clone()),
        of(idle.clone()),
        of(prefix.clone().prop_map(Prefix)),
    );
    let prefixes = (
        text.clone(),
        text.clone(),
        text.clone(),
        text.clone(),
        text.clone(),
        of(prefix.clone().prop_map(Prefix)),
    );
    let per_type = (
        flag.clone(),
        of(idle.clone()),
        of(idle.clone()),
        of(idle.clone()),
        text,
        of(prop_oneof![Just(OwnWords::Ringstat), Just(OwnWords::Etsy)]),
        of(prefix.prop_map(Prefix)),
        of(prop_oneof![
            Just(ExtendedCounters::None),
            Just(ExtendedCounters::Sum),
            Just(ExtendedCounters::Samples)
        ]),
        of(vec("(count|upper|sum_sq)".prop_map(StatisticName), 0..3)),
        of(vec(
            "[a-z.]{0,3}(:0:5:[12]|:[0-9]{0,3}|:1,2\\.5,inf)"
                .prop_map(|text| text.parse().unwrap()),
            0..3,
        )),
    );
    let pattern = "[a-z.*]{1,4}";
    let quota = "[a-z.*=\"\\\\]{1,4}=[0-9]{1,6}";
    let limits = (
        number(COUNT),
        number(COUNT),
        of(0.0001..=0.5_f64),
        number(COUNT),
        of(0.0021..=0.26_f64),
        of(vec(pattern.prop_map(|text| text.parse().unwrap()), 0..4)),
        of(vec(quota.prop_map(|text| text.parse().unwrap()), 0..4)),
        number(usize::MAX),
    );
    let process = (
        of(path),
        of(path),
        flag.clone(),
        of(path),
        of((0..8).prop_map(|number| format!("local{number}").parse().unwrap())),
        of(0..6_usize),
        any::<u8>(),
        of(any::<u32>()),
        flag,
        of(any::<u32>()),
        (
            of(0.0..=100.0_f64),
            of(path),
            of("[!-9;-Z^-~]{1,48}".prop_map(Title)),
        ),
        of(prop_oneof![
            Just(Control::None),
            "[a-z]{1,9}".prop_map(|path| path.parse().unwrap())
        ]),
    );
    (
        receiving, sending, adding, prefixes, per_type, limits, process,
    )
        .prop_map(
            |(receiving, sending, adding, prefixes, per_type, limits, process)| Settings {
                bind: receiving.0,
                max_connections: receiving.8.map(Count),
                liveness: receiving.9,
                management: receiving.10,
                control: process.11,
                shards: receiving.1.map(Count),
                pin: receiving.2,
                engine: receiving.3,
                max_wait: receiving.4.map(|ns| Time(Duration::from_nanos(ns.into()))),
                receive_buffer: receiving.5.map(Size),
                max_datagram: receiving.6.map(DatagramSize),
                repeat: receiving.7,
                sink: sending.0,
                queue_bytes: sending.1.map(Size),
                spread: sending.5.map(|share| share.to_string().parse().unwrap()),
                spool: sending.6.map(FilePath),
                spool_bytes: sending.7.map(Size),
                spool_age: sending.8.map(|ns| Time(Duration::from_nanos(ns))),
                command_timeout: sending.2.map(|ns| Time(Duration::from_nanos(ns.into()))),
                flush: sending.3.map(|ns| FlushInterval(Duration::from_nanos(ns))),
                align: sending.4,
                naming: adding.0,
                prefix: adding.1,
                counter_prefix: prefixes.0,
                timer_prefix: prefixes.1,
                gauge_prefix: prefixes.2,
                set_prefix: prefixes.3,
                kv_prefix: prefixes.4,
                suffix: prefixes.5,
                counter_counts: per_type.0,
                extended_counters: per_type.7,
                percent: adding.2,
                timer_statistics: per_type.8,
                histogram: per_type.9,
                weighted_timers: adding.3,
                tags: adding.4,
                idle: adding.5,
                idle_counters: per_type.1,
                idle_timers: per_type.2,
                idle_sets: per_type.3,
                idle_gauges: adding.6,
                own_prefix: adding.7,
                own_metrics: per_type.5,
                own_namespace: per_type.6,
                input_counter: per_type.4,
                max_series: limits.0.map(Count),
                deny: limits.5,
                quota: limits.6,
                max_memory: limits.7.map(Size),
                max_timer_values: limits.1.map(Count),
                timer_error: limits.2.map(RelativeError),
                max_set_values: limits.3.map(Count),
                set_error: limits.4.map(RelativeError),
                state_file: process.0.map(FilePath),
                state_age: process.7.map(|ns| Time(Duration::from_nanos(ns.into()))),
                pid_file: process.1.map(FilePath),
                daemonize: process.2,
                log: process.3.map(FilePath),
                syslog: process.4,
                log_level: process
                    .5
                    .and_then(|level| LevelFilter::iter().nth(level))
                    .map(LogLevel),
                log_lines: process.8,
                name_counts: process.9.map(|ns| Time(Duration::from_nanos(ns.into()))),
                name_counts_percent: process.10.0.map(Percent),
                name_counts_file: process.10.1.map(FilePath),
                title: process.10.2,
                verbose: process.6,
            },
        )
}

proptest! {
    #[test]
    fn a_printed_configuration_gives_itself_again(settings in any_settings()) {
        let Ok(config) = Config::new(settings, &machine()) else { return Ok(()) };
        let printed = config.to_toml();
        let read = file::parse(&printed).map_err(|mistake| TestCaseError::fail(mistake.to_string()))?;
        // On another machine too: nothing is left to a default.
        let elsewhere = Machine { host: HostLabel::new("other"), cpu_count: 1 };
        prop_assert_eq!(Config::new(read, &elsewhere), Ok(config), "printed: {}", printed);
    }

    #[test]
    fn no_text_makes_the_file_parser_panic(
        parts in vec(prop_oneof![
            ".*",
            "[\\[\\]{}=.,'\"\n#-]{1,4}",
            "-?[0-9]{1,25}(\\.[0-9]{0,3})?(e[0-9]{1,3})?[a-zA-Z]{0,3}",
            "(bind|sink|flush|percent|prefix|idle|max_wait|queue_bytes|log) = ",
        ], 0..8)
    ) {
        let text = parts.concat();
        match file::parse(&text) {
            Ok(settings) => { let _config_or_message = Config::new(settings, &machine()); }
            Err(mistake) => {
                let line = text.split('\n').nth(mistake.line - 1);
                prop_assert!(line.is_some_and(|line| mistake.column <= line.chars().count() + 1));
            }
        }
    }
}
