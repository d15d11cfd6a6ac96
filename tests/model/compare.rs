//! Compares points with expected ones: as a whole, in any order, values as numbers.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use crate::model::line::{self, Line};
use crate::model::{Output, Point};

/// Relative difference up to which two values are the same.
const TOLERANCE: f64 = 1e-9;

/// Difference up to which two values that were worked out in different orders are the same: where
/// large terms cancel out, the rounding of the terms stays.
const ROUNDING: f64 = 1e-8;

/// One line of expectation.
#[derive(Clone, Debug)]
pub enum Expected {
    Point {
        path: String,
        low: f64,
        high: f64,
        /// Absent for the end of the interval.
        time_unix_s: Option<u64>,
    },
    /// Points whose path begins so are not looked at.
    AndMore { path: String },
}

impl Expected {
    /// Reads `PATH VALUE [TIME]`, `PATH LOW..HIGH [TIME]` or `PATH and more`.
    pub fn read(line: &str, place: &str) -> Expected {
        let number = |text: &str| -> f64 {
            text.parse()
                .unwrap_or_else(|_| panic!("{place}: {text:?} is no number"))
        };
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            [path, "and", "more"] => Expected::AndMore {
                path: (*path).into(),
            },
            [path, value, time @ ..] => {
                let (low, high) = value.split_once("..").unwrap_or((value, value));
                let time_unix_s = match time {
                    [] | ["T"] => None,
                    [seconds] => Some(number(seconds) as u64),
                    _ => panic!("{place}: more than a path, a value and a time"),
                };
                Expected::Point {
                    path: (*path).into(),
                    low: number(low),
                    high: number(high),
                    time_unix_s,
                }
            }
            _ => panic!("{place}: a path without a value"),
        }
    }

    fn is(&self, point: &Point, end_unix_s: u64) -> bool {
        match self {
            Expected::AndMore { .. } => false,
            Expected::Point {
                path,
                low,
                high,
                time_unix_s,
            } => {
                *path == point.path
                    && time_unix_s.unwrap_or(end_unix_s) == point.time_unix_s
                    && (low <= &point.value || close(*low, point.value))
                    && (high >= &point.value || close(*high, point.value))
            }
        }
    }
}

/// Whether two values are the same but for rounding.
pub fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

/// What is missing and what is too much. The daemon's own line under `gstatsd` is looked at only
/// where it is expected.
pub fn differences(expected: &[Expected], points: &[Point], end_unix_s: u64) -> Vec<String> {
    let mut left: Vec<&Point> = points.iter().collect();
    let mut wrong = Vec::new();
    for line in expected {
        if let Expected::AndMore { .. } = line {
            continue;
        }
        match left.iter().position(|point| line.is(point, end_unix_s)) {
            Some(found) => {
                left.swap_remove(found);
            }
            None => wrong.push(format!("missing {line:?}")),
        }
    }
    for point in left {
        let covered = expected.iter().any(|line| match line {
            Expected::AndMore { path } => point.path.starts_with(path.as_str()),
            Expected::Point { .. } => false,
        });
        if !covered && point.path != "statsd.numStats" {
            wrong.push(format!("unexpected {point:?}"));
        }
    }
    wrong
}

/// Where two outputs of one interval differ; the order of points does not count.
pub fn output_differences(left: &Output, right: &Output) -> Vec<String> {
    let mut wrong = Vec::new();
    if left.counts != right.counts {
        wrong.push(format!("{:?} and {:?}", left.counts, right.counts));
    }
    if left.points_not_finite != right.points_not_finite {
        wrong.push(format!(
            "{} and {} points that are not finite",
            left.points_not_finite, right.points_not_finite
        ));
    }
    let (left, right) = (sorted(&left.points), sorted(&right.points));
    let (mut left, mut right) = (left.as_slice(), right.as_slice());
    loop {
        match (left, right) {
            ([], []) => return wrong,
            ([a, left_rest @ ..], [b, right_rest @ ..]) if place(a) == place(b) => {
                if !close(a.value, b.value) && (a.value - b.value).abs() > ROUNDING {
                    wrong.push(format!("{a:?} and {b:?}"));
                }
                (left, right) = (left_rest, right_rest);
            }
            ([a, rest @ ..], [b, ..]) if place(a) < place(b) => {
                wrong.push(format!("{a:?} and nothing"));
                left = rest;
            }
            ([a, rest @ ..], []) => {
                wrong.push(format!("{a:?} and nothing"));
                left = rest;
            }
            (_, [b, rest @ ..]) => {
                wrong.push(format!("nothing and {b:?}"));
                right = rest;
            }
        }
    }
}

fn sorted(points: &[Point]) -> Vec<&Point> {
    let mut sorted: Vec<&Point> = points.iter().collect();
    sorted.sort_by(|a, b| place(a).cmp(&place(b)).then(a.value.total_cmp(&b.value)));
    sorted
}

fn place(point: &Point) -> (&str, u64) {
    (&point.path, point.time_unix_s)
}

/// Whether sums of the numbers of datagrams are the same in any order: small multiples of 1/8, and
/// rates that are powers of two. 0x1d and 0x1e separate datagrams.
pub fn sums_are_exact(datagrams: &[u8]) -> bool {
    let is_exact = |link: &line::Link| {
        let weight = 1.0 / link.rate;
        let mut numbers = link.values.iter().map(|value| value.number);
        let are_small = numbers.all(|number| (number * 8.0).fract() == 0.0 && number.abs() < 1e4);
        are_small && [1.0, 2.0, 4.0, 8.0].contains(&weight)
    };
    datagrams
        .split(|&byte| byte == 0x1d || byte == 0x1e)
        .flat_map(line::lines)
        .all(|text| match line::read(text) {
            Line::Skipped | Line::NoValue => true,
            Line::Links { links, .. } => links.iter().flatten().all(is_exact),
        })
}
