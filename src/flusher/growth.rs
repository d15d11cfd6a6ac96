//! Says which names grow, once a minute at most.

use std::time::{Duration, Instant};

use crate::metric::{Growing, Growth};

/// So often at most, and over so long.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// A beginning of names with fewer new series in that time is not worth a line.
const NEW_MIN: u64 = 500;

/// Beginnings in a line.
const TOLD_MAX: usize = 5;

/// What grew since the last line.
#[derive(Debug)]
pub(super) struct GrowthLog {
    growth: Growth,
    since: Instant,
    /// In the first minute all series are new.
    is_first: bool,
}

impl GrowthLog {
    pub(super) fn new(start: Instant) -> GrowthLog {
        GrowthLog {
            growth: Growth::default(),
            since: start,
            is_first: true,
        }
    }

    /// Takes the growth of an interval, and logs that of a minute when it is over, or at the end.
    pub(super) fn take(&mut self, growth: &Growth, now: Instant, is_last: bool) {
        self.growth.merge(growth);
        if now.duration_since(self.since) < SAY_EVERY && !is_last {
            return;
        }
        match self.said() {
            Some((said, true)) => log::warn!("{said}"),
            Some((said, false)) => log::info!("{said}"),
            None => {}
        }
        self.growth.clear();
        (self.since, self.is_first) = (now, false);
    }

    /// What is to be said, and whether something was refused.
    fn said(&self) -> Option<(String, bool)> {
        let is_worth = |one: &&Growing| one.refused > 0 || !self.is_first && one.new >= NEW_MIN;
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
        log.is_first = false;
        let all = format!("{start} app.user.* +600, {refused}; {words}");
        assert_eq!(log.said(), Some((all, true)));
        log.growth.clear();
        assert_eq!(log.said(), None);
    }
}
