//! What a comparison comes to, as text for a person and as a status for a script.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::comparison::{Comparison, Path, Side, SideCounts};
use super::known::{self, Case};

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Equal,
    /// Equal but for samples that one daemon counted a slot later.
    Moved,
    /// The time was too short to know.
    Open,
    Different,
    Only(Side),
}

/// Slots that a path must have been in before its absence on the other side is a difference by
/// itself: fewer may be samples that came between the two flushes.
const ALONE_SLOTS_MIN: u32 = 3;

fn outcome(path: &Path) -> Outcome {
    let verdict = &path.drift.verdict;
    let [old, new] = path.slots;
    let alone = match (old, new) {
        (0, 0) => None,
        (_, 0) => Some((Side::Old, old)),
        (0, _) => Some((Side::New, new)),
        _ => None,
    };
    match alone {
        Some((side, slots)) if slots >= ALONE_SLOTS_MIN || verdict.real > 0 => Outcome::Only(side),
        _ if verdict.real > 0 => Outcome::Different,
        _ if path.not_finite[0] != path.not_finite[1] => Outcome::Different,
        _ if verdict.moved > 0 => Outcome::Moved,
        _ if verdict.open > 0 => Outcome::Open,
        _ => Outcome::Equal,
    }
}

/// A finished comparison.
#[derive(Debug)]
pub(super) struct Report {
    /// For people.
    pub(super) text: String,
    /// Whether something was compared, no path was left out for the limit, and nothing differs but
    /// for a known reason.
    pub(super) is_equal: bool,
}

/// Sums a comparison up; at most `limit` lines of a kind.
pub(super) fn report(comparison: &Comparison, limit: usize) -> Report {
    let mut groups = Groups::default();
    for path in &comparison.paths {
        groups.add(path, comparison);
    }
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write_text(&mut text, comparison, &mut groups, limit);
    let is_whole = comparison.counts.iter().all(|side| side.over_limit == 0);
    let is_equal = groups.has_judged() && is_whole && groups.unexplained.is_empty();
    Report { text, is_equal }
}

/// Paths that differ, in one number: for progress.
pub(super) fn differing(comparison: &Comparison) -> usize {
    let outcomes = comparison.paths.iter().map(outcome);
    let differ =
        outcomes.filter(|outcome| matches!(outcome, Outcome::Different | Outcome::Only(_)));
    differ.count()
}

#[derive(Default)]
struct Groups<'a> {
    equal: usize,
    moved: usize,
    open: usize,
    by_reason: BTreeMap<&'static str, Vec<&'a Path>>,
    unexplained: Vec<(&'a Path, Outcome)>,
}

impl<'a> Groups<'a> {
    fn add(&mut self, path: &'a Path, comparison: &'a Comparison) {
        match outcome(path) {
            // Not in a slot that was compared.
            Outcome::Equal if path.slots == [0; 2] => {}
            Outcome::Equal => self.equal += 1,
            Outcome::Moved => self.moved += 1,
            Outcome::Open => self.open += 1,
            outcome @ (Outcome::Different | Outcome::Only(_)) => {
                match known::reason(&Case { path, comparison }) {
                    Some(reason) => self.by_reason.entry(reason).or_default().push(path),
                    None => self.unexplained.push((path, outcome)),
                }
            }
        }
    }

    /// Whether of any path it is known that it is equal, or why it is not.
    fn has_judged(&self) -> bool {
        self.equal + self.moved + self.by_reason.len() + self.unexplained.len() > 0
    }

    fn count(&self, wanted: Outcome) -> usize {
        let those = self.unexplained.iter();
        those.filter(|(_, outcome)| *outcome == wanted).count()
    }
}

