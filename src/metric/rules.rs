//! What a table needs to know of a dialect, as plain rules, and the limits that bound it.

use super::name::make_safe;
use super::refusal::Refusal;
use super::set::SetPrecision;
use super::sketch::RELATIVE_ERROR;

/// How names are made safe for the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SafeNames {
    /// Runs of white space become `_`, `/` becomes `-`, and only `[A-Za-z0-9_.;=-]` stays.
    Graphite,
    /// `/` becomes `_`, and only `[A-Za-z0-9_.-]` stays; white space goes.
    Strict,
    /// Runs of white space become `_`; control bytes, `|` and non-ASCII go, all else stays.
    Printable,
}

/// The rules of input that a dialect sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputRules {
    /// How names are made safe.
    pub safe_names: SafeNames,
    /// Whether the tags of the `#` field are part of the series' name; otherwise they are dropped
    /// before the series is looked up.
    pub keep_tags: bool,
    /// Whether a gauge's sign moves its level; otherwise a signed number sets it like any other.
    pub sign_moves_gauge: bool,
    /// Whether a timer keeps the weight of each value, so that all its statistics can be weighed.
    pub weighted_timers: bool,
}

impl InputRules {
    /// Whether each spelling comes to the same name by these rules as by others.
    #[must_use]
    pub fn makes_names_of(&self, others: &InputRules) -> bool {
        (self.safe_names, self.keep_tags) == (others.safe_names, others.keep_tags)
    }

    /// The name that a series gets whose clients write this name and these tags.
    ///
    /// # Errors
    /// Why no series can have it.
    pub fn safe_name(&self, name: &[u8], tags: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut safe = Vec::with_capacity(name.len() + tags.len());
        let tags = if self.keep_tags { tags } else { b"" };
        make_safe(self, name, tags, &mut safe)?;
        Ok(safe)
    }

    /// Whether a name that is safe by other rules could have come about by these.
    #[must_use]
    pub fn could_make(&self, name: &[u8]) -> bool {
        let mut again = Vec::with_capacity(name.len());
        let is_safe = make_safe(self, name, b"", &mut again).is_ok() && again == name;
        is_safe && (self.keep_tags || !name.contains(&b';'))
    }
}

/// What bounds one table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Spellings of names, all types together.
    pub max_series: usize,
    /// What the table and its part of the merger may take, in bytes.
    pub max_memory_bytes: usize,
    /// Timer values kept one by one, and bins of sketches, and key-values: so many of each.
    pub max_timer_values: usize,
    /// How far a value read from a sketch may be from the true one, relative to it: 0.0001 to 0.5.
    pub timer_error: f64,
    /// Members of one set that are kept one by one.
    pub max_set_values: usize,
    /// How precise the estimate of a set with more members is.
    pub set_precision: SetPrecision,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_series: 1_000_000,
            max_memory_bytes: 2 << 30,
            max_timer_values: 4_000_000,
            timer_error: RELATIVE_ERROR,
            max_set_values: 4_096,
            set_precision: SetPrecision::default(),
        }
    }
}
