//! Runs a scenario: all contestants in turn, round by round, so that whatever changes on the
//! machine meanwhile meets all of them.

use std::io;
use std::time::Duration;

use crate::figure::{Entry, Figure};
use crate::load::{Pace, Pool};
use crate::peers::{Contestant, Settings};
use crate::report::number;
use crate::rounds::steady::{self, Steady};
use crate::rounds::{flat_out, flush, idle, memory};
use crate::scenario::{Kind, Scenario};

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

/// Runs all rounds of a scenario and says how each went.
///
/// # Errors
/// No contestant could be measured. One that fails is left out, with a message.
pub(crate) fn run(
    scenario: Scenario,
    course: &Course,
    contestants: &[&Contestant],
) -> io::Result<Vec<Entry>> {
    let settings = course.settings(scenario);
    let pool = scenario.pool();
    let mut entries = Vec::new();
    for round in 1..=course.rounds {
        for contestant in contestants {
            let name = contestant.name();
            if contestant.is_floor() && !has_floor(scenario.kind()) {
                continue;
            }
            match course.round(scenario, &settings, contestant, &pool) {
                Ok(values) => {
                    eprintln!("round {round}: {name} {}", summary(scenario, &values));
                    entries.push(Entry {
                        contestant: name,
                        round,
                        values,
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

/// Whether a receiver that throws everything away says something about a scenario.
fn has_floor(kind: Kind) -> bool {
    match kind {
        Kind::Steady(_) | Kind::FlatOut => true,
        Kind::Idle | Kind::Memory | Kind::Flush => false,
    }
}

fn summary(scenario: Scenario, values: &[(Figure, f64)]) -> String {
    let lead = scenario.lead();
    let value = values.iter().find(|(figure, _)| *figure == lead);
    let value = value.map_or("no".to_owned(), |(_, value)| number(lead, *value));
    format!("{value} {}", lead.heading())
}

impl Course {
    fn settings(&self, scenario: Scenario) -> Settings {
        Settings {
            flush: scenario.flush().unwrap_or(self.flush),
            receive_buffer_bytes: self.receive_buffer_bytes,
            max_wait: self.max_wait,
            short_naming: scenario.is_wide(),
            series_max: scenario.series_max(),
        }
    }

    fn round(
        &self,
        scenario: Scenario,
        settings: &Settings,
        contestant: &Contestant,
        pool: &Pool,
    ) -> io::Result<Vec<(Figure, f64)>> {
        let core = self.cores.daemon;
        match scenario.kind() {
            Kind::Steady(rate) => {
                let steady = Steady {
                    pool,
                    pace: Pace::even(rate),
                    sockets: self.sockets,
                    warm_up: self.flush,
                    window: self.flush * self.intervals,
                };
                Ok(steady::run(contestant, settings, core, &steady)?.values)
            }
            Kind::FlatOut => flat_out::run(contestant, settings, core, pool),
            Kind::Idle => idle::run(contestant, settings, core, self.intervals),
            Kind::Memory => memory::run(contestant, settings, core, pool),
            Kind::Flush => flush::run(contestant, settings, core, pool),
        }
    }
}
