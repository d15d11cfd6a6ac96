//! A line of the console as a command.

use crate::metric::MetricType;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Config,
    /// Tells the health, after it was changed if there is another one.
    Health(Option<Health>),
    Stats,
    List(Listed),
    /// Deletes the series of these names; with `.*` at the end all series below one.
    Delete(MetricType, Vec<String>),
    Quit,
    Unknown,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    Counters,
    Timers,
    Gauges,
}

/// What monitors are told; nothing else depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Health {
    #[default]
    Up,
    Down,
}

impl Health {
    pub(super) fn word(self) -> &'static str {
        match self {
            Health::Up => "up",
            Health::Down => "down",
        }
    }
}

impl Command {
    pub(super) fn parse(line: &str) -> Command {
        let mut words = line.split_ascii_whitespace();
        let command = words.next().unwrap_or_default();
        let mut delete = |metric_type| {
            let names = words.by_ref().map(str::to_owned);
            Command::Delete(metric_type, names.collect())
        };
        match command {
            "help" => Command::Help,
            "config" => Command::Config,
            "health" => Command::Health(match words.next().map(str::to_lowercase).as_deref() {
                Some("up") => Some(Health::Up),
                Some("down") => Some(Health::Down),
                // Any other word asks, too.
                Some(_) | None => None,
            }),
            "stats" => Command::Stats,
            "counters" => Command::List(Listed::Counters),
            "timers" => Command::List(Listed::Timers),
            "gauges" => Command::List(Listed::Gauges),
            "delcounters" => delete(MetricType::Counter),
            "deltimers" => delete(MetricType::Timer),
            "delgauges" => delete(MetricType::Gauge),
            "quit" => Command::Quit,
            _ => Command::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_words_between_blanks() {
        for (line, expected) in [
            ("help", Command::Help),
            ("  stats\t ", Command::Stats),
            ("health", Command::Health(None)),
            ("health UP", Command::Health(Some(Health::Up))),
            ("health down", Command::Health(Some(Health::Down))),
            ("health sideways", Command::Health(None)),
            ("counters", Command::List(Listed::Counters)),
            ("timers", Command::List(Listed::Timers)),
            ("gauges", Command::List(Listed::Gauges)),
            ("quit", Command::Quit),
            ("", Command::Unknown),
            ("Stats", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line), expected, "{line}");
        }
        for (word, metric_type) in [
            ("delcounters", MetricType::Counter),
            ("deltimers", MetricType::Timer),
            ("delgauges", MetricType::Gauge),
        ] {
            let expected = Command::Delete(metric_type, vec!["a.b".to_owned(), "c.*".to_owned()]);
            assert_eq!(Command::parse(&format!("{word} a.b  c.*")), expected);
        }
    }
}
