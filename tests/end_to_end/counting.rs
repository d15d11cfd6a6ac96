//! Nothing that arrives goes uncounted: many senders, hostile ones, more than the kernel holds.

use crate::support::daemon::Daemon;
use crate::support::engines::engines;
use crate::support::udp::{ReceiveQueue, Sender};

/// Goal: each of many senders is counted to the last datagram. Method: 10,000 datagrams from 50
/// sockets, held back while the receive queue is a quarter full; a counter for all and one each.
#[test]
fn ten_thousand_datagrams_from_fifty_sockets_are_counted_exactly() {
    let daemon = Daemon::start("-b :0 -f 0.2 --shards 2");
    let queue = ReceiveQueue::of(&daemon);
    let senders: Vec<Sender> = (0..50).map(|_| daemon.sender()).collect();
    for round in 0..200 {
        for (number, sender) in senders.iter().enumerate() {
            sender.send(format!("all:1|c\nsocket.{number}:{round}|c"));
        }
        assert!(queue.wait_for_room());
    }
    let points = daemon.stop_and_read();
    assert_eq!(points.own_sum("kernel_drops"), 0.0, "the sender held back");
    assert_eq!(points.own_sum("datagrams"), 10_000.0);
    assert_eq!(points.sum("stats.counters.all.count"), 10_000.0);
    for number in 0..50 {
        let path = format!("stats.counters.socket.{number}.count");
        assert_eq!(points.sum(&path), f64::from((0..200).sum::<i32>()));
    }
}

/// Goal: no input harms what comes after it. Method: ten thousand datagrams, some of which crash
/// other daemons, from a seed; then a good one.
#[test]
fn after_ten_thousand_hostile_datagrams_a_good_one_still_counts() {
    let mut daemon = Daemon::start("-b 127.0.0.1:0 -f 0.2 --idle none --idle-gauges none -v");
    let (queue, sender) = (ReceiveQueue::of(&daemon), daemon.sender());
    let mut random = fastrand::Rng::with_seed(20_260_801);
    for _ in 0..10_000 {
        sender.send(hostile_datagram(&mut random));
        assert!(queue.wait_for_room());
    }
    sender.send("good:3|c\ngood:4|ms");
    daemon.wait_for_sum("stats.counters.good.count", 3.0);
    assert!(daemon.is_running());
    let points = daemon.stop_and_read();
    assert_eq!(points.values("stats.timers.good.mean"), [4.0]);
    assert_eq!(points.own_sum("datagrams"), 10_001.0);
    assert_eq!(points.own_sum("kernel_drops"), 0.0);
    // Some of it is good, some is refused, some is skipped.
    assert!(points.own_sum("samples") > 1000.0);
    assert!(points.own_sum_of_all("refused.") > 1000.0);
    assert!(points.own_sum("skipped") > 0.0);
    points.assert_input_balances();
}

/// Lines that crash other daemons, cost them an interval or are read in different ways.
const HOSTILE: &[&str] = &[
    // They end etsy's statsd.
    "a:1|c|@+0.5",
    "a:1|c|@ 1",
    "a:1|c|@Infinity",
    "constructor:1|ms",
    "constructor:1|s",
    "toString:1|c",
    "__proto__:1|c",
    "s:__proto__|s",
    // They cost the Python statsite its interval.
    "a:1|c|@2",
    "a:1.2.3|c",
    "a:.|ms",
    // They hang the C statsite, or make it print what is no number.
    "t:0.1111111111111111111111111111111111111111111111111111|ms",
    "c:-inf|c",
    "g:nan|g",
    // They cost gstatsd the rest of the datagram.
    "a:4|c|@0\nb:1|c",
    "a:abc|c\nb:7|c",
    "a:4|c|@",
    "a:1_000|c",
    // The rest of the grammar's edges.
    "",
    "\n",
    "\r\n",
    ":",
    "|",
    ":1|c",
    ":5|c\n::|",
    "a",
    "a:",
    "a:|c",
    "a:1|",
    "a:1||",
    "a:1|c|",
    "a:1|c:2|c:3|ms:x|s",
    "a:1:2:3|ms|@0.5|#x:y,z",
    "a:1e400|c",
    "a:1e-400|c",
    "a:1e308|c\na:1e308|c",
    "a:99999999999999999999999999999999999999|ms",
    "a:+5|g\na:-5|g\na:--5|g",
    "a:1|kv|@1e300",
    "a:1|kv|@-1",
    "a:1|c|#;;;,,,:::",
    "a;b=c;d:1|c",
    "..a..b..:1|c",
    "/etc/passwd:1|c",
    "\u{e9}\u{1f41e}:1|c",
    "a b\tc\0d:1|c",
    "_e{5,4}:title|text",
    "_sc|name|0",
];

