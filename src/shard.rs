//! One core's loop: receive, split, parse, record; hand the interval over when the flusher asks.
//! A shard shares nothing with the others. Hot path: no allocation for a known series, no lock,
//! no log.

use std::io;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::kernel::{Datagram, Receive, SocketMemory, Visit};
use crate::metric::{
    InputRules, Interval, Limits, Refusal, Refusals, Samples, SetHash, Silence, Table, TableCounts,
};
use crate::protocol::{self, LineCounts, Record};

/// What the flusher asks of a shard. It pulls the shard's waker after sending.
#[derive(Debug)]
pub enum Command {
    /// Hand the interval over and go on with this empty one.
    Flush(Box<Interval>),
    /// Forget these series.
    Forget(Silence),
    /// Take what the kernel holds, hand the interval over, and end.
    Stop,
}

/// What a shard counted in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardCounts {
    /// Datagrams taken off the kernel.
    pub datagrams: u64,
    /// Those without a byte, which hold no line.
    pub datagrams_skipped: u64,
    /// Those longer than `max_datagram`, whose last line was lost.
    pub datagrams_truncated: u64,
    /// Bytes of all datagrams, as far as they were not cut off.
    pub bytes: u64,
    /// Lines and links.
    pub lines: LineCounts,
    /// Samples recorded.
    pub samples: u64,
    /// Links refused, by reason.
    pub refusals: Refusals,
}

impl ShardCounts {
    /// Adds what another shard counted.
    pub fn merge(&mut self, other: &ShardCounts) {
        self.datagrams += other.datagrams;
        self.datagrams_skipped += other.datagrams_skipped;
        self.datagrams_truncated += other.datagrams_truncated;
        self.bytes += other.bytes;
        self.lines.merge(&other.lines);
        self.samples += other.samples;
        self.refusals.merge(&other.refusals);
    }
}

/// A line that was refused, cut to a length that a log can bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine {
    /// Why.
    pub reason: Refusal,
    /// Its beginning.
    pub line: Box<[u8]>,
}

/// What a shard hands over at a flush.
#[derive(Debug)]
pub struct HandOver {
    /// The number of the shard.
    pub shard: usize,
    /// The aggregates, and which series came and went.
    pub interval: Interval,
    /// What it counted.
    pub counts: ShardCounts,
    /// How full its table is.
    pub table: TableCounts,
    /// Some of the refused lines, if they are asked for.
    pub refused_lines: Vec<RefusedLine>,
    /// Its sockets: queues, and drops since they were opened.
    pub sockets: Vec<SocketMemory>,
    /// CPU time of its thread since it began.
    pub cpu_time: Duration,
    /// False if it stopped before it had taken all that the kernel held.
    pub is_drained: bool,
}

/// How a shard is set up.
#[derive(Clone, Debug)]
pub struct ShardSettings {
    /// The number of the shard.
    pub shard: usize,
    /// The rules of input.
    pub rules: InputRules,
    /// The limits of its table.
    pub limits: Limits,
    /// The hash that all shards share.
    pub set_hash: SetHash,
    /// How many refused lines it keeps of an interval, to be logged.
    pub refused_lines_max: usize,
    /// Where the stamps of batches begin; the same for all shards.
    pub epoch: Instant,
}

/// One shard, apart from where its datagrams come from.
#[derive(Debug)]
pub struct Shard {
    shard: usize,
    epoch: Instant,
    counts: ShardCounts,
    recorder: Recorder,
}

/// The part of a shard that samples go to.
#[derive(Debug)]
struct Recorder {
    table: Table,
    samples: u64,
    refusals: Refusals,
    refused_lines: Vec<RefusedLine>,
    refused_lines_max: usize,
}

/// Bytes of a refused line that are kept.
const REFUSED_LINE_BYTES_MAX: usize = 160;

/// Series forgotten in one turn: a millisecond of work at most.
const FORGET_SERIES_MAX: usize = 4_096;

