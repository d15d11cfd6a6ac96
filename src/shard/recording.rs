//! A datagram on its way from bytes into the table, at any level of instructions. Hot path: no
//! allocation for a known series, no lock, no log.

use super::{RefusedLine, Shard};
use crate::metric::{Gathered, MetricType, Refusal, Refusals, Sample, Samples, Table};
use crate::protocol::{self, Record};
use crate::simd::{Vectors, Work};

/// The part of a shard that samples go to.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) table: Table,
    pub(super) samples: u64,
    pub(super) refused: Refused,
}

/// What was refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) counts: Refusals,
    pub(super) lines: Vec<RefusedLine>,
    pub(super) lines_max: usize,
}

/// A datagram that is read and recorded.
pub(super) struct Reading<'a> {
    pub(super) shard: &'a mut Shard,
    pub(super) bytes: &'a [u8],
}

impl Work for Reading<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, vectors: impl Vectors) {
        let Reading { shard, bytes } = self;
        let mut recording = Recording {
            vectors,
            gathered: std::mem::take(&mut shard.gathered),
            recorder: &mut shard.recorder,
        };
        protocol::read(vectors, bytes, &mut shard.counts.lines, &mut recording);
        recording.finish();
        shard.gathered = recording.gathered.recycle();
    }
}

/// One datagram on its way into the table.
pub(super) struct Recording<'a, 's, V> {
    pub(super) vectors: V,
    pub(super) recorder: &'s mut Recorder,
    pub(super) gathered: Gathered<'a>,
}

impl<V: Vectors> Recording<'_, '_, V> {
    /// Records what was gathered: a function of its own, since a datagram of many lines does it in
    /// the midst of reading, too.
    #[inline(always)]
    pub(super) fn finish(&mut self) {
        self.vectors.run(Finishing {
            recorder: self.recorder,
            gathered: &mut self.gathered,
        });
    }
}

/// What was gathered, to be recorded.
struct Finishing<'s, 'g, 'a> {
    recorder: &'s mut Recorder,
    gathered: &'g mut Gathered<'a>,
}

impl Work for Finishing<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self, vectors: impl Vectors) {
        let Recorder {
            table,
            samples,
            refused,
        } = self.recorder;
        let refuse = |reason, line: &[u8]| refused.count(reason, line);
        *samples += table.record_gathered(vectors, self.gathered, refuse);
    }
}

impl<'a, V: Vectors> Record<'a> for Recording<'a, '_, V> {
    fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal> {
        // Gauges stay in order.
        if samples.metric_type() == MetricType::Gauge {
            self.finish();
        }
        self.recorder.table.record(samples)?;
        self.recorder.samples += samples.count() as u64;
        Ok(())
    }

    fn refuse(&mut self, reason: Refusal, line: &[u8]) {
        self.recorder.refused.count(reason, line);
    }

    // A call of its own would put the sample together in memory first.
    #[inline(always)]
    fn sample(&mut self, sample: &Sample<'a>) {
        if self.recorder.table.gather(sample, &mut self.gathered) {
            self.finish();
        }
    }
}

impl Refused {
    // In line: a flood of refused lines costs what good ones do.
    #[inline]
    fn count(&mut self, reason: Refusal, line: &[u8]) {
        self.counts.count(reason);
        if self.lines.len() < self.lines_max {
            self.keep(reason, line);
        }
    }

    #[cold]
    fn keep(&mut self, reason: Refusal, line: &[u8]) {
        let line = line[..line.len().min(REFUSED_LINE_BYTES_MAX)].into();
        self.lines.push(RefusedLine { reason, line });
    }
}

/// Bytes of a refused line that are kept.
pub(super) const REFUSED_LINE_BYTES_MAX: usize = 160;
