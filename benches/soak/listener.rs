//! A Graphite server that comes and goes. It keeps what a database would: of a path and a time stamp
//! the value that came last.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use rustix::net::Shutdown;
use socket2::{Domain, Socket, Type};

/// Own metrics of the daemon begin with this.
pub(crate) const OWN: &str = "own.";

/// A path and a time stamp in seconds since 1970.
pub(crate) type Slot = (Box<str>, u64);

/// What came.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// How log lines and own metrics call the sink.
    pub(crate) name: String,
    pub(crate) points: HashMap<Slot, f64>,
    pub(crate) lines: u64,
    /// Points that came again with another value.
    pub(crate) changed: u64,
    /// Lines that were no points, torn ones for example.
    pub(crate) wrong: Vec<String>,
    pub(crate) connections: u64,
}

/// A server on a port of its own.
pub(crate) struct Listener {
    /// Bound and never listening: nobody else gets the port while the server is gone.
    reserved: Socket,
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    received: Received,
    /// Where it listens, if it does.
    socket: Option<TcpListener>,
    open: Vec<TcpStream>,
    /// Of the time that it listens: what connections of an earlier one still bring does not count.
    generation: u64,
}

pub(crate) fn now_unix_s() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("it is after 1970").as_secs()
}

impl Listener {
    /// A server that listens; `what` is for people.
    ///
    /// # Errors
    /// No port or thread left.
    pub(crate) fn open(what: &str) -> io::Result<Self> {
        let reserved = bound(0)?;
        let address = reserved.local_addr()?.as_socket();
        let port = address.map_or(0, |address| address.port());
        println!("sink {what}: 127.0.0.1:{port}");
        let listener = Listener {
            reserved,
            port,
            state: Arc::new(Mutex::new(State {
                received: Received {
                    name: format!("graphite_127_0_0_1_{port}"),
                    ..Received::default()
                },
                socket: None,
                open: Vec::new(),
                generation: 0,
            })),
        };
        listener.up()?;
        Ok(listener)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Takes connections from now on, if it does not.
    ///
    /// # Errors
    /// No descriptor or thread left.
    pub(crate) fn up(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.socket.is_some() {
            return Ok(());
        }
        let socket = bound(self.port)?;
        socket.listen(16)?;
        let socket = TcpListener::from(socket);
        state.generation += 1;
        state.socket = Some(socket.try_clone()?);
        let (shared, generation) = (self.state.clone(), state.generation);
        thread::Builder::new().spawn(move || accept(&socket, &shared, generation))?;
        Ok(())
    }

    /// Breaks all connections and refuses others.
    pub(crate) fn down(&self) {
        let mut state = self.lock();
        state.generation += 1;
        if let Some(socket) = state.socket.take() {
            // Ends the wait for a connection.
            let _ = rustix::net::shutdown(&socket, Shutdown::Both);
        }
        for stream in state.open.drain(..) {
            // It may be over already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Whether the daemon has said, in a slot that ended after this, that nothing waits for us, and all
    /// slots up to there have come.
    pub(crate) fn is_settled(&self, since_unix_s: u64) -> bool {
        let state = self.lock();
        let received = &state.received;
        let waits = |of: &str| format!("{OWN}sink.{}.{of}", received.name);
        let (queued, spooled) = (waits("queued_lines"), waits("spooled_lines"));
        let now_unix_s = now_unix_s();
        (since_unix_s..=now_unix_s).any(|end| {
            let value = |path: &str| received.points.get(&(path.into(), end)).copied();
            // What of the slot before is still counted as queued is on its way at most.
            value(&spooled) == Some(0.0) && value(&queued) == Some(0.0)
        })
    }

    /// What came in all.
    pub(crate) fn end(self) -> Received {
        self.down();
        drop(self.reserved);
        std::mem::take(&mut lock(&self.state).received)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bound(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

fn accept(socket: &TcpListener, shared: &Arc<Mutex<State>>, generation: u64) {
    while let Ok((stream, _)) = socket.accept() {
        let mut state = lock(shared);
        if state.generation != generation {
            return;
        }
        let Ok(twin) = stream.try_clone() else {
            return;
        };
        state.open.push(twin);
        state.received.connections += 1;
        drop(state);
        let shared = shared.clone();
        thread::spawn(move || read(stream, &shared, generation));
    }
}

/// Takes lines until the connection ends. One that is cut off does not count.
fn read(stream: TcpStream, shared: &Mutex<State>, generation: u64) {
    let mut lines = BufReader::with_capacity(1 << 16, stream);
    let mut line = String::new();
    while let Ok(1..) = lines.read_line(&mut line) {
        let mut state = lock(shared);
        if state.generation != generation || !line.ends_with('\n') {
            return;
        }
        state.received.take(line.trim_end());
        line.clear();
    }
}

impl Received {
    fn take(&mut self, line: &str) {
        self.lines += 1;
        let mut words = line.split(' ');
        let point = (|| {
            let (path, value, time) = (words.next()?, words.next()?, words.next()?);
            let (value, time) = (value.parse::<f64>().ok()?, time.parse::<u64>().ok()?);
            words.next().is_none().then_some((path, value, time))
        })();
        let Some((path, value, time_unix_s)) = point else {
            self.wrong.push(line.to_owned());
            return;
        };
        if is_kept(path) {
            let before = self.points.insert((path.into(), time_unix_s), value);
            self.changed += u64::from(before.is_some_and(|before| before != value));
        }
    }
}

/// What checks ask for; the rest would only take memory.
fn is_kept(path: &str) -> bool {
    path.starts_with(OWN)
        || path.ends_with(".count")
        || (path.starts_with("stats.timers.") && path.ends_with(".sum"))
        || path.starts_with("stats.gauges.stream.")
}
