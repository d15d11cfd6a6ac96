//! `--test`: a race of a second, in which nobody is measured but everything has to add up.

use std::io;
use std::time::Duration;

use crate::load::{Pace, Pool, Shape, Totals};
use crate::peers::{Contestant, Settings};
use crate::rounds::steady::{self, Steady};

/// The smallest receive buffer that any machine grants is enough for this.
const RATE: f64 = 500.0;

/// Runs ringstat with each engine and the floors, and checks what they took in.
///
/// # Errors
/// A daemon does not start, or does not account for what it was sent.
pub(crate) fn run(contestants: &[Contestant], core: usize) -> io::Result<()> {
    for shape in [Shape::packed_equally(20), Shape::single(20)] {
        let pool = Pool::new(shape, 50);
        check_totals(&pool);
        let is_equal = pool.datagram_bytes() == Some(shape.datagram_bytes_max);
        assert_eq!(
            is_equal, shape.equal_bytes,
            "all datagrams are equally long"
        );
        let settings = Settings {
            flush: Duration::from_secs(1),
            receive_buffer_bytes: 200_000,
            max_wait: Duration::from_millis(1),
            short_naming: false,
            series_max: 1_000,
        };
        let steady = Steady {
            pool: &pool,
            pace: Pace::even(RATE),
            sockets: 2,
            warm_up: Duration::from_millis(50),
            window: Duration::from_millis(150),
        };
        for contestant in contestants {
            let name = contestant.name();
            let outcome = steady::run(contestant, &settings, core, &steady)?;
            let (sent, delivered) = (outcome.sent, outcome.delivered);
            assert!(sent.datagrams > 0, "something was sent");
            assert!(
                delivered.is_exact,
                "{name} accounts for {} of {sent:?}",
                delivered.share
            );
            println!(
                "test race/{name} ... {} lines, all accounted for",
                sent.lines
            );
        }
    }
    Ok(())
}

/// The totals of a pool must be what somebody finds who reads its datagrams.
fn check_totals(pool: &Pool) {
    let mut read = Totals::default();
    // One and a half times around.
    for index in 0..pool.len() * 3 / 2 {
        assert_eq!(pool.totals(index), read, "the first {index} datagrams");
        let datagram = pool.datagram(index);
        read.datagrams += 1;
        read.bytes += datagram.len() as u64;
        for line in std::str::from_utf8(datagram).expect("ASCII").lines() {
            let (_, behind_name) = line.split_once(':').expect("a name");
            let (value, suffix) = behind_name.split_once('|').expect("a value");
            let value: u64 = value.parse().expect("a whole number");
            read.lines += 1;
            match suffix {
                "c" => {
                    read.counters += 1;
                    read.counter_sum += value;
                }
                "ms" => {
                    read.timers += 1;
                    read.timer_sum += value;
                }
                "g" => read.gauges += 1,
                _ => panic!("{line:?} has no type"),
            }
        }
    }
}
