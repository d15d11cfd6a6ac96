//! Merging, naming and formatting: the interval of one shard to Graphite text.

#[allow(dead_code)]
mod traffic;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringstat::format::{Formatted, Lines};
use ringstat::kernel::{Datagram, Visit};
use ringstat::metric::{Interval, Limits, SetHash};
use ringstat::naming::{Dialect, FlushTime, Naming};
use ringstat::shard::{Shard, ShardSettings};
use ringstat::snapshot::{Idle, Merger};

fn flush_once(merger: &mut Merger, naming: &Naming, intervals: &[(usize, Interval)]) -> Formatted {
    let time = FlushTime {
        end_unix_s: 1_700_000_000,
        length_s: 10.0,
        interval_s: 10.0,
    };
    let mut lines = Lines::default();
    merger.merge(intervals);
    merger.summaries(|metric_type, name, summary| {
        naming.points(metric_type, name, &summary, time, &mut lines);
    });
    lines.take()
}

fn flush(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flush");
    group.sample_size(10);
    for names in [1_000, 1_000_000] {
        let limits = Limits {
            max_series: 10_000_000,
            ..Limits::default()
        };
        let mut shard = Shard::new(ShardSettings {
            shard: 0,
            rules: Dialect::Etsy.input_rules(true, false),
            limits,
            set_hash: SetHash::new(),
            refused_lines_max: 0,
            epoch: Instant::now(),
        });
        shard.batch();
        for bytes in &traffic::every_counter(names) {
            shard.datagram(Datagram {
                bytes,
                cut_bytes: 0,
            });
        }
        let mut intervals = vec![(0, shard.hand_over(Interval::default(), &[]).interval)];
        let idle_rules =
            Dialect::Etsy.idle_rules(Duration::from_secs(10), Idle::Never, Idle::Never);
        let mut merger = Merger::new(idle_rules, 1, limits, false);
        let naming = Naming::new(Dialect::Etsy, &[90.0], "");
        flush_once(&mut merger, &naming, &intervals);
        intervals[0].1.births.clear();
        group.throughput(Throughput::Elements(2 * names));
        group.bench_function(
            BenchmarkId::new("lines of counters", 2 * names),
            |bencher| {
                bencher.iter(|| {
                    let formatted = flush_once(&mut merger, &naming, &intervals);
                    assert_eq!(formatted.points, 2 * names);
                    formatted
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, flush);
criterion_main!(benches);
