//! The daemon under test: its configuration, its processes one after the other, and their log.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::options::Options;

/// How long the daemon may take to start, to stop or to read its configuration.
const PATIENCE: Duration = Duration::from_secs(60);

/// What waits in a socket while the daemon starts anew.
const RECEIVE_BUFFER_BYTES: usize = 32 << 20;

/// Where the daemon takes datagrams.
pub(crate) struct Sockets {
    udp: SocketAddr,
    /// One for each shard, held over restarts; empty if the daemon binds them.
    held: Vec<Socket>,
}

impl Sockets {
    /// Finds a port, and holds its sockets if they are to be handed over.
    ///
    /// # Errors
    /// No port left, or no leave for such a buffer.
    pub(crate) fn open(options: &Options) -> io::Result<Self> {
        let count = if options.hand_over { options.shards } else { 1 };
        let mut held: Vec<Socket> = Vec::new();
        let mut udp = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        for _ in 0..count {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
            socket.set_reuse_port(true)?;
            socket.bind(&udp.into())?;
            let address = socket.local_addr()?.as_socket();
            udp = address.ok_or_else(|| io::Error::other("a socket without an address"))?;
            if options.hand_over {
                let forced = rustix::net::sockopt::set_socket_recv_buffer_size_force(
                    &socket,
                    RECEIVE_BUFFER_BYTES,
                );
                if forced.is_err() {
                    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
                }
                fcntl_setfd(&socket, FdFlags::empty())?;
                held.push(socket);
            }
        }
        Ok(Sockets { udp, held })
    }

    /// Datagrams that the kernel dropped of them up to now; None if nobody holds them.
    fn drops(&self) -> io::Result<Option<u64>> {
        if self.held.is_empty() {
            return Ok(None);
        }
        // Fields of a row: `sl local_address ... drops`.
        let table = fs::read_to_string("/proc/net/udp")?;
        let ours = format!(":{:04X}", self.udp.port());
        let rows = table
            .lines()
            .map(|row| row.split_whitespace().collect::<Vec<_>>());
        let rows = rows.filter(|row| row.get(1).is_some_and(|local| local.ends_with(&ours)));
        let drops: Vec<u64> = rows.filter_map(|row| row.last()?.parse().ok()).collect();
        match drops.len() == self.held.len() {
            true => Ok(Some(drops.iter().sum())),
            false => Err(io::Error::other("a socket is missing in /proc/net/udp")),
        }
    }
}

/// The daemon, whatever process it is.
pub(crate) struct Daemon {
    folder: TempDir,
    command: Vec<String>,
    sockets: Sockets,
    tcp: SocketAddr,
    ports: [u16; 2],
    flush_s: u64,
    child: Child,
    /// How many processes there were before.
    pub(crate) life: usize,
    reloads: u64,
}

