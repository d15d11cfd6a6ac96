//! Random traffic for comparisons with the model: well-formed lines of few names, and lines put
//! together from pieces of the grammar in any order.
//!
//! Sums must not depend on the order of summation, so numbers are multiples of 1/8 and rates are
//! powers of two.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::choices::{PIECES, histograms};
use crate::model::{Extended, Idle, Naming, Settings};

/// Sockets that traffic comes from.
const SOURCE_COUNT: usize = 6;

/// Settings, and the datagrams of some intervals with the sockets that they come from.
#[derive(Clone, Debug)]
pub struct Traffic {
    pub settings: Settings,
    pub intervals: Vec<Interval>,
}

/// The datagrams of one interval.
#[derive(Clone)]
pub struct Interval {
    pub length_s: f64,
    pub datagrams: Vec<(usize, Vec<u8>)>,
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} s", self.length_s)?;
        for (source, datagram) in &self.datagrams {
            writeln!(f, "{source} {}", datagram.escape_ascii())?;
        }
        Ok(())
    }
}

/// Lines that follow the grammar. A gauge belongs to one socket, because the order of updates from
/// several is up to the clocks of the shards.
pub fn clean() -> impl Strategy<Value = Traffic> {
    traffic(|source| good_line(source).boxed())
}

/// Lines that follow the grammar, among lines that may or may not. A gauge is updated from any
/// socket.
pub fn hostile() -> impl Strategy<Value = Traffic> {
    traffic(|_| prop_oneof![2 => good_line(0), 3 => line_of_pieces()].boxed())
}

/// One line as a datagram of its own, for comparing what is refused.
pub fn line_of_pieces() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec(select(PIECES), 1..14);
    prop_oneof![
        9 => pieces.prop_map(|pieces| pieces.concat()),
        1 => vec(any::<u8>(), 0..40),
    ]
}

/// One binary frame, most of them good.
pub fn frame() -> impl Strategy<Value = Vec<u8>> {
    let wire_type = prop_oneof![9 => 1..=6_u8, 1 => any::<u8>()];
    let value = prop_oneof![
        (-80..80_i32).prop_map(|eighths| f64::from(eighths) / 8.0),
        any::<f64>(),
    ];
    let text = select(TEXTS);
    (wire_type, value, text.clone(), text).prop_map(|(wire_type, value, key, member)| {
        let length = |text: &[u8]| (text.len() as u16).to_le_bytes();
        let head = [&[0xaa, wire_type][..], &length(key)].concat();
        match wire_type {
            4 => [&head[..], &length(member), key, member].concat(),
            _ => [&head[..], &value.to_le_bytes(), key].concat(),
        }
    })
}

/// Texts of frames, most of which end with a zero byte.
const TEXTS: &[&[u8]] = &[b"a\0", b"b:1|c\n\0", b"\0", b"a\0b\0", b"a", b""];

fn traffic(line: impl Fn(usize) -> BoxedStrategy<Vec<u8>>) -> impl Strategy<Value = Traffic> {
    let datagram = (0..SOURCE_COUNT)
        .map(|source| {
            let lines = vec(line(source), 0..6);
            lines.prop_map(move |lines| (source, lines.join(&b'\n')))
        })
        .collect::<Vec<_>>();
    let datagram = proptest::strategy::Union::new(datagram);
    let interval = (
        prop_oneof![4 => Just(10.0), 1 => Just(4.0), 1 => Just(20.0)],
        prop_oneof![3 => vec(datagram, 0..12).boxed(), 1 => Just(Vec::new()).boxed()],
    )
        .prop_map(|(length_s, datagrams)| Interval {
            length_s,
            datagrams,
        });
    (settings(), vec(interval, 1..7)).prop_map(|(settings, intervals)| Traffic {
        settings,
        intervals,
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let idle = select(vec![
        Idle::Never,
        Idle::Silent,
        Idle::After { silent_s: 15.0 },
        Idle::After { silent_s: 45.0 },
    ]);
    (
        select(Naming::ALL.to_vec()),
        select(vec![
            vec![90.0],
            vec![50.0, 99.9],
            vec![25.0, 75.0, 100.0],
            vec![12.5, -12.5],
            vec![-90.0, -1.0],
        ]),
        any::<bool>(),
        select(vec!["", "", "x", "my.host"]),
        select(vec![None, None, Some(false)]),
        idle.clone(),
        idle,
    )
        .prop_map(
            |(naming, percent, weighted_timers, prefix, tags, idle, idle_gauges)| Settings {
                percent: match naming {
                    Naming::Etsy | Naming::EtsyLegacy => percent,
                    // They have no percentiles from above.
                    Naming::Gstatsd | Naming::Statsite | Naming::PythonStatsite => {
                        percent.into_iter().map(f64::abs).collect()
                    }
                },
                weighted_timers,
                prefix: prefix.into(),
                tags,
                idle_counters: idle,
                idle_timers: idle_gauges,
                idle_sets: idle,
                idle_gauges,
                extended_counters: match weighted_timers {
                    true => Extended::Samples,
                    false => Extended::None,
                },
                histograms: histograms(naming),
                ..Settings::new(naming)
            },
        )
}

/// A line without a mistake, chained, packed, sampled and tagged.
fn good_line(source: usize) -> impl Strategy<Value = Vec<u8>> {
    let name = select(vec![
        "a", "b.c", "a/b", "a-b", "a b", "a  b", "a_b", "a;x=1", "t\u{e9}",
    ]);
    let links = vec(good_link(), 1..4);
    let end = select(vec!["", "", "\r", " "]);
    (name, links, good_tags(), end).prop_map(move |(name, links, tags, end)| {
        let is_gauge = links.iter().any(|link| link.contains("|g"));
        let owner = if is_gauge {
            format!(".of{source}")
        } else {
            String::new()
        };
        format!("{name}{owner}:{}{tags}{end}", links.join(":")).into_bytes()
    })
}

fn good_link() -> impl Strategy<Value = String> {
    let kind = select(vec!["c", "c", "m", "ms", "ms", "h", "d", "g", "s", "kv"]);
    (
        kind,
        vec(good_number(), 1..4),
        select(vec!["", "", "|@1", "|@0.5", "|@.25", "|@125e-3"]),
    )
        .prop_map(|(kind, values, field)| format!("{}|{kind}{field}", values.join(":")))
}

fn good_number() -> impl Strategy<Value = String> {
    let eighths = prop_oneof![
        4 => -80i32..800,
        2 => Just(8),
        1 => -(1i32 << 17)..(1 << 17),
    ];
    (eighths, any::<bool>()).prop_map(|(eighths, plus)| {
        let value = f64::from(eighths) / 8.0;
        let plus = if plus && eighths >= 0 { "+" } else { "" };
        format!("{plus}{value}")
    })
}

fn good_tags() -> impl Strategy<Value = String> {
    select(vec![
        "",
        "",
        "",
        "|#env:prod",
        "|#b:2,a:1",
        "|#a:1,b:2",
        "|#z,a:1|T5",
    ])
    .prop_map(String::from)
}
