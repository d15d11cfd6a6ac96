//! The built daemon as a child process, which ends with the test, whatever becomes of it.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::panic::{self, AssertUnwindSafe};
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::ledger::Ledger;
use super::lines::Lines;
use super::points::{OWN, Points};
use super::poll;
use super::udp::Sender;

/// A daemon that receives.
pub(crate) struct Daemon {
    child: Child,
    /// Its standard error.
    pub(crate) log: Lines,
    /// Its standard output, if that is a pipe.
    pub(crate) out: Lines,
    /// Where it listens, wildcards as loopback.
    addresses: Vec<SocketAddr>,
    /// Holds its control socket, if we chose the place.
    folder: Option<TempDir>,
}

/// A program that ran to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) log: String,
}

/// A command with arguments that are separated by spaces.
pub(crate) fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringstat"));
    command.args(arguments.split_whitespace());
    command
}

/// Runs a command to its end, for one that should not go on.
pub(crate) fn run(mut command: Command) -> Ended {
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = Guarded(child.expect("the program starts"));
    let log = Lines::of(child.0.stderr.take().expect("a pipe"));
    let out = child.0.stdout.take().map(Lines::of);
    let code = child.wait();
    Ended {
        code,
        out: out.map_or(String::new(), |out| out.to_end().join("\n")),
        log: log.to_end().join("\n"),
    }
}

impl Daemon {
    /// Starts the daemon with these arguments, own metrics under [`OWN`], a control socket of its own
    /// and a pipe as standard output, and waits until it receives.
    pub(crate) fn start(arguments: &str) -> Daemon {
        let mut command = command(arguments);
        command.args(["--own-prefix", OWN]);
        Daemon::spawn_with_control(command)
    }

    /// As [`Daemon::spawn`], with a control socket of its own. The command ends with arguments for the
    /// daemon.
    pub(crate) fn spawn_with_control(mut command: Command) -> Daemon {
        let folder = tempfile::tempdir().expect("a folder");
        // The daemon may belong to another user.
        let open = Permissions::from_mode(0o777);
        fs::set_permissions(folder.path(), open).expect("it is ours");
        command.arg("--control").arg(folder.path().join("ctl"));
        let mut daemon = Daemon::spawn(command);
        daemon.folder = Some(folder);
        daemon
    }

    /// Starts this command with a pipe as standard output, and waits until it receives.
    pub(crate) fn spawn(mut command: Command) -> Daemon {
        command.stdout(Stdio::piped());
        Daemon::spawn_with_output(command)
    }

    /// As [`Daemon::spawn`], where the command says what the standard input is.
    pub(crate) fn spawn_with_input(mut command: Command) -> Daemon {
        command.stdout(Stdio::piped());
        Daemon::spawn_as_it_is(command)
    }

    /// As [`Daemon::spawn`], where the command says what the standard output is.
    pub(crate) fn spawn_with_output(mut command: Command) -> Daemon {
        command.stdin(Stdio::null());
        Daemon::spawn_as_it_is(command)
    }

    fn spawn_as_it_is(mut command: Command) -> Daemon {
        let child = command.stderr(Stdio::piped()).spawn();
        // The command holds its ends of pipes.
        drop(command);
        let mut child = child.expect("the daemon starts");
        let log = Lines::of(child.stderr.take().expect("a pipe"));
        let out = child.stdout.take().map(Lines::of).unwrap_or_default();
        let mut daemon = Daemon {
            child,
            log,
            out,
            addresses: Vec::new(),
            folder: None,
        };
        // The last line of the start; those with the addresses come before it.
        daemon.log.wait_for_text("each receive buffer of");
        daemon.addresses = listening_addresses(&daemon.log.now());
        // From here on a signal to stop is not deadly.
        poll("a handler of SIGTERM", || {
            assert!(daemon.is_running(), "{:?}", daemon.log.now());
            catches_sigterm(daemon.child.id())
        });
        daemon
    }

    /// The first address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A socket that sends to the first address.
    pub(crate) fn sender(&self) -> Sender {
        Sender::to(self.address())
    }

    /// Where it answers `ringstat ledger`, as its log says.
    pub(crate) fn control(&self) -> String {
        let line = self.log.wait_for_text(ANSWERED);
        let (_, path) = line.split_once(ANSWERED).expect("it is there");
        path.to_owned()
    }

