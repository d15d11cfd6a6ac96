//! What is sent: datagrams of the load generator, and lines of all types over TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::load::{Limit, Pace, Pool, Progress, Sender, Shape, Totals, Wait};
use crate::options::Options;
use crate::stream::{self, Streamed};

/// Different datagrams, before they repeat.
const POOL_DATAGRAMS: u64 = 4_096;

/// Source sockets, so that each shard gets some.
const SOCKETS: usize = 16;

/// What was sent in all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) datagrams: Totals,
    /// Lines of the datagram with fewest, and of that with most.
    pub(crate) lines_of_datagram: (u64, u64),
    pub(crate) streamed: Streamed,
}

/// Who sends.
pub(crate) struct Traffic {
    control: Arc<Control>,
    datagrams: JoinHandle<io::Result<(Totals, (u64, u64))>>,
    stream: JoinHandle<io::Result<Streamed>>,
}

/// What senders are told, and say.
#[derive(Default)]
pub(crate) struct Control {
    stop: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    datagrams_wait: bool,
    stream_waits: bool,
    /// How many have come to a halt.
    halted: usize,
}

/// One of the senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Datagrams,
    Stream,
}

impl Control {
    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn shall_wait(state: &State, kind: Kind) -> bool {
        match kind {
            Kind::Datagrams => state.datagrams_wait,
            Kind::Stream => state.stream_waits,
        }
    }

    /// Whether the sender is to halt.
    pub(crate) fn halts(&self, kind: Kind) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Control::shall_wait(&state, kind)
    }

    /// Says that the sender has halted, and waits until it may go on.
    pub(crate) fn halt(&self, kind: Kind) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.halted += 1;
        self.changed.notify_all();
        while Control::shall_wait(&state, kind) {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.halted -= 1;
    }
}

impl Traffic {
    /// Sends from now on.
    ///
    /// # Errors
    /// No thread left.
    pub(crate) fn start(options: &Options, udp: SocketAddr, tcp: SocketAddr) -> io::Result<Self> {
        let control = Arc::new(Control::default());
        let (rate, names, lines) = (options.rate, options.names, options.lines);
        let told = control.clone();
        let datagrams = thread::Builder::new()
            .name("datagrams".to_owned())
            .spawn(move || send_datagrams(rate, names, udp, &told))?;
        let told = control.clone();
        let stream = thread::Builder::new()
            .name("stream".to_owned())
            .spawn(move || stream::send(lines, tcp, &told))?;
        Ok(Traffic {
            control,
            datagrams,
            stream,
        })
    }

    /// Lets senders halt while something is done: that of the connection always, since it ends with
    /// the process; that of datagrams if nobody holds the sockets meanwhile.
    ///
    /// # Errors
    /// Those of what is done.
    pub(crate) fn pause_while<T>(
        &self,
        datagrams_go_on: bool,
        done: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let lock = || self.control.state.lock();
        let mut state = lock().unwrap_or_else(PoisonError::into_inner);
        (state.datagrams_wait, state.stream_waits) = (!datagrams_go_on, true);
        let wanted = if datagrams_go_on { 1 } else { 2 };
        while state.halted < wanted && !self.has_ended() {
            let waited = self
                .control
                .changed
                .wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        let result = done();
        let mut state = lock().unwrap_or_else(PoisonError::into_inner);
        (state.datagrams_wait, state.stream_waits) = (false, false);
        self.control.changed.notify_all();
        result
    }

    fn has_ended(&self) -> bool {
        self.datagrams.is_finished() || self.stream.is_finished()
    }

    /// Stops sending; returns what was sent.
    ///
    /// # Errors
    /// Those of senders.
    pub(crate) fn stop(self) -> io::Result<Sent> {
        self.control.stop.store(true, Ordering::Relaxed);
        let datagrams = self.datagrams.join().expect("the sender does not panic")?;
        let (datagrams, lines_of_datagram) = datagrams;
        Ok(Sent {
            datagrams,
            lines_of_datagram,
            streamed: self.stream.join().expect("the sender does not panic")?,
        })
    }
}

/// How soon a sender of datagrams hears that it shall halt.
const STRETCH: Duration = Duration::from_millis(50);

fn send_datagrams(
    rate: f64,
    names: u64,
    to: SocketAddr,
    control: &Control,
) -> io::Result<(Totals, (u64, u64))> {
    let pool = Pool::new(Shape::packed(names), POOL_DATAGRAMS);
    let mut sender = Sender::open(&pool, to, SOCKETS)?;
    let pace = Pace {
        rate: Some(rate),
        burst: 1,
        wait: Wait::Sleep(Duration::from_millis(1)),
    };
    let limit = Limit {
        datagrams: u64::MAX,
        duration: STRETCH,
    };
    while !control.is_over() {
        if control.halts(Kind::Datagrams) {
            control.halt(Kind::Datagrams);
        }
        pace.run(&mut sender, limit, &Progress::default())?;
    }
    Ok((sender.totals(), lines_of_datagram(&pool)))
}

/// Lines of the datagram with fewest, and of that with most.
fn lines_of_datagram(pool: &Pool) -> (u64, u64) {
    (0..pool.len()).fold((u64::MAX, 0), |(fewest, most), number| {
        let datagram = pool.totals(number + 1).since(pool.totals(number));
        (fewest.min(datagram.lines), most.max(datagram.lines))
    })
}
