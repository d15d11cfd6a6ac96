//! Splitting and parsing alone: packed datagrams to samples that are only counted.

#[allow(dead_code)]
mod traffic;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringstat::metric::{Refusal, Samples};
use ringstat::protocol::{self, LineCounts, Record};
use ringstat::simd::Baseline;

#[derive(Default)]
struct Count {
    samples: u64,
    refused: u64,
}

impl Record<'_> for Count {
    fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal> {
        self.samples += samples.count() as u64;
        Ok(())
    }

    fn refuse(&mut self, _reason: Refusal, _line: &[u8]) {
        self.refused += 1;
    }
}

fn parse(criterion: &mut Criterion) {
    let traffic = traffic::packed(100_000, 1_000);
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(traffic.lines));
    group.bench_function("packed", |bencher| {
        bencher.iter(|| {
            let (mut count, mut lines) = (Count::default(), LineCounts::default());
            for datagram in &traffic.datagrams {
                protocol::read(Baseline, datagram, &mut lines, &mut count);
            }
            assert_eq!(
                (count.samples, count.refused, lines.lines),
                (traffic.lines, 0, traffic.lines)
            );
        });
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
