//! Reads the golden cases of `tests/golden/*.txt` and holds a pipeline against them; the format is
//! explained in `tests/golden/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::compare::{Expected, differences};
use crate::model::{Extended, Histogram, Idle, Kind, Naming, Output, Pipeline, Settings};

/// The end of a case's first interval, if it is a full one of 10 s; any number would do.
const START_UNIX_S: u64 = 1_700_000_000;

/// One case: what goes in and what must come out, interval by interval.
pub struct Case {
    /// File and line of its beginning, for messages.
    pub place: String,
    pub name: String,
    set: Vec<String>,
    pub intervals: Vec<Interval>,
}

#[derive(Default)]
pub struct Interval {
    /// Absent for a full one.
    length_s: Option<f64>,
    pub datagrams: Vec<(usize, Vec<u8>)>,
    expected: BTreeMap<Naming, Vec<Expected>>,
    refused: BTreeMap<String, u64>,
    counts: Vec<(String, u64)>,
}

/// All cases of all files, in order of the files' names.
pub fn all() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("tests/golden is there")
        .map(|entry| entry.expect("tests/golden can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a golden file is UTF-8");
        let name = file
            .file_name()
            .expect("it has an ending")
            .to_string_lossy();
        read(&name, &text, &mut cases);
    }
    cases
}

/// Adds the cases of one file; panics with the place of a line that is none.
pub fn read(file: &str, text: &str, cases: &mut Vec<Case>) {
    let first = cases.len();
    let mut source = 0;
    for (index, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "case" {
            source = 0;
            cases.push(Case {
                place,
                name: rest.into(),
                set: Vec::new(),
                intervals: vec![Interval::default()],
            });
            continue;
        }
        assert!(cases.len() > first, "{place}: a line before the first case");
        let case = cases.last_mut().expect("there is one by the assertion");
        let interval = case.intervals.last_mut().expect("a case has an interval");
        match word {
            "set" => {
                assert!(interval.datagrams.is_empty(), "{place}: set comes first");
                case.set.push(rest.into());
            }
            "source" => source = number(rest, &place) as usize,
            ">" => interval.datagrams.push((source, bytes(rest, &place))),
            "!" => {
                let (text, reasons) = rest
                    .rsplit_once("  ")
                    .unwrap_or_else(|| panic!("{place}: two spaces before the reason"));
                let text = text.trim_end_matches(' ');
                interval.datagrams.push((source, bytes(text, &place)));
                for reason in reasons.split(' ') {
                    *interval.refused.entry(reason.into()).or_default() += 1;
                }
            }
            "<" => interval.expect(&[Naming::Etsy], rest, &place),
            "<l" => interval.expect(&[Naming::EtsyLegacy], rest, &place),
            "<g" => interval.expect(&[Naming::Gstatsd], rest, &place),
            "<s" => interval.expect(&[Naming::Statsite], rest, &place),
            "<p" => interval.expect(&[Naming::PythonStatsite], rest, &place),
            "<*" => interval.expect(&Naming::WITH_STATS, rest, &place),
            "count" => {
                let words: Vec<&str> = rest.split(' ').collect();
                for pair in words.chunks(2) {
                    let [what, n] = pair else {
                        panic!("{place}: a counter without its number");
                    };
                    interval
                        .counts
                        .push(((*what).into(), number(n, &place) as u64));
                }
            }
            "next" => case.intervals.push(Interval {
                length_s: (!rest.is_empty()).then(|| number(rest, &place)),
                ..Interval::default()
            }),
            _ => panic!("{place}: no line begins with {word:?}"),
        }
    }
}

impl Interval {
    fn expect(&mut self, namings: &[Naming], line: &str, place: &str) {
        for &naming in namings {
            let expected = self.expected.entry(naming).or_default();
            if line != "nothing" {
                expected.push(Expected::read(line, place));
            }
        }
    }

    /// What is wrong with the output of a pipeline for this interval.
    fn differences(&self, naming: Naming, output: &Output, end_unix_s: u64) -> Vec<String> {
        let none = Vec::new();
        let expected = self.expected.get(&naming).unwrap_or(&none);
        let mut wrong = differences(expected, &output.points, end_unix_s);
        let counts = &output.counts;
        if counts.refused != self.refused {
            wrong.push(format!(
                "refused {:?} instead of {:?}",
                counts.refused, self.refused
            ));
        }
        if !counts.balance() {
            wrong.push(format!("the counters do not balance: {counts:?}"));
        }
        for (what, expected) in &self.counts {
            let actual = match what.as_str() {
                "lines" => counts.lines,
                "chained" => counts.chained,
                "samples" => counts.samples,
                "skipped" => counts.skipped,
                "not_finite" => output.points_not_finite,
                _ => panic!("there is no counter {what:?}"),
            };
            if actual != *expected {
                wrong.push(format!("{what} is {actual} instead of {expected}"));
            }
        }
        wrong
    }
}

impl Case {
    /// The namings that the case runs under.
    pub fn namings(&self) -> BTreeSet<Naming> {
        let named: BTreeSet<Naming> = self
            .intervals
            .iter()
            .flat_map(|interval| interval.expected.keys().copied())
            .collect();
        if named.is_empty() {
            Naming::ALL.into()
        } else {
            named
        }
    }

