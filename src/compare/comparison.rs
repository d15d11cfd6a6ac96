//! Brings the points of two daemons together, slot by slot and path by path, and forgets a slot when
//! it was compared. Knows no socket and no clock.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::drift::{Cell, Difference, Drift};
use super::kind::{self, Kind, PathType};
use super::point::Point;

/// Which daemon a point is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

/// What is compared and how.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// The flush interval of both daemons in seconds; above 0.
    pub(super) interval_s: f64,
    /// How far two values may be apart, relative to the larger one.
    pub(super) tolerance: f64,
    /// Beginnings of paths that are left out.
    pub(super) ignored: Vec<String>,
    /// The most paths that are remembered.
    pub(super) paths_max: usize,
}

/// What came from one daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SideCounts {
    /// Points, those that were left out included.
    pub(super) points: u64,
    /// Those whose path begins with what is ignored.
    pub(super) ignored: u64,
    /// Those of slots that were compared before they came.
    pub(super) late: u64,
    /// Those whose path was one too many.
    pub(super) over_limit: u64,
    /// Lines that are no point.
    pub(super) bad_lines: u64,
}

/// The slots of one daemon. They are numbered by its own clock, and so that slots of the same number
/// overlap by half an interval at least.
#[derive(Clone, Copy, Debug)]
struct Numbering {
    first_unix_s: f64,
    first_number: i64,
    newest: i64,
}

/// What is remembered of a path.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) name: Rc<str>,
    pub(super) kind: Kind,
    pub(super) drift: Drift,
    /// By side: compared slots that had it.
    pub(super) slots: [u32; 2],
    /// By side: the sum of its values.
    pub(super) sums: [f64; 2],
    /// By side: the largest value but for its sign.
    pub(super) largest: [f64; 2],
    /// By side: points that were not finite.
    pub(super) not_finite: [u32; 2],
    /// The number of the path that tells whether a timer got the same values.
    beside: Option<u32>,
}

/// The comparison of two daemons.
#[derive(Debug)]
pub(super) struct Comparison {
    rules: Rules,
    sides: [Option<Numbering>; 2],
    pub(super) counts: [SideCounts; 2],
    numbers: HashMap<Rc<str>, u32>,
    /// The numbers of paths that are not safe for Graphite, by what they are when they are made safe.
    spellings: HashMap<String, u32>,
    pub(super) paths: Vec<Path>,
    open: BTreeMap<i64, HashMap<u32, Cell>>,
    /// The first slot that both daemons had. Either may have had it in part, so it is not compared.
    first: Option<i64>,
    last_closed: Option<i64>,
    /// Statistics of timers that differed in the last slot, until the slot after it tells whether
    /// the timers got the same values.
    pending: Vec<(u32, Difference)>,
    /// Whether a path has a statistic that only the C statsite has.
    pub(super) has_statsite_timers: bool,
}

/// Slots that wait for their points at most. One daemon may be late by so many.
const OPEN_SLOTS_MAX: usize = 8;

/// How far the clocks of two machines may be apart, in seconds.
const AHEAD_MAX_S: f64 = 60.0;

/// Slots that a daemon must have begun after one, before that one is taken for complete.
const SLOTS_BEHIND: i64 = 2;

impl Comparison {
    pub(super) fn new(rules: Rules) -> Comparison {
        Comparison {
            rules,
            sides: [None; 2],
            counts: [SideCounts::default(); 2],
            numbers: HashMap::new(),
            spellings: HashMap::new(),
            paths: Vec::new(),
            open: BTreeMap::new(),
            first: None,
            last_closed: None,
            pending: Vec::new(),
            has_statsite_timers: false,
        }
    }

    /// Takes a line that is no point.
    pub(super) fn take_bad_line(&mut self, side: Side) {
        self.counts[side as usize].bad_lines += 1;
    }

