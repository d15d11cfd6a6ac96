//! Asks all shards for their intervals, and gives the memory back afterwards.
//!
//! A shard that does not answer in time is not asked again before it has; its interval comes with
//! the next flush.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::losses::Losses;
use super::{Message, Reload, ShardLink, Visit};
use crate::kernel::ReceiveCounters;
use crate::metric::{Grants, Interval, Silence};
use crate::repeat::{Repeated, Watch};
use crate::shard::{Command, HandOver, RefusedLine, ShardCounts, ShardRules};
use crate::snapshot::Merger;
use crate::tap::NameCounts;

/// What all shards handed over, added up where it can be.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) intervals: Vec<(usize, Interval)>,
    pub(super) counts: ShardCounts,
    pub(super) refused_lines: Vec<RefusedLine>,
    pub(super) kernel_drops: u64,
    pub(super) receive_queue_bytes: u64,
    pub(super) receive: ReceiveCounters,
    pub(super) repeated: Repeated,
    pub(super) names: Vec<NameCounts>,
    pub(super) busiest_shard: f64,
}

#[derive(Debug)]
struct Shard {
    link: ShardLink,
    /// An emptied interval, to be given back for its memory.
    spare: Option<Interval>,
    /// How often it was asked without having answered yet.
    awaited_count: usize,
    /// What it is still to be told, before it is asked the next time.
    change: Option<ShardRules>,
    /// Its answers, until the next flush takes them: a late one may stand before the last.
    answers: Vec<HandOver>,
    /// By socket, which its cookie tells: drops up to the last answer.
    drops: Vec<(u64, u32)>,
    /// What its engine had counted at the last answer.
    receive: ReceiveCounters,
    cpu_time: Duration,
    answered: Instant,
    is_full: bool,
    was_busy: bool,
    /// Of one of its sockets, at the last answer.
    receive_buffer_bytes: usize,
    losses: Losses,
}

/// Collects from the shards, and listens to whoever may stop the flusher.
pub(super) struct Collector {
    shards: Vec<Shard>,
    inbox: mpsc::Receiver<Message>,
    max_series: usize,
    repeat_watch: Watch,
    is_stopping: bool,
    reload: Option<Box<Reload>>,
    /// They wait here while a flush goes on.
    visits: VecDeque<Visit>,
}

/// A drain takes a second at most; then the last interval is on its way.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A shard that computes for more than this share of its time should get company.
const BUSY_SHARE: f64 = 0.7;

impl Collector {
    pub(super) fn new(
        shards: Vec<ShardLink>,
        inbox: mpsc::Receiver<Message>,
        max_series: usize,
    ) -> Collector {
        let shards = shards.into_iter().map(|mut link| Shard {
            drops: std::mem::take(&mut link.drops),
            link,
            spare: None,
            awaited_count: 0,
            change: None,
            answers: Vec::new(),
            receive: ReceiveCounters::default(),
            cpu_time: Duration::ZERO,
            answered: Instant::now(),
            is_full: false,
            was_busy: false,
            receive_buffer_bytes: 0,
            losses: Losses::default(),
        });
        Collector {
            shards: shards.collect(),
            inbox,
            max_series,
            repeat_watch: Watch::default(),
            is_stopping: false,
            reload: None,
            visits: VecDeque::new(),
        }
    }

    /// What came to go on in another way, if it did. The shards that are asked from now on do so
    /// behind the interval that they hand over.
    pub(super) fn begin_reload(&mut self) -> Option<Box<Reload>> {
        let reload = self.reload.take()?;
        for shard in &mut self.shards {
            shard.change = Some(reload.shards.clone());
        }
        Some(reload)
    }

    /// The cookie of each socket, and up to which drop of the kernel's was counted there.
    pub(super) fn drops_counted(&self) -> Vec<(u64, u32)> {
        let drops = self.shards.iter().flat_map(|shard| &shard.drops);
        drops.copied().collect()
    }

    /// The shards go by another limit by now.
    pub(super) fn set_max_series(&mut self, max_series: usize) {
        self.max_series = max_series;
    }

    /// Tells each shard what it may add by other rules.
    pub(super) fn grant(&self, grants: Vec<Option<Grants>>) {
        for (shard, grants) in self.shards.iter().zip(grants) {
            if let Some(grants) = grants {
                shard.send(Command::Grant(grants));
            }
        }
    }

    /// The visit that has waited for longest.
    pub(super) fn next_visit(&mut self) -> Option<Visit> {
        self.visits.pop_front()
    }

