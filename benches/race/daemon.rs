//! A daemon under test: started on a core of its own, watched, and brought to its end.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ringstat::kernel::pin_to;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::graphite::{Graphite, Received, Values};
use crate::load::Totals;
use crate::measure::{Process, Queue, queue_of_port};
use crate::peers::{Contestant, Nudge, Place, Settings, Stop};

/// How long a daemon may take to listen.
const START_MAX: Duration = Duration::from_secs(20);
/// How long a daemon may take to end.
const STOP_MAX: Duration = Duration::from_secs(10);
/// How long a daemon may take to account for traffic that has ended.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// How much later than an interval after the last one a flush may begin.
const SLACK: Duration = Duration::from_secs(1);
/// A daemon that computes for this part of the time has something to do, such as a flush of
/// millions of series.
const BUSY_PART: f64 = 0.25;
/// Between two looks at something that takes a while.
const LOOK: Duration = Duration::from_millis(5);
/// Traffic that changes no total which is checked.
const NUDGE: &[u8] = b"service.gauge.0000000:1|g\n";
const NUDGE_PERIOD: Duration = Duration::from_millis(150);
/// Much more than a floor prints.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// A running daemon.
pub(crate) struct Daemon<'a> {
    contestant: &'a Contestant,
    child: Child,
    graphite: Graphite,
    udp_port: u16,
    /// When it was last told to hand on what it has.
    nudged: Cell<Instant>,
    /// Configuration and log; removed with the daemon.
    folder: TempDir,
}

/// How much of what was sent a daemon has accounted for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered {
    /// From 0, nothing, to 1, everything; above that it counted something twice.
    pub(crate) share: f64,
    /// Whether every sum is exactly that of the traffic.
    pub(crate) is_exact: bool,
}

