//! Reads one line: `name:value|type`, with packed values, fields, and further links behind.
//! Hot path.

use memchr::{memchr, memchr2};
use smallvec::SmallVec;

use super::counts::LineCounts;
use super::number::parse_number;
use crate::metric::{MetricType, Number, Refusal, Sample, SampleRate, Samples, Values};

/// What lines are read into.
pub trait Record<'a> {
    /// Takes the samples of one link, or says why not.
    ///
    /// # Errors
    /// Why none of them was taken; it comes back through [`Record::refuse`].
    fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal>;

    /// A link of this line was refused.
    fn refuse(&mut self, reason: Refusal, line: &[u8]);

    /// Takes the only sample of a link, or refuses it. It may be kept until other lines are read,
    /// as long as a gauge's stay in order.
    fn sample(&mut self, sample: &Sample<'a>) {
        if let Err(reason) = self.record(&sample.as_samples()) {
            self.refuse(reason, sample.line);
        }
    }
}

/// Values of one link that are read without allocating.
const PACKED_INLINE: usize = 16;

/// Key-values carry whole seconds up to here: the last that a double holds exactly.
const TIME_UNIX_S_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads a line that is trimmed and not empty.
#[inline]
pub(super) fn read<'a>(line: &'a [u8], counts: &mut LineCounts, into: &mut impl Record<'a>) {
    if is_skipped(line) {
        counts.skipped += 1;
        return;
    }
    let Some(colon) = memchr(b':', line) else {
        into.refuse(Refusal::NoValue, line);
        return;
    };
    let mut rest = &line[colon + 1..];
    loop {
        let (link, next) = Link::split(rest);
        if let Err(reason) = link.read(line, &line[..colon], counts, into) {
            into.refuse(reason, line);
        }
        match next {
            Some(next) => rest = next,
            None => return,
        }
        counts.chained += 1;
    }
}

/// Whether a line is an event or a service check of DogStatsD.
#[inline]
pub(super) fn is_skipped(line: &[u8]) -> bool {
    line.first() == Some(&b'_') && (line.starts_with(b"_e{") || line.starts_with(b"_sc|"))
}

/// One link of a line, cut into its parts.
struct Link<'a> {
    values: &'a [u8],
    /// The type and what the fields say, or why the link is refused.
    parts: Result<(MetricType, Fields<'a>), Refusal>,
}

/// What the fields of a link say.
#[derive(Default)]
struct Fields<'a> {
    /// The number behind `@`: a sample rate, or a key-value's time stamp.
    at: Option<f64>,
    tags: Option<&'a [u8]>,
}

impl<'a> Link<'a> {
    /// Cuts the first link off a text. The rest, if any, begins another link.
    #[inline]
    fn split(text: &'a [u8]) -> (Link<'a>, Option<&'a [u8]>) {
        let Some(pipe) = memchr(b'|', text) else {
            let link = Link {
                values: text,
                parts: Err(Refusal::NoType),
            };
            return (link, None);
        };
        let (values, text) = (&text[..pipe], &text[pipe + 1..]);
        let (type_text, mut rest) = match memchr2(b'|', b':', text) {
            Some(end) => (&text[..end], &text[end..]),
            None => (text, &text[text.len()..]),
        };
        let mut parts = MetricType::from_wire(trim(type_text))
            .ok_or(Refusal::BadType)
            .map(|metric_type| (metric_type, Fields::default()));
        let mut in_chain = true;
        while let [b'|', behind @ ..] = rest {
            let field = trim_start(behind);
            let is_extension = matches!(field, [b'#' | b'a'..=b'z' | b'A'..=b'Z', ..]);
            in_chain &= !is_extension;
            let end = if in_chain {
                memchr2(b'|', b':', field)
            } else {
                memchr(b'|', field)
            };
            let (field, behind) = field.split_at(end.unwrap_or(field.len()));
            if let Ok((metric_type, fields)) = &mut parts
                && let Err(reason) = fields.read(trim(field), *metric_type)
            {
                parts = Err(reason);
            }
            rest = behind;
        }
        let next = rest.strip_prefix(b":");
        (Link { values, parts }, next)
    }

