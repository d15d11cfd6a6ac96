//! What a path is a statistic of, as far as its words tell.

/// How the values of a path may be compared where a flush of one daemon came some milliseconds
/// before that of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Values of several slots may be added: a sample that one daemon counts a slot later is made
    /// up for there.
    Sum,
    /// A statistic of a timer: of the same values only if the timer's count tells so.
    OfTimer,
    /// A level or a number of different members: it stands for its slot alone.
    Level,
}

/// The type of metric that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathType {
    Counter,
    Timer,
    Gauge,
    Set,
    KeyValue,
    /// No word of it tells: a rate under etsy's legacy names and gstatsd's, or prefixes were changed.
    Unknown,
}

/// The first word of a path that is one of the usual ones decides.
pub(super) fn path_type(path: &str) -> PathType {
    let types = untagged(path).split('.').map(|word| match word {
        "counters" | "counts" | "stats_counts" => PathType::Counter,
        "timers" => PathType::Timer,
        "gauges" => PathType::Gauge,
        "sets" => PathType::Set,
        "kv" => PathType::KeyValue,
        _ => PathType::Unknown,
    });
    let mut known = types.filter(|found| *found != PathType::Unknown);
    known.next().unwrap_or(PathType::Unknown)
}

/// How a path is compared.
pub(super) fn kind(path: &str) -> Kind {
    match path_type(path) {
        PathType::Counter | PathType::KeyValue | PathType::Unknown => Kind::Sum,
        PathType::Gauge | PathType::Set => Kind::Level,
        PathType::Timer => match last_word(path) {
            "count" | "sum" | "sum_sq" | "sum_squares" | "rate" | "sample_rate" | "count_ps" => {
                Kind::Sum
            }
            _ if path.contains(".histogram.") => Kind::Sum,
            _ => Kind::OfTimer,
        },
    }
}

/// The path of another statistic of the same timer.
pub(super) fn beside(path: &str, statistic: &str) -> String {
    let (name, tags) = path.split_at(untagged(path).len());
    let timer = name.rfind('.').map_or("", |end| &name[..end]);
    format!("{timer}.{statistic}{tags}")
}

/// A path as ringstat has it under statsite's names. White space ends a path in Graphite's lines.
pub(super) fn made_safe(path: &str) -> String {
    let is_safe = |c: &char| c.is_ascii_graphic() && *c != '|';
    path.chars().filter(is_safe).collect()
}

/// The statistic at the end of a path.
pub(super) fn last_word(path: &str) -> &str {
    let name = untagged(path);
    name.rsplit('.').next().unwrap_or(name)
}

fn untagged(path: &str) -> &str {
    path.split(';').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_path_tell_how_it_is_compared() {
        for (path, expected) in [
            ("stats.counters.timers.count", Kind::Sum),
            ("stats_counts.a", Kind::Sum),
            ("stats.a", Kind::Sum),
            ("statsite.kv.a", Kind::Sum),
            ("stats.timers.a.count", Kind::Sum),
            ("timers.a.sum_sq", Kind::Sum),
            ("stats.timers.a.histogram.bin_5", Kind::Sum),
            ("stats.timers.a.histogram.bin_<0.00", Kind::Sum),
            ("stats.timers.a.mean_90;env=p.count", Kind::OfTimer),
            ("stats.timers.a.count_90", Kind::OfTimer),
            ("gauges.a", Kind::Level),
            ("stats.sets.a.count", Kind::Level),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
    }

    #[test]
    fn statistics_of_one_timer_have_its_name_and_its_tags() {
        assert_eq!(beside("timers.a.b.mean", "count"), "timers.a.b.count");
        assert_eq!(
            beside("timers.a.p50;x=1.2", "count"),
            "timers.a.count;x=1.2"
        );
        assert_eq!(last_word("timers.a.p50;x=1.2"), "p50");
    }
}
