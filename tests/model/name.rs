//! How the model makes a name safe, and what it does with tags.

use std::collections::BTreeSet;

use super::number::is_space;
use super::{Naming, Settings};

/// The name of the series that a sample belongs to, or the reason for refusing it.
pub fn series_name(
    settings: &Settings,
    spelling: &[u8],
    tags: Option<&[u8]>,
) -> Result<String, &'static str> {
    let tags = tags.filter(|_| settings.keeps_tags()).unwrap_or_default();
    if spelling.len() + tags.len() > 4096 {
        return Err("name_too_long");
    }
    let mut name = make_safe(settings.naming, spelling);
    if name.is_empty() {
        return Err("empty_name");
    }
    for tag in sorted_tags(settings.naming, tags) {
        name = format!("{name};{tag}");
    }
    if name.len() > 1024 {
        return Err("name_too_long");
    }
    let (path, _tags) = name.split_once(';').unwrap_or((&name, ""));
    if path.split('.').any(|segment| segment.len() > 255) {
        return Err("segment_too_long");
    }
    Ok(name)
}

fn make_safe(naming: Naming, spelling: &[u8]) -> String {
    let mut safe = String::new();
    let mut after_space = false;
    for &byte in spelling {
        let letter = char::from(byte);
        match naming {
            Naming::Statsite => {
                if is_space(byte) {
                    if !after_space {
                        safe.push('_');
                    }
                } else if letter.is_ascii_graphic() && letter != '|' {
                    safe.push(letter);
                }
            }
            Naming::Etsy | Naming::EtsyLegacy | Naming::PythonStatsite => {
                if is_space(byte) {
                    if !after_space {
                        safe.push('_');
                    }
                } else if letter == '/' {
                    safe.push('-');
                } else if letter.is_ascii_alphanumeric() || "_.;=-".contains(letter) {
                    safe.push(letter);
                }
            }
            Naming::Gstatsd => {
                if letter == '/' {
                    safe.push('_');
                } else if letter.is_ascii_alphanumeric() || "_.-".contains(letter) {
                    safe.push(letter);
                }
            }
        }
        after_space = is_space(byte);
    }
    safe
}

fn sorted_tags(naming: Naming, field: &[u8]) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    for piece in field.split(|&byte| byte == b',') {
        if piece.is_empty() {
            continue;
        }
        // A semicolon that the naming leaves in a name would begin another tag.
        let safe = |text| make_safe(naming, text).replace(';', "_");
        let tag = match piece.iter().position(|&byte| byte == b':') {
            Some(colon) => (safe(&piece[..colon]), safe(&piece[colon + 1..])),
            None => (safe(piece), String::new()),
        };
        match tag {
            (key, _) if key.is_empty() => {}
            (key, value) if value.is_empty() => {
                tags.insert(format!("{key}=true"));
            }
            (key, value) => {
                tags.insert(format!("{key}={value}"));
            }
        }
    }
    tags
}