impl Shard {
    /// An empty shard.
    pub fn new(settings: ShardSettings) -> Shard {
        Shard {
            shard: settings.shard,
            epoch: settings.epoch,
            counts: ShardCounts::default(),
            recorder: Recorder {
                table: Table::new(settings.rules, settings.limits, settings.set_hash),
                samples: 0,
                refusals: Refusals::default(),
                refused_lines: Vec::new(),
                refused_lines_max: settings.refused_lines_max,
            },
        }
    }

    /// Receives and records until it is told to stop.
    ///
    /// # Errors
    /// What the receiver cannot go on after.
    pub fn run(
        mut self,
        mut receiver: impl Receive,
        commands: &mpsc::Receiver<Command>,
        hand_overs: impl Fn(HandOver),
    ) -> io::Result<()> {
        loop {
            let turn = receiver.receive(&mut self)?;
            self.recorder.table.forget_some(FORGET_SERIES_MAX);
            if !turn.woken {
                continue;
            }
            while let Ok(command) = commands.try_recv() {
                match command {
                    Command::Flush(empty) => {
                        let hand_over = self.hand_over(*empty, receiver.sockets());
                        hand_overs(hand_over);
                    }
                    Command::Forget(silence) => self.forget(silence),
                    Command::Stop => {
                        let is_drained = receiver.drain(&mut self)?;
                        let hand_over = self.hand_over(Interval::default(), receiver.sockets());
                        hand_overs(HandOver {
                            is_drained,
                            ..hand_over
                        });
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Replaces what may be forgotten. It is forgotten bit by bit, between batches.
    pub fn forget(&mut self, silence: Silence) {
        self.recorder.table.set_silence(silence);
        self.recorder.table.forget_some(FORGET_SERIES_MAX);
    }

    /// Moves the interval out and an empty one in.
    pub fn hand_over(&mut self, empty: Interval, sockets: &[std::net::UdpSocket]) -> HandOver {
        let counts = std::mem::take(&mut self.counts);
        HandOver {
            shard: self.shard,
            interval: self.recorder.table.hand_over(empty),
            counts: ShardCounts {
                samples: std::mem::take(&mut self.recorder.samples),
                refusals: std::mem::take(&mut self.recorder.refusals),
                ..counts
            },
            table: self.recorder.table.counts(),
            refused_lines: std::mem::take(&mut self.recorder.refused_lines),
            // A socket that cannot be asked has nothing to say about drops.
            sockets: sockets
                .iter()
                .filter_map(|socket| SocketMemory::of(socket).ok())
                .collect(),
            cpu_time: thread_cpu_time(),
            is_drained: true,
        }
    }
}

impl Visit for Shard {
    fn batch(&mut self) {
        // 2^64 nanoseconds are five centuries.
        let stamp = self.epoch.elapsed().as_nanos() as u64;
        self.recorder.table.start_batch(stamp);
    }

    #[inline]
    fn datagram(&mut self, datagram: Datagram<'_>) {
        self.counts.datagrams += 1;
        self.counts.bytes += datagram.bytes.len() as u64;
        let mut bytes = datagram.bytes;
        if datagram.cut_bytes > 0 {
            self.counts.datagrams_truncated += 1;
            let end = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
            bytes = &bytes[..end];
        } else if bytes.is_empty() {
            self.counts.datagrams_skipped += 1;
        }
        protocol::read(bytes, &mut self.counts.lines, &mut self.recorder);
    }
}

impl Record for Recorder {
    #[inline]
    fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal> {
        self.table.record(samples)?;
        self.samples += samples.count() as u64;
        Ok(())
    }

    #[cold]
    fn refuse(&mut self, reason: Refusal, line: &[u8]) {
        self.refusals.count(reason);
        if self.refused_lines.len() < self.refused_lines_max {
            let line = line[..line.len().min(REFUSED_LINE_BYTES_MAX)].into();
            self.refused_lines.push(RefusedLine { reason, line });
        }
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}
