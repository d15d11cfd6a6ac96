//! Which new names a table takes: those that no brake refuses, as long as there is room.

use std::sync::Arc;

use super::{SlotId, Table};
use crate::metric::brakes::{Brakes, Braking, Grants, Rule};
use crate::metric::name::make_safe;
use crate::metric::names::{Found, Names};
use crate::metric::refusal::Refusal;
use crate::metric::refused::{REFUSED_BYTES_MAX, REFUSED_MAX};
use crate::metric::samples::MetricType;

impl Table {
    /// Holds a new spelling against the brakes. A name that is refused is remembered, so that it
    /// need not be held against them again.
    pub(super) fn brake(
        &mut self,
        metric_type: MetricType,
        found: &Found,
        name: &[u8],
        tags: &[u8],
    ) -> Result<(), Refusal> {
        let names = &mut self.names[metric_type as usize];
        // A known series may be spelled in another way.
        if names.has_series(&self.safe_name) {
            return Ok(());
        }
        let Err(rule) = self.braking.check(metric_type, &self.safe_name) else {
            return Ok(());
        };
        let reason = match self.braking.brakes.quota_of_rule(rule) {
            Some(_) => Refusal::Quota,
            None => Refusal::Denied,
        };
        if reason == Refusal::Quota {
            self.interval.growth.note_refused(&self.safe_name);
        }
        let is_short = name.len() + tags.len() <= REFUSED_BYTES_MAX;
        let refused_count: usize = self.names.iter().map(Names::refused_count).sum();
        let names = &mut self.names[metric_type as usize];
        if is_short && refused_count < REFUSED_MAX && names.has_room() {
            names.refuse(found, name, tags, (rule, reason));
        } else {
            self.count_refused(rule, 1);
        }
        Err(reason)
    }

    /// Refuses a name that was refused before.
    #[inline]
    pub(in crate::metric) fn refuse_again(&mut self, kind: MetricType, slot: u32) -> Refusal {
        self.names[kind as usize].refuse_again(slot)
    }

    /// Counts by their rules what was refused of names that are remembered, and forgets the silent ones
    /// of these.
    pub(super) fn settle_refused(&mut self) {
        for kind in MetricType::ALL {
            let mut names = std::mem::take(&mut self.names[kind as usize]);
            names.settle_refused(|rule, links| self.count_refused(rule, links));
            self.names[kind as usize] = names;
        }
    }

    fn count_refused(&mut self, rule: Rule, links: u64) {
        let counts = &mut self.interval.refused_by_rule;
        if counts.is_empty() {
            counts.resize(self.braking.brakes.rule_count(), 0);
        }
        counts[rule.index()] += links;
    }

    /// Forgets the longest silent series until a spelling fits.
    pub(super) fn make_room(&mut self, metric_type: MetricType) -> Result<(), Refusal> {
        loop {
            let full = if self.spelling_count() >= self.limits.max_series {
                Refusal::SeriesLimit
            } else if self.charged_bytes() >= self.budget.series_bytes {
                Refusal::MemoryLimit
            } else {
                break;
            };
            let id = self.silence.silent.pop().ok_or(full)?;
            self.forget(id);
        }
        match self.names[metric_type as usize].has_room() {
            true => Ok(()),
            false => Err(Refusal::SeriesLimit),
        }
    }

    /// What its series are charged with.
    pub(super) fn charged_bytes(&self) -> usize {
        let charge = |kind| self.names[kind as usize].charge(kind);
        MetricType::ALL.into_iter().map(charge).sum()
    }

    /// Goes on with other grants.
    pub fn grant(&mut self, grants: Grants) {
        self.settle_refused();
        self.braking.grant(grants);
        // What quotas refused may fit in now.
        let brakes = &self.braking.brakes;
        for names in &mut self.names {
            names.forget_refused_of(|rule| brakes.quota_of_rule(rule).is_some());
        }
    }

    /// Goes on by other brakes. To be called right after [`Table::hand_over`]: known series that are
    /// denied now are forgotten, and nothing of them was recorded yet.
    pub fn change_brakes(&mut self, brakes: Arc<Brakes>) {
        if *brakes == *self.braking.brakes {
            return;
        }
        for kind in MetricType::ALL {
            let names = &mut self.names[kind as usize];
            names.forget_refused_of(|_| true);
            if !brakes.denies_any() {
                continue;
            }
            let (rules, safe) = (&self.rules, &mut self.safe_name);
            let denied = names.slots_of(|name, tags| {
                safe.clear();
                make_safe(rules, name, tags, safe).is_ok() && brakes.denied_by(safe).is_some()
            });
            for slot in denied {
                self.forget(SlotId {
                    metric_type: kind,
                    slot,
                });
            }
        }
        self.interval.brakes = Arc::clone(&brakes);
        self.braking = Braking::before_grants(brakes);
    }
}
