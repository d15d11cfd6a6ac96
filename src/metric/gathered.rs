//! Samples on their way into a table, those of a datagram together, so that their memory can be
//! asked for before it is needed: first where their names are looked up, then the names and the
//! aggregates, and only then are they recorded. With names that are not in a cache the waits
//! overlap: from 100,000 names of each type on a line takes a third less time (bench `record`).

use super::index::Entry;
use super::name::SPELLING_BYTES_MAX;
use super::refusal::Refusal;
use super::samples::{MetricType, Number, Sample};
use super::table::{Interval, Table};
use super::texts::NONE;
use crate::simd::Vectors;

/// So many of one type are gathered: more than a datagram of an Ethernet frame holds unless its
/// lines are very short.
const PENDING_MAX: usize = 64;

/// The types that are gathered, in lists of their own: recording them list by list spares a
/// branch on the type, which the processor would guess wrong for every other line.
const GATHERED_TYPES: usize = 3;

/// A sample whose series is being looked up, in one cache line.
#[derive(Clone, Copy, Debug)]
struct Pending<'a> {
    /// It begins with the name.
    line: &'a [u8],
    tags: &'a [u8],
    value: f64,
    weight: f64,
    /// 0 for a name that is too long.
    hash: u32,
    /// Where the text of its series most likely is; `NONE` if its name is new.
    record: u32,
    /// Its series, if the text is the right one.
    slot: u32,
    name_bytes: u16,
    signed: bool,
}

impl Pending<'_> {
    #[inline(always)]
    fn name(&self) -> &[u8] {
        &self.line[..usize::from(self.name_bytes)]
    }

    #[inline(always)]
    fn number(&self) -> Number {
        Number {
            value: self.value,
            signed: self.signed,
        }
    }
}

/// Samples that wait to be recorded. They are recorded in order among those of their type; series
/// of different types have nothing to do with each other.
#[derive(Debug, Default)]
pub struct Gathered<'a> {
    lists: [Vec<Pending<'a>>; GATHERED_TYPES],
}

impl Gathered<'_> {
    /// An empty one in the memory of this one, for another datagram. On the stack the lists would
    /// be set up anew for each datagram.
    #[inline]
    pub fn recycle<'b>(self) -> Gathered<'b> {
        Gathered {
            lists: self.lists.map(|mut list| {
                list.clear();
                // Collecting an empty list of items of the same size keeps its memory.
                list.into_iter().map_while(|_| None).collect()
            }),
        }
    }
}

