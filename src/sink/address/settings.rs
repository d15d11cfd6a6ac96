//! The settings of a sink behind the `?` of its address.

use std::path::PathBuf;

use super::{AddressError, Lifetime, SinkAddress, SinkType};

/// Reads them into an address.
pub(super) fn read_settings(
    text: &str,
    query: &str,
    listed: &SinkType,
    address: &mut SinkAddress,
) -> Result<(), AddressError> {
    for setting in query.split('&') {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        if !listed.settings.contains(&key) {
            return Err(AddressError(format!(
                "sink `{text}`: no such setting `{key}`; there are: {}",
                listed.settings.join(", ")
            )));
        }
        if key == "connection" {
            address.lifetime = match value {
                "lasting" => Lifetime::Lasting,
                "flush" => Lifetime::Flush,
                _ => {
                    return Err(AddressError(format!(
                        "sink `{text}`: a connection is `lasting`, or there is one for each `flush`"
                    )));
                }
            };
            continue;
        }
        if key == "spool" {
            if !value.starts_with('/') {
                return Err(AddressError(format!(
                    "sink `{text}`: write the folder of the spool as an absolute path"
                )));
            }
            address.spool.folder = Some(PathBuf::from(value));
            continue;
        }
        if key == "spool_age" {
            let age = parse_age(value).ok_or_else(|| {
                AddressError(format!(
                    "sink `{text}`: `{value}` is not a time in whole seconds above 0, as `12h`"
                ))
            })?;
            address.spool.age_max_s = Some(age);
            continue;
        }
        let size = parse_size(value).ok_or_else(|| {
            AddressError(format!(
                "sink `{text}`: `{value}` is not a size above 0, as `64MiB`"
            ))
        })?;
        match key {
            "queue_bytes" => address.queue_bytes = Some(size),
            "spool_bytes" => address.spool.bytes_max = Some(size),
            _ => unreachable!("a listed setting is read above"),
        }
    }
    Ok(())
}

/// A number of seconds, or of what stands behind it: `s`, `m`, `h` or `d`; 0 is none.
fn parse_age(text: &str) -> Option<u64> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let (digits, unit_s) = units
        .iter()
        .find_map(|(name, unit_s)| Some((text.strip_suffix(name)?, *unit_s)))
        .unwrap_or((text, 1));
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<u64>().ok()?.checked_mul(unit_s)?;
    (seconds > 0).then_some(seconds)
}

/// A number of bytes, with or without `KiB`, `MiB` or `GiB`; 0 is none.
fn parse_size(text: &str) -> Option<u64> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let (digits, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .unwrap_or((text, 1));
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let bytes = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    (bytes > 0).then_some(bytes)
}
