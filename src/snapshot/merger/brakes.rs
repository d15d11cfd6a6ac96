//! What the emergency brake comes to over all shards.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BrakeCounts, Merger};
use crate::metric::{Brakes, Grants, Growth, Interval, MetricType};
use crate::snapshot::quotas::Quotas;

impl Merger {
    /// Brakes that hold from the beginning on. To be called before anything is merged or restored.
    #[must_use]
    pub fn with_brakes(mut self, brakes: Arc<Brakes>) -> Merger {
        // Levels of gauges may be restored that are denied by now.
        self.may_have_outdated = brakes.denies_any();
        self.quotas = Quotas::new(brakes, self.seats.len());
        self
    }

    /// Goes on by other brakes, between two merges. Series that are denied now go when no shard knows
    /// them any more; the others count in quotas, and none goes because there are too many.
    pub fn change_brakes(&mut self, brakes: Arc<Brakes>) {
        if *brakes == **self.quotas.brakes() {
            return;
        }
        self.may_have_outdated |= brakes.denies_any();
        self.quotas = Quotas::anew(brakes, self.seats.len());
        if !self.quotas.are_any() {
            return;
        }
        for metric_type in MetricType::ALL {
            let directory = &self.directories[metric_type as usize];
            for (_, entry) in directory.iter() {
                let name = directory.name(entry);
                self.quotas
                    .add(metric_type, &[name.path, name.tags].concat());
            }
        }
        self.quotas.share_out();
    }

    /// What each shard may add by brakes that have just changed.
    pub fn take_grants(&mut self) -> Vec<Option<Grants>> {
        let shards = 0..self.seats.len();
        shards.map(|shard| self.quotas.take_grants(shard)).collect()
    }

    /// What the brakes did in the last interval.
    pub fn brake_counts(&self) -> &BrakeCounts {
        &self.brake_counts
    }

    /// Where names were new, or refused, since the last call.
    pub fn take_growth(&mut self) -> Growth {
        std::mem::take(&mut self.growth)
    }

    pub(super) fn begin_brakes(&mut self) {
        self.brake_counts = BrakeCounts::default();
        // A rule that refuses nothing is told of as well.
        let (deny, quotas) = self.quotas.brakes().words();
        let none = |words: Vec<String>| words.into_iter().map(|word| (word, 0)).collect();
        self.brake_counts.denied = none(deny);
        self.brake_counts.over_quota = none(quotas);
    }

    pub(super) fn note_brakes(&mut self, shard: usize, interval: &Interval) {
        self.growth.merge(&interval.growth);
        self.quotas.answered(shard, interval);
        if interval.refused_by_rule.is_empty() {
            return;
        }
        let (deny, quotas) = interval.brakes.words();
        let (denied, over_quota) = interval.refused_by_rule.split_at(deny.len());
        add(&mut self.brake_counts.denied, deny, denied);
        add(&mut self.brake_counts.over_quota, quotas, over_quota);
    }

    pub(super) fn end_brakes(&mut self) {
        self.quotas.share_out();
        let (_, quotas) = self.quotas.brakes().words();
        let counts = self.quotas.counts();
        add(&mut self.brake_counts.quota_series, quotas, counts);
    }
}

fn add(to: &mut BTreeMap<String, u64>, words: Vec<String>, counts: &[u64]) {
    for (word, count) in words.into_iter().zip(counts) {
        *to.entry(word).or_default() += count;
    }
}
