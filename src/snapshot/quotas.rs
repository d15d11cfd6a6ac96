//! How many series there are under each quota, and how many each shard may add until the next flush.
//!
//! Shards share nothing, and a name that comes up in two of them is one series. So only the merger
//! knows how many there are. It grants each shard a part of what is left, so that all grants together
//! never come to more than that: a quota is not exceeded, whatever arrives where. What a shard does
//! not need is given to those that had to refuse; as a grant can be used up to the next answer, it
//! takes two flushes to move it.

use std::sync::Arc;

use crate::metric::{Brakes, Grants, Interval, KnownSeries, MetricType};

/// The account of all quotas.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    brakes: Arc<Brakes>,
    /// By quota: series that there are.
    counts: Vec<u64>,
    known: KnownSeries,
    /// What was sent of `known`.
    sent: Arc<KnownSeries>,
    is_known_changed: bool,
    /// By shard.
    shards: Vec<ShardGrants>,
}

#[derive(Clone, Debug, Default)]
struct ShardGrants {
    /// By quota.
    grants: Vec<Grant>,
    /// Whether it answered since parts were shared out: who has not is told nothing.
    has_answered: bool,
    is_changed: bool,
}

/// What a shard may add under one quota, counted since the rules came into force.
#[derive(Clone, Copy, Debug, Default)]
struct Grant {
    /// What it had added at its last answer.
    admitted: u64,
    /// What it was allowed last.
    allowed: u64,
    /// The most that it may have been allowed since its last answer.
    most: u64,
    /// How much it needed in its last interval.
    demand: u64,
}

impl Grant {
    fn outstanding(self) -> u64 {
        self.most.saturating_sub(self.admitted)
    }

    fn left(self) -> u64 {
        self.allowed.saturating_sub(self.admitted)
    }
}

impl Quotas {
    /// For rules that hold from the beginning of so many shards on.
    pub(super) fn new(brakes: Arc<Brakes>, shards: usize) -> Quotas {
        let first = |quota| {
            let allowed = brakes.first_grant(quota);
            Grant {
                allowed,
                most: allowed,
                ..Grant::default()
            }
        };
        let grants: Vec<Grant> = (0..brakes.quotas().len()).map(first).collect();
        let of_shard = ShardGrants {
            grants,
            has_answered: false,
            is_changed: false,
        };
        Quotas {
            counts: vec![0; brakes.quotas().len()],
            shards: vec![of_shard; shards],
            brakes,
            ..Quotas::default()
        }
    }

    /// For other rules, by which shards go without grants until they get the first ones.
    pub(super) fn anew(brakes: Arc<Brakes>, shards: usize) -> Quotas {
        let of_shard = ShardGrants {
            grants: vec![Grant::default(); brakes.quotas().len()],
            has_answered: true,
            is_changed: true,
        };
        Quotas {
            counts: vec![0; brakes.quotas().len()],
            shards: vec![of_shard; shards],
            brakes,
            is_known_changed: true,
            ..Quotas::default()
        }
    }

    pub(super) fn are_any(&self) -> bool {
        !self.counts.is_empty()
    }

    pub(super) fn brakes(&self) -> &Arc<Brakes> {
        &self.brakes
    }

    /// How many series there are under each quota.
    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// A series came into being.
    pub(super) fn add(&mut self, metric_type: MetricType, name: &[u8]) {
        for quota in self.brakes.quotas_of(name) {
            self.counts[quota] += 1;
            self.known.add(metric_type, name);
            self.is_known_changed = true;
        }
    }

    /// A series is forgotten.
    pub(super) fn remove(&mut self, metric_type: MetricType, name: &[u8]) {
        for quota in self.brakes.quotas_of(name) {
            self.counts[quota] -= 1;
            self.known.remove(metric_type, name);
            self.is_known_changed = true;
        }
    }

    /// A shard answered.
    pub(super) fn answered(&mut self, shard: usize, interval: &Interval) {
        if *interval.brakes != *self.brakes {
            return;
        }
        // What an earlier process had of the slot is of no shard.
        let Some(of_shard) = self.shards.get_mut(shard) else {
            return;
        };
        of_shard.has_answered = true;
        for (quota, grant) in of_shard.grants.iter_mut().enumerate() {
            let admitted = interval.admitted.get(quota).copied().unwrap_or_default();
            let rule = self.brakes.rule_of_quota(quota).index();
            let refused = interval.refused_by_rule.get(rule).copied();
            grant.demand = admitted.saturating_sub(grant.admitted) + refused.unwrap_or_default();
            grant.admitted = admitted;
            grant.most = grant.allowed;
        }
    }

