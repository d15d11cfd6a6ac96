//! One core's loop: receive, split, parse, record; hand the interval over when the flusher asks.
//! A shard shares nothing with the others. Hot path: no allocation for a known series, no lock,
//! no log.

mod recording;
mod streams;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::kernel::{Datagram, Receive, ReceiveCounters, SocketMemory, Visit};
use crate::metric::{
    Brakes, Gathered, Grants, InputRules, Interval, Limits, Refusal, Refusals, SetHash, Silence,
    Table, TableCounts,
};
use crate::protocol::LineCounts;
use crate::repeat::{RepeatCounts, Repeater};
use crate::simd::Level;
use crate::tap::{NameCounts, Tap, TapRules};

use recording::{Reading, Recorder, Refused};
pub use streams::ConnectionCounts;

/// What the flusher asks of a shard. It pulls the shard's waker after sending.
#[derive(Debug)]
pub enum Command {
    /// Hand the interval over and go on with this empty one.
    Flush(Box<Interval>),
    /// Go on by these rules after the next interval that is handed over.
    Change(ShardRules),
    /// Forget these series.
    Forget(Silence),
    /// Add so many series under quotas.
    Grant(Grants),
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
    /// Bytes of all datagrams, as far as they were not cut off, and of all streams.
    pub bytes: u64,
    /// Of the shard that reads streams: its connections.
    pub connections: ConnectionCounts,
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
        self.connections.merge(&other.connections);
        self.lines.merge(&other.lines);
        self.samples += other.samples;
        self.refusals.merge(&other.refusals);
    }

    /// Samples received, whether they were taken or not: statsite counts what has a name, a value
    /// and a type before it reads the value (`emit_stat` in its src/conn_handler.c).
    pub fn inputs(&self) -> u64 {
        let refused = [
            Refusal::NameTooLong,
            Refusal::SegmentTooLong,
            Refusal::BadValue,
            Refusal::BadRate,
            Refusal::SeriesLimit,
            Refusal::ValueLimit,
            Refusal::Denied,
            Refusal::Quota,
            Refusal::MemoryLimit,
        ];
        let refused = refused.into_iter().map(|reason| self.refusals.of(reason));
        // Each link without a value is refused as a bad one.
        self.samples + refused.sum::<u64>() - self.lines.valueless
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
    /// What its engine counted since it was opened.
    pub receive: ReceiveCounters,
    /// CPU time of its thread since it began.
    pub cpu_time: Duration,
    /// What it repeated, by destination.
    pub repeated: Vec<RepeatCounts>,
    /// How many lines came for each name, if that is asked for.
    pub names: NameCounts,
    /// False if it stopped before it had taken all that the kernel held.
    pub is_drained: bool,
}

/// What a shard can be told anew while it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct ShardRules {
    /// The rules of input.
    pub input: InputRules,
    /// The limits of its table.
    pub limits: Limits,
    /// How many refused lines it keeps of an interval, to be logged.
    pub refused_lines_max: usize,
    /// How long a batch may gather.
    pub max_wait: Duration,
    /// What is done with lines as they come.
    pub tap: TapRules,
    /// Which names it refuses.
    pub brakes: Arc<Brakes>,
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
    /// Which names it refuses.
    pub brakes: Arc<Brakes>,
    /// Where the stamps of batches begin; the same for all shards.
    pub epoch: Instant,
    /// What is done with lines as they come.
    pub tap: TapRules,
}

/// One shard, apart from where its datagrams come from.
#[derive(Debug)]
pub struct Shard {
    shard: usize,
    epoch: Instant,
    level: Level,
    counts: ShardCounts,
    recorder: Recorder,
    /// Empty between datagrams.
    gathered: Gathered<'static>,
    /// Where each datagram goes besides. Boxed, as most shards have none.
    repeater: Option<Box<Repeater>>,
    /// Looks at each line. Boxed, as most shards have none.
    tap: Option<Box<Tap>>,
    /// What it goes by from the next hand-over on.
    change: Option<ShardRules>,
}

/// Series forgotten in a turn without datagrams: a millisecond of work at most. With datagrams it is
/// a sixteenth, so that the next batch does not wait.
const FORGET_SERIES_MAX: usize = 4_096;

