//! A counter of all samples received: statsite's `input_counter`. It has the paths of a client's.

use super::{FlushTime, Naming, Points};
use crate::metric::MetricType;
use crate::snapshot::{SeriesName, Summary};

/// What the counter of a name comes to in one flush.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    name: SeriesName<'a>,
    sum: f64,
    samples: f64,
}

impl<'a> Inputs<'a> {
    /// So many samples came, to be counted under a name that is not empty.
    pub fn new(name: &'a str, received: u64) -> Inputs<'a> {
        Inputs {
            name: SeriesName::new(name.as_bytes()),
            sum: received as f64,
            samples: received as f64,
        }
    }

    /// Takes a client's counter of the same name in, as a path has one point in a flush; false for
    /// any other series.
    #[inline]
    pub fn take(
        &mut self,
        metric_type: MetricType,
        name: SeriesName<'_>,
        summary: &Summary<'_>,
    ) -> bool {
        match summary {
            Summary::Counter { sum, samples }
                if metric_type == MetricType::Counter && name == self.name =>
            {
                self.sum += sum;
                self.samples += samples;
                true
            }
            Summary::Counter { .. }
            | Summary::Gauge(_)
            | Summary::Timer(_)
            | Summary::Set(_)
            | Summary::KeyValue { .. } => false,
        }
    }

    /// The points; none if nothing came and `zero` is not to be told.
    pub fn points(&self, naming: &Naming, zero: bool, time: FlushTime, out: &mut impl Points) {
        if self.samples == 0.0 && !zero {
            return;
        }
        let summary = Summary::Counter {
            sum: self.sum,
            samples: self.samples,
        };
        naming.points(MetricType::Counter, self.name, &summary, time, out);
    }
}
