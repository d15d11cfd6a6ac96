//! What a merger tells between two merges, and series that it forgets by name.

use super::Merger;
use crate::metric::MetricType;
use crate::snapshot::directory::Entry;
use crate::snapshot::texts::SeriesName;

/// A timer, as the last merge left it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimerValues<'a> {
    /// Its values, without those that only a sketch has.
    pub values: &'a [f64],
    /// How many samples it got.
    pub received: u64,
}

impl Merger {
    /// The counters that the last flush reported, with their sums.
    pub fn sums(&self) -> impl Iterator<Item = (SeriesName<'_>, f64)> {
        self.known(MetricType::Counter).filter_map(|(slot, name)| {
            let sum = self.sums.get(slot as usize)?;
            Some((name, *sum))
        })
    }

    /// The timers that the last flush reported, with their values.
    pub fn timer_values(&self) -> impl Iterator<Item = (SeriesName<'_>, TimerValues<'_>)> {
        self.known(MetricType::Timer).map(|(slot, name)| {
            let (values, received) = self.timers.values(slot);
            (name, TimerValues { values, received })
        })
    }

    /// Forgets series of a type by name: one series, or with `.*` at the end all below it. Each is
    /// handed over. A gauge loses its level, and silent series are not reported any more. Samples of
    /// the interval that is under way make them known again.
    pub fn forget(
        &mut self,
        metric_type: MetricType,
        names: &[u8],
        mut each: impl FnMut(SeriesName<'_>),
    ) {
        let folder = names.strip_suffix(b"*").filter(|it| it.ends_with(b"."));
        let is_meant = |name: SeriesName<'_>| {
            let is = |text: &[u8]| {
                let tags = text.get(name.path.len()..);
                text.starts_with(name.path) && tags == Some(name.tags)
            };
            is(names) || folder.is_some_and(|folder| name.path.starts_with(folder))
        };
        let mut slots = Vec::new();
        for (slot, name) in self.known(metric_type) {
            if is_meant(name) {
                each(name);
                slots.push(slot);
            }
        }
        for slot in slots {
            let directory = &mut self.directories[metric_type as usize];
            let is_referred_to = directory
                .entry(slot)
                .is_some_and(|entry| entry.is_referred_to());
            if is_referred_to {
                directory.drop_level(slot);
                directory.hush(slot);
            } else {
                self.remove(metric_type, slot);
                self.removed += 1;
            }
        }
    }

    /// The series of a type that were reported, or have a level.
    fn known(&self, metric_type: MetricType) -> impl Iterator<Item = (u32, SeriesName<'_>)> {
        let directory = &self.directories[metric_type as usize];
        let patience = self.patience_flushes(metric_type);
        let is_known = move |slot: u32, entry: Entry| match metric_type {
            MetricType::Gauge => directory.level(slot).is_some(),
            _ => {
                let silent_flushes = self.now.wrapping_sub(entry.spoke_at);
                silent_flushes <= patience && !directory.is_hushed(slot)
            }
        };
        let known = directory
            .iter()
            .filter(move |&(slot, entry)| is_known(slot, entry));
        known.map(|(slot, entry)| (slot, directory.name(entry)))
    }
}
