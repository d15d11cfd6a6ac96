//! The ledger: every slot balances, whatever happens to it, and a socket tells of it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::daemon::{Daemon, Ended, command, run};
use crate::support::engines::engines;
use crate::support::graphite::{Graphite, ReservedPort};
use crate::support::points::OWN;
use crate::support::poll;

/// A line or a few for each reason to refuse one, but for those that take a stream.
const REFUSED: [(&str, &str); 9] = [
    ("empty_name", ":1|c"),
    ("no_value", "a"),
    ("no_type", "a:1"),
    ("bad_type", "a:1|z"),
    ("bad_value", "a:x|c"),
    ("bad_rate", "a:1|c|@2"),
    ("bad_time", "a:1|kv|@-1"),
    ("bad_field", "a:1|c|!"),
    (
        "value_limit",
        "k:1|kv\nk:2|kv\nk:3|kv\nk:4|kv\nk:5|kv\nk:6|kv\nk:7|kv",
    ),
];

/// Goal: the ledger balances with everything in it that a slot can have. Method: both engines, two
/// shards, all transports, lines that are refused for every reason, a sink that works, one that is dead
/// and has room for little, and one that is dead and has a spool.
#[test]
fn every_slot_balances_with_everything_in_it() {
    for engine in engines() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (works, dead, away) = (Graphite::start(), ReservedPort::new(), ReservedPort::new());
        let daemon = Daemon::start(&format!(
            "-b 127.0.0.1:0 -b tcp://127.0.0.1:0 -b unixgram:{} -f 1 --shards 2 --engine {engine} \
             --max-series 60 --max-timer-values 2 --idle none --max-datagram 2000 \
             -s {} -s {}?queue_bytes=5000 -s {}?queue_bytes=5000&spool={}",
            path("datagrams"),
            works.sink(),
            dead.sink(),
            away.sink(),
            path("spool"),
        ));
        let sender = daemon.sender();
        for (_, line) in REFUSED {
            sender.send(line);
        }
        sender.send(format!("{}:1|c", "long.".repeat(300)));
        sender.send(format!("{}:1|c", "l".repeat(300)));
        sender.send("_sc|name|0\nchain:1|c:2|ms\npacked:1:2:3|ms");
        sender.send("");
        sender.send("cut:1|c\n".repeat(400));
        for number in 0..200 {
            sender.send(format!("series.{number}:1|c"));
        }
        let local = UnixDatagram::unbound().expect("a socket");
        local
            .send_to(b"local:1|c", path("datagrams"))
            .expect("it listens");
        let tcp = daemon.log.wait_for_text("listening on tcp://");
        let (_, address) = tcp.split_once("tcp://").expect("an address");
        let connect = || TcpStream::connect(address).expect("it listens");
        connect().write_all(&[b'x'; 70_000]).expect("it is read");
        // A frame of an unknown type.
        connect()
            .write_all(&[0xaa, 0x7f, 0, 0])
            .expect("it is read");
        let datagrams = REFUSED.len() as u64 + 206;

        let ledger = daemon.wait_for_ledger("some slots, and all that was sent", |ledger| {
            let lost = ledger.sink(&dead.name()).dropped;
            let spooled = ledger.sink(&away.name()).spooled;
            ledger.delivered() == datagrams
                && ledger.refused("too_long") > 0
                && ledger.refused("bad_frame") > 0
                && (lost > 0 && spooled > 0 && ledger.0.len() > 5)
        });
        ledger.assert_balanced();
        let reasons = REFUSED.map(|(reason, _)| reason);
        let others = ["name_too_long", "segment_too_long", "series_limit"];
        for reason in reasons.into_iter().chain(others) {
            assert!(ledger.refused(reason) > 0, "{engine}: {reason}");
        }
        assert_eq!(ledger.sum(|slot| slot.datagrams.empty), 1, "{engine}");
        assert_eq!(ledger.sum(|slot| slot.datagrams.truncated), 1, "{engine}");
        assert_eq!(ledger.sum(|slot| slot.lines.skipped), 1, "{engine}");
        assert!(ledger.sum(|slot| slot.lines.chained) >= 3, "{engine}");
        let [works, dead] = [works.name(), dead.name()].map(|name| ledger.sink(&name));
        assert_eq!(works.pushed, works.sent + works.queued, "{engine}");
        assert_eq!((dead.sent, dead.spooled), (0, 0), "{engine}");
        let points = daemon.ledger().0.len();
        assert!(points >= ledger.0.len(), "none is forgotten");
    }
}

/// Goal: what the kernel had to drop is in the ledger. Method: a tiny receive buffer, a daemon that is
/// paused, and more datagrams than fit; then the same again, as drops are counted since the start.
#[test]
fn what_the_kernel_delivers_and_what_it_drops_is_what_was_sent() {
    for engine in engines() {
        let daemon = Daemon::start(&format!(
            "-b 127.0.0.1:0 -f 0.2 --shards 2 --engine {engine} --receive-buffer 64KiB \
             --max-datagram 1024"
        ));
        let senders = [(); 8].map(|()| daemon.sender());
        for round in 1..=2 {
            daemon.pause();
            for number in 0..5_000 {
                senders[number % senders.len()].send("flood:1|c");
            }
            daemon.resume();
            let ledger = daemon.wait_for_ledger("all datagrams", |ledger| {
                ledger.delivered() + ledger.dropped() == round * 5_000
            });
            ledger.assert_balanced();
            assert!(ledger.dropped() > 0 && ledger.samples() > 0, "{engine}");
        }
    }
}