fn write_text(
    out: &mut String,
    comparison: &Comparison,
    groups: &mut Groups<'_>,
    limit: usize,
) -> std::fmt::Result {
    for (name, counts) in ["old", "new"].into_iter().zip(&comparison.counts) {
        writeln!(out, "{name}: {}", side(counts))?;
    }
    match (comparison.slots(), comparison.shift_s()) {
        (0, None) => writeln!(out, "nothing was compared: one of them sent no point")?,
        (0, Some(_)) => writeln!(out, "nothing was compared: too short a time")?,
        (slots, shift) => {
            writeln!(out, "{slots} slots were compared")?;
            if let Some(shift) = shift.filter(|shift| *shift != 0.0) {
                writeln!(
                    out,
                    "the slots of new end {shift} s after those of old: statistics of timers are \
                     compared only where nothing came in between"
                )?;
            }
        }
    }
    if comparison.slots() > 0 && !groups.has_judged() {
        writeln!(
            out,
            "no path could be judged: too short a time, or no traffic"
        )?;
    }
    writeln!(out)?;
    let known: usize = groups.by_reason.values().map(Vec::len).sum();
    for (count, what) in [
        (groups.equal, "equal"),
        (
            groups.moved,
            "equal but for samples that came between two flushes",
        ),
        (groups.open, "not decided: the time was too short"),
        (known, "different for a known reason"),
        (groups.count(Outcome::Different), "different"),
        (groups.count(Outcome::Only(Side::Old)), "only in old"),
        (groups.count(Outcome::Only(Side::New)), "only in new"),
    ] {
        writeln!(out, "{count:>8} paths: {what}")?;
    }
    for (reason, paths) in &groups.by_reason {
        writeln!(out, "\nknown: {reason}")?;
        write_some(out, paths, limit, |path| line(path, comparison))?;
    }
    if !groups.unexplained.is_empty() {
        let size = |path: &Path| path.drift.verdict.worst.map_or(1.0, |it| it.relative());
        let worst_first = |a: &&Path, b: &&Path| {
            size(b)
                .total_cmp(&size(a))
                .then_with(|| a.name.cmp(&b.name))
        };
        let mut paths: Vec<&Path> = groups.unexplained.iter().map(|(path, _)| *path).collect();
        paths.sort_by(worst_first);
        writeln!(out, "\ndifferent, the worst first")?;
        write_some(out, &paths, limit, |path| line(path, comparison))?;
    }
    Ok(())
}

fn side(counts: &SideCounts) -> String {
    let mut text = format!("{} points", counts.points);
    for (count, what) in [
        (counts.ignored, "left out by their prefix"),
        (counts.late, "too late to be compared"),
        (counts.over_limit, "left out beyond --max-paths"),
    ] {
        if count > 0 {
            text += &format!(", {count} of them {what}");
        }
    }
    if counts.bad_lines > 0 {
        text += &format!("; {} lines are no points", counts.bad_lines);
    }
    text
}

fn write_some(
    out: &mut String,
    paths: &[&Path],
    limit: usize,
    line: impl Fn(&Path) -> String,
) -> std::fmt::Result {
    for path in paths.iter().take(limit) {
        writeln!(out, "  {}", line(path))?;
    }
    if paths.len() > limit {
        writeln!(
            out,
            "  and {} more; --limit shows them",
            paths.len() - limit
        )?;
    }
    Ok(())
}

fn line(path: &Path, comparison: &Comparison) -> String {
    let name = &path.name;
    let [old, new] = path.slots;
    let verdict = &path.drift.verdict;
    match outcome(path) {
        Outcome::Only(Side::Old) => return format!("{name}: only in old, {old} slots"),
        Outcome::Only(Side::New) => return format!("{name}: only in new, {new} slots"),
        _ => {}
    }
    let Some(worst) = verdict.worst else {
        let [old, new] = path.not_finite;
        return format!("{name}: not finite {old} times in old, {new} times in new");
    };
    let value = |value: Option<f64>| value.map_or("nothing".to_owned(), |it| it.to_string());
    let [worst_old, worst_new] = worst.values.map(value);
    let at = comparison.end_unix_s(worst.slot).unwrap_or_default();
    let [sum_old, sum_new] = path.sums;
    format!(
        "{name}: old {worst_old}, new {worst_new} at {at}; {} slots differ; over the whole time \
         {sum_old} and {sum_new}",
        verdict.real
    )
}
