//! Parsing and recording: packed datagrams through a shard that knows all their names already.
//! And what its table takes: bytes of memory for each counter beyond its name.

mod allocated;
#[allow(dead_code)]
mod traffic;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringstat::kernel::{Datagram, Visit};
use ringstat::metric::{Interval, Limits, SetHash};
use ringstat::naming::Dialect;
use ringstat::shard::{Shard, ShardSettings};
use ringstat::tap::TapRules;

#[global_allocator]
static ALLOCATOR: allocated::Counting = allocated::Counting;

/// What a counter may take in a table, its aggregate of one interval included.
const COUNTER_BYTES_MAX: f64 = 64.0;

/// Lines for few names: as many as keep to a cache, as the buffers of an engine do.
const LINES_OF_FEW_NAMES: u64 = 30_000;

fn shard() -> Shard {
    Shard::new(ShardSettings {
        shard: 0,
        rules: Dialect::Etsy.input_rules(true, false),
        limits: Limits {
            max_series: 10_000_000,
            ..Limits::default()
        },
        set_hash: SetHash::new(),
        refused_lines_max: 0,
        brakes: Default::default(),
        epoch: Instant::now(),
        tap: TapRules::default(),
    })
}

fn feed(shard: &mut Shard, datagrams: &[Vec<u8>]) {
    shard.batch();
    for bytes in datagrams {
        shard.datagram(Datagram {
            bytes,
            cut_bytes: 0,
        });
    }
}

fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    group.sample_size(20);
    for names in [1_000, 10_000, 100_000, 1_000_000] {
        let lines = if names > 10_000 {
            1_000_000
        } else {
            LINES_OF_FEW_NAMES
        };
        let traffic = traffic::packed(lines, names);
        group.throughput(Throughput::Elements(traffic.lines));
        let mut shard = shard();
        feed(&mut shard, &traffic.datagrams);
        let mut spare = shard.hand_over(Interval::default(), &[]).interval;
        group.bench_function(BenchmarkId::new("names of each type", names), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut duration = Duration::ZERO;
                for _ in 0..rounds {
                    // The flusher's work, in a thread of its own.
                    spare.reset();
                    let start = Instant::now();
                    feed(&mut shard, &traffic.datagrams);
                    let hand_over = shard.hand_over(std::mem::take(&mut spare), &[]);
                    duration += start.elapsed();
                    assert_eq!(hand_over.counts.samples, traffic.lines);
                    spare = hand_over.interval;
                }
                duration
            });
        });
        let sum: f64 = spare
            .counters
            .iter_mut()
            .map(|(_, counter)| counter.sum)
            .sum();
        assert_eq!(sum, traffic.counter_sum);
    }
    group.finish();
}

fn memory(_: &mut Criterion) {
    let names = 1_000_000;
    let datagrams = traffic::every_counter(names);
    let name_bytes = datagrams[0].len() - ":1|c".len();
    let before = allocated::bytes();
    let mut shard = shard();
    feed(&mut shard, &datagrams);
    // The births go to the flusher; the interval takes their place in the next round.
    drop(shard.hand_over(Interval::default(), &[]));
    feed(&mut shard, &datagrams);
    let bytes = (allocated::bytes() - before) as f64 / names as f64 - name_bytes as f64;
    println!("record/memory: {bytes:.1} bytes per counter series beyond its name, of {names}");
    assert!(bytes <= COUNTER_BYTES_MAX, "{bytes} bytes");
    drop(shard);
}

criterion_group!(benches, memory, record);
criterion_main!(benches);
