//! Restarts behind a service manager that holds the sockets: what comes meanwhile waits for the
//! successor. Each test counts what it sent against what predecessor and successor made of it.

pub(crate) mod manager;

use std::fs::{self, Permissions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread;

use rustix::net::sockopt::{set_socket_recv_buffer_size_force, socket_cookie};
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::support::daemon::{Daemon, command, run};
use crate::support::engines::has_io_uring;
use crate::support::open_loop::{OpenLoop, RATE, RECEIVE_BUFFER_BYTES, has_large_buffers};
use crate::support::points::{OWN, Points};
use crate::support::udp::{ReceiveQueue, Sender};
use crate::support::{poll, skip};
use manager::Manager;

/// What is sent in a test with restarts, over [`SENDERS_COUNT`] sockets.
const SENT_COUNT: u64 = 100_000;
const SENDERS_COUNT: usize = 8;

pub(crate) fn ringstat() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ringstat"))
}

/// Starts a daemon with what the manager has for it.
fn start(manager: &Manager, program: &Path, arguments: &str) -> Daemon {
    let arguments = format!("--own-prefix {OWN} -f 0.2 {arguments}");
    Daemon::spawn_with_control(manager.command(program, &arguments))
}

/// Sockets that share a port of loopback, as `ReusePort=yes` makes them.
pub(crate) fn shared_sockets(count: usize) -> Vec<UdpSocket> {
    let mut address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let sockets = (0..count).map(|_| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        socket.set_reuse_port(true).expect("an option");
        socket.bind(&address.into()).expect("a shared port");
        let socket = UdpSocket::from(socket);
        address = socket.local_addr().expect("a bound socket");
        socket
    });
    sockets.collect()
}

/// An address of loopback that no other test has, so that a daemon can bind it a second time.
fn address_of_ours() -> SocketAddr {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, 128 | high, low, COUNT.fetch_add(1, Ordering::SeqCst));
    let free = UdpSocket::bind((ip, 0)).expect("all of 127.0.0.0/8 is loopback");
    free.local_addr().expect("a bound socket")
}

/// A copy of the daemon under another name, as an upgrade puts it there.
fn copy_of_ringstat(folder: &Path) -> PathBuf {
    let copy = folder.join("ringstat-next");
    fs::copy(ringstat(), &copy).expect("room for a copy");
    copy
}

/// Goal: neither a restart nor an upgrade in the middle of traffic loses or doubles a sample. Method:
/// senders that hold back only while the kernel's queue is a quarter full, also while no daemon runs;
/// predecessor, successor and upgraded successor are stopped and started when shares of it are sent.
fn assert_nothing_is_lost(manager: &Manager, arguments: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let upgraded = copy_of_ringstat(folder.path());
    let mut daemon = start(manager, ringstat(), arguments);
    let queue = ReceiveQueue::of(&daemon);
    let senders: Vec<Sender> = (0..SENDERS_COUNT).map(|_| daemon.sender()).collect();
    let (sent, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let generations = thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..SENT_COUNT {
                if number % 64 == 0 {
                    assert!(queue.wait_for_room(), "somebody holds the sockets");
                }
                senders[number as usize % SENDERS_COUNT].send("load:1|c");
                sent.store(number + 1, Ordering::SeqCst);
            }
            is_over.store(true, Ordering::SeqCst);
        });
        let mut generations: Vec<Points> = Vec::new();
        for (share, program) in [(1, ringstat()), (2, &upgraded)] {
            poll("datagrams to be sent", || {
                (sent.load(Ordering::SeqCst) >= SENT_COUNT * share / 4).then_some(())
            });
            generations.push(daemon.stop_in_place());
            let sent_before = sent.load(Ordering::SeqCst);
            poll("traffic while no daemon runs", || {
                let is_more = sent.load(Ordering::SeqCst) > sent_before;
                (is_more || is_over.load(Ordering::SeqCst)).then_some(())
            });
            daemon = start(manager, program, arguments);
        }
        poll("the end of the traffic", || {
            is_over.load(Ordering::SeqCst).then_some(())
        });
        generations.push(daemon.stop_in_place());
        generations
    });
    let counted = generations.iter().map(|points| {
        assert_eq!(points.own_sum("kernel_drops"), 0.0, "the senders held back");
        points.assert_input_balances();
        points.sum("stats.counters.load.count") as u64
    });
    let counted: Vec<u64> = counted.collect();
    assert!(counted.iter().all(|count| *count > 0), "{counted:?}");
    assert_eq!(counted.iter().sum::<u64>(), SENT_COUNT, "{counted:?}");
}

