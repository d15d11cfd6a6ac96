//! The emergency brake of a table: which names it refuses although there is room for them.
//!
//! A quota is for all shards together, which share nothing. Each shard may add so many series as
//! it was granted, and is told which series others have, which it may add as well.

use std::collections::HashSet;
use std::sync::Arc;

use ahash::RandomState;

use super::pattern::{Pattern, Quota};
use super::samples::MetricType;

/// The rules, in the order in which they are numbered: those that deny, then the quotas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brakes {
    deny: Vec<Pattern>,
    quotas: Vec<Quota>,
    tables: u32,
}

impl Brakes {
    /// Rules for so many tables.
    #[must_use]
    pub fn new(deny: Vec<Pattern>, quotas: Vec<Quota>, tables: usize) -> Brakes {
        let tables = u32::try_from(tables).unwrap_or(u32::MAX);
        Brakes {
            deny,
            quotas,
            tables,
        }
    }

    /// Whether no name is refused.
    pub fn are_off(&self) -> bool {
        self.deny.is_empty() && self.quotas.is_empty()
    }

    /// Whether names are denied, however few there are.
    pub fn denies_any(&self) -> bool {
        !self.deny.is_empty()
    }

    /// The quotas.
    pub fn quotas(&self) -> &[Quota] {
        &self.quotas
    }

    /// The rule that denies a safe name.
    pub fn denied_by(&self, name: &[u8]) -> Option<Rule> {
        let rule = self.deny.iter().position(|pattern| pattern.matches(name))?;
        Some(Rule(rule as u16))
    }

    /// The numbers of the quotas that a safe name counts in.
    pub fn quotas_of(&self, name: &[u8]) -> impl Iterator<Item = usize> {
        let quotas = self.quotas.iter().enumerate();
        let of_it = quotas.filter(move |(_, quota)| quota.pattern.matches(name));
        of_it.map(|(number, _)| number)
    }

    /// The rule of a quota.
    pub fn rule_of_quota(&self, quota: usize) -> Rule {
        Rule((self.deny.len() + quota) as u16)
    }

    /// The number of the quota that a rule is; None if it is one that denies.
    pub fn quota_of_rule(&self, rule: Rule) -> Option<usize> {
        usize::from(rule.0).checked_sub(self.deny.len())
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.deny.len() + self.quotas.len()
    }

    /// The words of the rules that deny, and of the quotas, as segments of a path.
    pub fn words(&self) -> (Vec<String>, Vec<String>) {
        let deny = self.deny.iter().map(Pattern::word);
        let quotas = self.quotas.iter().map(|quota| quota.pattern.word());
        (deny.collect(), quotas.collect())
    }

    /// What a table is granted before anybody has counted: an equal part.
    pub fn first_grant(&self, quota: usize) -> u64 {
        u64::from(self.quotas[quota].series_max / self.tables.max(1))
    }
}

/// The number of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule(pub(super) u16);

impl Rule {
    /// As an index into counts by rule.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What a table may add under quotas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// For these rules.
    pub brakes: Arc<Brakes>,
    /// By quota: how many series in all since the rules came into force.
    pub allowed: Vec<u64>,
    /// Series under quotas that some shard has.
    pub known: Arc<KnownSeries>,
}

/// Series by the hashes of their names: two of a million are taken for one with a probability of 3 in
/// 10^8.
#[derive(Clone, Debug, Default)]
pub struct KnownSeries {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl PartialEq for KnownSeries {
    fn eq(&self, other: &KnownSeries) -> bool {
        self.hashes == other.hashes
    }
}

impl Eq for KnownSeries {}

impl KnownSeries {
    fn hash(&self, metric_type: MetricType, name: &[u8]) -> u64 {
        self.hasher.hash_one((metric_type as u8, name))
    }

    /// Adds a series.
    pub fn add(&mut self, metric_type: MetricType, name: &[u8]) {
        self.hashes.insert(self.hash(metric_type, name));
    }

    /// Removes a series.
    pub fn remove(&mut self, metric_type: MetricType, name: &[u8]) {
        self.hashes.remove(&self.hash(metric_type, name));
    }

    /// Whether a series is among them.
    pub fn has(&self, metric_type: MetricType, name: &[u8]) -> bool {
        !self.hashes.is_empty() && self.hashes.contains(&self.hash(metric_type, name))
    }
}

/// The brakes of one table, with what it was granted.
#[derive(Debug, Default)]
pub(super) struct Braking {
    pub(super) brakes: Arc<Brakes>,
    /// By quota.
    allowed: Vec<u64>,
    /// By quota: series that were added since the rules came into force.
    pub(super) admitted: Vec<u64>,
    known: Arc<KnownSeries>,
}

impl Braking {
    /// At a start nobody has any series, so that each table is granted its part.
    pub(super) fn at_start(brakes: Arc<Brakes>) -> Braking {
        let quotas = 0..brakes.quotas().len();
        Braking {
            allowed: quotas.map(|quota| brakes.first_grant(quota)).collect(),
            ..Braking::before_grants(brakes)
        }
    }

    /// Until somebody has counted what there is, a name may be of a series that others have: quotas do
    /// not hold yet.
    pub(super) fn before_grants(brakes: Arc<Brakes>) -> Braking {
        let count = brakes.quotas().len();
        Braking {
            allowed: vec![u64::MAX; count],
            admitted: vec![0; count],
            known: Arc::default(),
            brakes,
        }
    }

    /// Takes what was granted anew.
    pub(super) fn grant(&mut self, grants: Grants) {
        // A flush may tell of rules that are not in force any more.
        if grants.brakes == self.brakes {
            (self.allowed, self.known) = (grants.allowed, grants.known);
        }
    }

    /// Whether a name that is new here may be added, and the rule that is against it.
    pub(super) fn check(&self, metric_type: MetricType, name: &[u8]) -> Result<(), Rule> {
        if let Some(rule) = self.brakes.denied_by(name) {
            return Err(rule);
        }
        let mut full = self.quotas_of_new(metric_type, name);
        match full.find(|&quota| self.admitted[quota] >= self.allowed[quota]) {
            Some(quota) => Err(self.brakes.rule_of_quota(quota)),
            None => Ok(()),
        }
    }

    /// Counts a series that was added.
    pub(super) fn admit(&mut self, metric_type: MetricType, name: &[u8]) {
        let quotas: Vec<usize> = self.quotas_of_new(metric_type, name).collect();
        for quota in quotas {
            self.admitted[quota] += 1;
        }
    }

    /// The quotas that a series has to fit in, unless others have it.
    fn quotas_of_new(&self, metric_type: MetricType, name: &[u8]) -> impl Iterator<Item = usize> {
        let is_known = !self.brakes.quotas.is_empty() && self.known.has(metric_type, name);
        self.brakes.quotas_of(name).filter(move |_| !is_known)
    }
}