/// Goal: sinks that come and go leave no gap in the accounts. Method: a configuration read again with
/// another sink in the place of a dead one, and back; the sink that stays accounts for all its lines.
#[test]
fn the_accounts_go_on_over_a_change_of_sinks() {
    let folder = tempfile::tempdir().expect("a folder");
    let (works, dead) = (Graphite::start(), ReservedPort::new());
    let (config, control) = (folder.path().join("toml"), folder.path().join("ctl"));
    let write = |sinks: &[String], control: &str| {
        let sinks = format!("sink = {sinks:?}\ncontrol = {control:?}\n");
        let rest = format!("bind = [\"127.0.0.1:0\"]\nflush = 1\nown_prefix = {OWN:?}\n");
        fs::write(&config, sinks + &rest).expect("a file");
    };
    let control = control.display().to_string();
    write(&[works.sink(), dead.sink()], &control);
    let mut command = command("--config");
    command.arg(&config);
    let daemon = Daemon::spawn(command);
    let slots = |count: usize| daemon.wait_for_ledger("slots", |ledger| ledger.0.len() >= count);
    slots(2);
    write(&[works.sink()], &format!("{control}.other"));
    daemon.signal(Signal::HUP);
    daemon.log.wait_for_text("control from");
    let count = slots(3).0.len();
    slots(count + 2);
    write(&[dead.sink(), works.sink()], &control);
    daemon.signal(Signal::HUP);
    let ledger = daemon.wait_for_ledger("the sink to come back", |ledger| {
        let sinks: Vec<usize> = ledger.0.iter().map(|slot| slot.sinks.len()).collect();
        let without = sinks.iter().position(|count| *count == 1);
        without.is_some_and(|without| sinks[without..].contains(&2))
    });
    let of_dead = ledger.0.iter().flat_map(|slot| &slot.sinks);
    assert!(
        of_dead
            .filter(|sink| sink.name == dead.name())
            .all(|sink| sink.sent == 0)
    );
    ledger.assert_balanced();
    let mut of_works = ledger.clone();
    for slot in &mut of_works.0 {
        slot.sinks.retain(|sink| sink.name == works.name());
        assert_eq!(slot.sinks.len(), 1, "{slot:#?}");
    }
    of_works.assert_balanced();
}

fn ledger(arguments: &str, control: &str) -> Ended {
    let mut command = command(&format!("ledger {arguments} --control {control}"));
    command.stdout(Stdio::piped());
    run(command)
}

#[test]
fn the_table_says_what_came_and_that_all_slots_balance() {
    let daemon = Daemon::start("-b 127.0.0.1:0 -f 0.1");
    for _ in 0..1_234 {
        daemon.sender().send("a:1|c\nb");
    }
    daemon.wait_for_ledger("all samples, in one of several slots", |ledger| {
        ledger.samples() == 1_234 && ledger.0.len() > 1
    });
    let ended = ledger("--last 0", &daemon.control());
    assert_eq!((ended.code, &*ended.log), (Some(0), ""), "{ended:?}");
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(
        lines[0].starts_with("slot, UTC  datagrams  dropped"),
        "{ended:?}"
    );
    assert!(lines.contains(&"refused: no_value 1,234"), "{ended:?}");
    assert!(ended.out.ends_with("slots balance"), "{ended:?}");
    let one = ledger("--json --last 1", &daemon.control());
    assert_eq!(one.out.lines().count(), 1, "{one:?}");
}

/// Goal: the socket is there for its user and group, as long as the daemon is. Method: its mode; a daemon
/// that is killed and one that takes its place; one that finds it in use; the end.
#[test]
fn the_socket_has_its_mode_and_goes_with_the_daemon() {
    let folder = tempfile::tempdir().expect("a folder");
    let control = folder.path().join("run").join("ctl");
    let arguments = format!("-b 127.0.0.1:0 --control {}", control.display());
    let start = || Daemon::spawn(command(&arguments));
    let killed = start();
    let mode = fs::metadata(&control)
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
    drop(killed);
    assert!(control.exists(), "nobody removed it");
    let ended = ledger("", &control.display().to_string());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.log.contains("ended without removing its socket"),
        "{ended:?}"
    );

    let mut daemon = start();
    daemon.ledger();
    let second = run(command(&arguments));
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.log.contains("in use by another program"),
        "{second:?}"
    );
    assert_eq!(daemon.stop(), Some(0));
    assert!(!control.exists(), "it went with the daemon");
    let ended = ledger("", &control.display().to_string());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.log.contains("--control names another one"),
        "{ended:?}"
    );
}

/// Goal: clients that do nothing keep nobody waiting. Method: as many connections as there may be, of
/// which some ask and do not read, but one; then one more.
#[test]
fn clients_that_neither_ask_nor_read_keep_nobody_waiting() {
    let daemon = Daemon::start("-b 127.0.0.1:0 -f 0.1");
    let control = daemon.control();
    let connect = || UnixStream::connect(&control).expect("it listens");
    let mut idle: Vec<UnixStream> = (0..15).map(|_| connect()).collect();
    for connection in &mut idle[..8] {
        connection.write_all(b"ledger").expect("there is room");
    }
    daemon.wait_for_ledger("two slots", |ledger| ledger.0.len() >= 2);
    idle.push(connect());
    let mut answer = String::new();
    connect().read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer, "error: too many connections\n");
    drop(idle);
    poll("an answer again", || {
        (ledger("", &control).code == Some(0)).then_some(())
    });
}