#[test]
fn a_restart_and_an_upgrade_on_sockets_of_a_unit_lose_nothing_with_io_uring() {
    if !has_io_uring() {
        return;
    }
    let mut manager = Manager::start();
    for socket in shared_sockets(2) {
        manager.hold("ringstat.socket", socket);
    }
    assert_nothing_is_lost(&manager, "--engine io_uring");
}

#[test]
fn a_restart_and_an_upgrade_on_sockets_of_a_unit_lose_nothing_with_recvmmsg() {
    let mut manager = Manager::start();
    for socket in shared_sockets(2) {
        manager.hold("ringstat.socket", socket);
    }
    assert_nothing_is_lost(&manager, "--engine recvmmsg");
}

#[test]
fn a_restart_and_an_upgrade_with_a_store_lose_nothing_with_io_uring() {
    if !has_io_uring() {
        return;
    }
    let (manager, address) = (Manager::start(), address_of_ours());
    assert_nothing_is_lost(
        &manager,
        &format!("-b {address} --shards 2 --engine io_uring"),
    );
    assert_eq!(manager.wait_for_kept(3)[..2], names_in_store(address));
}

#[test]
fn a_restart_and_an_upgrade_with_a_store_lose_nothing_with_recvmmsg() {
    let (manager, address) = (Manager::start(), address_of_ours());
    assert_nothing_is_lost(
        &manager,
        &format!("-b {address} --shards 2 --engine recvmmsg"),
    );
    assert_eq!(manager.wait_for_kept(3)[..2], names_in_store(address));
}

/// What two shards of an address of IPv4 are called in the store; the note of drops comes behind.
fn names_in_store(address: SocketAddr) -> [String; 2] {
    let (ip, port) = (address.ip(), address.port());
    [0, 1].map(|shard| format!("store/udp.//{ip}.{port}/{shard}"))
}

/// Goal: what the kernel drops while no daemon runs is counted by the next one, once. Method: more
/// than a small receive buffer holds, between two daemons; both count drops of their own before.
fn assert_drops_are_counted_once(manager: &Manager, arguments: &str, between: impl Fn()) {
    let mut sent = 0;
    let mut counted = 0;
    for _ in 0..3 {
        let mut daemon = start(manager, ringstat(), arguments);
        poll("an older note to be taken out of the store", || {
            let is_there = manager.kept().iter().any(|name| name == "store/drops");
            (!is_there).then_some(())
        });
        let sender = daemon.sender();
        daemon.pause();
        for _ in 0..2_000 {
            sender.send("a:1|c");
        }
        daemon.resume();
        let points = daemon.stop_in_place();
        let drops = points.own_sum("kernel_drops");
        assert!(drops > 0.0, "the buffer is small");
        counted += (points.sum("stats.counters.a.count") + drops) as u64;
        for _ in 0..2_000 {
            sender.send("a:1|c");
        }
        sent += 4_000;
        between();
    }
    let last = start(manager, ringstat(), arguments).stop_and_read();
    counted += (last.sum("stats.counters.a.count") + last.own_sum("kernel_drops")) as u64;
    assert_eq!(counted, sent);
}

#[test]
fn drops_between_two_processes_are_counted_by_the_second() {
    let (manager, address) = (Manager::start(), address_of_ours());
    let arguments = format!("-b {address} --shards 1 --receive-buffer 64KiB");
    assert_drops_are_counted_once(&manager, &arguments, || {});
}

