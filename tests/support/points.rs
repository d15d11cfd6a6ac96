//! Points read back from lines of Graphite text.

/// One line, `path value timestamp`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) path: String,
    pub(crate) value: f64,
    /// Seconds since 1970.
    pub(crate) time_unix_s: u64,
}

/// Points in order of arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct Points(pub(crate) Vec<Point>);

/// The prefix of own metrics in these tests.
pub(crate) const OWN: &str = "own";

impl Points {
    /// # Panics
    /// If a line is no point, torn for example.
    pub(crate) fn parse(lines: &[String]) -> Points {
        Points(lines.iter().map(|line| parse(line)).collect())
    }

    /// The points of one path.
    pub(crate) fn of(&self, path: &str) -> impl Iterator<Item = &Point> {
        self.0.iter().filter(move |point| point.path == path)
    }

    pub(crate) fn values(&self, path: &str) -> Vec<f64> {
        self.of(path).map(|point| point.value).collect()
    }

    pub(crate) fn times(&self, path: &str) -> Vec<u64> {
        self.of(path).map(|point| point.time_unix_s).collect()
    }

    pub(crate) fn sum(&self, path: &str) -> f64 {
        self.of(path).map(|point| point.value).sum()
    }

    /// What the daemon says of itself, over all flushes.
    pub(crate) fn own_sum(&self, name: &str) -> f64 {
        self.sum(&format!("{OWN}.{name}"))
    }

    /// What the daemon says of itself, in each flush.
    pub(crate) fn own_values(&self, name: &str) -> Vec<f64> {
        self.values(&format!("{OWN}.{name}"))
    }

    /// The sum over all own metrics whose name begins like this.
    pub(crate) fn own_sum_of_all(&self, beginning: &str) -> f64 {
        let beginning = format!("{OWN}.{beginning}");
        let those = self.0.iter();
        let those = those.filter(|point| point.path.starts_with(&beginning));
        those.map(|point| point.value).sum()
    }

    /// Own metrics by flush: each begins with `datagrams`.
    pub(crate) fn own_by_flush(&self) -> Vec<Points> {
        let (own, first) = (format!("{OWN}."), format!("{OWN}.datagrams"));
        let mut flushes: Vec<Points> = Vec::new();
        for point in &self.0 {
            if point.path == first {
                flushes.push(Points::default());
            }
            if let Some(flush) = flushes.last_mut()
                && point.path.starts_with(&own)
            {
                flush.0.push(point.clone());
            }
        }
        flushes
    }

    /// What came in is what was taken and what was refused, in each flush.
    pub(crate) fn assert_input_balances(&self) {
        let flushes = self.own_by_flush();
        assert!(!flushes.is_empty(), "own metrics are there");
        for flush in flushes {
            let sum = |name: &str| flush.own_sum(name);
            assert_eq!(
                sum("datagrams"),
                sum("datagrams.parsed") + sum("datagrams.skipped")
            );
            assert_eq!(
                sum("lines") + sum("chained"),
                sum("samples") + flush.own_sum_of_all("refused.") + sum("skipped"),
                "{flush:?}"
            );
        }
    }

    /// At each flush, all points that went to a sink so far are sent, dropped, superseded, or wait.
    pub(crate) fn assert_sink_balances(&self, sink: &str) {
        let (mut points, mut accounted) = (0.0, 0.0);
        for flush in self.own_by_flush() {
            let of_sink = |name: &str| flush.own_sum(&format!("sink.{sink}.{name}"));
            points += flush.own_sum("points");
            accounted += of_sink("lines") + of_sink("dropped_lines") + of_sink("superseded_lines");
            let waiting = of_sink("queued_lines") + of_sink("spooled_lines");
            assert_eq!(points, accounted + waiting, "{flush:?}");
        }
        assert!(points > 0.0, "there was more than one flush");
    }
}

fn parse(line: &str) -> Point {
    let tokens: Vec<&str> = line.split(' ').collect();
    let [path, value, time] = tokens[..] else {
        panic!("not a point: {line:?}");
    };
    let number: f64 = value.parse().expect("a value is a number");
    assert!(!path.is_empty() && path.is_ascii(), "not a path: {line:?}");
    assert!(number.is_finite(), "not a finite value: {line:?}");
    Point {
        path: path.to_owned(),
        value: number,
        time_unix_s: time.parse().expect("a time stamp is in whole seconds"),
    }
}
