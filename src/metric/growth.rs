//! Which names grow: a bounded list of the beginnings of names that were refused or new most often.
//!
//! The list is that of Space-Saving (Metwally, Agrawal, El Abbadi: "Efficient computation of frequent
//! and top-k elements in data streams", 2005): what is not on a full list takes the place of the
//! least, and its count as a possible error. So a beginning with more than a 32nd of all is on it.

/// Beginnings on a list.
const PREFIXES_MAX: usize = 32;

/// A longer beginning is cut: it stands in a log line.
const PREFIX_BYTES_MAX: usize = 100;

/// A beginning of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growing {
    /// The first two segments, each with its dot, or the whole name if it has no more.
    pub prefix: Box<[u8]>,
    /// New series, at least.
    pub new: u64,
    /// Refused new names, at least.
    pub refused: u64,
    /// What else may have been counted in the place of others.
    error: u64,
}

impl Growing {
    fn weight(&self) -> u64 {
        self.new + self.refused + self.error
    }
}

/// The list.
#[derive(Clone, Debug, Default)]
pub struct Growth(Vec<Growing>);

impl Growth {
    /// Counts a new series.
    pub fn note_new(&mut self, name: &[u8]) {
        self.note(beginning(name), 1, 0, 0);
    }

    /// Counts a new name that was refused.
    pub fn note_refused(&mut self, name: &[u8]) {
        self.note(beginning(name), 0, 1, 0);
    }

    /// Adds another list.
    pub fn merge(&mut self, other: &Growth) {
        for one in &other.0 {
            self.note(&one.prefix, one.new, one.refused, one.error);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The beginnings with the most first.
    pub fn most(&self) -> Vec<&Growing> {
        let mut all: Vec<&Growing> = self.0.iter().collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.new + one.refused));
        all
    }

    fn note(&mut self, prefix: &[u8], new: u64, refused: u64, error: u64) {
        if let Some(there) = self.0.iter_mut().find(|one| *one.prefix == *prefix) {
            there.new += new;
            there.refused += refused;
            there.error += error;
            return;
        }
        let mut one = Growing {
            prefix: prefix.into(),
            new,
            refused,
            error,
        };
        if self.0.len() < PREFIXES_MAX {
            self.0.push(one);
        } else if let Some(least) = self.0.iter_mut().min_by_key(|one| one.weight()) {
            one.error += least.weight();
            *least = one;
        }
    }
}

/// The first two segments of a name with more than two; the first of one with two.
fn beginning(name: &[u8]) -> &[u8] {
    let path = name.split(|&byte| byte == b';').next().unwrap_or(name);
    let path = &path[..path.len().min(PREFIX_BYTES_MAX)];
    let dots = path.iter().enumerate().filter(|(_, byte)| **byte == b'.');
    match dots.map(|(at, _)| at).take(2).last() {
        Some(last) => &path[..=last],
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_under_their_first_two_segments() {
        for (name, expected) in [
            ("app.user.1.hits", "app.user."),
            ("app.user;id=1.2.3", "app."),
            ("hits", "hits"),
            (".a.b", ".a."),
        ] {
            assert_eq!(beginning(name.as_bytes()), expected.as_bytes(), "{name}");
        }
        assert_eq!(beginning(&[b'x'; 4_000]).len(), PREFIX_BYTES_MAX);
    }

    #[test]
    fn what_grows_most_is_found_among_more_beginnings_than_are_kept() {
        let (mut one, mut two) = (Growth::default(), Growth::default());
        let count = if cfg!(miri) { 60 } else { 10_000 };
        for number in 0..count {
            one.note_new(format!("noise.{number}.x").as_bytes());
            two.note_refused(format!("noise.{number}.y").as_bytes());
            if number % 4 == 0 {
                one.note_new(format!("app.user.{number}").as_bytes());
                two.note_refused(format!("app.user.{number}").as_bytes());
            }
        }
        one.merge(&two);
        assert!(one.0.len() <= PREFIXES_MAX);
        let first = one.most()[0];
        assert_eq!(&*first.prefix, b"app.user.");
        let known = count / 4 - count / 100..=count / 4;
        assert!(known.contains(&first.new), "{first:?}");
        assert!(known.contains(&first.refused), "{first:?}");
    }
}
