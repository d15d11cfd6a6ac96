//! Numbers as lines have them: decimal, finite, in full precision. Hot path.

use crate::metric::Number;

/// The largest power of ten that a double holds exactly.
const EXACT_POWER_MAX: i32 = 22;

const POWERS_OF_TEN: [f64; EXACT_POWER_MAX as usize + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Reads `[+-] digits [. digits] [e[+-]digits]`, also `.5` and `5.`, and nothing else. None for
/// any other text, for what overflows, and for what is not zero but too small for a normal double.
#[inline]
pub fn parse_number(text: &[u8]) -> Option<Number> {
    let (signed, negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, true, rest),
        [b'+', rest @ ..] => (true, false, rest),
        _ => (false, false, text),
    };
    let mut mantissa = 0u64;
    let mut digits = 0usize;
    let mut at = 0;
    while let Some(digit) = digit_at(unsigned, at) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    digits += at;
    let mut fraction = 0;
    if unsigned.get(at) == Some(&b'.') {
        at += 1;
        let start = at;
        while let Some(digit) = digit_at(unsigned, at) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        fraction = at - start;
        digits += fraction;
    }
    if digits == 0 {
        return None;
    }
    // Up to 15 digits and 22 decimals both parts are exact doubles, and one division of exact
    // doubles is rounded correctly (Clinger, "How to read floating point numbers accurately").
    let value = if at == unsigned.len() && digits <= 15 {
        let magnitude = mantissa as f64 / POWERS_OF_TEN[fraction];
        if negative { -magnitude } else { magnitude }
    } else {
        parse_slowly(text, unsigned, at)?
    };
    Some(Number { value, signed })
}

#[inline]
fn digit_at(text: &[u8], at: usize) -> Option<u64> {
    let digit = text.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

/// Reads long numbers and those with an exponent; the digits before `at` are checked already.
#[cold]
fn parse_slowly(text: &[u8], unsigned: &[u8], at: usize) -> Option<f64> {
    let (mantissa, exponent) = unsigned.split_at(at);
    match exponent {
        [] => {}
        [b'e' | b'E', b'+' | b'-', digits @ ..] | [b'e' | b'E', digits @ ..] => {
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
        }
        _ => return None,
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let is_zero = !mantissa.iter().any(|byte| (b'1'..=b'9').contains(byte));
    (value.is_normal() || (is_zero && value == 0.0)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<f64> {
        parse_number(text.as_bytes()).map(|number| number.value)
    }

    #[test]
    fn numbers_that_must_parse() {
        for (text, expected) in [
            ("0", 0.0),
            ("-0", -0.0),
            ("5.", 5.0),
            (".5", 0.5),
            ("+.25", 0.25),
            ("-12.75", -12.75),
            ("0.1", 0.1),
            ("123456789012345", 123456789012345.0),
            ("1234567890123456", 1234567890123456.0),
            ("123456789012345678901234567890", 1.2345678901234568e29),
            ("0.000000000000001", 1e-15),
            ("0.00000000000000000000000000000", 0.0),
            ("1e3", 1000.0),
            ("1E+3", 1000.0),
            ("1.5e-3", 0.0015),
            ("0e999", 0.0),
            ("1e308", 1e308),
            ("2.2250738585072014e-308", f64::MIN_POSITIVE),
        ] {
            let parsed = value(text).unwrap_or_else(|| panic!("{text} was refused"));
            assert_eq!(parsed.to_bits(), expected.to_bits(), "{text}");
        }
    }

    #[test]
    fn texts_that_must_not_parse() {
        for text in [
            "",
            "+",
            "-",
            ".",
            "+.",
            "e5",
            "1e",
            "1e+",
            "1e1.5",
            "1.2.3",
            "--1",
            "+-1",
            "0x10",
            "1_000",
            "1,5",
            " 1",
            "1 ",
            "nan",
            "inf",
            "-inf",
            "infinity",
            "1e400",
            "1e-400",
            "1.96e-314",
            "1f",
            "\u{0661}",
        ] {
            assert_eq!(value(text), None, "{text:?}");
        }
        assert_eq!(value(&"9".repeat(400)), None);
        assert_eq!(parse_number(b"1\xff"), None);
    }

    #[test]
    fn a_number_knows_whether_it_was_signed() {
        for (text, signed) in [("+5", true), ("-5", true), ("5", false), ("-5e1", true)] {
            assert_eq!(
                parse_number(text.as_bytes()).map(|n| n.signed),
                Some(signed)
            );
        }
    }

    #[test]
    fn the_short_way_and_the_long_way_agree_to_the_last_bit() {
        let mut state = 88172645463325252u64;
        for _ in 0..200_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let text = format!("{}.{:03}", state % 1_000_000_000_000, state >> 54);
            let expected: f64 = text.parse().expect("a decimal number");
            assert_eq!(value(&text), Some(expected), "{text}");
        }
    }
}
