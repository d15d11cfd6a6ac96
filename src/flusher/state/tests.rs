//! The text of the state file.

use super::*;
use crate::metric::{Counter, MetricType};
use crate::snapshot::{Lasting, Piece, SeriesName};

const HEAD: Head = Head {
    written: Duration::from_millis(1_700_000_005_250),
    end: Duration::from_secs(1_700_000_010),
    interval: Duration::from_secs(10),
};

const SERIES: [Lasting<'static>; 2] = [
    Lasting {
        metric_type: MetricType::Counter,
        name: SeriesName {
            path: b"visits",
            tags: b";env=prod",
        },
        silent: Duration::from_secs(30),
        level: None,
    },
    Lasting {
        metric_type: MetricType::Gauge,
        name: SeriesName {
            path: b"level",
            tags: b"",
        },
        silent: Duration::ZERO,
        level: Some(-0.1),
    },
];

pub(super) fn text() -> StateText {
    let mut text = StateText::new(HEAD);
    SERIES.iter().for_each(|series| text.series(series));
    text
}

#[test]
fn a_person_can_read_what_is_written() {
    let mut slot = SlotText::new(HEAD.end, HEAD.interval, None);
    let counter = Counter {
        sum: 2.5,
        count: 4.0,
    };
    slot.piece(SERIES[0].name, &Piece::Counter(counter));
    let text = String::from_utf8(text().finish(Some(slot))).expect("text");
    let (body, checksum) = text.split_once("crc32 ").expect("a checksum");
    assert_eq!(
        body,
        "ringstat state 2\n\
         of 1700000005250 1700000010000000000 10000000000\n\
         c 30000 visits;env=prod\n\
         g 0 -0.1 level\n\
         slot 1700000010000000000 10000000000\n\
         +c 2.5 4.0 visits;env=prod\n"
    );
    assert_eq!(checksum.trim_end().len(), 8);
}

#[test]
fn what_is_read_is_what_was_written() {
    let state = State::read(text().finish(None), Duration::ZERO).expect("a state");
    assert_eq!(state.head, HEAD);
    assert!(state.slot.is_none());
    assert_eq!(state.series().collect::<Vec<_>>(), SERIES);
}

#[test]
fn gauges_of_the_version_before_are_read() {
    let written = Duration::from_secs(9);
    let bytes = b"ringstat gauges 1\n5.0 a\n-1e300 b;c=d\n".to_vec();
    let state = State::read(bytes, written).expect("a state");
    let read: Vec<_> = state.series().map(|it| (it.name.path, it.level)).collect();
    assert_eq!(read, [(&b"a"[..], Some(5.0)), (b"b", Some(-1e300))]);
    assert_eq!(state.head.written, written);
}

#[test]
fn what_is_wrong_is_named() {
    let refused = |text: &str, reason: &str| {
        let error = State::read(text.as_bytes().to_vec(), Duration::ZERO).expect_err(text);
        assert!(error.contains(reason), "{error} for {text}");
    };
    refused("", "its first line is not \"ringstat state 2\"");
    refused("ringstat state 9\n", "ringstat state 9");
    refused("ringstat state 2\n", "its last line has no checksum");
    refused("ringstat gauges 1\n5.0\n", "line 2");
    refused("ringstat gauges 1\n5.0 a\ninf b\n", "line 3");
    let sealed = |lines: &str| {
        let head = "ringstat state 2\nof 1 2 3\n";
        String::from_utf8(seal(format!("{head}{lines}"))).expect("text")
    };
    refused(&sealed("").replace("of 1", "of 2"), "its checksum is wrong");
    for line in [
        "c x name",
        "c 1",
        "c 1 a b",
        "c 1 na\u{e4}me",
        "g 1 inf name",
        "kv 1 name",
        "+c 1 1 name",
        "slot 1",
        "slot 1 1\nkeys 1 2 3 4",
        "slot 1 1\n+c 1 0 name",
        "slot 1 1\n+ms 1 name nan",
        "slot 1 1\n+ms 1 name 1 2*2",
        "slot 1 1\n+ms 1 name ~ 0.01 1 1 1 2 1 5*1",
        "slot 1 1\n+s 9 name ff",
        "slot 1 1\n+s exact name fg",
    ] {
        refused(&sealed(&format!("{line}\n")), "is not understood");
    }
    for line in [
        "slot 1 1",
        "slot 1 1\n+ms 1 name ~ 0.01 1 1 1 1 1 8388608*1",
    ] {
        let state = State::read(sealed(&format!("{line}\n")).into_bytes(), Duration::ZERO);
        assert!(state.is_ok_and(|state| state.slot.is_some()), "{line}");
    }
}
