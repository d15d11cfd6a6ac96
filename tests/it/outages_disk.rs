//! Outages while the disk of the spool is full, read-only, or hangs: memory takes its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, Mode, mknodat};

use crate::outages::{SENT, daemon, send_slot, spool_of_sink, spooled_sum};
use crate::support::daemon::Daemon;
use crate::support::graphite::{ReservedPort, name_of, sink_of};
use crate::support::points::{OWN, Points};
use crate::support::{poll, skip};

/// A daemon whose spool is a file system of its own, of one mebibyte, that only it sees.
struct OnSmallDisk {
    daemon: Daemon,
    /// The folder of the spool, seen from here.
    spool: PathBuf,
}

impl OnSmallDisk {
    /// Starts it behind a command for the shell; `None` where no file system can be mounted.
    fn start(sink: &str, folder: &Path, options: &str, before: &str) -> Option<OnSmallDisk> {
        let may_mount = Command::new("unshare")
            .args(["-m", "mount", "-t", "tmpfs", "tmpfs"])
            .arg(folder)
            .status();
        if !may_mount.is_ok_and(|status| status.success()) {
            skip("no file system can be mounted here");
            return None;
        }
        let folder = folder.display();
        let script = format!(
            "mount -t tmpfs -o size=1m,{options} tmpfs {folder} && cd {folder} && {before} exec \"$@\" \
             -b 127.0.0.1:0 -f 1 --shards 1 -s {sink} -s console: --own-prefix {OWN} --spool {folder}"
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script, "sh"]);
        command.arg(env!("CARGO_BIN_EXE_ringstat"));
        let daemon = Daemon::spawn_with_control(command);
        let spool = PathBuf::from(daemon.proc_path(&format!("root{folder}")));
        Some(OnSmallDisk { daemon, spool })
    }
}

fn own(printed: &Points, port: u16, name: &str) -> f64 {
    printed.own_sum(&format!("sink.{}.{name}", name_of(port)))
}

/// Goal: a full disk costs nothing as long as memory suffices, and is used again when it has room.
/// Method: a file fills it; slots in an outage; the file goes; slots again; then a server listens.
#[test]
fn behind_a_full_disk_slots_wait_in_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let sink = sink_of(number);
    let fill = "head -c 2000000 /dev/zero > full 2>/dev/null;";
    let Some(mut on) = OnSmallDisk::start(&sink, folder.path(), "rw", fill) else {
        return;
    };
    send_slot(&on.daemon, 1000.0);
    send_slot(&on.daemon, 2000.0);
    on.daemon
        .log
        .wait_for_text("points are queued in memory only");
    assert_eq!(spooled_sum(&on.spool, number, SENT), 0.0);
    fs::remove_file(on.spool.join("full")).expect("it goes");
    send_slot(&on.daemon, 3000.0);
    poll("all to be on disk", || {
        (spooled_sum(&on.spool, number, SENT) == 3000.0).then_some(())
    });
    on.daemon.log.wait_for_text("takes slots again");
    let graphite = port.listen();
    graphite.wait_for_kept("all", |kept| kept.sum(SENT) == 3000.0);
    assert_eq!(on.daemon.stop(), Some(0));
    let printed = Points::parse(&on.daemon.out.to_end());
    printed.assert_sink_balances(&name_of(number));
    assert_eq!(own(&printed, number, "dropped_lines"), 0.0);
    let told = on.daemon.log.now();
    let told = told.iter().filter(|line| line.contains("cannot write"));
    assert_eq!(told.count(), 1, "once a minute");
}

/// Goal: a read-only disk does not keep the daemon from starting, nor points from coming. Method: mounted
/// read-only from the start; slots in an outage; then a server listens.
#[test]
fn behind_a_read_only_disk_slots_wait_in_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let sink = sink_of(number);
    let Some(mut on) = OnSmallDisk::start(&sink, folder.path(), "ro", "") else {
        return;
    };
    on.daemon
        .log
        .wait_for_text("points are queued in memory only");
    send_slot(&on.daemon, 1000.0);
    send_slot(&on.daemon, 2000.0);
    let graphite = port.listen();
    graphite.wait_for_kept("all", |kept| kept.sum(SENT) == 2000.0);
    assert_eq!(on.daemon.stop(), Some(0));
    let printed = Points::parse(&on.daemon.out.to_end());
    printed.assert_sink_balances(&name_of(number));
    assert_eq!(own(&printed, number, "dropped_lines"), 0.0);
}

/// Goal: a disk that hangs holds up neither flushes nor connections nor the end. Method: where files of
/// slots are to be written there are pipes that nobody reads, which block whoever opens them; slots in an
/// outage, a server that listens, an outage again, and a stop.
#[test]
fn a_disk_that_hangs_holds_up_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = ReservedPort::new();
    let number = port.port;
    let mut daemon = daemon(&sink_of(number), folder.path());
    let of_sink = spool_of_sink(folder.path(), number);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("a time behind 1970").as_secs();
    for end_unix_s in now..now + 300 {
        let pipe = of_sink.join(format!(".{end_unix_s}.zst.new"));
        let made = mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RWXU, 0);
        // A slot may be written at this moment.
        assert!(
            made.is_ok() || pipe.exists() || end_unix_s <= now + 2,
            "{made:?}"
        );
    }
    send_slot(&daemon, 1000.0);
    send_slot(&daemon, 2000.0);
    let graphite = port.listen();
    graphite.wait_for_kept("all", |kept| kept.sum(SENT) == 2000.0);
    send_slot(&daemon, 3000.0);
    assert_eq!(daemon.stop(), Some(0));
    graphite.wait_for_kept("all", |kept| kept.sum(SENT) == 3000.0);
}
