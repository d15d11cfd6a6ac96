//! A merger that goes on by other rules: what was told, remembered and reported stays, as far as
//! the new rules know it.

use std::time::Duration;

use super::{Merger, MergerLimits, MergerSettings};
use crate::metric::{InputRules, MetricType};

impl Merger {
    /// Goes on by other rules, between two merges. Series stay, and have been silent for as long as
    /// before; gauges keep their levels. Where names come about differently, shards tell of all
    /// their series anew; a series that none of them tells of then, and whose name the new rules
    /// would never give, is forgotten.
    pub fn change(&mut self, settings: MergerSettings, input: InputRules) {
        if settings.idle.interval != self.rules.interval {
            self.count_silence_anew(self.rules.interval, settings.idle.interval);
        }
        self.rules = settings.idle;
        self.limits = MergerLimits::new(settings, self.seats.len());
        self.weighted_timers = settings.weighted_timers;
        self.sum_order = settings.sum_order;
        self.counter_samples = settings.counter_samples;
        self.input = Some(input);
    }

    /// Silence is counted in flushes, whose distance changes.
    fn count_silence_anew(&mut self, before: Duration, after: Duration) {
        let now = self.now;
        let anew = |spoke_at: &mut u32| {
            let silent_flushes = now.wrapping_sub(*spoke_at);
            let time = before.as_nanos() * u128::from(silent_flushes);
            let flushes = u32::try_from(time / after.as_nanos().max(1));
            // Half of the range is more than any time of silence that is looked at, and far
            // from where it wraps around.
            *spoke_at = now.wrapping_sub(flushes.unwrap_or(u32::MAX).min(u32::MAX / 2));
        };
        for directory in &mut self.directories {
            directory.all_spoke_at().for_each(anew);
        }
        for seat in self.seats.iter_mut().flatten().flatten() {
            anew(&mut seat.spoke_at);
        }
    }

    /// All series of a shard are forgotten there.
    pub(super) fn unseat_all(&mut self, shard: usize) {
        for (directory, seats) in self.directories.iter_mut().zip(&mut self.seats[shard]) {
            for merged in seats.drain(..).filter_map(super::Seat::merged) {
                directory.release(merged);
            }
        }
    }

    /// Removes the series that no shard knows any more and none could tell of again. Returns whether
    /// there are more of them: a shard that was late has just told of these for the last time, and
    /// they are still to be reported.
    pub(super) fn remove_outdated(&mut self) -> bool {
        let input = self.input;
        let mut is_any_left = false;
        for metric_type in MetricType::ALL {
            let directory = &self.directories[metric_type as usize];
            let mut outdated = Vec::new();
            for (slot, entry) in directory.iter() {
                let name = directory.name(entry);
                let name = [name.path, name.tags].concat();
                if entry.is_referred_to() {
                    // A shard that was late has yet to forget it.
                    is_any_left |= self.quotas.brakes().denied_by(&name).is_some();
                    continue;
                }
                let could_come = input.is_none_or(|input| input.could_make(&name));
                if could_come && self.quotas.brakes().denied_by(&name).is_none() {
                    continue;
                }
                match entry.spoke_at == self.now {
                    true => is_any_left = true,
                    false => outdated.push(slot),
                }
            }
            self.counts.expired += outdated.len() as u64;
            for slot in outdated {
                self.remove(metric_type, slot);
            }
        }
        is_any_left
    }
}