/// Here the note lies beside the state file.
#[test]
fn drops_of_a_units_socket_are_counted_by_the_second_process_without_a_store() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut manager = Manager::start();
    let [socket] = shared_sockets(1).try_into().expect("one socket");
    manager.hold("ringstat.socket", socket);
    let state_file = folder.path().join("state");
    let arguments = format!(
        "--receive-buffer 64KiB --state-file {}",
        state_file.display()
    );
    assert_drops_are_counted_once(&manager, &arguments, || manager.let_go());
}

/// Goal: a start that fails leaves the note to the next one. Method: one that gets what the manager has, and
/// fails when all is bound, and one by hand without it, which is told that its address is in use.
fn assert_failed_starts_leave_the_note(manager: &Manager, bind: &str, rest: &str) {
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let taken = taken.local_addr().expect("a bound socket");
    let graphite = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let graphite = graphite.local_addr().expect("a bound socket");
    let arguments = format!("{bind} {rest}");
    assert_drops_are_counted_once(manager, &arguments, || {
        let spooling = format!("{arguments} -s {graphite} --spool /proc/spool");
        let ended = run(manager.command(ringstat(), &spooling));
        assert_eq!(ended.code, Some(1), "{}", ended.log);
        assert!(ended.log.contains("/proc/spool"), "{}", ended.log);
        let ended = run(command(&format!("-b {taken} {rest}")));
        assert_eq!(ended.code, Some(1), "{}", ended.log);
        assert!(ended.log.contains("in use"), "{}", ended.log);
    });
}

#[test]
fn a_start_that_fails_leaves_the_note_in_the_store() {
    let (manager, address) = (Manager::start(), address_of_ours());
    let bind = format!("-b {address} --shards 1");
    assert_failed_starts_leave_the_note(&manager, &bind, "--receive-buffer 64KiB");
}

#[test]
fn a_start_that_fails_leaves_the_note_beside_the_state_file() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut manager = Manager::start();
    let [socket] = shared_sockets(1).try_into().expect("one socket");
    manager.hold("ringstat.socket", socket);
    let state_file = folder.path().join("state");
    let rest = format!(
        "--receive-buffer 64KiB --state-file {}",
        state_file.display()
    );
    assert_failed_starts_leave_the_note(&manager, "", &rest);
}

/// A daemon with a socket of a unit and a file of settings, behind a service manager without a store.
pub(crate) struct WithSettings {
    folder: TempDir,
    manager: Manager,
    /// The socket's address, and what the kernel calls it.
    pub(crate) address: SocketAddr,
    pub(crate) cookie: u64,
}

