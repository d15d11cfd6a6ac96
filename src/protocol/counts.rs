//! What is counted of lines, whatever is in them.

/// How many lines there were, and of which kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Lines that are not empty.
    pub lines: u64,
    /// Links beyond the first of their line, and values beyond the first of their link: so
    /// `lines + chained` are as many as samples, refusals and skipped lines together.
    pub chained: u64,
    /// Lines of a known kind that holds no samples: events and service checks.
    pub skipped: u64,
    /// Links of a known type without a value, which are refused: nothing was measured.
    pub valueless: u64,
}

impl LineCounts {
    /// Adds another account to this one.
    pub fn merge(&mut self, other: &LineCounts) {
        self.lines += other.lines;
        self.chained += other.chained;
        self.skipped += other.skipped;
        self.valueless += other.valueless;
    }
}
