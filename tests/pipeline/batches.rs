//! A shard gathers samples and records them in batches. What that must not change, against a table
//! that takes every sample at once; and what must hold where such a table would refuse others.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use ringstat::kernel::{Datagram, Visit};
use ringstat::metric::{
    Interval, Limits, MetricType, Refusal, Refusals, Samples, SetHash, Silence, SlotId, Table,
};
use ringstat::naming::Dialect;
use ringstat::protocol::{self, LineCounts, Record};
use ringstat::shard::{Shard, ShardSettings};
use ringstat::simd::{Baseline, Level};
use ringstat::tap::TapRules;

/// What a table comes to, by type and name, in words.
type Named = BTreeMap<(&'static str, Box<[u8]>), String>;

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// Records every sample as it is read.
struct OneByOne {
    table: Table,
    lines: LineCounts,
    samples: u64,
    refusals: Refusals,
}

impl Record<'_> for OneByOne {
    fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal> {
        self.table.record(samples)?;
        self.samples += samples.count() as u64;
        Ok(())
    }

    fn refuse(&mut self, reason: Refusal, _line: &[u8]) {
        self.refusals.count(reason);
    }
}

/// The names of a table's series, as its intervals tell them.
#[derive(Default)]
struct Names(HashMap<SlotId, Box<[u8]>>);

impl Names {
    fn follow(&mut self, interval: &Interval) {
        for id in &interval.forgotten {
            assert!(self.0.remove(id).is_some(), "{id:?} was unknown");
        }
        for birth in &interval.births {
            let before = self.0.insert(birth.id, birth.name.clone());
            assert_eq!(before, None, "{:?} was in use", birth.id);
        }
    }

    #[track_caller]
    fn of(&self, metric_type: MetricType, slot: u32) -> (&'static str, Box<[u8]>) {
        let name = self.0.get(&SlotId { metric_type, slot });
        let name = name.expect("what has samples has a name");
        (metric_type.word(), name.clone())
    }

    /// All that an interval holds.
    fn aggregates(&self, interval: &mut Interval) -> Named {
        let mut named = Named::new();
        for (slot, counter) in interval.counters.iter_mut() {
            if counter.count > 0.0 {
                let name = self.of(MetricType::Counter, slot);
                named.insert(name, format!("{} {}", counter.sum, counter.count));
            }
        }
        let touched: Vec<u32> = (0..)
            .take_while(|&slot| interval.gauges.get(slot).is_some())
            .filter(|&slot| interval.gauges.is_touched(slot))
            .collect();
        for slot in touched {
            let gauge = interval.gauges.get(slot).expect("it is touched");
            let levels = format!("{} {}", gauge.level(0.0), gauge.level(1e6));
            named.insert(self.of(MetricType::Gauge, slot), levels);
        }
        interval
            .timers
            .log
            .sort_by(|one, other| one.value.total_cmp(&other.value));
        for (slot, count) in interval.timers.counts.iter_mut() {
            if count.received > 0 {
                let values = interval.timers.log.iter();
                let values: Vec<f64> = values
                    .filter_map(|sample| (sample.slot == slot).then_some(sample.value))
                    .collect();
                assert_eq!(values.len() as u64, count.received);
                let name = self.of(MetricType::Timer, slot);
                named.insert(name, format!("{} {values:?}", count.weight));
            }
        }
        for (slot, set) in interval.sets.iter_mut() {
            if set.count() > 0 {
                named.insert(self.of(MetricType::Set, slot), set.count().to_string());
            }
        }
        for sample in &interval.key_values.log {
            let name = self.of(MetricType::KeyValue, sample.slot);
            let words = named.entry(name).or_default();
            *words += &format!("{} {:?}, ", sample.value, sample.time_unix_s);
        }
        named
    }

    /// Some of the series that a silence list may have, by their names.
    fn some(&self, random: &mut Random, one_in: usize) -> Vec<SlotId> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_unstable_by_key(|(id, name)| (id.metric_type.word(), *name));
        all.retain(|_| random.below(one_in) == 0);
        all.into_iter().map(|(id, _)| *id).collect()
    }
}

fn shard(limits: Limits, set_hash: &SetHash) -> Shard {
    Shard::new(ShardSettings {
        shard: 0,
        rules: Dialect::Etsy.input_rules(true, false),
        limits,
        set_hash: set_hash.clone(),
        refused_lines_max: 0,
        brakes: Default::default(),
        epoch: Instant::now(),
        tap: TapRules::default(),
    })
}

/// Lines of all kinds, some of them broken. Numbers are such that sums are exact in any order.
fn datagram(random: &mut Random) -> Vec<u8> {
    let spellings: [&[u8]; 7] = [b"n", b"n ", b"n  ", b"n_", b"n/", b"n*", b"a.name.of.some"];
    let values: [&[u8]; 10] = [
        b"7", b"12", b"345678", b"-1", b"+0.5", b".25", b"1:2", b"3:-4:+5", b"x", b"",
    ];
    let ends: [&[u8]; 14] = [
        b"|c",
        b"|g",
        b"|ms",
        b"|c",
        b"|g",
        b"|ms",
        b"|m",
        b"|h",
        b"|s",
        b"|kv",
        b"|c|@0.5",
        b"|g|#k:v",
        b"|ms|#k:v,l:w",
        b"|g:+1|g:1:-2|g",
    ];
    let mut datagram = Vec::new();
    let most = random.one_of(&[2, 20, 200]);
    for _ in 0..=random.below(most) {
        datagram.extend_from_slice(random.one_of(&spellings));
        match random.below(50) {
            0 => datagram.resize(datagram.len() + 4_000 + random.below(200), b'.'),
            _ => datagram.extend_from_slice(random.below(9).to_string().as_bytes()),
        }
        datagram.push(b':');
        datagram.extend_from_slice(random.one_of(&values));
        datagram.extend_from_slice(random.one_of(&ends));
        datagram.push(b'\n');
    }
    if random.below(4) == 0 {
        let at = random.below(datagram.len());
        datagram[at] = random.one_of(b":|\n\r*\x1a\0 \xff#c");
    }
    datagram
}

