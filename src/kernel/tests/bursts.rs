use std::thread;
use std::time::Instant;

use super::*;
use crate::kernel::socket::{bounded_wait, burst_count};
use crate::kernel::{allowed_cpus, pin_to};

const BURSTS: u32 = 10;
const DATAGRAMS_PER_BURST: u32 = 1_000;
const PERIOD: Duration = Duration::from_millis(100);

/// Keeps nothing, to be no slower than a parser.
struct Count(u32);

impl Visit for Count {
    fn batch(&mut self) {}

    fn datagram(&mut self, _: Datagram<'_>) {
        self.0 += 1;
    }
}

/// Puts the calling thread onto one processor and, where that is allowed, before all others
/// there: what else the machine does is not part of the scenario.
fn stand_apart(cpu: usize) {
    pin_to(cpu).unwrap();
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: the call reads one `sched_param` and concerns the calling thread only.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &priority) };
    if result != 0 {
        eprintln!("without real-time priority: the machine's other work takes part");
    }
}

/// Sends the bursts and returns how many datagrams the kernel dropped.
fn drops_of_bursts(kind: Kind, max_wait: Duration) -> u32 {
    let socket = bound(212_992);
    let memory = SocketMemory::of(&socket).unwrap();
    assert_eq!(memory.receive_buffer_bytes, 212_992);
    let address = socket.local_addr().unwrap();
    let max_wait = bounded_wait(memory.receive_buffer_bytes, max_wait);
    let settings = RingSettings {
        max_wait,
        burst_count: burst_count(memory.receive_buffer_bytes, max_wait),
        ..settings()
    };
    let waker = Waker::new().unwrap();
    let mut engine = open(kind, vec![socket], &waker, settings);
    let mut count = Count(0);
    let cpus = allowed_cpus();
    stand_apart(cpus[0]);
    thread::scope(|scope| {
        scope.spawn(|| {
            stand_apart(cpus[cpus.len() - 1]);
            let start = Instant::now();
            for burst in 0..BURSTS {
                // The pace is part of the scenario; it orders nothing.
                thread::sleep((start + PERIOD * burst).saturating_duration_since(Instant::now()));
                let first = burst * DATAGRAMS_PER_BURST;
                send_numbers(address, first..first + DATAGRAMS_PER_BURST);
            }
            waker.wake();
        });
        while !engine.receive(&mut count).unwrap().woken {}
    });
    engine.drain(&mut count).unwrap();
    let drops = SocketMemory::of(&engine.sockets()[0]).unwrap().drops;
    assert_eq!(count.0 + drops, BURSTS * DATAGRAMS_PER_BURST);
    drops
}

#[test]
fn a_thousand_datagrams_at_once_into_a_small_buffer_are_all_received() {
    // Even so something may keep the receiver from its processor for longer than the buffer
    // lasts; one series in ten without a loss is enough, because without the bound
    // on the wait most datagrams are lost in each of them.
    for_each_engine(|kind| {
        let mut drops = Vec::new();
        while drops.last() != Some(&0) {
            assert!(drops.len() < 10, "{kind:?} lost {drops:?}");
            let series = thread::spawn(move || drops_of_bursts(kind, Duration::from_millis(5)));
            drops.push(series.join().unwrap());
        }
        eprintln!("{kind:?} {drops:?}");
    });
}
