//! Which bins the values of a timer are counted in.

use std::fmt;
use std::str::FromStr;

use super::Dialect;

/// The bins of the timers that it is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Histogram {
    /// `PREFIX:MIN:MAX:WIDTH`, statsite's: bins of one width from MIN to MAX, one for what is below
    /// and one for the rest, for names that begin with the prefix.
    Even {
        /// How the names begin; may be empty.
        prefix: String,
        /// Where the bins begin and end, and how wide each is.
        bins: EvenBins,
    },
    /// `TEXT:EDGE,EDGE,inf`, etsy's: for names that contain the text.
    Edges {
        /// What the names contain; empty for all.
        text: String,
        /// Where the bins end; infinite for the rest. A bin takes what those before it have left.
        /// None at all: no bins, for timers that a later entry would fit.
        edges: Vec<f64>,
    },
}

/// Bins of equal width. Invariant: finite, min < max, width > 0, and no more than
/// [`BIN_COUNT_MAX`] bins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvenBins {
    min: f64,
    max: f64,
    width: f64,
}

/// The most bins of a timer, as in statsite: each is a point.
pub const BIN_COUNT_MAX: usize = 1024;

impl EvenBins {
    /// Bins from `min` to `max`, each of a width.
    ///
    /// # Errors
    /// A message where these numbers make no bins, or too many.
    pub fn new(min: f64, max: f64, width: f64) -> Result<EvenBins, String> {
        if ![min, max, width].into_iter().all(f64::is_finite) {
            return Err("the ends and the width of bins are finite numbers".to_owned());
        }
        if min >= max {
            return Err(format!(
                "bins end above where they begin, {max} is not above {min}"
            ));
        }
        if width <= 0.0 {
            return Err(format!("the width of a bin is more than 0, not {width}"));
        }
        let bins = EvenBins { min, max, width };
        if (max - min) / width + 2.0 >= BIN_COUNT_MAX as f64 + 1.0 {
            return Err(format!(
                "from {min} to {max} there would be more than {BIN_COUNT_MAX} bins of {width}"
            ));
        }
        Ok(bins)
    }

    /// Below this is the first bin.
    pub fn min(self) -> f64 {
        self.min
    }

    /// What the last bin is called by. It begins a little below where the width does not divide the
    /// range.
    pub fn max(self) -> f64 {
        self.max
    }

    /// Where the last bin begins.
    pub fn last_start(self) -> f64 {
        self.start(self.inner_count())
    }

    /// Where the bins between the first and the last begin.
    pub fn starts(self) -> impl Iterator<Item = f64> {
        (0..self.inner_count()).map(move |index| self.start(index))
    }

    fn start(self, index: usize) -> f64 {
        self.min + self.width * index as f64
    }

    /// How many bins there are between the first and the last. Two are added and taken off as in
    /// statsite, where that rounds 2.9999999999999996 up.
    fn inner_count(self) -> usize {
        ((self.max - self.min) / self.width + 2.0) as usize - 2
    }
}

impl Histogram {
    /// Whether a naming understands it.
    pub fn is_of(&self, dialect: Dialect) -> bool {
        match dialect {
            Dialect::Etsy | Dialect::EtsyLegacy => matches!(self, Histogram::Edges { .. }),
            Dialect::Statsite => matches!(self, Histogram::Even { .. }),
            Dialect::Gstatsd | Dialect::PythonStatsite => false,
        }
    }
}

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Histogram::Even { prefix, bins } => {
                let EvenBins { min, max, width } = bins;
                write!(f, "{prefix}:{min}:{max}:{width}")
            }
            Histogram::Edges { text, edges } => {
                let edges: Vec<String> = edges.iter().map(f64::to_string).collect();
                write!(f, "{text}:{}", edges.join(","))
            }
        }
    }
}

impl FromStr for Histogram {
    type Err = String;

    fn from_str(text: &str) -> Result<Histogram, String> {
        let wrong = |why: &str| {
            format!(
                "{text:?} is no histogram: {why}; write PREFIX:MIN:MAX:WIDTH for statsite's, or \
                 TEXT:EDGE,EDGE,inf for etsy's"
            )
        };
        let number = |word: &str| {
            word.parse::<f64>()
                .ok()
                .filter(|number| !number.is_nan())
                .ok_or_else(|| wrong(&format!("{word:?} is no number")))
        };
        match text.split(':').collect::<Vec<_>>()[..] {
            [prefix, min, max, width] => Ok(Histogram::Even {
                prefix: prefix.to_owned(),
                bins: EvenBins::new(number(min)?, number(max)?, number(width)?)
                    .map_err(|why| wrong(&why))?,
            }),
            [part, edges] => {
                let edges: Vec<f64> = match edges {
                    "" => Vec::new(),
                    edges => edges.split(',').map(number).collect::<Result<_, _>>()?,
                };
                let twice = (1..edges.len()).find(|&at| edges[..at].contains(&edges[at]));
                if let Some(at) = twice {
                    return Err(wrong(&format!("{} stands there twice", edges[at])));
                }
                // A bin takes what those before it have left, which would be nothing.
                if let Some(pair) = edges.windows(2).find(|pair| pair[1] < pair[0]) {
                    return Err(wrong(&format!(
                        "edges ascend, and {} comes behind {}",
                        pair[1], pair[0]
                    )));
                }
                if edges.len() > BIN_COUNT_MAX {
                    return Err(wrong(&format!("{BIN_COUNT_MAX} bins are the most")));
                }
                Ok(Histogram::Edges {
                    text: part.to_owned(),
                    edges,
                })
            }
            _ => Err(wrong("it has neither one colon nor three")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_read_and_written_alike() {
        for text in [
            "api.:0:20:5",
            ":-1.5:20:0.25",
            "foo:1,2.5,inf",
            "foo:",
            ":-1,0,1",
        ] {
            let read: Histogram = text.parse().expect("a histogram");
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn what_makes_no_bins_is_refused_with_the_reason() {
        for (text, why) in [
            ("api", "neither one colon nor three"),
            ("a:b:0:20:5", "neither one colon nor three"),
            ("api:0:20", "neither one colon nor three"),
            ("api:0:x:5", "\"x\" is no number"),
            ("api:0:inf:5", "finite"),
            ("api:20:20:5", "not above"),
            ("api:0:20:0", "more than 0"),
            ("api:0:1023:1", "more than 1024 bins"),
            ("api:1,2,1", "1 stands there twice"),
            ("api:5,1", "edges ascend, and 1 comes behind 5"),
            ("api:1,inf,2", "edges ascend, and 2 comes behind inf"),
            ("api:nan", "\"nan\" is no number"),
            ("api:1,,2", "\"\" is no number"),
        ] {
            let error = text.parse::<Histogram>().expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!("api:0:1022:1".parse::<Histogram>().is_ok());
    }
}