    /// Shares out what is left of each quota.
    pub(super) fn share_out(&mut self) {
        for (quota, rule) in self.brakes.quotas().iter().enumerate() {
            let left = u64::from(rule.series_max).saturating_sub(self.counts[quota]);
            let shards = self.shards.len() as u64;
            let grants = || self.shards.iter().map(|shard| shard.grants[quota]);
            let demand: u64 = grants().map(|grant| grant.demand).sum();
            let outstanding: u64 = grants().map(Grant::outstanding).sum();
            let mut free = left.saturating_sub(outstanding);
            for shard in self.shards.iter_mut().filter(|it| it.has_answered) {
                let grant = &mut shard.grants[quota];
                // Half for all alike, half by need.
                let by_need = match demand {
                    0 => left / 2 / shards,
                    _ => {
                        (u128::from(left / 2) * u128::from(grant.demand) / u128::from(demand))
                            as u64
                    }
                };
                let wanted = left / 2 / shards + by_need;
                if grant.left() > wanted {
                    grant.allowed = grant.admitted + wanted;
                    shard.is_changed = true;
                } else {
                    let more = free.min(wanted - grant.left());
                    shard.is_changed |= more > 0;
                    // Before it was granted anything it may have added more than it was allowed.
                    grant.allowed = grant.allowed.max(grant.admitted) + more;
                    grant.most = grant.most.max(grant.allowed);
                    free -= more;
                }
            }
            // What rounding left goes to who needs most.
            let neediest = self
                .shards
                .iter_mut()
                .filter(|it| it.has_answered)
                .max_by_key(|it| it.grants[quota].demand);
            if let Some(shard) = neediest.filter(|it| free > 0 && it.grants[quota].demand > 0) {
                let grant = &mut shard.grants[quota];
                grant.allowed = grant.allowed.max(grant.admitted) + free;
                grant.most = grant.most.max(grant.allowed);
                shard.is_changed = true;
            }
        }
        for shard in &mut self.shards {
            shard.has_answered = false;
            shard.is_changed |= self.is_known_changed;
        }
        if std::mem::take(&mut self.is_known_changed) {
            self.sent = Arc::new(self.known.clone());
        }
    }

    /// What a shard that answered is to be told, if that is anything new.
    pub(super) fn take_grants(&mut self, shard: usize) -> Option<Grants> {
        let brakes = &self.brakes;
        let shard = &mut self.shards[shard];
        std::mem::take(&mut shard.is_changed).then(|| Grants {
            brakes: Arc::clone(brakes),
            allowed: shard.grants.iter().map(|grant| grant.allowed).collect(),
            known: Arc::clone(&self.sent),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{
        InputRules, Limits, Number, Refusal, SafeNames, SampleRate, Samples, SetHash, Silence,
        Table, Values,
    };

    // Thousands of names are offered, each of which takes milliseconds under Miri.
    const QUOTA: u64 = if cfg!(miri) { 10 } else { 100 };

    /// Tables of shards that obey the account.
    struct Rig {
        tables: Vec<Table>,
        quotas: Quotas,
        series: std::collections::HashSet<Vec<u8>>,
    }

    impl Rig {
        fn new(shards: usize) -> Rig {
            let quota = format!("app.*={QUOTA}").parse().expect("a quota");
            let brakes = Arc::new(Brakes::new(Vec::new(), vec![quota], shards));
            let rules = InputRules {
                safe_names: SafeNames::Graphite,
                keep_tags: true,
                sign_moves_gauge: true,
                weighted_timers: false,
            };
            let table = || {
                Table::new(rules, Limits::default(), SetHash::new())
                    .with_brakes(Arc::clone(&brakes))
            };
            Rig {
                tables: (0..shards).map(|_| table()).collect(),
                quotas: Quotas::new(Arc::clone(&brakes), shards),
                series: Default::default(),
            }
        }

        fn count(&mut self, shard: usize, name: &str) -> Result<(), Refusal> {
            let number = Number {
                value: 1.0,
                signed: false,
            };
            self.tables[shard].record(&Samples {
                name: name.as_bytes(),
                tags: b"",
                rate: SampleRate::ALL,
                values: Values::Counter(&[number]),
            })
        }

        /// Returns how many series there are.
        fn flush(&mut self) -> u64 {
            for (shard, table) in self.tables.iter_mut().enumerate() {
                let interval = table.hand_over(Interval::default());
                self.quotas.answered(shard, &interval);
                for birth in &interval.births {
                    if self.series.insert(birth.name.to_vec()) {
                        self.quotas.add(birth.id.metric_type, &birth.name);
                    }
                }
            }
            self.quotas.share_out();
            for (shard, table) in self.tables.iter_mut().enumerate() {
                table.set_silence(Silence {
                    grants: self.quotas.take_grants(shard),
                    ..Silence::default()
                });
            }
            self.series.len() as u64
        }
    }

    #[test]
    fn a_quota_is_used_up_by_one_shard_and_never_exceeded_by_all() {
        let busy_counts: &[usize] = if cfg!(miri) { &[2] } else { &[1, 2, 4] };
        for &busy in busy_counts {
            let mut rig = Rig::new(4);
            let mut number = 0;
            for _ in 0..if cfg!(miri) { 5 } else { 20 } {
                for _ in 0..QUOTA * 3 / 5 {
                    for shard in 0..busy {
                        // Some are refused until there are grants.
                        let _ = rig.count(shard, &format!("app.{number}"));
                        number += 1;
                    }
                }
                assert!(rig.flush() <= QUOTA);
            }
            assert_eq!(rig.flush(), QUOTA, "{busy} shards");
            assert_eq!(rig.count(0, "app.new"), Err(Refusal::Quota));
            assert_eq!(rig.count(0, "other.new"), Ok(()));
        }
    }

    #[test]
    fn a_series_that_another_shard_has_goes_on_in_all() {
        let mut rig = Rig::new(2);
        for number in 0..QUOTA / 2 {
            assert_eq!(rig.count(0, &format!("app.{number}")), Ok(()));
        }
        assert_eq!(rig.count(0, "app.x"), Err(Refusal::Quota));
        for round in 0..12 {
            rig.flush();
            for number in 0..QUOTA * 3 / 5 {
                let _ = rig.count(0, &format!("app.{round}.{number}"));
            }
        }
        assert_eq!(rig.flush(), QUOTA);
        for number in 0..QUOTA / 2 {
            assert_eq!(rig.count(1, &format!("app.{number}")), Ok(()));
        }
        assert_eq!(rig.count(1, "app.x"), Err(Refusal::Quota));
        assert_eq!(rig.flush(), QUOTA);
    }
}
