//! At each deadline collects the shards' intervals, merges, names and formats them, and hands the
//! bytes to the sinks. A thread of its own: shards go on receiving, and sinks go on sending.

mod books;
mod clock;
mod collect;
mod cut;
mod growth;
mod keep;
mod losses;
mod name_log;
mod outputs;
mod reload;
mod schedule;
pub mod state;
mod visit;

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::format::Encoding;
use crate::kernel::Waker;
use crate::metric::{Brakes, InputRules, Limits, Refusal, Refusals, SetKeys};
use crate::naming::{FlushTime, Inputs, Naming};
use crate::shard::{Command, HandOver, RefusedLine};
use crate::sink::{Counters, SinkHandle};
use crate::snapshot::{Idle, IdleRules, Merger, MergerSettings};
use crate::telemetry::{FlushCounts, OwnLines, SlotCounts, Telemetry};

use books::Books;
use clock::Clock;
use collect::Collector;
use cut::{Cut, Sent};
use growth::GrowthLog;
use name_log::NameLog;
pub use name_log::NameLogRules;
use outputs::Outputs;
pub use reload::Reload;
use schedule::{Due, Moment, Schedule};
pub use state::{StateFile, StateFiles};
pub use visit::{Door, Status, Visit};

/// What the flusher is told.
pub enum Message {
    /// A shard hands its interval over.
    HandOver(Box<HandOver>),
    /// Go on in this way after the next flush.
    Reload(Box<Reload>),
    /// Be asked between two flushes.
    Visit(Visit),
    /// Flush a last time and end.
    Stop,
}

/// A shard, seen from the flusher.
#[derive(Debug)]
pub struct ShardLink {
    /// Where it takes commands from.
    pub commands: mpsc::Sender<Command>,
    /// Pulled after each command.
    pub waker: Waker,
    /// The cookies of sockets that are not new, and what the kernel had dropped of each before.
    pub drops: Vec<(u64, u32)>,
}

/// How the flusher is set up.
#[derive(Debug)]
pub struct FlusherSettings {
    /// The flush interval.
    pub interval: Duration,
    /// Whether flushes fall on wall-clock multiples of the interval.
    pub align: bool,
    /// How long a shard may wait for a batch.
    pub max_wait: Duration,
    /// The dialect of the output.
    pub naming: Naming,
    /// What outlives an interval.
    pub idle_rules: IdleRules,
    /// The rules of input, which the shards have too.
    pub input_rules: InputRules,
    /// The limits of each shard's table.
    pub limits: Limits,
    /// Whether timers are weighed.
    pub weighted_timers: bool,
    /// The name of a counter of all samples received; None for none. Not empty.
    pub input_counter: Option<String>,
    /// How own metrics are written; None for none.
    pub own: Option<OwnLines>,
    /// Which names the shards refuse.
    pub brakes: Arc<Brakes>,
    /// Where gauges and what else outlives a restart is kept.
    pub state_file: Option<StateFile>,
    /// How names are written with the number of their lines; None: they are not.
    pub name_log: Option<NameLogRules>,
}

/// A flush waits for a shard for half an interval, within these bounds, beyond the wait for a batch.
const SHARD_PATIENCE_MIN: Duration = Duration::from_millis(100);
const SHARD_PATIENCE_MAX: Duration = Duration::from_secs(2);

/// A full receive buffer is read in less.
const SETTLING_TIME: Duration = Duration::from_millis(100);

/// No receive buffer is large enough to make a shard wait longer for a batch.
const BATCH_WAIT_MAX: Duration = Duration::from_secs(1);

impl FlusherSettings {
    fn of_merger(&self) -> MergerSettings {
        MergerSettings {
            idle: self.idle_rules,
            limits: self.limits,
            weighted_timers: self.weighted_timers,
            sum_order: self.naming.sum_order(),
            counter_samples: self.naming.needs_counter_samples(),
        }
    }

    /// How long the shards get to read what came while the process was stopped.
    fn settling_time(&self) -> Duration {
        (self.max_wait + SETTLING_TIME).min(self.interval / 4)
    }

