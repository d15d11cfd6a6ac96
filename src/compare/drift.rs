//! Decides whether the values of one path differ, or only fell into neighbouring slots.
//!
//! Two daemons never flush at the same moment: a sample that comes between their flushes is in one
//! slot of the first and in the next slot of the second. What counts is therefore not that a slot
//! differs, but that the difference is not made up for. With D as the sum of all differences so far,
//! samples in the wrong slot move D away from where it was and back again; a real difference moves
//! it for good. So D is looked at where no sample is in the wrong slot: at a slot in which both
//! daemons have nothing, and where both have had the same for several slots in a row. A path that
//! never rests like that is judged by how far D is from its beginning at the end.

/// What two daemons have for one path in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cell {
    /// Points of the old and of the new daemon.
    pub(super) counts: [u32; 2],
    /// Their sums.
    pub(super) values: [f64; 2],
    /// See `Point::rounding`.
    pub(super) rounding: f64,
}

/// One slot that differs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    /// The number of the slot.
    pub(super) slot: i64,
    pub(super) values: [Option<f64>; 2],
}

impl Cell {
    /// The values, for a report.
    pub(super) fn at(&self, slot: i64) -> Difference {
        let value = |side: usize| (self.counts[side] > 0).then_some(self.values[side]);
        Difference {
            slot,
            values: [value(0), value(1)],
        }
    }

    /// Whether both daemons have it, and equal.
    pub(super) fn is_same(&self, tolerance: f64) -> bool {
        self.counts[0] > 0 && self.counts[1] > 0 && self.is_equal(tolerance)
    }

    fn difference(&self) -> f64 {
        self.values[1] - self.values[0]
    }

    fn size(&self) -> f64 {
        self.values[0].abs().max(self.values[1].abs())
    }

    /// Whether both sums are the same within a relative tolerance; none is the same as 0.
    fn is_equal(&self, tolerance: f64) -> bool {
        self.difference().abs() <= tolerance * self.size() + self.allowance()
    }

    fn is_silent(&self) -> bool {
        self.values == [0.0; 2]
    }

    fn allowance(&self) -> f64 {
        self.rounding * f64::from(self.counts[0].max(self.counts[1]))
    }
}

impl Difference {
    /// How far apart, relative to the larger one; 1 if one is missing.
    pub(super) fn relative(&self) -> f64 {
        match self.values {
            [Some(old), Some(new)] if old != new => ((new - old) / old.abs().max(new.abs())).abs(),
            [Some(_), Some(_)] => 0.0,
            _ => 1.0,
        }
    }
}

/// What became of slots that differed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// Slots whose difference was made up for.
    pub(super) moved: u32,
    /// Slots that differ for good.
    pub(super) real: u32,
    /// Slots of which the time was too short to know.
    pub(super) open: u32,
    /// The worst of those that differ for good.
    pub(super) worst: Option<Difference>,
}

impl Verdict {
    pub(super) fn judge(&mut self, slots: u32, is_real: bool, worst: Option<Difference>) {
        if !is_real {
            self.moved += slots;
            return;
        }
        self.real += slots;
        let size = |difference: Option<Difference>| difference.map_or(-1.0, |it| it.relative());
        if size(worst) > size(self.worst) {
            self.worst = worst;
        }
    }
}

/// The slots of one path, as they are compared one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drift {
    /// The last slot that had something.
    last_slot: Option<i64>,
    /// The last slot that differed.
    last_different: Option<i64>,
    /// Whether the place where D began is known. It is not for a path that had something in the
    /// first slot, as some of it may have been in the slot before.
    is_anchored: bool,
    equal_in_a_row: u32,
    run: Run,
    pub(super) verdict: Verdict,
}

/// The slots since D was looked at last.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    slots: u32,
    different: u32,
    difference: f64,
    squares: f64,
    size: f64,
    allowance: f64,
    worst: Option<Difference>,
    /// Whether its slots are known to differ for good, and counted so.
    is_real: bool,
}

/// Equal slots in a row at whose last one no sample is in the wrong slot. It takes so many because
/// each flush may put as many samples into the wrong slot as the one before. Behind a run of more
/// slots that differ it takes as many as these.
const EQUAL_SLOTS: u32 = 5;

/// Slots in a row in which a level differs, at whose last one it differs for good.
const DIFFERENT_SLOTS: u32 = 3;

/// Slots of a path that never rests, from which on its differences can be told from noise.
const NOISY_SLOTS_MIN: u32 = 4;

