//! What own metrics have counted in one slot. A slot that a restart cut in two has counts of both
//! processes, and is sent whole.

use std::collections::BTreeMap;

/// Counts by the path of their metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotCounts(BTreeMap<String, u64>);

impl SlotCounts {
    /// Adds to a count. Returns what it comes to.
    pub fn add(&mut self, path: &str, count: u64) -> u64 {
        match self.0.get_mut(path) {
            Some(there) => {
                *there = there.saturating_add(count);
                *there
            }
            None => {
                self.0.insert(path.to_owned(), count);
                count
            }
        }
    }

    /// All counts, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(path, &count)| (path.as_str(), count))
    }
}