    /// Takes a point that came now.
    pub(super) fn take(&mut self, side: Side, point: &Point<'_>, now_unix_s: f64) {
        let time_unix_s = point.time_unix_s as f64;
        let has_own_time = kind::path_type(point.path) == PathType::KeyValue;
        // It would make every other point one of the past.
        if !has_own_time && time_unix_s > now_unix_s + self.rules.interval_s + AHEAD_MAX_S {
            self.take_bad_line(side);
            return;
        }
        self.counts[side as usize].points += 1;
        let Some(number) = self.number(side, time_unix_s, has_own_time) else {
            return;
        };
        let ignored = &self.rules.ignored;
        if ignored
            .iter()
            .any(|beginning| point.path.starts_with(beginning))
        {
            self.counts[side as usize].ignored += 1;
            return;
        }
        if self.last_closed.is_some_and(|last| number <= last) {
            self.counts[side as usize].late += 1;
            return;
        }
        let Some(path) = self.path(&with_sorted_tags(point.path)) else {
            self.counts[side as usize].over_limit += 1;
            return;
        };
        if !point.value.is_finite() {
            self.paths[path as usize].not_finite[side as usize] += 1;
            return;
        }
        let cell = self
            .open
            .entry(number)
            .or_default()
            .entry(path)
            .or_default();
        cell.counts[side as usize] += 1;
        cell.values[side as usize] += point.value;
        cell.rounding = cell.rounding.max(point.rounding);
    }

    /// The slot of a point. Key-values may have a time of their own; where that is none of the
    /// open slots, they belong to the newest one.
    fn number(&mut self, side: Side, time_unix_s: f64, has_own_time: bool) -> Option<i64> {
        let interval_s = self.rules.interval_s;
        let distance = |from: f64| ((time_unix_s - from) / interval_s).round() as i64;
        let other = self.sides[1 - side as usize];
        let numbering = match &mut self.sides[side as usize] {
            Some(numbering) => numbering,
            None if has_own_time => return None,
            unknown => {
                let first_number =
                    other.map_or(0, |other| other.first_number + distance(other.first_unix_s));
                unknown.insert(Numbering {
                    first_unix_s: time_unix_s,
                    first_number,
                    newest: first_number,
                })
            }
        };
        let number = numbering.first_number + distance(numbering.first_unix_s);
        if has_own_time {
            let is_near = (numbering.newest - number).abs() < SLOTS_BEHIND;
            return Some(if is_near { number } else { numbering.newest });
        }
        let is_new = number > numbering.newest;
        numbering.newest = numbering.newest.max(number);
        if is_new {
            self.close_complete();
        }
        Some(number)
    }

