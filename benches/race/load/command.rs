//! The load generator as a command of its own, for soak tests.

use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::shape::PACKED_BYTES;
use super::{Draw, Limit, Mix, Pace, Pool, Progress, Sender, Shape, Wait};
use crate::units::parse_duration;

/// Options of `load`.
#[derive(Args, Debug)]
pub(crate) struct LoadOptions {
    /// Where to send: an IPv4 or IPv6 address with a port, such as 127.0.0.1:8125 or [::1]:8125
    to: SocketAddr,
    /// Datagrams a second; as fast as it goes without
    #[arg(long)]
    rate: Option<f64>,
    /// Datagrams that leave at once; the average rate stays
    #[arg(long, default_value_t = 1)]
    burst: u64,
    /// Time between two bursts; sets the rate
    #[arg(long, value_parser = parse_duration, conflicts_with = "rate")]
    burst_period: Option<Duration>,
    /// Sleep so long between two looks at the clock; 0 keeps a core busy and each datagram on time
    #[arg(long, value_parser = parse_duration, default_value = "1ms")]
    tick: Duration,
    /// Stop after this time
    #[arg(long, value_parser = parse_duration, default_value = "10s")]
    duration: Duration,
    /// Stop after so many datagrams
    #[arg(long)]
    count: Option<u64>,
    /// Series of each type
    #[arg(long, default_value_t = 1_000)]
    names: u64,
    /// Shares of counters, timers and gauges
    #[arg(long, default_value = "6:3:1")]
    mix: Mix,
    /// Take the names in turn instead of at random
    #[arg(long)]
    in_turn: bool,
    /// Longest datagram in bytes
    #[arg(long, default_value_t = PACKED_BYTES)]
    datagram_bytes: usize,
    /// Most lines in a datagram
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    lines: u64,
    /// Make all datagrams as long as the longest and let the kernel cut them from long messages,
    /// to send more than one core could otherwise; some 45 packed ones leave at once
    #[arg(long)]
    segments: bool,
    /// Source sockets, which take turns
    #[arg(long, default_value_t = 1)]
    sockets: usize,
    /// Different datagrams to make before they repeat
    #[arg(long, default_value_t = 4_096)]
    pool: u64,
    /// What the names and values are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Result<Vec<u64>, _> = text.split(':').map(str::parse).collect();
        match parts.as_deref() {
            Ok([counters, timers, gauges]) if counters + timers + gauges > 0 => Ok(Mix {
                counters: *counters,
                timers: *timers,
                gauges: *gauges,
            }),
            _ => Err("three whole numbers, such as 6:3:1".to_owned()),
        }
    }
}

impl LoadOptions {
    fn shape(&self) -> Shape {
        Shape {
            names: self.names.max(1),
            mix: self.mix,
            draw: if self.in_turn {
                Draw::InTurn
            } else {
                Draw::Random
            },
            datagram_bytes_max: self.datagram_bytes,
            lines_max: self.lines.max(1),
            equal_bytes: self.segments,
            seed: self.seed,
        }
    }

    fn pace(&self) -> Pace {
        let burst = self.burst.max(1);
        let of_period = |period: Duration| burst as f64 / period.as_secs_f64();
        Pace {
            rate: self.burst_period.map(of_period).or(self.rate),
            burst,
            wait: if self.tick.is_zero() {
                Wait::Watch
            } else {
                Wait::Sleep(self.tick)
            },
        }
    }
}

/// Sends, and prints what was sent.
///
/// # Errors
/// As [`Sender::open`] and [`Sender::send`], with the address.
pub(crate) fn run(options: &LoadOptions) -> io::Result<()> {
    let pool = Pool::new(options.shape(), options.pool.max(1));
    let mut sender = Sender::open(&pool, options.to, options.sockets.max(1))?;
    if options.segments {
        sender.send_segments()?;
    }
    let limit = Limit {
        datagrams: options.count.unwrap_or(u64::MAX),
        duration: options.duration,
    };
    let sent = options
        .pace()
        .run(&mut sender, limit, &Progress::default())
        .map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                io::Error::other(format!("nobody listens on udp://{}", options.to))
            }
            _ => error,
        })?;
    let totals = sender.totals();
    println!("datagrams    {}", totals.datagrams);
    println!("bytes        {}", totals.bytes);
    println!("lines        {}", totals.lines);
    println!("counters     {}", totals.counters);
    println!("timers       {}", totals.timers);
    println!("gauges       {}", totals.gauges);
    println!("counter sum  {}", totals.counter_sum);
    println!("timer sum    {}", totals.timer_sum);
    println!("seconds      {:.3}", sent.elapsed.as_secs_f64());
    println!("kept rate    {}", sent.kept_rate);
    Ok(())
}
