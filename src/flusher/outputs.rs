//! Writes each point once for every format that a sink asks for.

use crate::format::{Encoding, Formatted, Lines, Pickles, Screen};
use crate::naming::{Point, Points};

/// The formats that are in use.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    lines: Option<Lines>,
    pickles: Option<Pickles>,
    screen: Option<Screen>,
    not_finite: u64,
}

/// What was written in one flush, by format.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) lines: Formatted,
    pub(super) pickles: Formatted,
    pub(super) screen: Formatted,
}

impl Written {
    /// How many points were handed to each sink; a terminal gets fewer.
    pub(super) fn points(&self) -> u64 {
        let (lines, pickles) = (self.lines.points, self.pickles.points);
        lines.max(pickles).max(self.screen.points)
    }

    pub(super) fn of(&self, encoding: Encoding) -> &Formatted {
        match encoding {
            Encoding::Text => &self.lines,
            Encoding::Pickle => &self.pickles,
            Encoding::Screen => &self.screen,
        }
    }
}

impl Outputs {
    pub(super) fn new(encodings: impl Iterator<Item = Encoding>) -> Outputs {
        let mut outputs = Outputs::default();
        for encoding in encodings {
            match encoding {
                Encoding::Text => outputs.lines = Some(Lines::default()),
                Encoding::Pickle => outputs.pickles = Some(Pickles::default()),
                Encoding::Screen => outputs.screen = Some(Screen::default()),
            }
        }
        outputs
    }

    /// For the daemon's own metrics, which are not for people.
    pub(super) fn without_screen(&mut self) -> impl Points {
        WithoutScreen(self)
    }

    /// How many points had no finite number since the last call; they were not written.
    pub(super) fn take_not_finite(&mut self) -> u64 {
        std::mem::take(&mut self.not_finite)
    }

    /// What was written since the last call. The note is for people.
    pub(super) fn take(&mut self, end_unix_s: u64, note: &str) -> Written {
        Written {
            lines: self.lines.as_mut().map(Lines::take).unwrap_or_default(),
            pickles: self.pickles.as_mut().map(Pickles::take).unwrap_or_default(),
            screen: self
                .screen
                .as_mut()
                .map(|screen| screen.take(end_unix_s, note))
                .unwrap_or_default(),
        }
    }

    fn write(&mut self, point: &Point<'_>, on_screen: bool) {
        if !point.value.number().is_finite() {
            self.not_finite += 1;
            return;
        }
        if let Some(lines) = &mut self.lines {
            lines.point(point);
        }
        if let Some(pickles) = &mut self.pickles {
            pickles.point(point);
        }
        if on_screen && let Some(screen) = &mut self.screen {
            screen.point(point);
        }
    }
}

impl Points for Outputs {
    fn point(&mut self, point: &Point<'_>) {
        self.write(point, true);
    }
}

struct WithoutScreen<'a>(&'a mut Outputs);

impl Points for WithoutScreen<'_> {
    fn point(&mut self, point: &Point<'_>) {
        self.0.write(point, false);
    }
}