    #[inline]
    fn read(
        self,
        line: &'a [u8],
        name: &'a [u8],
        counts: &mut LineCounts,
        into: &mut impl Record<'a>,
    ) -> Result<(), Refusal> {
        let (metric_type, fields) = self.parts?;
        let tags = fields.tags.unwrap_or_default();
        if self.values.is_empty() {
            counts.valueless += 1;
            return Err(Refusal::BadValue);
        }
        let mut packed: SmallVec<[Number; PACKED_INLINE]> = SmallVec::new();
        if metric_type != MetricType::Set {
            for value in self.values.split(|&byte| byte == b':') {
                packed.push(parse_number(trim(value)).ok_or(Refusal::BadValue)?);
            }
        }
        let rate = match (metric_type, fields.at) {
            (MetricType::KeyValue, _) | (_, None) => SampleRate::ALL,
            (_, Some(rate)) => SampleRate::new(rate).ok_or(Refusal::BadRate)?,
        };
        let values = match (metric_type, &*packed) {
            (MetricType::Counter | MetricType::Timer | MetricType::Gauge, &[number]) => {
                into.sample(&Sample {
                    line,
                    name,
                    tags,
                    metric_type,
                    rate,
                    number,
                });
                return Ok(());
            }
            (MetricType::Counter, values) => Values::Counter(values),
            (MetricType::Timer, values) => Values::Timer(values),
            (MetricType::Gauge, values) => Values::Gauge(values),
            (MetricType::Set, _) => Values::Set(self.values),
            (MetricType::KeyValue, values) => Values::KeyValue {
                values,
                time_unix_s: fields.at.map(|seconds| seconds as u64),
            },
        };
        let samples = Samples {
            name,
            tags,
            rate,
            values,
        };
        into.record(&samples)?;
        counts.chained += samples.count() as u64 - 1;
        Ok(())
    }
}

impl<'a> Fields<'a> {
    /// Reads one trimmed field.
    #[inline]
    fn read(&mut self, field: &'a [u8], metric_type: MetricType) -> Result<(), Refusal> {
        match field {
            [b'@', text @ ..] if self.at.is_none() => {
                let number = parse_number(trim(text)).map(|number| number.value);
                self.at = Some(match metric_type {
                    MetricType::KeyValue => number
                        .filter(|&seconds| (0.0..TIME_UNIX_S_MAX).contains(&seconds))
                        .ok_or(Refusal::BadTime)?,
                    _ => number
                        .filter(|&rate| SampleRate::new(rate).is_some())
                        .ok_or(Refusal::BadRate)?,
                });
                Ok(())
            }
            [b'#', tags @ ..] if self.tags.is_none() => {
                self.tags = Some(tags);
                Ok(())
            }
            // "c:8f3a", "T1656581400", "e:..", "card:..": DogStatsD has them; we need them not.
            [b'a'..=b'z' | b'A'..=b'Z', ..] => Ok(()),
            _ => Err(Refusal::BadField),
        }
    }
}

/// White space that may surround a line, a value, a type or a field.
#[inline]
fn is_white(byte: u8) -> bool {
    byte == b' ' || (b'\t'..=b'\r').contains(&byte)
}

/// Drops the white space around a text.
#[inline]
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let mut text = trim_start(text);
    while let [rest @ .., last] = text
        && is_white(*last)
    {
        text = rest;
    }
    text
}

