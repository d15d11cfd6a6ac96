//! The Graphite server of the race: takes the lines of a daemon, counts them, and adds up what
//! says how many samples the daemon has delivered.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

/// Read at once. A flush of a million series is some hundred megabytes.
const CHUNK_BYTES: usize = 1 << 20;

/// Where a daemon's lines say how many samples it took in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Between path, value and time.
    pub(crate) separator: u8,
    /// Paths whose values are the sum of a counter over an interval.
    pub(crate) counter_sum: Paths,
    /// Paths whose values are how many values a timer got in an interval.
    pub(crate) timer_count: Paths,
}

/// Paths with a certain beginning and end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths {
    pub(crate) begin: &'static str,
    pub(crate) end: &'static str,
}

impl Paths {
    fn hold(&self, path: &[u8]) -> bool {
        path.starts_with(self.begin.as_bytes()) && path.ends_with(self.end.as_bytes())
    }
}

/// What came from a daemon so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// The sum of all counters.
    pub(crate) counter_sum: f64,
    /// How many values all timers got.
    pub(crate) timer_count: f64,
    /// When the last bytes came.
    pub(crate) last: Option<Instant>,
}

/// A listener, and a thread for each connection. They end with the process.
pub(crate) struct Graphite {
    port: u16,
    received: Arc<Mutex<Received>>,
}

impl Graphite {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// No port or thread left.
    pub(crate) fn open(reading: Reading) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let graphite = Graphite {
            port: listener.local_addr()?.port(),
            received: Arc::default(),
        };
        let received = graphite.received.clone();
        thread::Builder::new().spawn(move || {
            for stream in listener.incoming().flatten() {
                let received = received.clone();
                thread::spawn(move || read(stream, reading, &received));
            }
        })?;
        Ok(graphite)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What came so far.
    pub(crate) fn received(&self) -> Received {
        *self.received.lock().expect("no reader panics")
    }
}

/// Takes what comes on a connection until it ends or breaks.
fn read(mut stream: TcpStream, reading: Reading, received: &Mutex<Received>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    // The beginning of a line whose end has not come yet stands at the front.
    let mut kept = 0;
    while let Ok(length @ 1..) = stream.read(&mut buffer[kept..]) {
        let filled = kept + length;
        let whole = memchr::memrchr(b'\n', &buffer[..filled]).map_or(0, |end| end + 1);
        let mut chunk = reading.lines(&buffer[..whole]);
        chunk.bytes = length as u64;
        received.lock().expect("no reader panics").add(chunk);
        buffer.copy_within(whole..filled, 0);
        kept = filled - whole;
        if kept == buffer.len() {
            // No daemon sends a line of a megabyte.
            return;
        }
    }
}

impl Reading {
    fn lines(&self, chunk: &[u8]) -> Received {
        let mut received = Received {
            last: Some(Instant::now()),
            ..Received::default()
        };
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', chunk) {
            self.line(&chunk[begin..end], &mut received);
            begin = end + 1;
        }
        received
    }

    fn line(&self, line: &[u8], received: &mut Received) {
        received.lines += 1;
        let Some(path_end) = memchr::memchr(self.separator, line) else {
            return;
        };
        let (path, rest) = line.split_at(path_end);
        let sum = if self.counter_sum.hold(path) {
            &mut received.counter_sum
        } else if self.timer_count.hold(path) {
            &mut received.timer_count
        } else {
            return;
        };
        let value = &rest[1..];
        let value = &value[..memchr::memchr(self.separator, value).unwrap_or(value.len())];
        let value = std::str::from_utf8(value).unwrap_or_default();
        *sum += value.parse().unwrap_or(0.0);
    }
}

impl Received {
    fn add(&mut self, chunk: Received) {
        self.lines += chunk.lines;
        self.bytes += chunk.bytes;
        self.counter_sum += chunk.counter_sum;
        self.timer_count += chunk.timer_count;
        self.last = chunk.last;
    }
}
