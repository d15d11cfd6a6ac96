//! The samples of one link of a line, borrowed from the datagram that brought them.

/// What a sample is a sample of. A name may be used with several types; each is a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricType {
    /// `c`, `m`: adds up.
    Counter,
    /// `g`: the last one counts, or moves the level.
    Gauge,
    /// `ms`, `h`, `d`: a distribution.
    Timer,
    /// `s`: counts distinct values.
    Set,
    /// `kv`: every sample is a point of its own.
    KeyValue,
}

impl MetricType {
    /// All types, in the order in which they are flushed.
    pub const ALL: [MetricType; 5] = [
        MetricType::Counter,
        MetricType::Timer,
        MetricType::Gauge,
        MetricType::Set,
        MetricType::KeyValue,
    ];

    /// The type that the text behind the `|` names; upper and lower case differ.
    pub fn from_wire(text: &[u8]) -> Option<MetricType> {
        match text {
            b"c" | b"m" => Some(MetricType::Counter),
            b"ms" | b"h" | b"d" => Some(MetricType::Timer),
            b"g" => Some(MetricType::Gauge),
            b"s" => Some(MetricType::Set),
            b"kv" => Some(MetricType::KeyValue),
            _ => None,
        }
    }

    /// The word for it in our own metrics.
    pub fn word(self) -> &'static str {
        match self {
            MetricType::Counter => "counters",
            MetricType::Gauge => "gauges",
            MetricType::Timer => "timers",
            MetricType::Set => "sets",
            MetricType::KeyValue => "key_values",
        }
    }
}

/// A finite number, and whether it was written with a sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// Invariant: finite and not subnormal.
    pub value: f64,
    /// Whether the text began with `+` or `-`: such a number may move a gauge.
    pub signed: bool,
}

/// A client-side sampling rate. Invariant: 0 < rate <= 1, and not subnormal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRate(f64);

impl SampleRate {
    /// Nothing was left out.
    pub const ALL: SampleRate = SampleRate(1.0);

    /// None unless 0 < rate <= 1.
    pub fn new(rate: f64) -> Option<SampleRate> {
        (f64::MIN_POSITIVE..=1.0)
            .contains(&rate)
            .then_some(SampleRate(rate))
    }

    /// How many samples each sample received stands for: 1/rate.
    #[inline]
    pub fn weight(self) -> f64 {
        1.0 / self.0
    }
}

/// The values of one link: several where they are packed (`a:1:2:3|ms`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values<'a> {
    /// To be added up.
    Counter(&'a [Number]),
    /// To be set, or moved by.
    Gauge(&'a [Number]),
    /// Of a distribution.
    Timer(&'a [Number]),
    /// One member of a set, colons and all.
    Set(&'a [u8]),
    /// Points of their own.
    KeyValue {
        /// The values, in order.
        values: &'a [Number],
        /// Their time stamp in seconds since 1970; the flush's where none is given.
        time_unix_s: Option<u64>,
    },
}

/// What one link says: values for one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Samples<'a> {
    /// The name as it was spelled.
    pub name: &'a [u8],
    /// The tags field behind its `#`, as it was spelled; empty for none.
    pub tags: &'a [u8],
    /// Weighs counters and the count of timers.
    pub rate: SampleRate,
    /// At least one.
    pub values: Values<'a>,
}

/// One value of a counter, a gauge or a timer: what most lines hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The line that it stands in.
    pub line: &'a [u8],
    /// The name as it was spelled.
    pub name: &'a [u8],
    /// The tags field behind its `#`, as it was spelled; empty for none.
    pub tags: &'a [u8],
    /// The type of the series: neither a set nor a key-value.
    pub metric_type: MetricType,
    /// Weighs counters and the count of timers.
    pub rate: SampleRate,
    /// The value.
    pub number: Number,
}

impl<'a> Sample<'a> {
    /// The same as a link with one value.
    pub fn as_samples(&'a self) -> Samples<'a> {
        let values = std::slice::from_ref(&self.number);
        Samples {
            name: self.name,
            tags: self.tags,
            rate: self.rate,
            values: match self.metric_type {
                MetricType::Counter => Values::Counter(values),
                MetricType::Gauge => Values::Gauge(values),
                MetricType::Timer => Values::Timer(values),
                MetricType::Set | MetricType::KeyValue => {
                    unreachable!("a sample is a number of an interval")
                }
            },
        }
    }
}

impl Samples<'_> {
    /// The type of the series.
    #[inline]
    pub fn metric_type(&self) -> MetricType {
        match self.values {
            Values::Counter(_) => MetricType::Counter,
            Values::Gauge(_) => MetricType::Gauge,
            Values::Timer(_) => MetricType::Timer,
            Values::Set(_) => MetricType::Set,
            Values::KeyValue { .. } => MetricType::KeyValue,
        }
    }

    /// How many samples these are.
    #[inline]
    pub fn count(&self) -> usize {
        match self.values {
            Values::Counter(values)
            | Values::Gauge(values)
            | Values::Timer(values)
            | Values::KeyValue { values, .. } => values.len(),
            Values::Set(_) => 1,
        }
    }
}
