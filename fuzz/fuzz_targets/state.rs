//! Any bytes as a state file, as they are and with the checksum that they should have: nothing panics,
//! what is read can be merged and named, and what is written of it gives the same again.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ringstat::flusher::state::{SlotText, State, StateText, seal};
use ringstat::format::Lines;
use ringstat::metric::Limits;
use ringstat::naming::{Dialect, FlushTime, Naming, NamingSettings, Point, Points};
use ringstat::snapshot::{Idle, IdleTimes, Merger, MergerSettings, SumOrder};

struct Out(Lines);

impl Points for Out {
    fn point(&mut self, point: &Point<'_>) {
        if point.value.number().is_finite() {
            self.0.point(point);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let _may_be_refused = State::read(input.to_vec(), Duration::ZERO);
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let Some(once) = passed_on(seal(text.to_owned())) else {
        return;
    };
    // Where a name comes twice the sum may be more than a file may say. The order of series settles
    // with the second reading.
    let Some(twice) = passed_on(once) else {
        return;
    };
    let thrice = passed_on(twice.clone()).expect("what was written can be read");
    assert_eq!(String::from_utf8(twice), String::from_utf8(thrice));
});

/// What a process writes that takes a state over and gets nothing more.
fn passed_on(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let mut state = State::read(bytes, Duration::ZERO).ok()?;
    let interval = Duration::from_secs(10);
    let idle = IdleTimes {
        counters: Idle::Never,
        timers: Idle::Never,
        sets: Idle::Never,
        gauges: Idle::Never,
    };
    let mut merger = Merger::new(
        MergerSettings {
            idle: Dialect::Etsy.idle_rules(interval, idle),
            limits: Limits::default(),
            weighted_timers: true,
            sum_order: SumOrder::Arrival,
            counter_samples: true,
        },
        1,
    );
    for series in state.series() {
        merger.restore(&series);
    }
    let mut slot_text = None;
    match state.slot.take() {
        None => merger.merge(&[]),
        Some(slot) => {
            merger.merge_whole(slot.part, &mut Vec::new());
            let mut text = SlotText::new(slot.end, slot.length, slot.keys);
            merger.pieces(|name, piece| text.piece(name, &piece));
            text.counts(&slot.counts);
            slot_text = Some(text);
        }
    }
    let mut text = StateText::new(state.head);
    for series in merger.lasting(true) {
        text.series(&series);
    }
    let naming = Naming::new(&NamingSettings::new(Dialect::Etsy));
    let mut out = Out(Lines::default());
    let time = FlushTime {
        end_unix_s: 1_700_000_010,
        length_s: 10.0,
        interval_s: 10.0,
    };
    merger.summaries(|metric_type, name, summary| {
        naming.points(metric_type, name, &summary, time, &mut out);
    });
    Some(text.finish(slot_text))
}