impl WithSettings {
    pub(crate) fn new() -> WithSettings {
        let mut manager = Manager::start();
        let [socket] = shared_sockets(1).try_into().expect("one socket");
        let address = socket.local_addr().expect("a bound socket");
        let cookie = socket_cookie(&socket).expect("every socket has one");
        manager.hold("ringstat.socket", socket);
        WithSettings {
            folder: tempfile::tempdir().expect("a temporary directory"),
            manager,
            address,
            cookie,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has the next start, or SIGHUP, find this state file in the settings.
    fn set_state_file(&self, name: &str) {
        self.set(&format!("state_file = {:?}\n", self.path(name)));
    }

    /// Has the next start, or SIGHUP, find these settings.
    pub(crate) fn set(&self, settings: &str) {
        fs::write(self.path("settings.toml"), settings).expect("it is ours");
    }

    /// A daemon that sees in the place of a folder a file system of FUSE that nobody serves; `None` where
    /// there can be none.
    pub(crate) fn program_behind_a_hanging_disk(&self, folder: &str) -> Option<PathBuf> {
        if !Path::new("/dev/fuse").exists() {
            // Nothing that could be installed brings it.
            println!("skipped: this kernel has no FUSE");
            return None;
        }
        let hangs = self.path(folder);
        fs::create_dir(&hangs).expect("it is ours");
        let mount = "mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 fuse";
        self.program_behind(&format!("exec 9<>/dev/fuse && {mount} {}", hangs.display()))
    }

    /// A daemon with mounts of its own, which this command for the shell makes; `None` where it cannot.
    fn program_behind(&self, mount: &str) -> Option<PathBuf> {
        let may_mount = Command::new("unshare")
            .args(["-m", "sh", "-c", mount])
            .status();
        if !may_mount.is_ok_and(|status| status.success()) {
            skip("no file system can be mounted here");
            return None;
        }
        let (inner, outer) = (self.path("inner"), self.path("outer"));
        fs::write(&inner, format!("{mount} && exec \"$@\"\n")).expect("it is ours");
        let (inner, program) = (inner.display(), ringstat().display());
        let script = format!("#!/bin/sh\nexec unshare -m sh {inner} {program} \"$@\"\n");
        fs::write(&outer, script).expect("it is ours");
        fs::set_permissions(&outer, Permissions::from_mode(0o755)).expect("it is ours");
        Some(outer)
    }

    pub(crate) fn start(&self, program: &Path) -> Daemon {
        self.manager.let_go();
        let settings = self.path("settings.toml");
        let arguments = format!("--receive-buffer 64KiB --config {}", settings.display());
        start(&self.manager, program, &arguments)
    }
}

/// Sends more than the buffer of a daemon holds that does not read meanwhile; returns how many.
pub(crate) fn overfill(sender: &Sender) -> f64 {
    for _ in 0..2_000 {
        sender.send("a:1|c");
    }
    2_000.0
}

/// Samples and drops.
fn counted(points: &Points) -> f64 {
    points.sum("stats.counters.a.count") + points.own_sum("kernel_drops")
}

/// Goal: the note lies where the next process looks, whatever state file the one before began with, and
/// none stays behind. Method: another state file at SIGHUP, beside which an older note lies; drops before
/// and behind the stop; a second process with the new file and a third with the first.
#[test]
fn the_note_lies_beside_the_state_file_that_is_in_use_at_the_stop() {
    let rig = WithSettings::new();
    rig.set_state_file("state");
    let mut daemon = rig.start(ringstat());
    fs::write(rig.path("state2.drops"), "of another stop\n").expect("it is ours");
    rig.set_state_file("state2");
    daemon.signal(Signal::HUP);
    daemon.log.wait_for_text("configuration 2 in use");
    poll("the older note to go", || {
        (!rig.path("state2.drops").exists()).then_some(())
    });
    let sender = daemon.sender();
    daemon.pause();
    let before = overfill(&sender);
    daemon.resume();
    assert_eq!(counted(&daemon.stop_in_place()), before);
    let between = overfill(&sender);
    let daemon = rig.start(ringstat());
    poll("the note in use to go", || {
        (!rig.path("state2.drops").exists()).then_some(())
    });
    assert_eq!(counted(&daemon.stop_and_read()), between, "by the new file");
    rig.set_state_file("state");
    assert_eq!(
        counted(&rig.start(ringstat()).stop_and_read()),
        0.0,
        "by the first file"
    );
}

/// Goal: a note that cannot be removed is not used, as the process behind a crash would use it once more.
/// Method: drops between two processes, of which the second finds the disk read-only.
#[test]
fn a_note_on_a_read_only_disk_is_not_used() {
    let rig = WithSettings::new();
    rig.set_state_file("state");
    let folder = rig.folder.path().display();
    let mount = format!("mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}");
    let Some(program) = rig.program_behind(&mount) else {
        return;
    };
    let mut daemon = rig.start(ringstat());
    let sender = daemon.sender();
    sender.send("a:1|c");
    assert_eq!(daemon.stop(), Some(0));
    overfill(&sender);
    let mut daemon = rig.start(&program);
    daemon
        .log
        .wait_for_text("is not used, as it cannot be removed");
    daemon.log.wait_for_text("nobody tells how many");
    let points = daemon.stop_in_place();
    assert_eq!(points.own_sum("kernel_drops"), 0.0);
    assert!(points.sum("stats.counters.a.count") > 0.0);
}

/// Goal: a disk that hangs does not hold up the end of a daemon that leaves a note there, and a pid file.
/// Method: their folder is a link; while the daemon runs it comes to lead to a file system of FUSE that nobody
/// serves, which only the daemon sees.
#[test]
fn a_disk_that_hangs_holds_up_no_stop() {
    let rig = WithSettings::new();
    let [good, hangs, link] = ["good", "hangs", "link"].map(|name| rig.path(name));
    fs::create_dir(&good).expect("it is ours");
    symlink(&good, &link).expect("it is ours");
    let Some(program) = rig.program_behind_a_hanging_disk("hangs") else {
        return;
    };
    rig.set(&format!(
        "state_file = {:?}\npid_file = {:?}\n",
        rig.path("link/state"),
        rig.path("link/pid")
    ));
    let mut daemon = rig.start(&program);
    daemon.sender().send("a:1|c");
    daemon.wait_for_sum("stats.counters.a.count", 1.0);
    assert!(good.join("pid").is_file());
    let other = rig.path("other");
    symlink(&hangs, &other).expect("it is ours");
    fs::rename(&other, &link).expect("it is ours");
    assert_eq!(daemon.stop(), Some(0));
    let log = daemon.log.now();
    let told = |text: &str| log.iter().position(|line| line.contains(text));
    let note = rig.path("link/state.drops");
    let note = told(&format!(
        "has dropped so far: cannot write {}: the disk does not answer",
        note.display()
    ));
    assert!(note.is_some() && note < told("stopped"), "{log:#?}");
    let pid_file = rig.path("link/pid");
    let pid_file = told(&format!(
        "cannot remove the pid file {}: the disk does not answer",
        pid_file.display()
    ));
    assert!(pid_file.is_some() && pid_file < told("stopped"), "{log:#?}");
}

/// Goal: a killed daemon loses only what it had in its hands, and its successor has the sockets.
/// Method: SIGKILL, then datagrams, then a new start.
#[test]
fn after_a_crash_the_successor_has_what_came_since() {
    let (manager, address) = (Manager::start(), address_of_ours());
    let arguments = format!("-b {address} --shards 2");
    let mut daemon = start(&manager, ringstat(), &arguments);
    let sender = daemon.sender();
    manager.wait_for_kept(2);
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.wait(), None);
    for _ in 0..1_000 {
        sender.send("a:1|c");
    }
    let points = start(&manager, ringstat(), &arguments).stop_and_read();
    assert_eq!(points.sum("stats.counters.a.count"), 1_000.0);
}

/// Goal: neither a restart nor an upgrade loses or doubles a datagram of 50,000 in a second that come
/// whatever happens. Method: senders with a schedule that nothing holds back, over buffers that hold some
/// seconds of it; a restart, an upgrade, and a stop behind the last datagram.
fn assert_nothing_is_lost_of_a_schedule(manager: &Manager, arguments: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let upgraded = copy_of_ringstat(folder.path());
    let mut daemon = start(manager, ringstat(), arguments);
    let has_room = has_large_buffers(&daemon);
    let count = 4 * RATE;
    let traffic = OpenLoop::new(daemon.address(), "load:1|c", count);
    let generations = thread::scope(|scope| {
        scope.spawn(|| traffic.run());
        let mut generations: Vec<Points> = Vec::new();
        for (share, program) in [(1, ringstat()), (2, &upgraded)] {
            traffic.wait_for_sent(count * share / 4);
            generations.push(daemon.stop_in_place());
            // More comes while no daemon runs.
            traffic.wait_for_sent(traffic.sent() + RATE / 50);
            daemon = start(manager, program, arguments);
        }
        traffic.wait_for_end();
        generations.push(daemon.stop_in_place());
        generations
    });
    let (mut counted, mut drops) = (Vec::new(), 0);
    for points in &generations {
        points.assert_input_balances();
        counted.push(points.sum("stats.counters.load.count") as u64);
        drops += points.own_sum("kernel_drops") as u64;
    }
    assert!(counted.iter().all(|count| *count > 0), "{counted:?}");
    assert_eq!(counted.iter().sum::<u64>() + drops, count, "{counted:?}");
    assert!(drops == 0 || !has_room, "{drops} dropped; {counted:?}");
}

#[test]
fn a_restart_and_an_upgrade_on_sockets_of_a_unit_lose_nothing_of_a_schedule() {
    let mut manager = Manager::start();
    for socket in shared_sockets(2) {
        // Not allowed without CAP_NET_ADMIN; then what is dropped must be counted.
        let _ = set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER_BYTES);
        manager.hold("ringstat.socket", socket);
    }
    assert_nothing_is_lost_of_a_schedule(&manager, "");
}

