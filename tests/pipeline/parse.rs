//! What the daemon's parser makes of a datagram, and what the model's does.

use ringstat::metric::{MetricType, Number, Refusal, Samples, Values};
use ringstat::protocol::{self, Framing, LineCounts, Record, read_block};
use ringstat::simd::{Baseline, Level, Vectors, Work};

use crate::model::line::{self, Entry, Kind, Line};

/// One link: what was read, or why it was refused.
type Link = Result<Sampled, String>;

/// The samples of a link in words that both parsers have.
#[derive(Debug, PartialEq)]
struct Sampled {
    name: Vec<u8>,
    kind: Kind,
    /// Of a set only the member.
    numbers: Vec<(f64, bool)>,
    member: Vec<u8>,
    weight: f64,
    time_unix_s: Option<u64>,
    tags: Vec<u8>,
}

/// What the daemon's parser reads, in order.
#[derive(Default)]
struct Journal(Vec<Link>);

impl Record<'_> for Journal {
    fn record(&mut self, samples: &Samples<'_>) -> Result<(), Refusal> {
        let numbers = |numbers: &[Number]| {
            let pairs = numbers.iter().map(|number| (number.value, number.signed));
            pairs.collect::<Vec<_>>()
        };
        let (numbers, member, time_unix_s) = match samples.values {
            Values::Counter(values) | Values::Timer(values) | Values::Gauge(values) => {
                (numbers(values), Vec::new(), None)
            }
            Values::Set(member) => (Vec::new(), member.to_vec(), None),
            Values::KeyValue {
                values,
                time_unix_s,
            } => (numbers(values), Vec::new(), time_unix_s),
        };
        self.0.push(Ok(Sampled {
            name: samples.name.to_vec(),
            kind: match samples.metric_type() {
                MetricType::Counter => Kind::Counter,
                MetricType::Gauge => Kind::Gauge,
                MetricType::Timer => Kind::Timer,
                MetricType::Set => Kind::Set,
                MetricType::KeyValue => Kind::KeyValue,
            },
            numbers,
            member,
            weight: samples.rate.weight(),
            time_unix_s,
            tags: samples.tags.to_vec(),
        }));
        Ok(())
    }

    fn refuse(&mut self, reason: Refusal, _line: &[u8]) {
        self.0.push(Err(reason.word().into()));
    }
}

/// Panics unless a stream gives the same samples and refusals whole and in pieces of these sizes,
/// which are used again and again, and the model finds them too.
pub fn assert_cut_alike(stream: &[u8], sizes: &[usize]) {
    let whole = read_stream([stream]);
    let (expected, skipped) = model_reads(line::stream(stream));
    assert_eq!(whole.0.0, expected, "{}", stream.escape_ascii());
    assert_eq!(whole.1.skipped, skipped);
    assert_eq!(whole.1.lines, line::stream(stream).len() as u64);
    let mut rest = stream;
    let mut sizes = sizes.iter().filter(|&&size| size > 0).cycle();
    let pieces = std::iter::from_fn(|| {
        let size = sizes
            .next()
            .map_or(rest.len(), |&size| size.min(rest.len()));
        let (piece, behind) = rest.split_at(size);
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    });
    let cut = read_stream(pieces);
    assert_eq!(cut.0.0, whole.0.0, "{}", stream.escape_ascii());
    assert_eq!(cut.1, whole.1);
}

fn read_stream<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Journal, LineCounts) {
    let (mut journal, mut counts) = (Journal::default(), LineCounts::default());
    let mut framing = Framing::default();
    for piece in pieces {
        let read = framing.feed(piece, |block| {
            read_block(Baseline, block, &mut counts, &mut journal)
        });
        if read.is_err() {
            break;
        }
    }
    // What is broken was told as a refusal.
    let _ = framing.finish(|block| read_block(Baseline, block, &mut counts, &mut journal));
    (journal, counts)
}

/// Panics unless both parsers find the same samples and refusals in a datagram, and what is
/// counted balances.
pub fn assert_read_alike(datagram: &[u8]) {
    let (expected, skipped) = model_reads(line::lines(datagram));
    for level in Level::all() {
        let (journal, counts) = level.run(Reading(datagram));
        assert_eq!(journal.0, expected, "{level:?} {}", datagram.escape_ascii());
        assert_eq!(counts.skipped, skipped);
        assert_eq!(counts.lines, line::lines(datagram).len() as u64);
        let went: u64 = journal.0.iter().map(values).sum();
        assert_eq!(counts.lines + counts.chained, went + counts.skipped);
    }
}

/// A datagram that is read.
struct Reading<'a>(&'a [u8]);

impl Work for Reading<'_> {
    type Output = (Journal, LineCounts);

    #[inline(always)]
    fn run(self, vectors: impl Vectors) -> (Journal, LineCounts) {
        let (mut journal, mut counts) = (Journal::default(), LineCounts::default());
        protocol::read(vectors, self.0, &mut counts, &mut journal);
        (journal, counts)
    }
}

/// How many samples and refusals a link comes to.
fn values(link: &Link) -> u64 {
    match link {
        Ok(sampled) if sampled.kind == Kind::Set => 1,
        Ok(sampled) => sampled.numbers.len() as u64,
        Err(_) => 1,
    }
}

fn model_reads(entries: Vec<Entry<'_>>) -> (Vec<Link>, u64) {
    let (mut all, mut skipped) = (Vec::new(), 0);
    for text in entries {
        match line::read(text) {
            Line::Skipped => skipped += 1,
            Line::NoValue => all.push(Err("no_value".into())),
            Line::Links { name, links, .. } => {
                all.extend(links.into_iter().map(|link| match link {
                    Ok(link) => Ok(sampled(&name, link)),
                    Err(reason) => Err(reason.into()),
                }));
            }
        }
    }
    (all, skipped)
}

fn sampled(name: &[u8], link: line::Link) -> Sampled {
    let (mut numbers, mut member) = (Vec::new(), Vec::new());
    for value in link.values {
        if link.kind == Kind::Set {
            member = value.text;
        } else {
            numbers.push((value.number, value.is_signed()));
        }
    }
    Sampled {
        name: name.into(),
        kind: link.kind,
        numbers,
        member,
        weight: 1.0 / link.rate,
        time_unix_s: link.time_unix_s,
        tags: link.tags.unwrap_or_default(),
    }
}