    /// Whether there was word to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// Takes one message, or says that there was none up to the deadline.
    pub(super) fn receive_until(&mut self, deadline: Instant) -> Result<(), RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.inbox.recv_timeout(left)? {
            Message::Stop => self.is_stopping = true,
            Message::Visit(visit) => self.visits.push_back(visit),
            Message::Reload(reload) => self.reload = Some(reload),
            Message::HandOver(hand_over) => {
                let shard = &mut self.shards[hand_over.shard];
                shard.awaited_count -= 1;
                shard.answers.push(*hand_over);
            }
        }
        Ok(())
    }

    /// Asks all shards and waits for their answers; the last time, for their end.
    pub(super) fn collect(&mut self, is_last: bool, patience: Duration) -> Collected {
        let patience = if is_last { STOP_PATIENCE } else { patience };
        for shard in &mut self.shards {
            if is_last || shard.awaited_count == 0 {
                shard.ask(is_last);
            }
        }
        let mut collected = Collected::default();
        let deadline = Instant::now() + patience;
        while self.shards.iter().any(|shard| shard.awaited_count > 0) {
            if self.receive_until(deadline).is_err() {
                break;
            }
        }
        for (number, shard) in self.shards.iter_mut().enumerate() {
            if shard.awaited_count > 0 && is_last {
                log::error!(
                    "shard {number} did not end within {patience:?}; its last interval is lost"
                );
            } else if shard.awaited_count > 0 {
                log::warn!(
                    "shard {number} did not answer within {patience:?}; \
                     its interval comes with the next flush"
                );
            }
            for answer in std::mem::take(&mut shard.answers) {
                self.repeat_watch.add(&answer.repeated);
                shard.take_account(number, answer, self.max_series, &mut collected);
            }
            if is_last {
                shard.losses.end();
            }
            shard.tell_losses(number);
        }
        collected.repeated = self.repeat_watch.finish(Instant::now());
        collected
    }

    /// Gives the memory of merged intervals back, and tells each shard what it may forget.
    pub(super) fn give_back(&mut self, intervals: Vec<(usize, Interval)>, merger: &mut Merger) {
        for (number, mut interval) in intervals {
            // Most names come in the first interval; what they took would never be used again.
            interval.births = Vec::new();
            interval.reset();
            let shard = &mut self.shards[number];
            shard.spare = Some(interval);
            let silence = merger.silence(number, shard.is_full);
            if silence
                != (Silence {
                    numbering: silence.numbering,
                    ..Silence::default()
                })
            {
                shard.send(Command::Forget(silence));
            }
        }
    }
}

impl Shard {
    fn send(&self, command: Command) {
        if self.link.commands.send(command).is_ok() {
            self.link.waker.wake();
        }
        // Otherwise it has stopped, or the process is about to die of what stopped it.
    }

    fn ask(&mut self, is_last: bool) {
        if let Some(change) = self.change.take() {
            self.send(Command::Change(change));
        }
        self.awaited_count += 1;
        let command = match is_last {
            true => Command::Stop,
            false => Command::Flush(Box::new(self.spare.take().unwrap_or_default())),
        };
        self.send(command);
    }

    fn take_account(
        &mut self,
        number: usize,
        answer: HandOver,
        max_series: usize,
        collected: &mut Collected,
    ) {
        collected.counts.merge(&answer.counts);
        collected.refused_lines.extend(answer.refused_lines);
        let mut drops_here = 0;
        for socket in &answer.sockets {
            // Not by place: one that could not be asked may be missing, and a new one starts from 0.
            let known = (self.drops.iter()).position(|(cookie, _)| *cookie == socket.cookie);
            let place = known.unwrap_or_else(|| {
                self.drops.push((socket.cookie, 0));
                self.drops.len() - 1
            });
            let (_, before) = &mut self.drops[place];
            // The kernel counts in 32 bits.
            drops_here += u64::from(socket.drops.wrapping_sub(*before));
            *before = socket.drops;
            collected.receive_queue_bytes += socket.queue_bytes as u64;
        }
        collected.kernel_drops += drops_here;
        let receive = answer.receive.since(self.receive);
        self.receive = answer.receive;
        if receive.rebuilds > 0 {
            log::error!(
                "shard {number}: the kernel lost completions, and with them up to a ring of \
                 datagrams each of {} times",
                receive.rebuilds
            );
        }
        collected.receive += receive;
        if !answer.is_drained {
            log::error!("shard {number} stopped before it had read all that the kernel held");
        }
        collected.names.push(answer.names);
        let busy = self.watch_load(number, answer.cpu_time, collected);
        self.losses.take(drops_here, busy, Instant::now());
        let receive_buffer_bytes = answer.sockets.first().map(|it| it.receive_buffer_bytes);
        self.receive_buffer_bytes = receive_buffer_bytes.unwrap_or(self.receive_buffer_bytes);
        // A quarter of the room is left for the names of an interval before anyone must go.
        self.is_full = answer.table.spellings >= max_series / 4 * 3 || answer.table.is_tight;
        collected.intervals.push((answer.shard, answer.interval));
    }

    fn tell_losses(&mut self, number: usize) {
        if let Some(said) = self.losses.say(number, self.receive_buffer_bytes) {
            log::error!("{said}");
        }
    }

    fn watch_load(&mut self, number: usize, cpu_time: Duration, collected: &mut Collected) -> f64 {
        let spent = cpu_time.saturating_sub(self.cpu_time);
        let share = spent.as_secs_f64() / self.answered.elapsed().as_secs_f64().max(1e-3);
        self.cpu_time = cpu_time;
        self.answered = Instant::now();
        collected.busiest_shard = collected.busiest_shard.max(share.min(1.0));
        let is_busy = share > BUSY_SHARE;
        if is_busy && !self.was_busy {
            log::warn!(
                "shard {number} was busy for {:.0} % of the interval; more shards would help",
                share * 100.0
            );
        }
        self.was_busy = is_busy;
        share
    }
}