#[test]
fn a_shard_that_gathers_gives_what_a_table_gives_that_does_not() {
    let mut random = Random(88_172_645_463_325_252);
    let levels: Vec<Level> = Level::all().collect();
    for level in levels.into_iter().cycle().take(100) {
        let (limits, set_hash) = (Limits::default(), SetHash::new());
        let mut shard = shard(limits, &set_hash).at_level(level);
        let rules = Dialect::Etsy.input_rules(true, false);
        let mut one_by_one = OneByOne {
            table: Table::new(rules, limits, set_hash),
            lines: LineCounts::default(),
            samples: 0,
            refusals: Refusals::default(),
        };
        let (mut shard_names, mut table_names) = (Names::default(), Names::default());
        for _ in 0..4 {
            for stamp in 0..8 {
                let datagram = datagram(&mut random);
                shard.batch();
                shard.datagram(Datagram {
                    bytes: &datagram,
                    cut_bytes: 0,
                });
                one_by_one.table.start_batch(stamp);
                let mut lines = std::mem::take(&mut one_by_one.lines);
                protocol::read(Baseline, &datagram, &mut lines, &mut one_by_one);
                one_by_one.lines = lines;
            }
            let mut hand_over = shard.hand_over(Interval::default(), &[]);
            let mut interval = one_by_one.table.hand_over(Interval::default());
            shard_names.follow(&hand_over.interval);
            table_names.follow(&interval);
            let counts = hand_over.counts;
            assert_eq!(counts.lines, std::mem::take(&mut one_by_one.lines));
            assert_eq!(counts.samples, std::mem::take(&mut one_by_one.samples));
            assert_eq!(counts.refusals, std::mem::take(&mut one_by_one.refusals));
            assert_eq!(hand_over.table, one_by_one.table.counts());
            assert_eq!(
                shard_names.aggregates(&mut hand_over.interval),
                table_names.aggregates(&mut interval)
            );
            // The same names, which may have other slots.
            let choice = 1 + random.below(usize::MAX) as u64;
            let silence = |names: &Names| Silence {
                forget: names.some(&mut Random(choice), 5),
                silent: Vec::new(),
                ..Silence::default()
            };
            shard.forget(silence(&shard_names));
            one_by_one.table.set_silence(silence(&table_names));
            one_by_one.table.forget_some(usize::MAX);
        }
    }
}

// A timer's sample went to a series that had made room for a counter of the same datagram: to
// none, or to whoever got its slot next.
#[test]
fn where_series_make_room_for_each_other_every_sample_goes_to_its_own_name_or_is_refused() {
    let mut random = Random(88_172_645_463_325_252);
    let mut refused_count = 0;
    for max_series in [1, 2, 5, 12] {
        let limits = Limits {
            max_series,
            ..Limits::default()
        };
        let mut shard = shard(limits, &SetHash::new());
        let mut names = Names::default();
        for _ in 0..400 {
            let mut line_count = 0;
            for _ in 0..random.below(6) {
                let mut datagram = String::new();
                for _ in 0..=random.below(8) {
                    // Every value tells the name: `n3` is always 3, of whatever type.
                    let (number, padding) = (1 + random.below(8), ".".repeat(random.below(20)));
                    let end = random.one_of(&["c", "g", "ms"]);
                    datagram += &format!("n{padding}{number}:{number}|{end}\n");
                    line_count += 1;
                }
                shard.batch();
                shard.datagram(Datagram {
                    bytes: datagram.as_bytes(),
                    cut_bytes: 0,
                });
            }
            let hand_over = shard.hand_over(Interval::default(), &[]);
            let (counts, interval) = (hand_over.counts, hand_over.interval);
            assert_eq!(counts.samples + counts.refusals.total(), line_count);
            assert!(hand_over.table.spellings <= max_series);
            refused_count += counts.refusals.of(Refusal::SeriesLimit);
            check_values(&mut names, interval, counts.samples);
            shard.forget(Silence {
                forget: names.some(&mut random, 9),
                silent: names.some(&mut random, 2),
                ..Silence::default()
            });
        }
    }
    assert!(refused_count > 1_000, "{refused_count} were refused");
}

/// Follows the births, then checks that every value stands under its own name.
fn check_values(names: &mut Names, mut interval: Interval, samples: u64) {
    names.follow(&interval);
    let mut seen = 0;
    let value_of = |metric_type, slot| {
        let (_, name) = names.of(metric_type, slot);
        let digit = name.last().expect("no name is empty");
        f64::from(digit - b'0')
    };
    for (slot, counter) in interval.counters.iter_mut() {
        if counter.count > 0.0 {
            let value = value_of(MetricType::Counter, slot);
            assert_eq!(counter.sum, value * counter.count);
            seen += counter.count as u64;
        }
    }
    for sample in &interval.timers.log {
        assert_eq!(sample.value, value_of(MetricType::Timer, sample.slot));
        seen += 1;
    }
    for (slot, gauge) in interval.gauges.iter_mut() {
        let level = gauge.level(0.0);
        if level != 0.0 {
            assert_eq!(level, value_of(MetricType::Gauge, slot));
        }
    }
    assert!(seen <= samples);
}
