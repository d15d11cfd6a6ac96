//! Merging, naming, formatting and writing: from the interval of one shard to Graphite text, in
//! memory and over a socket; what a timer value costs; and what a series takes in the flusher.
//!
//! Where a socket is written to, figures are CPU time of all threads but the one that reads.

mod allocated;
#[allow(dead_code)]
mod traffic;

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringstat::format::{Formatted, Lines};
use ringstat::io::{IoHandle, Settings};
use ringstat::kernel::{Datagram, Visit};
use ringstat::metric::{Interval, Limits, SetHash};
use ringstat::naming::{Dialect, FlushTime, Naming, NamingSettings, Point, Points};
use ringstat::shard::{Shard, ShardSettings};
use ringstat::sink::{Part, SinkHandle};
use ringstat::snapshot::{Idle, IdleTimes, Merger, MergerSettings, SumOrder};
use ringstat::tap::TapRules;
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static ALLOCATOR: allocated::Counting = allocated::Counting;

const END_UNIX_S: u64 = 1_700_000_000;

/// Silent series are reported for ever, where the dialect reports them at all.
const NEVER: IdleTimes = IdleTimes {
    counters: Idle::Never,
    timers: Idle::Never,
    sets: Idle::Never,
    gauges: Idle::Never,
};

/// At most so many bytes for a counter beyond its name: directory, seats, sums, and the interval that
/// waits to be used again.
const COUNTER_BYTES_MAX: f64 = 64.0;

/// The flusher's side of one shard.
struct Rig {
    naming: Naming,
    merger: Merger,
    intervals: Vec<(usize, Interval)>,
}

impl Rig {
    fn new(dialect: Dialect, datagrams: &[Vec<u8>]) -> Rig {
        let limits = Limits {
            max_series: 10_000_000,
            ..Limits::default()
        };
        let mut shard = Shard::new(ShardSettings {
            shard: 0,
            rules: dialect.input_rules(true, false),
            limits,
            set_hash: SetHash::new(),
            refused_lines_max: 0,
            brakes: Default::default(),
            epoch: Instant::now(),
            tap: TapRules::default(),
        });
        shard.batch();
        for bytes in datagrams {
            shard.datagram(Datagram {
                bytes,
                cut_bytes: 0,
            });
        }
        let interval = Duration::from_secs(10);
        let idle_rules = dialect.idle_rules(interval, NEVER);
        let mut rig = Rig {
            naming: Naming::new(&NamingSettings::new(dialect)),
            merger: Merger::new(
                MergerSettings {
                    idle: idle_rules,
                    limits,
                    weighted_timers: false,
                    sum_order: SumOrder::Value,
                    counter_samples: false,
                },
                1,
            ),
            intervals: vec![(0, shard.hand_over(Interval::default(), &[]).interval)],
        };
        rig.flush(&mut Lines::default());
        // As the flusher does before it keeps an interval.
        rig.intervals[0].1.births = Vec::new();
        rig
    }

    fn flush(&mut self, out: &mut impl Points) {
        let time = FlushTime {
            end_unix_s: END_UNIX_S,
            length_s: 10.0,
            interval_s: 10.0,
        };
        self.merger.merge(&self.intervals);
        self.merger.summaries(|metric_type, name, summary| {
            self.naming.points(metric_type, name, &summary, time, out);
        });
    }
}

/// Lines that are counted and thrown away when a chunk is full.
#[derive(Default)]
struct Thrown {
    lines: Lines,
    points: u64,
}

impl Points for Thrown {
    fn point(&mut self, point: &Point<'_>) {
        self.lines.point(point);
        if self.lines.has_full() {
            self.points += self.lines.take_full().points;
        }
    }
}

impl Thrown {
    fn flush(&mut self, rig: &mut Rig) -> u64 {
        self.points = 0;
        rig.flush(self);
        self.points + self.lines.take().points
    }
}

/// Lines that go to a sink when a chunk is full.
struct Sent<'a> {
    lines: Lines,
    parts: u32,
    sink: &'a SinkHandle,
}

impl Points for Sent<'_> {
    fn point(&mut self, point: &Point<'_>) {
        self.lines.point(point);
        if self.lines.has_full() {
            let full = self.lines.take_full();
            self.push(full);
        }
    }
}

