//! The scenarios: which traffic, and what is asked of the daemons.

use clap::ValueEnum;

use crate::figure::Figure;
use crate::load::{Pool, Shape};

/// What is raced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Datagrams of some 45 lines, 1,000 names of each type, 10,000 datagrams/s
    Packed,
    /// The same at 2,000 datagrams/s
    PackedSlow,
    /// One line in each datagram, 100,000 datagrams/s
    Single,
    /// The same at 20,000 datagrams/s
    SingleSlow,
    /// As packed with 1,000,000 names of each type
    Wide,
}

/// Series of each type where the number does not matter.
const FEW_NAMES: u64 = 1_000;
/// Series of each type where it does.
const MANY_NAMES: u64 = 1_000_000;

/// Traffic at a fixed rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    pub(crate) shape: Shape,
    /// Datagrams a second.
    pub(crate) rate: f64,
    /// Different datagrams.
    pub(crate) pool: u64,
}

impl Traffic {
    pub(crate) fn pool(&self) -> Pool {
        Pool::new(self.shape, self.pool)
    }
}

impl Scenario {
    /// The word on the command line, which also names the record.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("no scenario is hidden");
        value.get_name().to_owned()
    }

    pub(crate) fn traffic(self) -> Traffic {
        let (shape, rate) = match self {
            Scenario::Packed => (Shape::packed(FEW_NAMES), 10_000.0),
            Scenario::PackedSlow => (Shape::packed(FEW_NAMES), 2_000.0),
            Scenario::Single => (Shape::single(FEW_NAMES), 100_000.0),
            Scenario::SingleSlow => (Shape::single(FEW_NAMES), 20_000.0),
            Scenario::Wide => (Shape::packed(MANY_NAMES), 10_000.0),
        };
        // Enough that names do not come in an order that a cache or a predictor could learn;
        // with many names, as many as are sent in some seconds.
        let pool = match self {
            Scenario::Packed | Scenario::PackedSlow => 8_192,
            Scenario::Single | Scenario::SingleSlow => 200_000,
            Scenario::Wide => 80_000,
        };
        Traffic { shape, rate, pool }
    }

    /// The figure that decides.
    pub(crate) fn lead(self) -> Figure {
        match self {
            Scenario::Packed | Scenario::PackedSlow => Figure::NsPerLine,
            Scenario::Single | Scenario::SingleSlow => Figure::NsPerDatagram,
            Scenario::Wide => Figure::NsPerDelivered,
        }
    }
}
