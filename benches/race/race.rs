//! Runs a scenario: all contestants in turn, round by round, so that whatever changes on the
//! machine meanwhile meets all of them.

use std::io;
use std::time::Duration;

use crate::figure::{Entry, Figure};
use crate::load::Pace;
use crate::peers::{Contestant, Settings};
use crate::scenario::Scenario;
use crate::steady::{self, Steady};

/// How a scenario is run.
pub(crate) struct Course {
    pub(crate) rounds: usize,
    pub(crate) flush: Duration,
    /// Flush intervals that are measured.
    pub(crate) intervals: u32,
    pub(crate) receive_buffer_bytes: usize,
    pub(crate) max_wait: Duration,
    pub(crate) cores: Cores,
    pub(crate) sockets: usize,
}

/// Who runs where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// All threads of the daemon under test.
    pub(crate) daemon: usize,
    /// The sender and the Graphite server.
    pub(crate) sender: usize,
}

impl Course {
    fn settings(&self, scenario: Scenario) -> Settings {
        Settings {
            flush: self.flush,
            receive_buffer_bytes: self.receive_buffer_bytes,
            max_wait: self.max_wait,
            short_naming: scenario == Scenario::Wide,
            series_max: 3 * scenario.traffic().shape.names + 1_000_000,
        }
    }
}

/// Runs all rounds of a scenario and says how each went.
///
/// # Errors
/// No contestant could be measured. One that fails is left out, with a message.
pub(crate) fn run(
    scenario: Scenario,
    course: &Course,
    contestants: &[Contestant],
) -> io::Result<Vec<Entry>> {
    let settings = course.settings(scenario);
    let traffic = scenario.traffic();
    let pool = traffic.pool();
    let steady = Steady {
        pool: &pool,
        pace: Pace::even(traffic.rate),
        sockets: course.sockets,
        warm_up: course.flush,
        window: course.flush * course.intervals,
        settle_max: course.flush * 3,
    };
    let mut entries = Vec::new();
    for round in 1..=course.rounds {
        for contestant in contestants {
            let name = contestant.name();
            match steady::run(contestant, &settings, course.cores.daemon, &steady) {
                Ok(outcome) => {
                    eprintln!(
                        "round {round}: {name} {}",
                        summary(scenario, &outcome.values)
                    );
                    entries.push(Entry {
                        contestant: name,
                        round,
                        values: outcome.values,
                    });
                }
                Err(error) => eprintln!("round {round}: {name} left out: {error}"),
            }
        }
    }
    if entries.is_empty() {
        return Err(io::Error::other("nobody could be measured"));
    }
    Ok(entries)
}

fn summary(scenario: Scenario, values: &[(Figure, f64)]) -> String {
    let lead = scenario.lead();
    let value = values.iter().find(|(figure, _)| *figure == lead);
    let value = value.map_or(f64::NAN, |(_, value)| *value);
    format!("{value:.1} {}", lead.heading())
}