    /// How long a flush waits for a shard. An answer takes microseconds, but a shard may be in the
    /// wait for a batch, which io_uring does not end early.
    fn shard_patience(&self) -> Duration {
        let patience = (self.interval / 2).clamp(SHARD_PATIENCE_MIN, SHARD_PATIENCE_MAX);
        patience + self.max_wait.min(BATCH_WAIT_MAX)
    }
}

/// A sink and the format that it takes.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// The sink.
    pub sink: SinkHandle,
    /// Its format.
    pub encoding: Encoding,
}

/// What the flusher leaves.
#[derive(Debug)]
pub struct Ended {
    /// For each shard, by the cookie of its socket, up to which drop of the kernel's it has counted.
    pub drops_counted: Vec<(u64, u32)>,
    /// Where the last state is being written.
    pub state_file: Option<StateFile>,
}

/// The flusher.
pub struct Flusher {
    settings: FlusherSettings,
    clock: Clock,
    schedule: Schedule,
    collector: Collector,
    merger: Merger,
    outputs: Outputs,
    telemetry: Option<Telemetry>,
    name_log: Option<NameLog>,
    /// The counters of the sinks at the last flush, in the order of the outlets.
    told: Vec<Counters>,
    /// How many points each sink got in it.
    points: u64,
    /// What is told to visits.
    status: Status,
    growth_log: GrowthLog,
    books: Books,
    /// A slot that goes on from the process before, until it is flushed.
    cut: Option<Cut>,
    /// Slots whose first part was given up since the last flush.
    slots_halved: u64,
    /// The state file of the start, if settings that were read again have another one and its disk has not
    /// answered: it may hold the first part of a slot.
    left_state_file: Option<StateFile>,
    /// The end of the first slot that was flushed here.
    first_end: Option<Duration>,
    /// What the members of sets are hashed with.
    set_keys: Option<SetKeys>,
}

impl Flusher {
    /// A flusher that collects from these shards. The first slot begins now, or goes on from where a
    /// state file was written.
    pub fn new(
        mut settings: FlusherSettings,
        shards: Vec<ShardLink>,
        inbox: mpsc::Receiver<Message>,
        outlets: Vec<Outlet>,
    ) -> Flusher {
        let clock = Clock::start();
        let now = clock.now();
        let mut schedule = Schedule::new(settings.interval, settings.align, now);
        let merger = || Merger::new(settings.of_merger(), shards.len());
        let (mut merger, rest) = (
            merger().with_brakes(Arc::clone(&settings.brakes)),
            outlets.iter().any(|it| it.sink.adds_up()).then(merger),
        );
        let found = settings.state_file.as_mut().and_then(StateFile::take_found);
        let cut = found.and_then(|state| {
            Cut::take_over(state, &settings, (&mut schedule, now), &mut merger, rest)
        });
        let telemetry = settings.own.as_ref().map(|own| {
            let names = outlets.iter().map(|outlet| outlet.sink.name().to_owned());
            Telemetry::new(own, names.map(|name| (name, Counters::default())))
        });
        Flusher {
            schedule,
            clock,
            collector: Collector::new(shards, inbox, settings.limits.max_series),
            merger,
            outputs: Outputs::new(outlets),
            telemetry,
            name_log: settings.name_log.clone().map(NameLog::new),
            told: Vec::new(),
            points: 0,
            status: Status::default(),
            growth_log: GrowthLog::new(Instant::now()),
            books: Books::default(),
            cut,
            slots_halved: 0,
            left_state_file: None,
            first_end: None,
            set_keys: None,
            settings,
        }
    }

    /// Says what the shards hash the members of sets with, so that those of a slot which a restart
    /// cuts in two can be merged.
    #[must_use]
    pub fn hashing_sets_with(self, keys: SetKeys) -> Flusher {
        Flusher {
            set_keys: Some(keys),
            ..self
        }
    }

