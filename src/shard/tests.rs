//! A shard with datagrams and commands that a test plays.

use std::collections::VecDeque;
use std::net::UdpSocket;

use super::recording::REFUSED_LINE_BYTES_MAX;
use super::*;
use crate::kernel::Turn;
use crate::naming::Dialect;

fn shard() -> Shard {
    Shard::new(ShardSettings {
        shard: 3,
        rules: Dialect::Etsy.input_rules(true, false),
        limits: Limits::default(),
        set_hash: SetHash::new(),
        refused_lines_max: 2,
        brakes: Default::default(),
        epoch: Instant::now(),
        tap: TapRules::default(),
    })
}

fn give(shard: &mut Shard, bytes: &[u8], cut_bytes: usize) {
    shard.batch();
    shard.datagram(Datagram { bytes, cut_bytes });
}

/// Stands in for the kernel: a datagram a turn, then nothing but the waker.
struct Script {
    datagrams: VecDeque<&'static [u8]>,
    left_in_kernel: &'static [u8],
    woken: mpsc::Receiver<()>,
}

impl Receive for Script {
    fn receive(&mut self, visitor: &mut impl Visit) -> io::Result<Turn> {
        if let Some(bytes) = self.datagrams.pop_front() {
            visitor.batch();
            visitor.datagram(Datagram {
                bytes,
                cut_bytes: 0,
            });
            return Ok(Turn {
                datagrams: 1,
                woken: self.woken.try_recv().is_ok(),
            });
        }
        self.woken.recv().map_err(io::Error::other)?;
        Ok(Turn {
            datagrams: 0,
            woken: true,
        })
    }

    fn drain(&mut self, visitor: &mut impl Visit) -> io::Result<bool> {
        visitor.batch();
        visitor.datagram(Datagram {
            bytes: self.left_in_kernel,
            cut_bytes: 0,
        });
        Ok(true)
    }

    fn sockets(&self) -> &[UdpSocket] {
        &[]
    }

    fn counters(&self) -> ReceiveCounters {
        ReceiveCounters {
            enters: 7,
            ..ReceiveCounters::default()
        }
    }
}

#[test]
fn of_a_truncated_datagram_the_complete_lines_are_kept() {
    let mut shard = shard();
    give(&mut shard, b"a:1|c\nb:2|c\nc:3", 7);
    give(&mut shard, b"not a line feed in it", 1);
    let counts = shard.hand_over(Interval::default(), &[]).counts;
    assert_eq!((counts.datagrams, counts.datagrams_truncated), (2, 2));
    assert_eq!((counts.lines.lines, counts.samples), (2, 2));
    assert_eq!(counts.refusals.total(), 0);
}

// The destination took the half line for a sample of its own.
#[test]
fn of_a_truncated_datagram_the_complete_lines_are_repeated() {
    let other = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let address = other.local_addr().expect("it is bound");
    let mut shard = shard().repeating_to(&[address]);
    give(&mut shard, b"a:1|c\nb:2|c", 5);
    give(&mut shard, b"c:3|c", 0);
    shard.send_repeated();
    let mut bytes = [0; 64];
    for expected in [&b"a:1|c\n"[..], b"c:3|c"] {
        let length = other.recv(&mut bytes).expect("a datagram");
        assert_eq!(&bytes[..length], expected);
    }
}

#[test]
fn empty_datagrams_are_counted_apart() {
    let mut shard = shard();
    give(&mut shard, b"", 0);
    give(&mut shard, b"\n", 0);
    let counts = shard.hand_over(Interval::default(), &[]).counts;
    assert_eq!((counts.datagrams, counts.datagrams_skipped), (2, 1));
    assert_eq!(counts.lines.lines, 0);
}

#[test]
fn pieces_that_end_a_line_are_packets() {
    let (mut shard, mut framing) = (shard(), crate::protocol::Framing::default());
    for piece in [&b"a:1|c\nb:"[..], b"2|", b"c\nc:3|c\n", b"d:4|c"] {
        assert!(shard.piece(&mut framing, piece).is_ok());
    }
    assert!(shard.end_of_stream(framing).is_ok());
    let counts = shard.hand_over(Interval::default(), &[]).counts;
    assert_eq!((counts.connections.packets, counts.lines.lines), (2, 4));
}

#[test]
fn refused_lines_are_kept_for_the_log_few_and_short() {
    let mut shard = shard();
    give(&mut shard, &[b'x'; 5000], 0);
    give(&mut shard, b"a\nb\nc", 0);
    let hand_over = shard.hand_over(Interval::default(), &[]);
    assert_eq!(hand_over.refused_lines.len(), 2);
    assert_eq!(
        hand_over.refused_lines[0].line.len(),
        REFUSED_LINE_BYTES_MAX
    );
    assert_eq!(hand_over.counts.refusals.of(Refusal::NoValue), 4);
    give(&mut shard, b"d", 0);
    let again = shard.hand_over(Interval::default(), &[]);
    assert_eq!(&*again.refused_lines[0].line, b"d", "anew in each interval");
}

#[test]
fn a_shard_hands_over_when_asked_and_drains_before_it_ends() {
    let (wake, woken) = mpsc::channel();
    let (commands, inbox) = mpsc::channel();
    let (hand_overs, handed_over) = mpsc::channel();
    let script = Script {
        datagrams: [&b"a:1|c"[..], b"a:2|c"].into(),
        left_in_kernel: b"a:3|c\na:4|c",
        woken,
    };
    let thread = std::thread::spawn(move || {
        let hand_over = |hand_over| hand_overs.send(hand_over).expect("the test listens");
        shard().run(script, &inbox, hand_over)
    });
    let mut samples = 0;
    while samples < 2 {
        let flush = Command::Flush(Box::default());
        commands.send(flush).expect("the shard lives");
        wake.send(()).expect("the shard lives");
        let hand_over: HandOver = handed_over.recv().expect("an answer");
        assert_eq!(hand_over.shard, 3);
        samples += hand_over.counts.samples;
    }
    commands.send(Command::Stop).expect("the shard lives");
    wake.send(()).expect("the shard lives");
    let last = handed_over.recv().expect("an answer");
    assert!(last.is_drained);
    assert_eq!(last.receive.enters, 7);
    assert_eq!((samples, last.counts.samples), (2, 2));
    assert!(thread.join().expect("no panic").is_ok());
}