impl Sent<'_> {
    fn push(&mut self, formatted: Formatted) {
        self.sink.push(Part {
            end_unix_s: END_UNIX_S,
            index: self.parts,
            lines: formatted.points,
            chunks: formatted.chunks,
        });
        self.parts += 1;
    }

    fn flush(&mut self, rig: &mut Rig) {
        self.parts = 0;
        rig.flush(self);
        let rest = self.lines.take();
        self.push(rest);
        let deadline = Instant::now() + Duration::from_secs(60);
        self.sink.queue().wait_until_empty(deadline);
    }
}

/// A sink whose peer reads and throws away.
fn start_sink(reader_cpu_ns: Arc<AtomicU64>) -> IoHandle {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut buffer = vec![0; 1 << 20];
        while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
            let now = cpu_time(ClockId::ThreadCPUTime).as_nanos() as u64;
            reader_cpu_ns.store(now, Ordering::Relaxed);
        }
    });
    let address = format!("graphite://{address}").parse().expect("an address");
    let settings = Settings::new(vec![address], 1 << 30, Duration::from_secs(10));
    ringstat::io::run(&settings, None).expect("the io thread starts")
}

fn cpu_time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn counters(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flush");
    group.sample_size(10);
    for (dialect, names) in [
        (Dialect::Etsy, 1_000),
        (Dialect::Etsy, 1_000_000),
        (Dialect::Gstatsd, 1_000_000),
    ] {
        let mut rig = Rig::new(dialect, &traffic::every_counter(names));
        let points = 2 * names;
        group.throughput(Throughput::Elements(points));
        let mut thrown = Thrown::default();
        let id = format!("{dialect} counters, lines");
        group.bench_function(BenchmarkId::new(id, points), |bencher| {
            bencher.iter(|| assert_eq!(thrown.flush(&mut rig), points));
        });
        for (what, is_wall) in [("CPU", false), ("wall", true)] {
            let reader_cpu_ns = Arc::new(AtomicU64::new(0));
            let io = start_sink(Arc::clone(&reader_cpu_ns));
            let sink = &io.sinks()[0];
            let mut sent = Sent {
                lines: Lines::default(),
                parts: 0,
                sink,
            };
            let others = || {
                let read = Duration::from_nanos(reader_cpu_ns.load(Ordering::Relaxed));
                cpu_time(ClockId::ProcessCPUTime).saturating_sub(read)
            };
            let id = format!("{dialect} counters, lines to a socket, {what}");
            group.bench_function(BenchmarkId::new(id, points), |bencher| {
                bencher.iter_custom(|flushes| {
                    let (cpu, wall) = (others(), Instant::now());
                    for _ in 0..flushes {
                        sent.flush(&mut rig);
                    }
                    match is_wall {
                        true => wall.elapsed(),
                        false => others().saturating_sub(cpu),
                    }
                });
            });
            let counted = sink.counters();
            assert_eq!(counted.lines_sent % points, 0);
            assert_eq!(counted.lines_pushed, counted.lines_sent);
            assert_eq!(io.close_and_wait(Duration::from_secs(5)), []);
        }
    }
    group.finish();
}

fn timers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flush");
    group.sample_size(10);
    for (names, values) in [(1_000, 300_000), (10, 300_000)] {
        let datagrams = traffic::timer_values(names, values);
        let mut rig = Rig::new(Dialect::Etsy, &datagrams);
        let mut thrown = Thrown::default();
        group.throughput(Throughput::Elements(values));
        let id = format!("values of {names} timers");
        group.bench_function(BenchmarkId::new(id, values), |bencher| {
            bencher.iter(|| assert_eq!(thrown.flush(&mut rig), 14 * names));
        });
    }
    group.finish();
}

fn memory(_: &mut Criterion) {
    let names = 1_000_000;
    let datagrams = traffic::every_counter(names);
    let name_bytes = datagrams[0].len() - ":1|c".len();
    let mut rig = Rig::new(Dialect::Etsy, &datagrams);
    let interval = &mut rig.intervals[0].1;
    interval.reset();
    let before = allocated::bytes();
    drop(rig);
    let bytes = (before - allocated::bytes()) as f64 / names as f64 - name_bytes as f64;
    println!("flush/memory: {bytes:.1} bytes per counter series beyond its name, of {names}");
    assert!(bytes <= COUNTER_BYTES_MAX, "{bytes} bytes");
}

criterion_group!(benches, memory, counters, timers);
criterion_main!(benches);