    fn path(&mut self, name: &str) -> Option<u32> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        if self.paths.len() >= self.rules.paths_max {
            return None;
        }
        let number = u32::try_from(self.paths.len()).expect("the limit is below 2^32");
        let name: Rc<str> = name.into();
        self.has_statsite_timers |=
            kind::path_type(&name) == PathType::Timer && kind::last_word(&name) == "sum_sq";
        self.numbers.insert(Rc::clone(&name), number);
        let safe = kind::made_safe(&name);
        if *safe != *name {
            self.spellings.insert(safe, number);
        }
        self.paths.push(Path {
            kind: kind::kind(&name),
            name,
            drift: Drift::new(),
            slots: [0; 2],
            sums: [0.0; 2],
            largest: [0.0; 2],
            not_finite: [0; 2],
            beside: None,
        });
        Some(number)
    }

    /// Compares the slots that both daemons have left behind, and those that are too many.
    fn close_complete(&mut self) {
        if let [Some(old), Some(new)] = self.sides {
            let complete = old.newest.min(new.newest) - SLOTS_BEHIND;
            self.close_up_to(complete);
            let newest = old.newest.max(new.newest);
            self.close_up_to(newest - OPEN_SLOTS_MAX as i64);
        }
        while self.open.len() > OPEN_SLOTS_MAX {
            // Only one daemon sends as yet: there is nothing to compare with.
            self.open.pop_first();
        }
    }

    fn close_up_to(&mut self, last: i64) {
        let [Some(old), Some(new)] = self.sides else {
            return;
        };
        let first = *self
            .first
            .get_or_insert(old.first_number.max(new.first_number));
        let later = self.open.split_off(&(last + 1));
        for (slot, cells) in std::mem::replace(&mut self.open, later) {
            match slot.cmp(&first) {
                // One daemon was not there yet.
                Ordering::Less => {}
                Ordering::Equal => self.note_first(slot, &cells),
                Ordering::Greater => self.compare(slot, cells),
            }
        }
        self.last_closed = self.last_closed.max(Some(last));
    }

    fn note_first(&mut self, slot: i64, cells: &HashMap<u32, Cell>) {
        for path in cells.keys() {
            self.paths[*path as usize].drift = Drift::since(slot);
        }
    }

    fn compare(&mut self, slot: i64, cells: HashMap<u32, Cell>) {
        let tolerance = self.rules.tolerance;
        let mut differing = Vec::new();
        for (number, cell) in cells {
            let path = &mut self.paths[number as usize];
            for side in [0, 1] {
                path.slots[side] += u32::from(cell.counts[side] > 0);
                path.sums[side] += cell.values[side];
                path.largest[side] = path.largest[side].max(cell.values[side].abs());
            }
            match path.kind {
                Kind::Sum => path.drift.add(slot, &cell, tolerance),
                Kind::Level => path.drift.hold(slot, &cell, tolerance),
                Kind::OfTimer if cell.is_same(tolerance) => {}
                Kind::OfTimer => differing.push((number, cell.at(slot))),
            }
        }
        for (number, difference) in std::mem::replace(&mut self.pending, differing) {
            self.judge(number, difference);
        }
    }

    /// A statistic of a timer differs for good if the timer got the same values in that slot: if
    /// its count is equal there, in the slot before and in the slot after.
    fn judge(&mut self, number: u32, difference: Difference) {
        let beside = self.beside(number);
        let is_settled = |at: u32| self.paths[at as usize].drift.is_settled(difference.slot);
        let is_real = beside.is_none_or(is_settled);
        let verdict = &mut self.paths[number as usize].drift.verdict;
        verdict.judge(1, is_real, Some(difference));
    }

    fn beside(&mut self, number: u32) -> Option<u32> {
        let path = &self.paths[number as usize];
        if path.beside.is_none() {
            let name = Rc::clone(&path.name);
            let mut others = ["count", "sum", "rate"].into_iter();
            let found =
                others.find_map(|other| self.numbers.get(kind::beside(&name, other).as_str()));
            self.paths[number as usize].beside = found.copied();
        }
        self.paths[number as usize].beside
    }

    /// No more points come. The newest slot of either daemon may have come in part.
    pub(super) fn finish(&mut self) {
        if let [Some(old), Some(new)] = self.sides {
            self.close_up_to(old.newest.min(new.newest) - 1);
        }
        // Nobody knows what follows on the last slot.
        for (number, _) in std::mem::take(&mut self.pending) {
            self.paths[number as usize].drift.verdict.open += 1;
        }
        let Some(last) = self.last_closed else { return };
        for path in &mut self.paths {
            if path.kind != Kind::OfTimer {
                path.drift.finish(last, self.rules.tolerance);
            }
        }
    }

    /// What is compared and how.
    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How many slots were compared.
    pub(super) fn slots(&self) -> i64 {
        let span = self.first.zip(self.last_closed);
        span.map_or(0, |(first, last)| (last - first).max(0))
    }

    /// The path with this name.
    pub(super) fn named(&self, name: &str) -> Option<&Path> {
        let number = self.numbers.get(name)?;
        Some(&self.paths[*number as usize])
    }

    /// A path that is this one when it is made safe.
    pub(super) fn spelled(&self, safe: &str) -> Option<&Path> {
        let number = self.spellings.get(safe)?;
        Some(&self.paths[*number as usize])
    }

    /// About when a slot ended, in seconds since 1970, by the clock of the old daemon.
    pub(super) fn end_unix_s(&self, slot: i64) -> Option<u64> {
        let numbering = self.sides[0].or(self.sides[1])?;
        let behind = (slot - numbering.first_number) as f64 * self.rules.interval_s;
        Some((numbering.first_unix_s + behind) as u64)
    }

    /// How far the slots of the new daemon end behind those of the old one, in seconds.
    pub(super) fn shift_s(&self) -> Option<f64> {
        let [Some(old), Some(new)] = self.sides else {
            return None;
        };
        let slots = (new.first_number - old.first_number) as f64;
        Some(new.first_unix_s - old.first_unix_s - slots * self.rules.interval_s)
    }
}

/// A path as ringstat and Graphite have it: tags sorted, each once, and `true` for one without a
/// value. Daemons that send tags in the order of the line mean the same series.
fn with_sorted_tags(path: &str) -> Cow<'_, str> {
    let Some((name, tags)) = path.split_once(';') else {
        return Cow::Borrowed(path);
    };
    let tags = tags.split(';').filter(|tag| !tag.is_empty());
    let mut tags: Vec<String> = tags
        .map(|tag| match tag.split_once('=') {
            Some((key, "")) => format!("{key}=true"),
            Some(_) => tag.to_owned(),
            None => format!("{tag}=true"),
        })
        .collect();
    tags.sort_unstable();
    tags.dedup();
    Cow::Owned(format!("{name};{}", tags.join(";")))
}

#[cfg(test)]
mod tests;