#[test]
fn a_restart_and_an_upgrade_with_a_store_lose_nothing_of_a_schedule() {
    let (manager, address) = (Manager::start(), address_of_ours());
    assert_nothing_is_lost_of_a_schedule(
        &manager,
        &format!("-b {address} --shards 2 --receive-buffer {RECEIVE_BUFFER_BYTES}"),
    );
    assert_eq!(manager.wait_for_kept(3)[..2], names_in_store(address));
}

/// Goal: connections that come while no daemon runs wait for the next one. Method: a TCP listener and
/// a Unix socket of units, and of each one that the daemon has bound; a line over each in the gap.
#[test]
fn connections_between_two_processes_wait_for_the_second() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (held, ours) = (folder.path().join("held"), folder.path().join("ours"));
    let mut manager = Manager::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let tcp_held = listener.local_addr().expect("a bound socket");
    manager.hold("tcp.socket", listener);
    manager.hold("unix.socket", UnixListener::bind(&held).expect("a socket"));
    let tcp_ours = address_of_ours();
    let arguments = format!(
        "-b 127.0.0.1:0 -b tcp://{tcp_ours} -b unix:{} -b unix:{}",
        ours.display(),
        held.display()
    );
    let mut daemon = start(&manager, ringstat(), &arguments);
    manager.wait_for_kept(2);
    assert_eq!(daemon.stop(), Some(0));
    let line = b"a:1|c\n";
    for path in [&held, &ours] {
        let mut connection = UnixStream::connect(path).expect("the file is there");
        connection.write_all(line).expect("room in a buffer");
    }
    for address in [tcp_held, tcp_ours] {
        let mut connection = TcpStream::connect(address).expect("somebody listens");
        connection.write_all(line).expect("room in a buffer");
    }
    let daemon = start(&manager, ringstat(), &arguments);
    let log = daemon.log.now().join("\n");
    assert!(
        log.contains(&format!("listening on tcp://{tcp_held}")),
        "{log}"
    );
    daemon.wait_for_sum("stats.counters.a.count", 4.0);
    assert!(held.exists() && ours.exists());
    drop(daemon.stop_and_read());
    assert!(held.exists(), "it belongs to the unit");
}

