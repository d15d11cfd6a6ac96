//! The words that name what to race: each scenario, and groups of them.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::peers::{RINGSTAT, RINGSTAT_RECVMMSG};
use crate::scenario::Scenario;

/// A word on the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    One(Scenario),
    /// Only ringstat's two engines, under all traffic of few names.
    Engines,
    All,
}

/// A scenario, and who takes part.
pub(crate) struct Heat {
    pub(crate) scenario: Scenario,
    /// Everyone, if nobody is named.
    pub(crate) only: &'static [&'static str],
    /// What its record is called.
    pub(crate) record: String,
}

const FEW_NAMES: [Scenario; 4] = [
    Scenario::Packed,
    Scenario::PackedSlow,
    Scenario::Single,
    Scenario::SingleSlow,
];

impl Choice {
    pub(crate) fn heats(self) -> Vec<Heat> {
        let everyone = |scenario: Scenario| Heat {
            scenario,
            only: &[],
            record: scenario.name(),
        };
        let engines = |scenario: Scenario| Heat {
            scenario,
            only: &[RINGSTAT, RINGSTAT_RECVMMSG],
            record: format!("engines-{}", scenario.name()),
        };
        match self {
            Choice::One(scenario) => vec![everyone(scenario)],
            Choice::Engines => FEW_NAMES.into_iter().map(engines).collect(),
            Choice::All => Scenario::value_variants()
                .iter()
                .copied()
                .map(everyone)
                .collect(),
        }
    }
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Choice::One(Scenario::Packed),
            Choice::One(Scenario::PackedSlow),
            Choice::One(Scenario::Single),
            Choice::One(Scenario::SingleSlow),
            Choice::One(Scenario::Wide),
            Choice::One(Scenario::FlatOut),
            Choice::One(Scenario::Idle),
            Choice::One(Scenario::Memory),
            Choice::One(Scenario::Flush),
            Choice::Engines,
            Choice::All,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Choice::One(scenario) => scenario.to_possible_value(),
            Choice::Engines => Some(PossibleValue::new("engines").help(
                "packed, packed-slow, single and single-slow between ringstat's two engines",
            )),
            Choice::All => {
                Some(PossibleValue::new("all").help("Every scenario, one after the other"))
            }
        }
    }
}
