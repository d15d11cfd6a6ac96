//! Feeds each slot to a command: a shell is started for it, reads its bytes, and ends.
//!
//! statsite's protocol with its `stream_cmd`: one start for each flush, even one without points;
//! the bytes and then the end of the file on its standard input; its exit status says whether it
//! has taken them. What it was fed before it failed may be fed again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::backoff::Backoff;
use super::{Part, Queue};

mod complaints;
mod run;

use run::Failure;

/// How long a command sink waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one run to end, before it is killed.
    pub run: Duration,
    /// The same for a run that other slots wait behind when the daemon stops.
    pub last_run: Duration,
    /// Between two attempts, at first.
    pub backoff_min: Duration,
    /// Between two attempts, after many that failed.
    pub backoff_max: Duration,
    /// A command that takes longer than this again and again falls behind.
    pub flush_interval: Duration,
}

impl Patience {
    /// The usual patience with this time between two flushes, which a run may last. What always fails
    /// at once is tried three times in half of it, and so keeps up.
    pub fn new(flush_interval: Duration) -> Patience {
        Patience {
            run: flush_interval,
            last_run: LAST_RUN,
            backoff_min: BACKOFF_MIN,
            backoff_max: (flush_interval / 4).max(BACKOFF_MIN),
            flush_interval,
        }
    }
}

/// One command sink.
pub struct CommandSink {
    /// What `sh -c` is to run.
    pub command: String,
    /// What to feed it: each part is a whole slot.
    pub queue: Arc<Queue>,
    /// How long to wait for what, as the settings say at the moment.
    pub patience: watch::Receiver<Patience>,
}

impl CommandSink {
    /// Runs the command for each slot, one after the other, until the queue is closed and empty.
    /// Runs in a `LocalSet`. A run that is under way when this is dropped is killed.
    pub async fn run(self) {
        let Patience {
            backoff_min,
            backoff_max,
            ..
        } = self.patience();
        let mut backoff = Backoff::new(backoff_min, backoff_max);
        let mut trouble = Trouble::default();
        while let Some(slot) = self.queue.take().await {
            backoff.limit(self.patience().backoff_max);
            self.deliver(&slot, &mut backoff, &mut trouble).await;
        }
        trouble.tell(self.queue.name());
    }

    /// Feeds a slot to the command, again if it fails, until the slot is sent or given up.
    async fn deliver(&self, slot: &Part, backoff: &mut Backoff, trouble: &mut Trouble) {
        for attempt in 1.. {
            let name = self.queue.name();
            let began = Instant::now();
            let Err(failure) = run::run(name, &self.command, slot, self.time_over()).await else {
                // The command has the slot: nothing is ever repeated.
                let _ = self.queue.sent();
                backoff.reset();
                trouble.end(name);
                if began.elapsed() > self.patience().flush_interval {
                    trouble.fall_behind(name, self.queue.waiting_count());
                }
                return;
            };
            trouble.begin(name, &failure);
            if attempt == ATTEMPTS_MAX || self.others_go_first() {
                self.queue.give_up();
                trouble.lose(name, slot.lines, &failure);
                return;
            }
            backoff.pause(&self.queue).await;
        }
    }

    fn patience(&self) -> Patience {
        *self.patience.borrow()
    }

    /// Whether a slot that failed is not to be tried again because others wait.
    fn others_go_first(&self) -> bool {
        let behind_max = match self.queue.is_closed() {
            // Little time is left.
            true => 0,
            false => BEHIND_MAX,
        };
        self.queue.waiting_count() > behind_max
    }

    /// Waits until a run that begins now has had its time.
    async fn time_over(&self) {
        tokio::select! {
            () = tokio::time::sleep(self.patience().run) => {}
            () = self.others_are_pressed() => {}
        }
    }

    /// Waits until the daemon stops while other slots wait, and a moment longer: a command that hangs
    /// must not take all the time that is left for them.
    async fn others_are_pressed(&self) {
        self.queue.closed().await;
        if self.queue.waiting_count() == 0 {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(self.patience().last_run).await;
    }
}

/// Since when a command has failed, so that a failure that lasts makes a line a minute and not four a
/// slot; and when a log line last told that it is slow.
#[derive(Default)]
struct Trouble {
    slow_told: Option<Instant>,
    since: Option<Instant>,
    /// Lost lines that no log line has told of, why the last of them were lost, and when a log line
    /// last told of any.
    untold: Option<(u64, String)>,
    told: Option<Instant>,
}

impl Trouble {
    fn begin(&mut self, sink: &str, failure: &Failure) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            log::warn!(
                "sink {sink} fails: {failure}; a slot is tried {ATTEMPTS_MAX} times at most"
            );
        }
    }

    fn lose(&mut self, sink: &str, lines: u64, failure: &Failure) {
        if lines == 0 {
            return;
        }
        let lines_before = self.untold.take().map_or(0, |(lines, _)| lines);
        self.untold = Some((lines_before + lines, failure.to_string()));
        if self.told.is_none_or(|told| told.elapsed() > TELL_EVERY) {
            self.tell(sink);
        }
    }

    fn tell(&mut self, sink: &str) {
        if let Some((lines, reason)) = self.untold.take() {
            self.told = Some(Instant::now());
            log::error!(
                "sink {sink}: lost {lines} lines that the command did not take: {reason}; what it \
                 writes to its standard error stands above"
            );
        }
    }

    /// After a run that took longer than the flush interval, while so many slots wait: the one that came
    /// meanwhile, and others if this was not the first such run.
    fn fall_behind(&mut self, sink: &str, waiting: usize) {
        if waiting > 1
            && self
                .slow_told
                .is_none_or(|told| told.elapsed() > TELL_EVERY)
        {
            self.slow_told = Some(Instant::now());
            log::warn!(
                "sink {sink}: the command takes longer than the flush interval; {waiting} intervals \
                 wait"
            );
        }
    }

    fn end(&mut self, sink: &str) {
        if let Some(since) = self.since.take() {
            self.tell(sink);
            log::info!(
                "sink {sink} works again after {:.1} s",
                since.elapsed().as_secs_f64()
            );
        }
    }
}

/// How often a slot is fed to the command at most.
const ATTEMPTS_MAX: u32 = 3;

/// A slot that failed is not tried again while more than so many wait behind it, or one command that
/// always hangs would fall behind for ever.
const BEHIND_MAX: usize = 2;

/// The shortest pause between two attempts.
const BACKOFF_MIN: Duration = Duration::from_millis(100);

/// How long a run may last that others wait for when the daemon stops, which waits for 5 seconds in all.
const LAST_RUN: Duration = Duration::from_secs(2);

/// The least time between two log lines about lost lines, and between two about a slow command.
const TELL_EVERY: Duration = Duration::from_secs(60);
