//! Parsing and recording: packed datagrams through a shard that knows all their names already.

#[allow(dead_code)]
mod traffic;

use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringstat::kernel::{Datagram, Visit};
use ringstat::metric::{Interval, Limits, SetHash};
use ringstat::naming::Dialect;
use ringstat::shard::{Shard, ShardSettings};

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
        epoch: Instant::now(),
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
        let traffic = traffic::packed(1_000_000, names);
        group.throughput(Throughput::Elements(traffic.lines));
        let mut shard = shard();
        feed(&mut shard, &traffic.datagrams);
        let mut spare = shard.hand_over(Interval::default(), &[]).interval;
        group.bench_function(BenchmarkId::new("names of each type", names), |bencher| {
            bencher.iter(|| {
                feed(&mut shard, &traffic.datagrams);
                spare.reset();
                let hand_over = shard.hand_over(std::mem::take(&mut spare), &[]);
                assert_eq!(hand_over.counts.samples, traffic.lines);
                spare = hand_over.interval;
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

criterion_group!(benches, record);
criterion_main!(benches);
