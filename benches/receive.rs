//! Taking datagrams off the kernel, over loopback, with each engine: what is sent while nobody
//! reads is counted when it is read. The time is that of the reader alone.

#[allow(dead_code)]
mod traffic;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringstat::kernel::{
    Datagram, Engine, EngineChoice, Receive, ReceiveSettings, Visit, Waker, select,
};
use ringstat::transport::bind;

#[derive(Default)]
struct Count {
    datagrams: u64,
    bytes: u64,
}

impl Visit for Count {
    fn batch(&mut self) {}

    fn datagram(&mut self, datagram: Datagram<'_>) {
        self.datagrams += 1;
        self.bytes += datagram.bytes.len() as u64;
    }
}

/// Small enough for a receive buffer that no administrator has raised.
const DATAGRAMS: u64 = 64;

fn receive(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receive");
    group.throughput(Throughput::Elements(DATAGRAMS));
    let datagram = &traffic::packed(45, 1_000).datagrams[0];
    for choice in [EngineChoice::IoUring, EngineChoice::Recvmmsg] {
        let selection = match select(choice) {
            Ok(selection) => selection,
            Err(error) => {
                println!("{choice}: {error}");
                continue;
            }
        };
        let address = "127.0.0.1:0".parse().expect("an address");
        let mut bound = bind(&[address], 1, 32 << 20).expect("a free port");
        let settings = ReceiveSettings {
            choice,
            max_wait: Duration::ZERO,
            ..ReceiveSettings::default()
        };
        let waker = Waker::new().expect("an eventfd");
        let mut engine = Engine::open(bound.shards.remove(0), waker, &selection, &settings)
            .expect("the engine was selected");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        sender.connect(bound.addresses[0]).expect("loopback");
        group.bench_function(BenchmarkId::new("packed", choice), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    for _ in 0..DATAGRAMS {
                        sender.send(datagram).expect("loopback takes all");
                    }
                    let mut count = Count::default();
                    let began = Instant::now();
                    while count.datagrams < DATAGRAMS {
                        engine.receive(&mut count).expect("the engine works");
                    }
                    spent += began.elapsed();
                    assert_eq!(count.datagrams, DATAGRAMS);
                    assert_eq!(count.bytes, DATAGRAMS * datagram.len() as u64);
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, receive);
criterion_main!(benches);
