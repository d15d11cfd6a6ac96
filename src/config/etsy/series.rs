//! What etsy's statsd makes of series: names, statistics, and what becomes of idle ones.

use std::time::Duration;

use super::literal::{Content, Literal};
use super::object::{Object, number};
use super::{Mistake, Reader};
use crate::config::values::FlushInterval;
use crate::naming::{ETSY_STATISTICS, is_etsy_statistic};

pub(super) fn read(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Result<(), Mistake> {
    names(reader, object)?;
    own_lines(reader, object)?;
    percentiles(reader, object)?;
    statistics(reader, object)?;
    histogram(reader, object)?;
    idle(reader, object)
}

/// The namespace: five parts that can be chosen, unless it is the legacy one.
fn names(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Result<(), Mistake> {
    let mut graphite = object.object("graphite")?;
    let is_legacy = match graphite.take("legacyNamespace") {
        None => true,
        Some(value) => match value.content {
            Content::Flag(is_legacy) => is_legacy,
            _ => return Err(reader.mistake(value, "legacyNamespace is true or false")),
        },
    };
    let suffix = graphite.text("globalSuffix")?;
    if let Some((value, suffix)) = suffix {
        reader.set("suffix", suffix, value)?;
    }
    let global = graphite.text("globalPrefix")?;
    if is_legacy {
        reader.set_always("naming", "etsy-legacy");
        let parts = TYPES.map(|(key, _, _)| graphite.take(key));
        let global = global.map(|(value, _)| value);
        for unused in parts.into_iter().chain([global]).flatten() {
            let text = "prefixes have no effect unless legacyNamespace is false";
            reader.note(unused, text);
        }
    } else {
        reader.set_always("naming", "etsy");
        if let Some((value, global)) = global {
            reader.set("own_namespace", global, value)?;
            let key_values = join(global, "kv");
            reader.set("kv_prefix", key_values, value)?;
        }
        for (key, default, setting) in TYPES {
            let part = graphite.text(key)?;
            if let Some((value, _)) = part.or(global) {
                let global = global.map_or("stats", |(_, global)| global);
                let part = part.map_or(default, |(_, part)| part);
                reader.set(setting, join(global, part), value)?;
            }
        }
    }
    reader.note_rest(&graphite, "graphite.");
    if let Some((value, false)) = object.flag("keyNameSanitize") {
        let text = "keyNameSanitize: names are always made safe, as etsy's Graphite backend does";
        reader.note(value, text);
    }
    if let Some((_, false)) = object.flag("flush_counts") {
        reader.set_always("counter_counts", false);
    }
    Ok(())
}

/// The keys of prefixes, their defaults, and our settings.
const TYPES: [(&str, &str, &str); 4] = [
    ("prefixCounter", "counters", "counter_prefix"),
    ("prefixTimer", "timers", "timer_prefix"),
    ("prefixGauge", "gauges", "gauge_prefix"),
    ("prefixSet", "sets", "set_prefix"),
];

/// Two parts of a path, each with a dot behind it, empty ones left out.
fn join(global: &str, part: &str) -> String {
    let parts = [global, part].into_iter().filter(|part| !part.is_empty());
    parts.map(|part| format!("{part}.")).collect()
}

fn own_lines(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Result<(), Mistake> {
    reader.set_always("own_metrics", "etsy");
    match object.text("prefixStats")? {
        None => reader.set_always("own_prefix", "statsd"),
        Some((value, prefix)) => {
            reader.set("own_prefix", prefix, value)?;
            if prefix.is_empty() {
                let text = "an empty prefixStats would give paths with an empty part; statsd's own \
                            lines are not sent";
                reader.note(value, text);
            }
        }
    }
    Ok(())
}

fn percentiles(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Result<(), Mistake> {
    let Some((value, entries)) = object.list("percentThreshold") else {
        return Ok(());
    };
    let mut percents = Vec::new();
    for entry in entries {
        let percent = number(entry).filter(|percent| percent.is_finite());
        let percent =
            percent.ok_or_else(|| reader.mistake(entry, "percentThreshold is a number"))?;
        if percent != 0.0 {
            reader.set("percent", percent, entry)?;
            percents.push(percent);
        } else if entries.len() == 1 && std::ptr::eq(entry, value) {
            // 0 in place of a list is as good as none.
            percents.push(90.0);
        }
    }
    reader.set("percent", percents, value)
}

fn statistics(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Result<(), Mistake> {
    let Some(value) = object.take("calculatedTimerMetrics") else {
        return Ok(());
    };
    // Anything but a list is as good as none there.
    let Content::List(entries) = &value.content else {
        reader.note(value, "calculatedTimerMetrics is a list; all are sent");
        return Ok(());
    };
    let known = format!("there are {}", ETSY_STATISTICS.join(", "));
    let mut words = Vec::new();
    for entry in entries {
        match &entry.content {
            Content::Text(word) if is_etsy_statistic(word) => words.push(word.clone()),
            _ => reader.note(
                entry,
                &format!("there is no such statistic of timers; {known}"),
            ),
        }
    }
    if words.is_empty() && !entries.is_empty() {
        let reason = format!("nothing would be left of any timer; {known}");
        return Err(reader.mistake(value, &reason));
    }
    if words.is_empty() {
        return Ok(());
    }
    reader.set("timer_statistics", words, value)
}

fn histogram(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Result<(), Mistake> {
    let Some((value, entries)) = object.list("histogram") else {
        return Ok(());
    };
    let mut histograms = Vec::new();
    for entry in entries {
        let mut keys = Object::of(entry, reader.text)?;
        let wanted = "an entry of histogram has a metric, which is a text, and bins, which is a \
                      list of numbers and 'inf'";
        let (metric, bins) = (keys.text("metric")?, keys.take("bins"));
        let (Some((_, metric)), Some(bins)) = (metric, bins) else {
            return Err(reader.mistake(entry, wanted));
        };
        let Content::List(bins) = &bins.content else {
            return Err(reader.mistake(bins, wanted));
        };
        let edges: Option<Vec<f64>> = bins.iter().map(edge).collect();
        let edges = edges.ok_or_else(|| reader.mistake(entry, wanted))?;
        let edges = ascending(reader, bins, edges);
        let histogram = format!("{metric}:{}", edges.join(","));
        // Each by itself, so that a message has its place.
        reader.set("histogram", vec![histogram.clone()], entry)?;
        histograms.push(histogram);
        reader.note_rest(&keys, "histogram.");
    }
    if histograms.is_empty() {
        return Ok(());
    }
    reader.set("histogram", histograms, value)
}

/// Infinite for the rest.
fn edge(bin: &Literal) -> Option<f64> {
    match &bin.content {
        Content::Text(text) if text == "inf" => Some(f64::INFINITY),
        _ => number(bin).filter(|edge| edge.is_finite()),
    }
}

/// The edges of bins that can count anything, as words. A bin takes what those before it have left,
/// which is nothing unless it ends above all of them.
fn ascending(reader: &mut Reader<'_>, bins: &[Literal], edges: Vec<f64>) -> Vec<String> {
    let mut highest = f64::NEG_INFINITY;
    let mut words = Vec::new();
    for (bin, edge) in bins.iter().zip(edges) {
        if edge > highest {
            highest = edge;
            words.push(edge.to_string());
        } else {
            let text = "a bin that ends below one before it can only be 0; it is left out";
            reader.note(bin, text);
        }
    }
    words
}

/// Idle series are reported for ever, unless they are to be deleted.
fn idle(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Result<(), Mistake> {
    let all = object.flag("deleteIdleStats").is_some_and(|(_, all)| all);
    let mut is_deleted = |key| object.flag(key).map_or(all, |(_, flag)| flag);
    reader.set_always("idle", "0");
    for (key, setting) in [
        ("deleteCounters", "idle_counters"),
        ("deleteTimers", "idle_timers"),
        ("deleteSets", "idle_sets"),
    ] {
        if is_deleted(key) {
            reader.set_always(setting, "none");
        }
    }
    let deletes_gauges = is_deleted("deleteGauges");
    let ttl = match object
        .take("gaugesMaxTTL")
        .map(|value| (value, &value.content))
    {
        // A whole number above 1 there; everything else is 1.
        Some((_, Content::Number(ttl))) if ttl.fract() == 0.0 && *ttl > 1.0 => *ttl,
        _ => 1.0,
    };
    if !deletes_gauges {
        reader.set_always("idle_gauges", "0");
        return Ok(());
    }
    let interval = match reader.settings.flush {
        Some(FlushInterval(interval)) => interval,
        None => Duration::from_secs(10),
    };
    // With the flush that it spoke in, a gauge is reported so many times, and then forgotten. Half an
    // interval more keeps the number of flushes apart from how a time is rounded.
    let idle_ms = (ttl - 0.5) * interval.as_secs_f64() * 1e3;
    reader.set_always("idle_gauges", format!("{}ms", idle_ms.min(1e15)));
    Ok(())
}
