//! The model's numbers: the grammar is checked letter by letter, then std's parser does the rest.

/// White space as the grammar of a line means it; a line feed never gets here.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

/// Drops white space at both ends.
pub fn trim(text: &[u8]) -> &[u8] {
    let Some(first) = text.iter().position(|&byte| !is_space(byte)) else {
        return &[];
    };
    let last = text.iter().rposition(|&byte| !is_space(byte));
    &text[first..=last.expect("a first byte that is no space implies a last one")]
}

/// Reads a finite decimal number; `None` for everything else, also for what overflows and for
/// what is not zero but too small for a normal number.
pub fn decimal(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(trim(text)).ok()?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);

    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits_only = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || !digits_only(exponent) {
            return None;
        }
    }

    let value: f64 = text.parse().ok()?;
    let written_as_zero = mantissa.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let kept = if written_as_zero {
        value == 0.0
    } else {
        value.is_normal()
    };
    kept.then_some(value)
}
