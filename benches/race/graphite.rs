//! The Graphite server of the race: takes the lines of a daemon, counts them, and adds up what
//! says how many samples the daemon has delivered.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crate::load::NAME_DIGITS;

/// Read at once. A flush of a million series is some hundred megabytes.
const CHUNK_BYTES: usize = 1 << 20;

/// Where a daemon's lines say how many samples it took in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// What ends the path, and what ends the value.
    pub(crate) separators: [u8; 2],
    /// What the values mean.
    pub(crate) values: Values,
    /// Paths that are about counters.
    pub(crate) counters: Paths,
    /// Paths that are about timers.
    pub(crate) timers: Paths,
}

/// What the values of these paths mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// The sum of a counter, and how many values a timer got, in an interval.
    OfInterval,
    /// How many lines of a type came, since the start.
    LinesSinceStart,
}

/// Paths that are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paths {
    /// The number of a name between these.
    Around(&'static str, &'static str),
    /// This one.
    One(&'static str),
}

impl Paths {
    fn hold(&self, path: &[u8]) -> bool {
        match self {
            Paths::Around(begin, end) => {
                path.len() == begin.len() + NAME_DIGITS + end.len()
                    && path.starts_with(begin.as_bytes())
                    && path.ends_with(end.as_bytes())
            }
            Paths::One(one) => path == one.as_bytes(),
        }
    }
}

/// What came from a daemon so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// What the paths about counters come to, see [`Values`].
    pub(crate) counters: f64,
    /// What the paths about timers come to.
    pub(crate) timers: f64,
    /// When the last bytes came.
    pub(crate) last: Option<Instant>,
}

/// A listener, and a thread for each connection. They end with the process.
pub(crate) struct Graphite {
    port: u16,
    received: Arc<Mutex<Received>>,
    /// Connections that have not ended.
    open: Arc<AtomicUsize>,
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
            open: Arc::default(),
        };
        let received = graphite.received.clone();
        let open = graphite.open.clone();
        thread::Builder::new().spawn(move || {
            for stream in listener.incoming().flatten() {
                let (received, open) = (received.clone(), open.clone());
                open.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || {
                    read(stream, reading, &received);
                    open.fetch_sub(1, Ordering::Release);
                });
            }
        })?;
        Ok(graphite)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether every connection has ended, and all that came on it has been counted.
    pub(crate) fn is_closed(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
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
        let mut received = received.lock().expect("no reader panics");
        received.lines += chunk.lines;
        received.bytes += chunk.bytes;
        received.last = chunk.last;
        reading.values.add(&mut received.counters, chunk.counters);
        reading.values.add(&mut received.timers, chunk.timers);
        drop(received);
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
        if line.is_empty() {
            // Some say so that they have nothing to say.
            return;
        }
        received.lines += 1;
        let [behind_path, behind_value] = self.separators;
        let Some(path_end) = memchr::memchr(behind_path, line) else {
            return;
        };
        let (path, rest) = line.split_at(path_end);
        let sum = if self.counters.hold(path) {
            &mut received.counters
        } else if self.timers.hold(path) {
            &mut received.timers
        } else {
            return;
        };
        let value = &rest[1..];
        let value = &value[..memchr::memchr(behind_value, value).unwrap_or(value.len())];
        let value = std::str::from_utf8(value).unwrap_or_default();
        self.values.add(sum, value.parse().unwrap_or(0.0));
    }
}

impl Values {
    fn add(self, sum: &mut f64, value: f64) {
        match self {
            Values::OfInterval => *sum += value,
            Values::LinesSinceStart => *sum = sum.max(value),
        }
    }
}