    /// What it says of its slots, as `ringstat ledger --json` prints it.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(&self.control())
    }

    /// Waits until its ledger satisfies a condition.
    pub(crate) fn wait_for_ledger(&self, what: &str, holds: impl Fn(&Ledger) -> bool) -> Ledger {
        let control = self.control();
        poll(what, || Some(Ledger::read(&control)).filter(|it| holds(it)))
    }

    /// The size of each receive buffer as the daemon read it back.
    pub(crate) fn receive_buffer_bytes(&self) -> usize {
        let line = self.log.wait_for_text("each receive buffer of");
        let (_, from_number) = line.split_once("buffer of ").expect("the line has it");
        let number = from_number.split(' ').next().expect("a word");
        number.parse().expect("the daemon writes a number")
    }

    /// Waits until the points on the standard output satisfy a condition.
    pub(crate) fn wait_for(&self, what: &str, holds: impl Fn(&Points) -> bool) -> Points {
        self.out.wait_for(what, |lines| {
            Some(Points::parse(lines)).filter(|points| holds(points))
        })
    }

    /// Waits until the values of a path on the standard output add up to this.
    pub(crate) fn wait_for_sum(&self, path: &str, sum: f64) -> Points {
        self.wait_for(&format!("{path} to add up to {sum}"), |points| {
            points.sum(path) == sum
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a child of ours");
    }

    /// Stops the process in its tracks, until it is resumed.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        poll("the daemon to pause", || {
            let status = fs::read_to_string(self.proc_path("status")).ok()?;
            let paused = status.lines().any(|line| line.starts_with("State:\tT"));
            paused.then_some(())
        });
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Lets the daemon end in order, when all of its slots balance; returns its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.assert_slots_balance();
        self.signal(Signal::TERM);
        self.wait()
    }

    /// As [`Daemon::stop`]; returns all that it wrote to its standard output.
    pub(crate) fn stop_and_read(mut self) -> Points {
        self.stop_in_place()
    }

    /// As [`Daemon::stop_and_read`], for one whose log is still to be read.
    pub(crate) fn stop_in_place(&mut self) -> Points {
        self.assert_slots_balance();
        self.signal(Signal::TERM);
        self.wait_and_read()
    }

    /// Whatever the test did, each slot that has ended balances.
    ///
    /// # Panics
    /// If one does not, or it does not answer where we told it to.
    pub(crate) fn assert_slots_balance(&self) {
        let log = self.log.now();
        let answers = log.iter().any(|line| line.contains(ANSWERED));
        assert!(answers || self.folder.is_none(), "{log:?}");
        if answers {
            self.ledger().assert_each_balanced();
        }
    }

    /// Waits for an end in order; returns all that was written to the standard output.
    pub(crate) fn wait_and_read(&mut self) -> Points {
        assert_eq!(self.wait(), Some(0), "{:?}", self.log.now());
        Points::parse(&self.out.to_end())
    }

    /// Waits for the end of the process; None if a signal was the end. The last slots balanced, too, which
    /// nobody could ask for any more.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let code = wait(&mut self.child);
        let log = self.log.to_end();
        let unbalanced = log.iter().find(|line| line.contains("does not balance"));
        assert_eq!(unbalanced, None, "{log:?}");
        code
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A file of the process in /proc.
    pub(crate) fn proc_path(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }
}

/// Whether SIGTERM makes a process end in order and does not just kill it.
pub(crate) fn catches_sigterm(process_id: u32) -> Option<()> {
    let status = fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught?.trim(), 16).ok()?;
    (caught & 1 << (Signal::TERM.as_raw() - 1) != 0).then_some(())
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A test that does not stop it has it checked all the same; it ends whatever is found.
        let is_checked = !thread::panicking() && self.is_running();
        let found = is_checked
            .then(|| panic::catch_unwind(AssertUnwindSafe(|| self.assert_slots_balance())));
        end(&mut self.child);
        if let Some(Err(fault)) = found {
            panic::resume_unwind(fault);
        }
    }
}

/// What stands before the path of its control socket in its log.
const ANSWERED: &str = " is answered at ";

/// A child that ends with its owner.
pub(crate) struct Guarded(pub(crate) Child);

impl Guarded {
    /// Waits for the end of the process; None if a signal was the end.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        wait(&mut self.0)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

fn wait(child: &mut Child) -> Option<i32> {
    let ended = poll("the end of a process", || {
        child.try_wait().expect("a child of ours")
    });
    ended.code()
}

fn end(child: &mut Child) {
    // It fails if the process has ended before, which is as good.
    let _ = child.kill();
    let _ = child.wait();
}

/// Where a daemon listens according to its log, wildcards as loopback.
pub(crate) fn listening_addresses(log: &[String]) -> Vec<SocketAddr> {
    let told = log
        .iter()
        .filter_map(|line| line.split_once("listening on udp://"));
    let addresses = told.map(|(_, rest)| {
        let address = rest.split(',').next().expect("a word");
        let mut address: SocketAddr = address.parse().expect("the log names an address");
        if address.ip().is_unspecified() {
            match address {
                SocketAddr::V4(_) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
                SocketAddr::V6(_) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            }
        }
        address
    });
    addresses.collect()
}