/// Goal: a socket unit says where to listen, and how many shards there are. Method: two sockets of a
/// unit and no address; then an address beside, and another number of shards.
#[test]
fn sockets_of_a_unit_are_the_addresses_and_their_number_is_that_of_the_shards() {
    let mut manager = Manager::start();
    let sockets = shared_sockets(2);
    let address = sockets[0].local_addr().expect("a bound socket");
    for socket in sockets {
        manager.hold("ringstat.socket", socket);
    }
    let daemon = start(&manager, ringstat(), "--shards 2");
    assert_eq!(daemon.addresses(), [address]);
    let log = daemon.log.now().join("\n");
    assert!(log.contains("2 shards, handed over"), "{log}");
    assert!(!log.contains("in place of"), "{log}");
    drop(daemon);
    let daemon = start(&manager, ringstat(), "--shards 3 -b 127.0.0.1:0");
    assert_eq!(daemon.addresses().len(), 2);
    assert!(daemon.addresses().contains(&address));
    let log = daemon.log.now().join("\n");
    let expected = format!("udp://{address} was handed over with 2 sockets in place of 3 (shards)");
    assert!(log.contains(&expected), "{log}");
    for address in daemon.addresses() {
        Sender::to(*address).send("a:1|c");
    }
    let points = daemon.stop_and_read();
    assert_eq!(points.sum("stats.counters.a.count"), 2.0);
}