impl Shard {
    /// An empty shard.
    pub fn new(settings: ShardSettings) -> Shard {
        Shard {
            shard: settings.shard,
            epoch: settings.epoch,
            level: Level::best(),
            counts: ShardCounts::default(),
            recorder: Recorder {
                table: Table::new(settings.rules, settings.limits, settings.set_hash)
                    .with_brakes(settings.brakes),
                samples: 0,
                refused: Refused {
                    counts: Refusals::default(),
                    lines: Vec::new(),
                    lines_max: settings.refused_lines_max,
                },
            },
            gathered: Gathered::default(),
            repeater: None,
            tap: Tap::by(settings.tap),
            change: None,
        }
    }

    /// Reads and records with other instructions than the best that this processor has.
    #[must_use]
    pub fn at_level(mut self, level: Level) -> Shard {
        self.level = level;
        self
    }

    /// Repeats every datagram to these addresses from now on; none of them may be its own.
    #[must_use]
    pub fn repeating_to(mut self, addresses: &[SocketAddr]) -> Shard {
        let is_any = !addresses.is_empty();
        self.repeater = is_any.then(|| Box::new(Repeater::new(addresses)));
        self
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
            self.send_repeated();
            let at_leisure = turn.datagrams == 0;
            self.recorder.table.forget_some(match at_leisure {
                true => FORGET_SERIES_MAX,
                false => FORGET_SERIES_MAX / 16,
            });
            if !turn.woken {
                continue;
            }
            while let Ok(command) = commands.try_recv() {
                match command {
                    Command::Flush(empty) => {
                        let hand_over = self.hand_over(*empty, receiver.sockets());
                        hand_overs(HandOver {
                            receive: receiver.counters(),
                            ..hand_over
                        });
                    }
                    Command::Change(rules) => {
                        receiver.set_max_wait(rules.max_wait);
                        self.change(rules);
                    }
                    Command::Forget(silence) => self.forget(silence),
                    Command::Grant(grants) => self.grant(grants),
                    Command::Stop => {
                        let is_drained = receiver.drain(&mut self)?;
                        self.send_repeated();
                        let hand_over = self.hand_over(Interval::default(), receiver.sockets());
                        hand_overs(HandOver {
                            is_drained,
                            receive: receiver.counters(),
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

    /// Goes on with other grants under quotas.
    pub fn grant(&mut self, grants: Grants) {
        self.recorder.table.grant(grants);
    }

    /// Forgets some of what may be forgotten. Returns whether there is more of it.
    pub fn forget_some(&mut self) -> bool {
        self.recorder.table.forget_some(FORGET_SERIES_MAX) > 0
    }

    /// Goes by other rules from the next hand-over on, so that no interval has two kinds of samples.
    pub fn change(&mut self, rules: ShardRules) {
        self.change = Some(rules);
    }

    /// Moves the interval out and an empty one in.
    pub fn hand_over(&mut self, empty: Interval, sockets: &[std::net::UdpSocket]) -> HandOver {
        let counts = std::mem::take(&mut self.counts);
        self.counts.connections.open = counts.connections.open;
        let interval = self.recorder.table.hand_over(empty);
        let names = self.tap.as_mut().map(|tap| tap.take_names());
        if let Some(rules) = self.change.take() {
            self.recorder.table.change(rules.input, rules.limits);
            self.recorder.table.change_brakes(rules.brakes);
            self.recorder.refused.lines_max = rules.refused_lines_max;
            self.tap = Tap::by(rules.tap);
        }
        HandOver {
            shard: self.shard,
            interval,
            counts: ShardCounts {
                samples: std::mem::take(&mut self.recorder.samples),
                refusals: std::mem::take(&mut self.recorder.refused.counts),
                ..counts
            },
            table: self.recorder.table.counts(),
            refused_lines: std::mem::take(&mut self.recorder.refused.lines),
            // A socket that cannot be asked has nothing to say about drops.
            sockets: sockets
                .iter()
                .filter_map(|socket| SocketMemory::of(socket).ok())
                .collect(),
            receive: ReceiveCounters::default(),
            cpu_time: thread_cpu_time(),
            repeated: self
                .repeater
                .as_mut()
                .map_or(Vec::new(), |it| it.take_counts()),
            names: names.unwrap_or_default(),
            is_drained: true,
        }
    }

    /// Sends what a batch left to be repeated.
    fn send_repeated(&mut self) {
        if let Some(repeater) = &mut self.repeater {
            repeater.send();
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
        if let Some(repeater) = &mut self.repeater {
            // Without the line that was cut: half of it could be read as another sample.
            repeater.take(bytes);
        }
        if let Some(tap) = &mut self.tap {
            tap.datagram(bytes);
        }
        self.level.run(Reading { shard: self, bytes });
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

#[cfg(test)]
mod tests;