    /// The settings that the case asks for.
    pub fn settings(&self, naming: Naming) -> Settings {
        let mut settings = Settings::new(naming);
        for set in &self.set {
            let (option, value) = set.split_once(' ').unwrap_or((set, ""));
            match option {
                "flush" => settings.flush_s = number(value, &self.place),
                "percent" => {
                    let percent = value.split(' ').map(|text| number(text, &self.place));
                    settings.percent = percent.collect();
                }
                "weighted_timers" => settings.weighted_timers = value == "true",
                "prefix" => settings.prefix = value.into(),
                "tags" => settings.tags = Some(value == "true"),
                "idle" => {
                    let idle = idle(value, &self.place);
                    (settings.idle_counters, settings.idle_timers) = (idle, idle);
                    settings.idle_sets = idle;
                }
                "idle_counters" => settings.idle_counters = idle(value, &self.place),
                "idle_timers" => settings.idle_timers = idle(value, &self.place),
                "idle_sets" => settings.idle_sets = idle(value, &self.place),
                "idle_gauges" => settings.idle_gauges = idle(value, &self.place),
                "max_set_values" => {
                    settings.set_values_max = number(value, &self.place) as usize;
                }
                "suffix" => settings.suffix = value.into(),
                "input_counter" => settings.input_counter = Some(value.into()),
                "counter_counts" => settings.counter_counts = value == "true",
                "extended_counters" => {
                    settings.extended_counters = match value {
                        "sum" => Extended::Sum,
                        "samples" => Extended::Samples,
                        _ => panic!("{}: no extended counters {value:?}", self.place),
                    }
                }
                "timer_statistics" => {
                    settings.timer_statistics = value.split(' ').map(String::from).collect();
                }
                "histogram" => settings.histograms.push(histogram(value, &self.place)),
                "counter_prefix" | "timer_prefix" | "gauge_prefix" | "set_prefix" | "kv_prefix" => {
                    let kind = match option {
                        "counter_prefix" => Kind::Counter,
                        "timer_prefix" => Kind::Timer,
                        "gauge_prefix" => Kind::Gauge,
                        "set_prefix" => Kind::Set,
                        _ => Kind::KeyValue,
                    };
                    settings.fronts.insert(kind, value.into());
                }
                _ => panic!("{}: no option {option:?}", self.place),
            }
        }
        settings
    }

    /// Runs the case through a pipeline that was made with its settings; returns what is wrong.
    pub fn check(&self, naming: Naming, pipeline: &mut impl Pipeline) -> Vec<String> {
        let flush_s = self.settings(naming).flush_s;
        let mut end_unix_s = START_UNIX_S;
        let mut wrong = Vec::new();
        for (index, interval) in self.intervals.iter().enumerate() {
            let length_s = interval.length_s.unwrap_or(flush_s);
            end_unix_s += length_s as u64;
            let output = pipeline.interval(&interval.datagrams, length_s, end_unix_s);
            for what in interval.differences(naming, &output, end_unix_s) {
                wrong.push(format!(
                    "{} {} under {}, interval {}: {what}",
                    self.place,
                    self.name,
                    naming.name(),
                    index + 1
                ));
            }
        }
        wrong
    }
}

fn histogram(text: &str, place: &str) -> Histogram {
    match text.split(':').collect::<Vec<_>>()[..] {
        [prefix, min, max, width] => Histogram::Even {
            prefix: prefix.into(),
            min: number(min, place),
            max: number(max, place),
            width: number(width, place),
        },
        [text, edges] => Histogram::Edges {
            text: text.into(),
            edges: edges
                .split(',')
                .filter(|edge| !edge.is_empty())
                .map(|edge| number(edge, place))
                .collect(),
        },
        _ => panic!("{place}: {text:?} is no histogram"),
    }
}

fn idle(text: &str, place: &str) -> Idle {
    match text {
        "none" => Idle::Silent,
        "0" => Idle::Never,
        seconds => Idle::After {
            silent_s: number(seconds, place),
        },
    }
}

fn number(text: &str, place: &str) -> f64 {
    text.parse()
        .unwrap_or_else(|_| panic!("{place}: {text:?} is no number"))
}

/// The bytes that a TEXT stands for.
fn bytes(text: &str, place: &str) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in repeat_lines(text, place) {
        let text = repeat_pieces(&line, place);
        lines.push(unescape(&text, place));
    }
    lines.join(&b'\n')
}

/// One copy of the line for each number of a `{1..5}` in it.
fn repeat_lines(text: &str, place: &str) -> Vec<String> {
    for (open, _) in text.match_indices('{') {
        let Some((inside, behind)) = text[open + 1..].split_once('}') else {
            break;
        };
        if let Some((first, last)) = inside.split_once("..") {
            let (first, last) = (number(first, place) as u64, number(last, place) as u64);
            let front = &text[..open];
            return (first..=last)
                .map(|n| format!("{front}{n}{behind}"))
                .collect();
        }
    }
    vec![text.into()]
}

/// The line with each `{ab*3}` written out; other braces stay.
fn repeat_pieces(text: &str, place: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((front, behind)) = rest.split_once('{') {
        out.push_str(front);
        match behind.split_once('}') {
            Some((inside, behind)) if inside.contains('*') => {
                let (piece, times) = inside.split_once('*').expect("it contains a star");
                out.push_str(&piece.repeat(number(times, place) as usize));
                rest = behind;
            }
            _ => {
                out.push('{');
                rest = behind;
            }
        }
    }
    out + rest
}

fn unescape(text: &str, place: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16)
                    .unwrap_or_else(|_| panic!("{place}: \\x{digits} is no byte"))
            }
            _ => panic!("{place}: an escape that is none"),
        });
    }
    out
}
