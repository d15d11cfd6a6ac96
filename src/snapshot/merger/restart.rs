//! What a merger hands to the process after it, and what it takes over from the one before: series
//! that outlive a slot, and the part of a slot that was cut in two.

use std::time::Duration;

use super::{Interval, Merger, MetricType, SeriesName};
use crate::metric::Counter;
use crate::snapshot::partial::{Partial, Piece};

/// A series that is reported while it is silent, or has a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lasting<'a> {
    /// Its type.
    pub metric_type: MetricType,
    /// Its name.
    pub name: SeriesName<'a>,
    /// For how long it has been silent at the end of the last slot.
    pub silent: Duration,
    /// The level of a gauge.
    pub level: Option<f64>,
}

impl Merger {
    /// The series that outlive a restart. `is_open` asks between [`Merger::merge`] and
    /// [`Merger::summaries`], for a slot that goes on in another process: those that would expire with
    /// it may speak there.
    pub fn lasting(&self, is_open: bool) -> impl Iterator<Item = Lasting<'_>> {
        MetricType::ALL.into_iter().flat_map(move |metric_type| {
            let directory = &self.directories[metric_type as usize];
            let all = self.lasts(metric_type).then(|| directory.iter());
            all.into_iter().flatten().filter_map(move |(slot, entry)| {
                let silent_flushes = self.now.wrapping_sub(entry.spoke_at);
                let is_gauge = metric_type == MetricType::Gauge;
                let level = match is_open && is_gauge && silent_flushes == 0 {
                    true => self.level_after(slot),
                    false => directory.level(slot),
                };
                let is_over = self.is_over(metric_type, silent_flushes, u32::from(is_open));
                let is_hushed = directory.is_hushed(slot) && silent_flushes > 0;
                if is_over || is_hushed || (is_gauge && level.is_none()) {
                    return None;
                }
                Some(Lasting {
                    metric_type,
                    name: directory.name(entry),
                    silent: self.rules.interval.saturating_mul(silent_flushes),
                    level,
                })
            })
        })
    }

    /// The level that a gauge will be kept with behind the summaries of this merge.
    fn level_after(&self, slot: u32) -> Option<f64> {
        let directory = &self.directories[MetricType::Gauge as usize];
        let level = directory.level(slot);
        Some(self.level_at_end(slot))
            .filter(|after| after.is_finite())
            .or(level)
    }

    /// What a gauge that spoke comes to.
    fn level_at_end(&self, slot: u32) -> f64 {
        let directory = &self.directories[MetricType::Gauge as usize];
        let lives = self.rules.gauge_level_lives;
        let previous = directory.level(slot).filter(|_| lives);
        self.gauges[slot as usize].level(previous.unwrap_or_default())
    }

    /// Whether nothing of a series is left that has been silent for so long; `grace_flushes` are added
    /// to what is set.
    fn is_over(&self, metric_type: MetricType, silent_flushes: u32, grace_flushes: u32) -> bool {
        let patience = self.patience_flushes(metric_type);
        silent_flushes > patience.saturating_add(grace_flushes)
            && !self.rules.keeps_quiet_level(metric_type)
    }

    /// The gauges and their levels.
    pub fn levels(&self) -> impl Iterator<Item = (SeriesName<'_>, f64)> {
        let directory = &self.directories[MetricType::Gauge as usize];
        directory.iter().filter_map(|(slot, entry)| {
            let level = directory.level(slot)?;
            Some((directory.name(entry), level))
        })
    }

    /// Whether series of a type outlive an interval at all.
    fn lasts(&self, metric_type: MetricType) -> bool {
        self.patience_flushes(metric_type) > 0 || self.rules.keeps_quiet_level(metric_type)
    }

    /// Takes a series over that will have been silent for so long at the end of the first slot,
    /// unless it speaks. Returns false if it does not outlive that, or has no room.
    pub fn restore(&mut self, series: &Lasting<'_>) -> bool {
        let Lasting { metric_type, .. } = *series;
        // The nearest number: slots may not be cut where they were.
        let interval_ns = self.rules.interval.as_nanos().max(1);
        let silent_flushes = (series.silent.as_nanos() + interval_ns / 2) / interval_ns;
        let silent_flushes = u32::try_from(silent_flushes).unwrap_or(u32::MAX);
        // It may speak in the first slot, before it expires with that.
        let is_over = self.is_over(metric_type, silent_flushes, 1);
        let has_room = self.series_count() < self.limits.series;
        if is_over || !self.lasts(metric_type) || !has_room {
            return false;
        }
        let first = self.now.wrapping_add(1);
        let spoke_at = first.wrapping_sub(silent_flushes.min(u32::MAX / 2));
        let name = [series.name.path, series.name.tags].concat();
        if self.quotas.brakes().denied_by(&name).is_some() {
            return false;
        }
        let directory = &mut self.directories[metric_type as usize];
        let (slot, is_new) = directory.restore(&name, spoke_at);
        if let Some(level) = series.level {
            directory.set_level(slot, level);
        }
        if is_new {
            self.quotas.add(metric_type, &name);
        }
        true
    }

    /// What each series that spoke in this slot came to, to be merged with the rest of it. To be
    /// asked between [`Merger::merge`] and [`Merger::summaries`].
    pub fn pieces(&self, mut each: impl FnMut(SeriesName<'_>, Piece<'_>)) {
        for metric_type in MetricType::ALL {
            let directory = &self.directories[metric_type as usize];
            let spoke = directory.iter().filter(|(_, it)| it.spoke_at == self.now);
            for (slot, entry) in spoke {
                let at = slot as usize;
                let piece = match metric_type {
                    MetricType::Counter => Piece::Counter(Counter {
                        sum: self.sums[at],
                        count: self.samples.get(at).copied().unwrap_or(1.0),
                    }),
                    MetricType::Timer => self.timers.piece(slot),
                    MetricType::Gauge => Piece::Gauge(self.level_at_end(slot)),
                    MetricType::Set => Piece::Set(&self.sets[at]),
                    MetricType::KeyValue => continue,
                };
                each(directory.name(entry), piece);
            }
        }
        let directory = &self.directories[MetricType::KeyValue as usize];
        for &(slot, value, time_unix_s) in &self.key_values {
            if let Some(entry) = directory.entry(slot) {
                let piece = Piece::KeyValue { value, time_unix_s };
                each(directory.name(entry), piece);
            }
        }
    }

    /// As [`Merger::merge`], with the part of the slot that an earlier process took in before. Its
    /// series count as new where they came into being.
    pub fn merge_whole(&mut self, part: Partial, intervals: &mut Vec<(usize, Interval)>) {
        let next = self.now.wrapping_add(1);
        for birth in &part.interval.births {
            let directory = &mut self.directories[birth.id.metric_type as usize];
            let (_, is_new) = directory.restore(&birth.name, next);
            if is_new {
                self.quotas.add(birth.id.metric_type, &birth.name);
            }
        }
        // For the length of this merge it is one shard more, and the first one: of two points of one
        // path and time the later one counts.
        let shard = self.seats.len();
        self.seats.push(Default::default());
        self.numberings.push(part.interval.numbering);
        intervals.insert(0, (shard, part.interval));
        self.merge(intervals);
        intervals.remove(0);
        self.unseat_all(shard);
        self.seats.pop();
        self.numberings.pop();
    }
}