impl Table {
    /// Gathers a sample to be recorded with [`Table::record_gathered`], and asks for the memory where
    /// its name is looked up. Returns whether one of its lists is full.
    #[inline(always)]
    pub fn gather<'a>(&self, sample: &Sample<'a>, gathered: &mut Gathered<'a>) -> bool {
        let tags = if self.rules.keep_tags {
            sample.tags
        } else {
            b""
        };
        // Not even hashed: a chain could have a name of many kilobytes hashed thousands of times.
        let is_too_long = sample.name.len() + tags.len() > SPELLING_BYTES_MAX;
        let kind = sample.metric_type as usize;
        let hash = match is_too_long {
            true => 0,
            false => self.names[kind].hash(sample.name, tags),
        };
        self.names[kind].prefetch(hash);
        let list = &mut gathered.lists[kind];
        list.push(Pending {
            line: sample.line,
            tags,
            value: sample.number.value,
            weight: sample.rate.weight(),
            hash,
            record: NONE,
            slot: 0,
            // Datagrams are shorter than that.
            name_bytes: sample.name.len() as u16,
            signed: sample.number.signed,
        });
        list.len() == PENDING_MAX
    }

    /// Records all that was gathered, and empties it. Returns how many samples were taken;
    /// the others are refused with the reason and their line.
    #[inline(always)]
    pub fn record_gathered(
        &mut self,
        vectors: impl Vectors,
        gathered: &mut Gathered<'_>,
        mut refuse: impl FnMut(Refusal, &[u8]),
    ) -> u64 {
        let [counters, gauges, timers] = &mut gathered.lists;
        let mut taken = 0;
        // A series that is added may move or replace what the guesses behind it point to, those of
        // other types as well, because it may have made room for itself among these.
        let mut guesses_hold = true;
        self.guess(vectors, MetricType::Counter, counters, |interval, slot| {
            interval.counters.prefetch(slot);
        });
        self.guess(vectors, MetricType::Timer, timers, |interval, slot| {
            interval.timers.counts.prefetch(slot);
        });
        self.guess(vectors, MetricType::Gauge, gauges, |interval, slot| {
            interval.gauges.prefetch(slot);
        });
        taken += self.settle(
            MetricType::Counter,
            counters,
            &mut guesses_hold,
            &mut refuse,
            |table, slot, sample| table.record_counter(slot, sample.value, sample.weight),
        );
        taken += self.settle(
            MetricType::Timer,
            timers,
            &mut guesses_hold,
            &mut refuse,
            |table, slot, sample| table.record_timer(slot, sample.value, sample.weight),
        );
        taken += self.settle(
            MetricType::Gauge,
            gauges,
            &mut guesses_hold,
            &mut refuse,
            |table, slot, sample| table.record_gauge(slot, sample.number()),
        );
        taken
    }

    /// Finds where each sample most likely belongs, and asks for the memory of that.
    #[inline(always)]
    fn guess(
        &self,
        vectors: impl Vectors,
        metric_type: MetricType,
        list: &mut [Pending<'_>],
        prefetch: impl Fn(&Interval, u32),
    ) {
        let names = &self.names[metric_type as usize];
        for sample in list {
            let text_bytes = usize::from(sample.name_bytes) + sample.tags.len();
            if let Some(Entry { record, slot }) = names.guess(vectors, sample.hash, text_bytes) {
                sample.record = record;
                sample.slot = slot;
                prefetch(&self.interval, slot);
            }
        }
    }

    /// Records a list and empties it.
    #[inline(always)]
    fn settle(
        &mut self,
        metric_type: MetricType,
        list: &mut Vec<Pending<'_>>,
        guesses_hold: &mut bool,
        refuse: &mut impl FnMut(Refusal, &[u8]),
        record: impl Fn(&mut Table, u32, &Pending<'_>) -> bool,
    ) -> u64 {
        let mut refused = 0;
        // All texts first, and then all aggregates: two loops whose values stay in registers.
        let names = &self.names[metric_type as usize];
        let right = match *guesses_hold {
            true => {
                let wrong =
                    |sample: &Pending<'_>| !names.is(sample.record, sample.name(), sample.tags);
                list.iter().position(wrong).unwrap_or(list.len())
            }
            false => 0,
        };
        for sample in &list[..right] {
            if !record(self, sample.slot, sample) {
                refuse(self.refuse_again(metric_type, sample.slot), sample.line);
                refused += 1;
            }
        }
        for sample in &list[right..] {
            *guesses_hold = false;
            match self.slot_of(metric_type, sample) {
                Ok(slot) if record(self, slot, sample) => continue,
                Ok(slot) => refuse(self.refuse_again(metric_type, slot), sample.line),
                Err(reason) => refuse(reason, sample.line),
            }
            refused += 1;
        }
        let taken = list.len() as u64 - refused;
        list.clear();
        taken
    }

    #[cold]
    #[inline(never)]
    fn slot_of(&mut self, metric_type: MetricType, sample: &Pending<'_>) -> Result<u32, Refusal> {
        if sample.hash == 0 {
            return Err(Refusal::NameTooLong);
        }
        let names = &self.names[metric_type as usize];
        let found = names.find_hashed(sample.hash, sample.name(), sample.tags);
        match found.slot {
            Some(slot) => Ok(slot),
            None => self.intern(metric_type, &found, sample.name(), sample.tags),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{InputRules, Limits, SafeNames, SampleRate, SetHash, Silence, SlotId};
    use crate::simd::Baseline;

    fn table(max_series: usize) -> Table {
        let rules = InputRules {
            safe_names: SafeNames::Graphite,
            keep_tags: true,
            sign_moves_gauge: true,
            weighted_timers: false,
        };
        let limits = Limits {
            max_series,
            ..Limits::default()
        };
        Table::new(rules, limits, SetHash::new())
    }

    fn sample(metric_type: MetricType, name: &str, value: f64) -> Sample<'_> {
        Sample {
            line: name.as_bytes(),
            name: name.as_bytes(),
            tags: b"",
            metric_type,
            rate: SampleRate::ALL,
            number: Number {
                value,
                signed: false,
            },
        }
    }

    /// Records counters together. Returns how many were taken, and the refused ones.
    fn record(table: &mut Table, counters: &[(&str, f64)]) -> (u64, Vec<(Refusal, String)>) {
        let mut gathered = Gathered::default();
        for &(name, value) in counters {
            table.gather(&sample(MetricType::Counter, name, value), &mut gathered);
        }
        let mut refused = Vec::new();
        let taken = table.record_gathered(Baseline, &mut gathered, |reason, line| {
            refused.push((reason, String::from_utf8_lossy(line).into_owned()));
        });
        (taken, refused)
    }

    fn sum(interval: &Interval, slot: u32) -> Option<f64> {
        interval.counters.get(slot).map(|counter| counter.sum)
    }

    #[test]
    fn a_name_may_be_gathered_twice_before_it_is_known() {
        let mut table = table(10);
        let taken = record(
            &mut table,
            &[("a", 1.0), ("b", 2.0), ("a", 4.0), ("b", 8.0)],
        )
        .0;
        let interval = table.hand_over(Interval::default());
        assert_eq!((taken, interval.births.len()), (4, 2));
        assert_eq!(
            (sum(&interval, 0), sum(&interval, 1)),
            (Some(5.0), Some(10.0))
        );
    }

    /// The record of the name that goes still holds its text, because the name that comes is too
    /// long for it; its slot is that name's already.
    #[test]
    fn a_guess_does_not_outlive_the_series_that_it_was_for() {
        let mut table = table(2);
        record(&mut table, &[("a", 1.0), ("b", 1.0)]);
        table.hand_over(Interval::default());
        let b = SlotId {
            metric_type: MetricType::Counter,
            slot: 1,
        };
        table.set_silence(Silence {
            forget: Vec::new(),
            silent: vec![b],
            ..Silence::default()
        });
        let (taken, refused) = record(&mut table, &[("a.longer.name.than.b", 2.0), ("b", 4.0)]);
        assert_eq!(taken, 1);
        assert_eq!(refused, [(Refusal::SeriesLimit, "b".to_owned())]);
        let interval = table.hand_over(Interval::default());
        assert_eq!(interval.births[0].id, b, "the slot is used again");
        assert_eq!(sum(&interval, 1), Some(2.0));
    }

    /// Counters are settled before timers, and make room for themselves among all types. The
    /// timer's text outlives its series, so that only the guess says that it is still there.
    #[test]
    fn a_guess_does_not_outlive_a_series_that_made_room_for_one_of_another_type() {
        let mut table = table(2);
        let mut gathered = Gathered::default();
        table.gather(&sample(MetricType::Timer, "t", 1.0), &mut gathered);
        table.record_gathered(Baseline, &mut gathered, |reason, _| panic!("{reason:?}"));
        record(&mut table, &[("a", 1.0)]);
        table.hand_over(Interval::default());
        let timer = SlotId {
            metric_type: MetricType::Timer,
            slot: 0,
        };
        table.set_silence(Silence {
            forget: Vec::new(),
            silent: vec![timer],
            ..Silence::default()
        });
        table.gather(&sample(MetricType::Timer, "t", 2.0), &mut gathered);
        table.gather(&sample(MetricType::Counter, "b", 2.0), &mut gathered);
        let mut refused = Vec::new();
        let taken = table.record_gathered(Baseline, &mut gathered, |reason, line| {
            refused.push((reason, line.to_vec()));
        });
        assert_eq!(taken, 1);
        assert_eq!(refused, [(Refusal::SeriesLimit, b"t".to_vec())]);
        let interval = table.hand_over(Interval::default());
        assert_eq!(interval.forgotten, [timer]);
        assert!(
            !interval.timers.counts.is_touched(0),
            "a series without a name"
        );
    }

    #[test]
    fn a_name_that_is_too_long_is_refused_alone() {
        let mut table = table(10);
        let long = "x".repeat(SPELLING_BYTES_MAX + 1);
        let (taken, refused) = record(&mut table, &[("a", 1.0), (&long, 2.0), ("b", 4.0)]);
        assert_eq!((taken, refused), (2, vec![(Refusal::NameTooLong, long)]));
    }

    #[test]
    fn gathering_is_over_when_one_of_its_lists_is() {
        let table = table(10);
        let mut gathered = Gathered::default();
        let names: Vec<String> = (0..PENDING_MAX).map(|number| number.to_string()).collect();
        let (last, others) = names.split_last().expect("there are some");
        for name in others {
            let (counter, gauge) = (MetricType::Counter, MetricType::Gauge);
            assert!(!table.gather(&sample(counter, name, 1.0), &mut gathered));
            assert!(!table.gather(&sample(gauge, name, 1.0), &mut gathered));
        }
        assert!(table.gather(&sample(MetricType::Gauge, last, 1.0), &mut gathered));
    }

    #[test]
    fn what_is_gathered_of_a_sample_fits_into_a_cache_line() {
        assert_eq!(size_of::<Pending<'_>>(), 64);
    }

    #[test]
    fn what_is_gathered_keeps_its_memory_from_datagram_to_datagram() {
        let mut gathered = Gathered::default();
        for list in &mut gathered.lists {
            list.reserve_exact(PENDING_MAX);
        }
        let memory = gathered.lists.each_ref().map(|list| list.as_ptr() as usize);
        let again: Gathered<'_> = gathered.recycle();
        assert_eq!(
            again.lists.each_ref().map(|list| list.as_ptr() as usize),
            memory
        );
        assert!(
            again
                .lists
                .iter()
                .all(|list| list.capacity() >= PENDING_MAX)
        );
    }
}
