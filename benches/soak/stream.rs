//! Lines of all types over TCP: what the datagrams of the load generator do not have is here.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::random::Random;
use crate::traffic::{Control, Kind};

/// What was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streamed {
    pub(crate) lines: u64,
    pub(crate) counter_sum: u64,
    pub(crate) timers: u64,
    pub(crate) timer_sum: u64,
    /// The last level of each gauge.
    pub(crate) gauges: BTreeMap<String, u64>,
}

/// Series of each type.
const NAMES: u64 = 50;

/// Between two writes.
const TICK: Duration = Duration::from_millis(10);

/// How long the daemon may take to read to the end of a connection.
const END_MAX: Duration = Duration::from_secs(20);

/// Sends until told to stop. When told to halt, ends the connection and makes a new one behind it: what
/// was written whole and read to its end is with the daemon.
pub(crate) fn send(rate: u64, to: SocketAddr, control: &Control) -> io::Result<Streamed> {
    let mut sent = Streamed::default();
    let mut random = Random::new(7);
    loop {
        let mut stream = TcpStream::connect(to)?;
        let (began, mut written) = (Instant::now(), 0);
        while !control.is_over() && !control.halts(Kind::Stream) {
            let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
            let mut text = String::new();
            while written < due {
                written += 1;
                sent.line(&mut random, &mut text);
            }
            stream.write_all(text.as_bytes())?;
            thread::sleep(TICK);
        }
        stream.shutdown(Shutdown::Write)?;
        stream.set_read_timeout(Some(END_MAX))?;
        stream.read_to_end(&mut Vec::new())?;
        if control.is_over() {
            return Ok(sent);
        }
        control.halt(Kind::Stream);
    }
}

impl Streamed {
    fn line(&mut self, random: &mut Random, text: &mut String) {
        let (kind, name) = (random.below(10), random.below(NAMES));
        let value = 1 + random.below(999);
        self.lines += 1;
        let line = match kind {
            0..4 => {
                self.counter_sum += value;
                format!("stream.counter.{name}:{value}|c\n")
            }
            4..7 => {
                self.timers += 1;
                self.timer_sum += value;
                format!("stream.timer.{name}:{value}|ms\n")
            }
            7 => {
                let name = format!("stream.gauge.{name}");
                let line = format!("{name}:{value}|g\n");
                self.gauges.insert(name, value);
                line
            }
            8 => format!("stream.set.{name}:{value}|s\n"),
            _ => format!("stream.pair.{name}:{value}|kv\n"),
        };
        text.push_str(&line);
    }
}
