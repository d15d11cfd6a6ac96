//! Says which names grow, once a minute at most.

use std::time::{Duration, Instant};

use crate::metric::{Growing, Growth};

/// So often at most, and over so long.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// A beginning of names with fewer new series in each flush is not worth a line.
const NEW_MIN_PER_FLUSH: u64 = 100;

/// One with as many in that time is, however many flushes there were.
const NEW_MIN: u64 = 500;

/// Beginnings in a line.
const TOLD_MAX: usize = 5;

/// What grew since the last line.
#[derive(Debug)]
pub(super) struct GrowthLog {
    growth: Growth,
    since: Instant,
    flush_count: u64,
    /// In the first flush all series are new.
    is_first: bool,
}

impl GrowthLog {
    pub(super) fn new(start: Instant) -> GrowthLog {
        GrowthLog {
            growth: Growth::default(),
            since: start,
            flush_count: 0,
            is_first: true,
        }
    }

    /// Takes the growth of an interval, and logs that of a minute when it is over, or at the end. The
    /// first interval stands for itself.
    pub(super) fn take(&mut self, growth: &Growth, now: Instant, is_last: bool) {
        self.growth.merge(growth);
        self.flush_count += 1;
        if now.duration_since(self.since) < SAY_EVERY && !is_last && !self.is_first {
            return;
        }
        match self.said() {
            Some((said, true)) => log::warn!("{said}"),
            Some((said, false)) => log::info!("{said}"),
            None => {}
        }
        self.growth.clear();
        (self.since, self.flush_count, self.is_first) = (now, 0, false);
    }

    /// New series that are worth a line.
    fn new_min(&self) -> u64 {
        (NEW_MIN_PER_FLUSH * self.flush_count.max(1)).min(NEW_MIN)
    }

    /// What is to be said, and whether something was refused.
    fn said(&self) -> Option<(String, bool)> {
        let is_worth =
            |one: &&Growing| one.refused > 0 || !self.is_first && one.new >= self.new_min();
        let told: Vec<&Growing> = self
            .growth
            .most()
            .into_iter()
            .filter(is_worth)
            .take(TOLD_MAX)
            .collect();
        if told.is_empty() {
            return None;
        }
        let is_refused = told.iter().any(|one| one.refused > 0);
        let texts = told.iter().map(|one| {
            let star = if one.prefix.ends_with(b".") { "*" } else { "" };
            let refused = match one.refused {
                0 => String::new(),
                refused => format!(" ({refused} lines refused)"),
            };
            format!("{}{star} +{}{refused}", one.prefix.escape_ascii(), one.new)
        });
        let texts: Vec<String> = texts.collect();
        let text = format!(
            "series growth in the last minute, at least: {}; deny and quota stop it here",
            texts.join(", ")
        );
        Some((text, is_refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_named_with_its_numbers() {
        let mut log = GrowthLog::new(Instant::now());
        for number in 0..600 {
            log.growth.note_new(format!("app.user.{number}").as_bytes());
            if number < 10 {
                log.growth.note_new(format!("calm.{number}.x").as_bytes());
                log.growth.note_refused(b"web.page.x");
            }
        }
        let words = "deny and quota stop it here";
        let start = "series growth in the last minute, at least:";
        let refused = "web.page.* +0 (10 lines refused)";
        assert_eq!(
            log.said(),
            Some((format!("{start} {refused}; {words}"), true))
        );
        (log.is_first, log.flush_count) = (false, 60);
        let all = format!("{start} app.user.* +600, {refused}; {words}");
        assert_eq!(log.said(), Some((all, true)));
        log.growth.clear();
        assert_eq!(log.said(), None);
    }

    /// Goal: a hundred new series a flush are told of, whatever the flush interval, and from the second
    /// flush on. Method: flushes of a minute, and of ten seconds; less is not told.
    #[test]
    fn a_hundred_new_series_a_flush_are_told_of_from_the_second_on() {
        for (flushes, count, is_told) in [
            (1, 100, true),
            (1, 99, false),
            (6, 100, true),
            (6, 80, false),
        ] {
            let start = Instant::now();
            let mut log = GrowthLog::new(start);
            let growth_of = |from: u64, count: u64| {
                let mut growth = Growth::default();
                for number in from..from + count {
                    growth.note_new(format!("app.user.{number}").as_bytes());
                }
                growth
            };
            log.take(&growth_of(0, 10_000), start, false);
            assert_eq!(log.said(), None, "all is new in the first one");
            for flush in 1..=flushes {
                log.growth.merge(&growth_of(flush * count + 10_000, count));
                log.flush_count += 1;
            }
            assert_eq!(log.said().is_some(), is_told, "{flushes} of {count}");
        }
    }
}