/// Pieces that lines are made of, in no good order.
const PIECES: &[&str] = &[
    "a", "b.c", ":", ":", "|", "|", "\n", "c", "ms", "g", "s", "kv", "h", "@", "#", "0.1", "1",
    "-2.5", "+3", "1e9", "1e999", "nan", " ", "\r", "\0", ",", ";", "=", "_e{", "_sc|", "T1",
    "\u{ff}",
];

fn hostile_datagram(random: &mut fastrand::Rng) -> Vec<u8> {
    let known = |random: &mut fastrand::Rng| HOSTILE[random.usize(..HOSTILE.len())].as_bytes();
    match random.u32(..100) {
        0 => b"a:1|c\n".repeat(65_507 / 6),
        1 => vec![random.u8(..); random.usize(..=65_507)],
        2 => [&b"n".repeat(random.usize(..3_000))[..], b":1|c"].concat(),
        3 => [b"a", &b":1".repeat(random.usize(..3_000))[..], b"|ms"].concat(),
        4..20 => std::iter::repeat_with(|| random.u8(..)).take(300).collect(),
        20..50 => {
            let pieces = (0..random.usize(..60)).map(|_| PIECES[random.usize(..PIECES.len())]);
            pieces.collect::<String>().into_bytes()
        }
        50..70 => {
            let mut datagram = known(random).to_vec();
            for _ in 0..3.min(datagram.len()) {
                let place = random.usize(..datagram.len());
                datagram[place] = random.u8(..);
            }
            datagram
        }
        _ => {
            let lines: Vec<&[u8]> = (0..random.usize(1..8)).map(|_| known(random)).collect();
            lines.join(&b'\n')
        }
    }
}

/// Goal: what the kernel had to drop is told. Method: a tiny receive buffer, a daemon that is
/// paused, and more datagrams than fit.
#[test]
fn datagrams_that_the_kernel_drops_are_counted() {
    for engine in engines() {
        let daemon = Daemon::start(&format!(
            "-b 127.0.0.1:0 -f 0.2 --shards 1 --engine {engine} --receive-buffer 64KiB \
             --max-datagram 1024"
        ));
        daemon.pause();
        let sender = daemon.sender();
        for _ in 0..5_000 {
            sender.send("flood:1|c");
        }
        daemon.resume();
        let points = daemon.wait_for("all datagrams to be accounted for", |points| {
            points.own_sum("datagrams") + points.own_sum("kernel_drops") == 5_000.0
        });
        let counted = points.sum("stats.counters.flood.count");
        assert_eq!(counted, points.own_sum("datagrams"), "{engine}");
        assert!(counted > 0.0 && counted < 5_000.0, "{engine}: {counted}");
        let ledger = daemon.ledger();
        ledger.assert_balanced();
        let of_kernel = (ledger.delivered() as f64, ledger.dropped() as f64);
        let told = (points.own_sum("datagrams"), points.own_sum("kernel_drops"));
        assert_eq!(of_kernel, told, "{engine}");
        daemon.log.wait_for_text("the kernel dropped");
    }
}