    /// Flushes until it is told to stop; the last flush is complete when this returns, but for the disk.
    pub fn run(mut self) -> Ended {
        step_back();
        loop {
            let end = self.wait();
            if self.schedule.has_skipped(end, self.clock.now()) {
                // What waits in the sockets since belongs to the slots that are joined.
                self.wait_until(Instant::now() + self.settings.settling_time());
            }
            let stopping = self.collector.is_stopping();
            let now = self.clock.now();
            let due = self.schedule.flush(end, now);
            self.clock.tell(&due, now);
            let reload = self.collector.begin_reload();
            self.flush(due, now, stopping);
            if stopping {
                // What is sent from here on each sink accounts for when it ends.
                self.close_books();
                return Ended {
                    drops_counted: self.collector.drops_counted(),
                    state_file: self.settings.state_file,
                };
            }
            if let Some(reload) = reload {
                self.reload(*reload, due);
            }
        }
    }

    /// Waits for the end of a slot, or until there is word to stop; returns that end.
    fn wait(&mut self) -> Duration {
        loop {
            let now = self.clock.now();
            let end = self.schedule.next(now);
            self.wait_until(Instant::now() + end.saturating_sub(now.wall));
            // Waits are on the steady clock. One that was set back meanwhile has some way to go.
            if self.collector.is_stopping() || self.schedule.is_over(end, self.clock.now()) {
                return end;
            }
        }
    }

    /// Receives what comes up to this time, or until there is word to stop.
    fn wait_until(&mut self, deadline: Instant) {
        while !self.collector.is_stopping() {
            if let Some(visit) = self.collector.next_visit() {
                self.receive(visit);
                // However many there are, a flush waits for one of them at most.
                if Instant::now() >= deadline {
                    return;
                }
                continue;
            }
            match self.collector.receive_until(deadline) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    unreachable!("the daemon holds a sender until the flusher has ended")
                }
            }
        }
    }

    fn flush(&mut self, due: Due, now: Moment, stopping: bool) {
        let began = Instant::now();
        let patience = self.settings.shard_patience();
        let mut collected = self.collector.collect(stopping, patience);
        let mut counts = FlushCounts {
            shards: collected.counts,
            kernel_drops: collected.kernel_drops,
            receive_queue_bytes: collected.receive_queue_bytes,
            receive: collected.receive,
            repeated: collected.repeated,
            busiest_shard: collected.busiest_shard,
            late: now.wall.saturating_sub(due.end),
            slots_skipped: due.skipped,
            slots_repeated: u64::from(due.is_repeated),
            ..FlushCounts::default()
        };
        log_refused_lines(&collected.refused_lines);
        self.status.add(&collected.counts, now.wall.as_secs());
        // Taken before any part of this flush is handed over: `points` and the counters of the
        // sinks tell of the same flushes then.
        let outlets = self.outputs.outlets().iter();
        self.told = outlets.map(|outlet| outlet.sink.counters()).collect();
        let (ledger, outlets) = (&mut self.status.ledger, self.outputs.outlets());
        counts.ledger_unbalanced = !self.books.close(ledger, outlets, &self.told);
        if let Some(names) = &mut self.name_log {
            names.add(
                collected.names,
                &self.settings.input_rules,
                due.end.as_secs(),
            );
        }
        let cut = self.take_cut(due.end, &collected.intervals);
        if stopping {
            self.give_up_cut("a second restart came");
        }
        self.miss_late_state(due);
        counts.slots_halved = std::mem::take(&mut self.slots_halved);
        let length = cut.as_ref().map_or(due.length, |cut| cut.slot.length);
        let time = FlushTime {
            end_unix_s: due.end.as_secs(),
            length_s: length.as_secs_f64(),
            interval_s: self.settings.interval.as_secs_f64(),
        };
        let intervals = &mut collected.intervals;
        let mut sent = cut.map(|cut| self.merge_both_parts(cut, intervals, counts.clone(), time));
        let mut totals = SlotCounts::default();
        match &mut sent {
            Some(sent) => std::mem::swap(&mut totals, &mut sent.counts),
            None => {
                self.outputs.begin(time.end_unix_s);
                self.merger.merge(intervals);
            }
        }
        counts.collecting = began.elapsed();
        let open = stopping.then(|| self.open_slot(due, length)).flatten();
        let inputs = totals.add("inputs", counts.shards.inputs());
        let (settings, outputs) = (&self.settings, &mut self.outputs);
        write_series(
            settings,
            &mut self.merger,
            &mut counts,
            inputs,
            time,
            outputs,
        );
        counts.brakes = self.merger.brake_counts().clone();
        let growth = self.merger.take_growth();
        self.growth_log.take(&growth, Instant::now(), stopping);
        counts.duration = began.elapsed();
        self.finish(&counts, time, &mut totals, sent);
        self.collector
            .give_back(collected.intervals, &mut self.merger);
        self.keep_state(due, open, &totals);
        log::debug!(
            "flushed {} series in {:?}",
            counts.merger.reported.iter().sum::<u64>(),
            began.elapsed()
        );
    }

    /// Ends the record of the last slot.
    fn close_books(&mut self) {
        let outlets = self.outputs.outlets();
        let now: Vec<_> = outlets
            .iter()
            .map(|outlet| outlet.sink.counters())
            .collect();
        self.books.close(&mut self.status.ledger, outlets, &now);
    }

    /// Adds the daemon's own metrics, and hands the rest of what was written to the sinks. Of a slot
    /// that was cut `sent` is what some of them have got already.
    fn finish(
        &mut self,
        counts: &FlushCounts,
        time: FlushTime,
        totals: &mut SlotCounts,
        sent: Option<Sent>,
    ) {
        if let Some(telemetry) = &mut self.telemetry {
            let mut out = self.outputs.without_screen();
            let naming = &self.settings.naming;
            telemetry.write(counts, &self.told, naming, time, totals, &mut out);
        }
        let note = refused_note(&counts.shards.refusals);
        self.points = self.outputs.finish(&note);
        let mut points: Vec<u64> = self.outputs.handed_over().collect();
        if let Some(sent) = sent {
            points = sent.handed_over(&self.outputs);
            self.points = points.iter().copied().max().unwrap_or_default();
            self.outputs = Outputs::new(sent.outlets);
        }
        let (ledger, outlets) = (&mut self.status.ledger, self.outputs.outlets());
        (self.books).open(ledger, time, counts, outlets, &self.told, &points);
        if let Some(telemetry) = &mut self.telemetry {
            telemetry.handed_over(self.points);
        }
    }
}