/// Goal: an address that left the configuration leaves the store. Method: another one at the next
/// start.
#[test]
fn a_stored_socket_without_a_setting_is_closed_and_removed() {
    let (manager, before) = (Manager::start(), address_of_ours());
    let mut daemon = start(&manager, ringstat(), &format!("-b {before} --shards 1"));
    manager.wait_for_kept(1);
    assert_eq!(daemon.stop(), Some(0));
    let mut daemon = start(&manager, ringstat(), "-b 127.0.0.1:0 --shards 1");
    daemon
        .log
        .wait_for_text(&format!("the socket of udp://{before}"));
    assert_eq!(daemon.stop(), Some(0));
    poll("the store without the socket", || {
        let names = manager.kept();
        names.iter().all(|name| name == "store/drops").then_some(())
    });
    // The kernel takes a ring apart behind the end of its process, and a process that another test is
    // about to start holds all descriptors for a moment.
    poll("an address that nobody has", || {
        UdpSocket::bind(before).ok()
    });
}

/// Goal: a descriptor of the wrong kind is named, with the reason. Method: a connection, and a file.
#[test]
fn a_descriptor_of_the_wrong_kind_is_an_error_by_its_name() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let peer = listener.local_addr().expect("a bound socket");
    let connection = TcpStream::connect(peer).expect("somebody listens");
    let mut manager = Manager::start();
    manager.hold("wrong.socket", connection);
    let ended = run(manager.command(ringstat(), "-s 127.0.0.1:9"));
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.contains("wrong.socket"), "{}", ended.log);
    assert!(ended.log.contains("Accept=no"), "{}", ended.log);
    let mut manager = Manager::start();
    manager.hold("a-file", fs::File::open(ringstat()).expect("a file"));
    let ended = run(manager.command(ringstat(), "-s 127.0.0.1:9"));
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.contains("descriptor 3 (a-file)"), "{}", ended.log);
}

/// Goal: a service manager hears of start, life, reload and stop. Method: a watchdog, a SIGHUP that
/// changes something, one that changes nothing, and a stop.
#[test]
fn the_manager_is_told_how_the_daemon_fares() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("ringstat.toml");
    let write = |prefix: &str| fs::write(&file, format!("prefix = \"{prefix}\"\n"));
    write("one").expect("a file");
    let manager = Manager::start();
    let arguments = format!("--config {} -b 127.0.0.1:0 -f 0.2", file.display());
    let mut command = manager.command(ringstat(), &arguments);
    command.env("WATCHDOG_USEC", "500000");
    let mut daemon = Daemon::spawn_with_control(command);
    let started = ["READY=1", "WATCHDOG=1", "STATUS=receiving", "WATCHDOG=1"];
    manager.wait_for_words(&started);
    daemon.signal(Signal::HUP);
    let reload = ["RELOADING=1", "MONOTONIC_USEC=", "READY=1", "WATCHDOG=1"];
    let reloaded = [&started[..], &reload[..]].concat();
    manager.wait_for_words(&reloaded);
    write("two").expect("a file");
    daemon.signal(Signal::HUP);
    daemon.log.wait_for_text("configuration 2 in use");
    manager.wait_for_words(&[&reloaded[..], &reload[..]].concat());
    assert_eq!(daemon.stop(), Some(0));
    manager.wait_for_words(&[&reloaded[..], &reload[..], &["STOPPING=1"]].concat());
}