/// How far D may be from its beginning after slots that differ at random, in root mean squares of
/// their differences. D is then the difference of two slots' worth of misplaced samples, of which
/// fewer than one in 10,000 is that large.
const NOISE_MAX: f64 = 4.0;

impl Drift {
    /// A path that nothing came for before the first slot that is compared.
    pub(super) fn new() -> Drift {
        Drift {
            is_anchored: true,
            ..Drift::default()
        }
    }

    /// A path that had something in the slot before the first that is compared.
    pub(super) fn since(slot: i64) -> Drift {
        Drift {
            last_slot: Some(slot),
            last_different: Some(slot),
            ..Drift::default()
        }
    }

    /// The next slot of a path whose values may be added.
    pub(super) fn add(&mut self, slot: i64, cell: &Cell, tolerance: f64) {
        self.rest_before(slot, tolerance);
        let run = &mut self.run;
        run.slots += 1;
        run.difference += cell.difference();
        run.size += cell.size();
        run.allowance += cell.allowance();
        if cell.is_equal(tolerance) {
            self.equal_in_a_row += 1;
        } else {
            self.equal_in_a_row = 0;
            self.last_different = Some(slot);
            run.different += 1;
            run.squares += cell.difference() * cell.difference();
            run.note(slot, cell);
        }
        if cell.is_silent() || self.equal_in_a_row >= EQUAL_SLOTS.max(run.different) {
            self.look(tolerance);
        }
    }

    /// The next slot of a path whose values stand alone. That a level came a slot later is made up
    /// for by the next slot.
    pub(super) fn hold(&mut self, slot: i64, cell: &Cell, tolerance: f64) {
        self.rest_before(slot, tolerance);
        if cell.is_silent() {
            self.look(tolerance);
            return;
        }
        if cell.is_same(tolerance) {
            let run = std::mem::take(&mut self.run);
            if !run.is_real {
                self.verdict.moved += run.different;
            }
            return;
        }
        self.last_different = Some(slot);
        let run = &mut self.run;
        run.different += 1;
        run.difference += cell.difference();
        run.size += cell.size();
        run.allowance += cell.allowance();
        run.note(slot, cell);
        if run.is_real {
            self.verdict.judge(1, true, run.worst);
        } else if run.different >= DIFFERENT_SLOTS {
            run.is_real = true;
            self.verdict.judge(run.different, true, run.worst);
        }
    }

    /// Whether both daemons got the same in a slot, as far as is known when the slot after it was
    /// added.
    pub(super) fn is_settled(&self, slot: i64) -> bool {
        self.run.different == 0 && self.last_different.is_none_or(|last| last < slot - 1)
    }

    /// No more slots come; `last` is the last one that was compared.
    pub(super) fn finish(&mut self, last: i64, tolerance: f64) {
        self.rest_before(last + 1, tolerance);
        let run = std::mem::take(&mut self.run);
        if run.different == 0 || run.is_real {
            return;
        }
        if run.slots < NOISY_SLOTS_MIN {
            self.verdict.open += run.different;
            return;
        }
        let noise = (run.squares / f64::from(run.slots)).sqrt();
        let is_real = run.difference.abs() > NOISE_MAX * noise;
        self.verdict.judge(run.different, is_real, run.worst);
    }

    /// Both had nothing between the last slot and this one.
    fn rest_before(&mut self, slot: i64, tolerance: f64) {
        if self.last_slot.is_some_and(|last| last + 1 < slot) {
            self.look(tolerance);
            // Nothing is equal to nothing.
            self.equal_in_a_row = EQUAL_SLOTS;
        }
        self.last_slot = Some(slot);
    }

    /// No sample is in the wrong slot here.
    fn look(&mut self, tolerance: f64) {
        let run = std::mem::take(&mut self.run);
        let is_apart = run.difference.abs() > tolerance * run.size + run.allowance;
        if run.different > 0 && !run.is_real {
            let is_real = is_apart && self.is_anchored;
            self.verdict.judge(run.different, is_real, run.worst);
        }
        self.is_anchored = true;
    }
}

impl Run {
    fn note(&mut self, slot: i64, cell: &Cell) {
        let difference = cell.at(slot);
        let known = self.worst.map_or(-1.0, |worst| worst.relative());
        if difference.relative() > known {
            self.worst = Some(difference);
        }
    }
}

#[cfg(test)]
mod tests;
