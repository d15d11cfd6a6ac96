//! Traffic for benches: made from a seed, so that every run sees the same, with totals that the
//! benches check.

pub(crate) mod floods;

/// Lines and datagrams of a stated shape.
pub(crate) struct Traffic {
    /// Datagrams of at most [`DATAGRAM_BYTES`] bytes, packed with whole lines.
    pub(crate) datagrams: Vec<Vec<u8>>,
    /// How many lines they hold.
    pub(crate) lines: u64,
    /// The sum of all counters.
    pub(crate) counter_sum: f64,
}

/// What fits into an Ethernet frame.
pub(crate) const DATAGRAM_BYTES: usize = 1_432;

/// Packed datagrams with names drawn at random: 60 % counters, 30 % timers, 10 % gauges, so many
/// names of each.
pub(crate) fn packed(lines: u64, names: u64) -> Traffic {
    let mut traffic = Traffic {
        datagrams: vec![Vec::new()],
        lines,
        counter_sum: 0.0,
    };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..lines {
        let name = random.below(names);
        let value = random.below(1_000);
        let line = match random.below(10) {
            0..6 => {
                traffic.counter_sum += value as f64;
                format!("service.counter.{name:07}:{value}|c\n")
            }
            6..9 => format!("service.timer.{name:07}:{value}|ms\n"),
            _ => format!("service.gauge.{name:07}:{value}|g\n"),
        };
        let open = traffic.datagrams.last_mut().expect("one is always open");
        if open.len() + line.len() > DATAGRAM_BYTES {
            traffic.datagrams.push(line.into_bytes());
        } else {
            open.extend_from_slice(line.as_bytes());
        }
    }
    traffic
}

/// Every one of so many counters once.
pub(crate) fn every_counter(names: u64) -> Vec<Vec<u8>> {
    (0..names)
        .map(|name| format!("service.counter.{name:07}:1|c").into_bytes())
        .collect()
}

/// So many values of timers, names drawn at random: whole milliseconds, most of them short.
pub(crate) fn timer_values(names: u64, values: u64) -> Vec<Vec<u8>> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..values)
        .map(|_| {
            let limit = 1 + random.below(1_000);
            let (name, value) = (random.below(names), random.below(limit));
            format!("service.timer.{name:07}:{value}|ms").into_bytes()
        })
        .collect()
}

/// Marsaglia's xorshift64: good enough to spread names.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