#[inline]
fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_white(*first)
    {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use crate::simd::Baseline;

    /// Writes down what it is given, in words.
    #[derive(Default)]
    struct Journal(Vec<String>);

    impl Record<'_> for Journal {
        fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal> {
            let name = String::from_utf8_lossy(samples.name);
            let tags = String::from_utf8_lossy(samples.tags);
            let numbers = |values: &[Number]| {
                let texts: Vec<String> = values.iter().map(|n| n.value.to_string()).collect();
                texts.join(",")
            };
            let values = match samples.values {
                Values::Counter(values) => format!("c {}", numbers(values)),
                Values::Gauge(values) => format!("g {}", numbers(values)),
                Values::Timer(values) => format!("ms {}", numbers(values)),
                Values::Set(member) => format!("s {}", String::from_utf8_lossy(member)),
                Values::KeyValue {
                    values,
                    time_unix_s,
                } => {
                    format!("kv {} {time_unix_s:?}", numbers(values))
                }
            };
            let weight = samples.rate.weight();
            self.0.push(format!("{name} {values} x{weight} #{tags}"));
            Ok(())
        }

        fn refuse(&mut self, reason: Refusal, _line: &[u8]) {
            self.0.push(reason.word().to_owned());
        }
    }

    #[track_caller]
    fn check(datagram: &str, expected: &[&str]) -> LineCounts {
        let (mut journal, mut counts) = (Journal::default(), LineCounts::default());
        read(Baseline, datagram.as_bytes(), &mut counts, &mut journal);
        assert_eq!(journal.0, expected, "{datagram:?}");
        counts
    }

    #[test]
    fn lines_that_must_parse() {
        check("a:1|c", &["a c 1 x1 #"]);
        check("a:1|m\r\n\n b : 2 | ms \n", &["a c 1 x1 #", "b  ms 2 x1 #"]);
        check("a:3|h|@0.1", &["a ms 3 x10 #"]);
        check("a:1:2:3|d|@.5|#k:v", &["a ms 1,2,3 x2 #k:v"]);
        check("a:-5|g|#k:v|@0.5", &["a g -5 x2 #k:v"]);
        check("a:http://b/c|s", &["a s http://b/c x1 #"]);
        check("a:5|kv|@1313107325.9", &["a kv 5 Some(1313107325) x1 #"]);
        check("a|b:1|c", &["a|b c 1 x1 #"]);
        check("a:1|c|c:8f3a|T1656581400|e:x:y", &["a c 1 x1 #"]);
    }

    #[test]
    fn a_chain_goes_on_behind_a_refused_link_and_ends_at_an_extension() {
        check("a:1|c:2|ms", &["a c 1 x1 #", "a ms 2 x1 #"]);
        check("a:1|c|@0.5:2|c", &["a c 1 x2 #", "a c 2 x1 #"]);
        check("a:1|c:x|c:3|c", &["a c 1 x1 #", "bad_value", "a c 3 x1 #"]);
        check("a:1|:2|c", &["bad_type", "a c 2 x1 #"]);
        check("a:1|c:2", &["a c 1 x1 #", "no_type"]);
        check("a:1|c|#k:v:2|c", &["a c 1 x1 #k:v:2"]);
        check("a:1|c|#k:v:2", &["a c 1 x1 #k:v:2"]);
        check("a:1|c|#k:v|@0.5:2|c", &["bad_rate"]);
        check("a:x:y|s:z|s", &["a s x:y x1 #", "a s z x1 #"]);
    }

    #[test]
    fn lines_that_must_not_parse() {
        for (line, reason) in [
            ("a", "no_value"),
            ("a:1", "no_type"),
            ("a:1|", "bad_type"),
            ("a:1|C", "bad_type"),
            ("a:1||@0.5", "bad_type"),
            ("a:|c", "bad_value"),
            ("a::1|c", "bad_value"),
            ("a:1:|ms", "bad_value"),
            ("a:|s", "bad_value"),
            ("a:1|c|", "bad_field"),
            ("a:1|c|0.5", "bad_field"),
            ("a:1|c|@1|@1", "bad_field"),
            ("a:1|c|#a|#b", "bad_field"),
            ("a:1|c|@", "bad_rate"),
            ("a:1|c|@0", "bad_rate"),
            ("a:1|c|@-0.5", "bad_rate"),
            ("a:1|c|@1.5", "bad_rate"),
            ("a:1|g|@x", "bad_rate"),
            ("a:1|kv|@-1", "bad_time"),
            ("a:1|kv|@1e300", "bad_time"),
        ] {
            check(line, &[reason]);
        }
    }

    #[test]
    fn links_without_a_value_are_counted() {
        let reasons = &[
            "bad_value",
            "bad_value",
            "bad_value",
            "bad_value",
            "bad_type",
        ];
        let counts = check("a:|c\na:|s\na: |c\na:1:|ms\na:|x", reasons);
        assert_eq!(counts.valueless, 2);
    }

    #[test]
    fn lines_and_links_balance_with_samples_and_refusals() {
        let datagram = "a:1:2|c:x|c:3|g\n_e{1,1}:a|b\n_sc|a|0\n\nb\nc:1|c\n";
        let counts = check(
            datagram,
            &[
                "a c 1,2 x1 #",
                "bad_value",
                "a g 3 x1 #",
                "no_value",
                "c c 1 x1 #",
            ],
        );
        assert_eq!((counts.lines, counts.chained, counts.skipped), (5, 3, 2));
        assert_eq!(counts.valueless, 0);
        let (samples, refused) = (4, 2);
        assert_eq!(
            counts.lines + counts.chained,
            samples + refused + counts.skipped
        );
    }
}