impl Daemon {
    /// Starts it with sinks on these ports, of which the first has a spool.
    ///
    /// # Errors
    /// It does not start; with the end of its log.
    pub(crate) fn start(options: &Options, sockets: Sockets, ports: [u16; 2]) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("soak-").tempdir()?;
        // Free at this moment, and nobody else here takes ports by number.
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut command = vec![options.ringstat.display().to_string()];
        command.extend(["--config".to_owned(), path("settings.toml")]);
        command.extend(["--state-file".to_owned(), path("state")]);
        command.extend(["--log".to_owned(), path("log")]);
        command.extend(["--control".to_owned(), path("control")]);
        command.extend(["--shards".to_owned(), options.shards.to_string()]);
        command.extend(["--flush".to_owned(), options.flush.to_string()]);
        command.extend(["--bind".to_owned(), format!("tcp://{tcp}")]);
        command.extend(["--bind".to_owned(), format!("udp://{}", sockets.udp)]);
        command.extend(["--own-prefix".to_owned(), "own".to_owned()]);
        println!("the daemon's log: {}", path("log"));
        configure(folder.path(), ports, 0)?;
        let mut daemon = Daemon {
            child: spawn(&command, &sockets, folder.path())?,
            command,
            sockets,
            tcp,
            ports,
            flush_s: options.flush,
            life: 0,
            reloads: 0,
            folder,
        };
        daemon.wait_for_log(0, LISTENING, "to listen")?;
        Ok(daemon)
    }

    pub(crate) fn udp(&self) -> SocketAddr {
        self.sockets.udp
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.tcp
    }

    pub(crate) fn flush_s(&self) -> u64 {
        self.flush_s
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Whether datagrams may come while it is restarted.
    pub(crate) fn hands_over(&self) -> bool {
        !self.sockets.held.is_empty()
    }

    /// Waits until the log behind so many bytes has this text.
    fn wait_for_log(&mut self, behind: usize, text: &str, what: &str) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.log()?[behind..].contains(text) {
            self.check_runs()?;
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("waited in vain for {what}")));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// # Errors
    /// The process has ended by itself; with the end of its log.
    pub(crate) fn check_runs(&mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let error = fs::read_to_string(self.folder.path().join("error"));
                let log = self.log()?;
                let lines: Vec<&str> = log.lines().collect();
                let end = lines[lines.len().saturating_sub(10)..].join("\n");
                let error = error.unwrap_or_default();
                Err(io::Error::other(format!(
                    "ringstat ended, {status}: {error}\n{end}"
                )))
            }
        }
    }

    /// Another configuration; waits until it is in use.
    pub(crate) fn reload(&mut self) -> io::Result<()> {
        let before = self.log()?.len();
        self.reloads += 1;
        configure(self.folder.path(), self.ports, self.reloads)?;
        self.signal(Signal::HUP)?;
        self.wait_for_log(before, " in use", "another configuration")
    }

    /// Asks `ringstat ledger`; returns how many slots it has.
    ///
    /// # Errors
    /// One does not balance, or there is no answer.
    fn check_ledger(&self) -> io::Result<usize> {
        let mut ledger = Command::new(&self.command[0]);
        ledger.args(["ledger", "--json", "--last", "0", "--control"]);
        ledger.arg(self.folder.path().join("control"));
        let answer = ledger.stdin(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&answer.stdout);
        if answer.status.success() {
            return Ok(text.lines().count());
        }
        let unbalanced = text
            .lines()
            .find(|slot| slot.contains("\"balances\":false"));
        let error = String::from_utf8_lossy(&answer.stderr);
        Err(io::Error::other(format!(
            "ringstat ledger ended with {}: {}{error}",
            answer.status,
            unbalanced.unwrap_or_default()
        )))
    }

    /// Ends the process in order and starts another one.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.terminate()?;
        self.life += 1;
        let before = self.log()?.len();
        self.child = spawn(&self.command, &self.sockets, self.folder.path())?;
        self.wait_for_log(before, LISTENING, "to listen")
    }

    /// Ends the process in order, when all of its slots balance.
    fn terminate(&mut self) -> io::Result<()> {
        let slots = self.check_ledger()?;
        println!("ledger: {slots} slots balance");
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    return Err(io::Error::other(format!("ringstat stopped with {status}")));
                }
                None if Instant::now() > deadline => {
                    return Err(io::Error::other("ringstat does not stop"));
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Ends it for good; returns the log of all processes, and how many datagrams the kernel dropped, if
    /// somebody held the sockets all the time.
    pub(crate) fn stop(mut self) -> io::Result<(String, Option<u64>)> {
        self.terminate()?;
        Ok((self.log()?, self.sockets.drops()?))
    }

    fn log(&self) -> io::Result<String> {
        match fs::read_to_string(self.folder.path().join("log")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            result => result,
        }
    }
}

/// The last line of the start.
const LISTENING: &str = "each receive buffer of";

/// Writes a configuration that differs from that with the number before.
fn configure(folder: &Path, [spooled, queued]: [u16; 2], number: u64) -> io::Result<()> {
    let spool = folder.join("spool");
    // The limits are far from what comes: what does not fit would have to be told from a fault.
    let text = format!(
        "sink = [\"graphite://127.0.0.1:{spooled}?spool={}\", \"graphite://127.0.0.1:{queued}\"]\n\
         percent = {}\nmax_wait = \"{}ms\"\nqueue_bytes = \"{}MiB\"\nspread = {}\n\
         max_timer_values = {}\n",
        spool.display(),
        if number.is_multiple_of(2) {
            "[90]"
        } else {
            "[50, 99]"
        },
        5 + number % 4 * 5,
        128 + number % 3 * 64,
        if number % 5 == 4 { "0.2" } else { "0" },
        4_000_000 + number % 2,
    );
    fs::create_dir_all(spool)?;
    fs::write(folder.join("settings.toml"), text)
}

/// Starts a process, with the sockets that are held.
fn spawn(command: &[String], sockets: &Sockets, folder: &Path) -> io::Result<Child> {
    let [program, arguments @ ..] = command else {
        return Err(io::Error::other("a command has a program"));
    };
    let held = &sockets.held;
    let mut process = match held.is_empty() {
        true => Command::new(program),
        false => {
            let redirections = held.iter().enumerate();
            let redirections = redirections
                .map(|(number, socket)| format!("{}<&{}", 3 + number, socket.as_raw_fd()))
                .collect::<Vec<_>>();
            // LISTEN_PID is the process itself, which only it knows.
            let script = format!(
                "exec {}; export LISTEN_PID=$$; exec \"$0\" \"$@\"",
                redirections.join(" ")
            );
            let mut shell = Command::new("bash");
            shell.args(["-c", &script, program]);
            shell.env("LISTEN_FDS", held.len().to_string());
            shell
        }
    };
    process.args(arguments).stdin(Stdio::null());
    process.stderr(File::create(folder.join("error"))?);
    process.spawn()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended already, unless the run failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