/// Writes the points of all series that a merger reports, and counts what came of them. So many
/// samples were received in the slot.
fn write_series(
    settings: &FlusherSettings,
    merger: &mut Merger,
    counts: &mut FlushCounts,
    received: u64,
    time: FlushTime,
    outputs: &mut Outputs,
) {
    let naming = &settings.naming;
    let counter = settings.input_counter.as_deref();
    let mut inputs = counter.map(|name| Inputs::new(name, received));
    merger.summaries(|metric_type, name, summary| {
        if let Some(inputs) = &mut inputs
            && inputs.take(metric_type, name, &summary)
        {
            return;
        }
        naming.points(metric_type, name, &summary, time, outputs);
    });
    counts.merger = merger.counts();
    if let Some(inputs) = inputs {
        let zero = settings.idle_rules.idle.counters != Idle::Quiet;
        inputs.points(naming, zero, time, outputs);
    }
    naming.closing_points(counts.merger.spoke, time, outputs);
    counts.points_not_finite = outputs.take_not_finite();
}

/// Lets shards go first where a flush and a shard share a core: the thread that calls it gets about a
/// tenth of a core that others want, and all of one that nobody wants.
fn step_back() {
    if let Err(error) = rustix::process::nice(NICENESS) {
        log::debug!("cannot lower the priority of the flusher: {error}");
    }
}

/// What is added to the niceness of the flusher. On Linux it is that of a thread.
const NICENESS: i32 = 10;

/// What a person should know who misses something: how much was refused and why; empty if nothing
/// was.
fn refused_note(refusals: &Refusals) -> String {
    let reasons = Refusal::ALL.into_iter().filter_map(|reason| {
        let count = refusals.of(reason);
        (count > 0).then(|| format!("{} {count}", reason.word()))
    });
    match refusals.total() {
        0 => String::new(),
        total => {
            let reasons = reasons.collect::<Vec<_>>().join(", ");
            format!("{total} refused ({reasons}); -v logs some of them")
        }
    }
}

fn log_refused_lines(refused: &[RefusedLine]) {
    for RefusedLine { reason, line } in refused {
        log::debug!("refused ({}): {}", reason.word(), line.escape_ascii());
    }
}

#[cfg(test)]
mod tests;