impl<'a> Daemon<'a> {
    /// Starts a daemon on a core, with all its threads, and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not listen in time; with the end of its log.
    pub(crate) fn start(
        contestant: &'a Contestant,
        settings: &Settings,
        core: usize,
    ) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("race-").tempdir()?;
        let graphite = Graphite::open(contestant.profile.reading)?;
        let udp_port = free_udp_port()?;
        let mut command = (contestant.profile.command)(&Place {
            program: &contestant.program,
            folder: folder.path(),
            udp_port,
            graphite_port: graphite.port(),
            settings,
        })?;
        let log = File::create(folder.path().join("output"))?;
        command.stdin(Stdio::null()).stderr(log.try_clone()?);
        match contestant.profile.stop {
            Stop::EmptyDatagram => command.stdout(Stdio::piped()),
            Stop::Terminate => command.stdout(log),
        };
        let child = spawn_on(core, command)?;
        let mut daemon = Daemon {
            contestant,
            child,
            graphite,
            udp_port,
            nudged: Cell::new(Instant::now()),
            folder,
        };
        daemon.wait_until_it_listens()?;
        Ok(daemon)
    }

    /// Where it takes datagrams.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.udp_port).into()
    }

    pub(crate) fn process(&self) -> Process {
        Process::new(self.child.id())
    }

    /// What it has sent to Graphite so far.
    pub(crate) fn received(&self) -> Received {
        self.graphite.received()
    }

    /// How much of what was sent it has accounted for so far.
    pub(crate) fn delivered(&self, sent: &Totals) -> Delivered {
        self.delivered_since(&Received::default(), sent)
    }

    /// The same of what was sent after an earlier look, when all before it was accounted for.
    pub(crate) fn delivered_since(&self, before: &Received, sent: &Totals) -> Delivered {
        let now = self.received();
        let values = self.contestant.profile.reading.values;
        let (counters, timers) = (now.counters - before.counters, now.timers - before.timers);
        Delivered::of(counters, timers, values, sent)
    }

    /// Its receive buffer.
    pub(crate) fn queue(&self) -> Queue {
        queue_of_port(self.udp_port).unwrap_or_default()
    }

    /// Waits until the daemon has accounted for what was sent, or has neither accounted for more
    /// of it nor worked much during two flush intervals.
    ///
    /// # Errors
    /// The daemon has ended.
    pub(crate) fn settle(&self, sent: &Totals, flush: Duration) -> io::Result<Delivered> {
        let began = Instant::now();
        let (mut changed, mut cpu) = (began, self.process().cpu_time()?);
        let mut last_share = 0.0;
        loop {
            let delivered = self.delivered(sent);
            if delivered.is_exact || self.contestant.is_floor() || began.elapsed() > SETTLE_MAX {
                return Ok(delivered);
            }
            let quiet = changed.elapsed();
            if delivered.share != last_share || quiet > flush * 2 + SLACK {
                let cpu_now = self.process().cpu_time()?;
                let was_busy = cpu_now - cpu > quiet.mul_f64(BUSY_PART);
                if delivered.share == last_share && !was_busy {
                    return Ok(delivered);
                }
                last_share = delivered.share;
                (changed, cpu) = (Instant::now(), cpu_now);
            }
            self.nudge();
            thread::sleep(LOOK);
        }
    }

    /// Makes it hand on what it keeps back until more comes, if it is one of those.
    pub(crate) fn nudge(&self) {
        if self.nudged.get().elapsed() < NUDGE_PERIOD {
            return;
        }
        self.nudged.set(Instant::now());
        // Neither is needed where it fails: the daemon has ended, and that shows elsewhere.
        match self.contestant.profile.nudge {
            Nudge::Needless => {}
            Nudge::Datagram => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
                let _ = socket.and_then(|socket| socket.send_to(NUDGE, self.address()));
            }
            Nudge::Signal => {
                let _ = kill_process(Pid::from_child(&self.child), Signal::USR1);
            }
        }
    }

    /// Ends the daemon, and says how much of what was sent it has accounted for by then.
    ///
    /// # Errors
    /// It cannot be ended, or a floor did not print what it took in.
    pub(crate) fn stop(mut self, sent: &Totals) -> io::Result<Delivered> {
        match self.contestant.profile.stop {
            Stop::Terminate => {
                self.terminate()?;
                Ok(self.delivered(sent))
            }
            Stop::EmptyDatagram => {
                self.wait_for_an_empty_queue();
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                socket.send_to(b"", self.address())?;
                self.output_of_a_floor(sent)
            }
        }
    }

    fn output_of_a_floor(&mut self, sent: &Totals) -> io::Result<Delivered> {
        let mut output = String::new();
        let stdout = self.child.stdout.take().expect("its output is piped");
        stdout.take(OUTPUT_BYTES_MAX).read_to_string(&mut output)?;
        let mut numbers = output.split_ascii_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(datagrams)), Some(Ok(bytes))) => Ok(Delivered {
                share: part(datagrams as f64, sent.datagrams as f64),
                is_exact: datagrams == sent.datagrams && bytes == sent.bytes,
            }),
            _ => Err(self.fault("did not say what it got")),
        }
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let began = Instant::now();
        while queue_of_port(self.udp_port).is_none() {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.fault(&format!("ended with {status}")));
            }
            if began.elapsed() > START_MAX {
                return Err(self.fault("does not listen"));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn wait_for_an_empty_queue(&self) {
        let began = Instant::now();
        while self.queue().bytes > 0 && began.elapsed() < STOP_MAX {
            thread::sleep(LOOK);
        }
    }

    fn terminate(&mut self) -> io::Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM)?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() && began.elapsed() < STOP_MAX {
            thread::sleep(LOOK);
        }
        // What it wrote at the end is still on its way to us.
        while !self.graphite.is_closed() && began.elapsed() < STOP_MAX {
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn fault(&self, what: &str) -> io::Error {
        let log = fs::read_to_string(self.folder.path().join("output")).unwrap_or_default();
        let last = log.lines().rev().take(5).collect::<Vec<_>>();
        let last: Vec<_> = last.into_iter().rev().collect();
        let name = self.contestant.name();
        io::Error::other(format!("{name} {what}: {}", last.join(" / ")))
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        // Both fail only for a process that has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Delivered {
    fn of(counters: f64, timers: f64, values: Values, sent: &Totals) -> Self {
        let counters_sent = match values {
            Values::OfInterval => sent.counter_sum as f64,
            Values::LinesSinceStart => sent.counters as f64,
        };
        let timers_sent = sent.timers as f64;
        // Counters stand for themselves and for the gauges, of which only the last is seen.
        let other_lines = (sent.lines - sent.timers) as f64;
        let lines =
            part(counters, counters_sent) * other_lines + part(timers, timers_sent) * timers_sent;
        Delivered {
            share: part(lines, sent.lines as f64),
            is_exact: counters == counters_sent && timers == timers_sent,
        }
    }
}

/// All of nothing is everything.
fn part(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 1.0 } else { part / whole }
}

/// A port that was free a moment ago; daemons take no socket from us.
fn free_udp_port() -> io::Result<u16> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Starts a command whose threads all stay on one core.
fn spawn_on(core: usize, mut command: Command) -> io::Result<Child> {
    // A process begins on the cores of the thread that starts it, so one is pinned for this.
    let starter = thread::spawn(move || {
        pin_to(core)?;
        command.spawn()
    });
    starter.join().expect("the starter does not panic")
}
