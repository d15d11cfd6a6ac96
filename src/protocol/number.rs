//! Numbers as lines have them: decimal, finite, in full precision. Hot path.

use crate::metric::Number;

/// Powers of ten that a double holds exactly.
const POWERS_OF_TEN: [f64; EXACT_DIGITS_MAX + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// Reads `[+-] digits [. digits] [e[+-]digits]`, also `.5` and `5.`, and nothing else. None for
/// any other text, for what overflows, and for what is not zero but too small for a normal double.
pub fn parse_number(text: &[u8]) -> Option<Number> {
    let decimal = Decimal::at_start(text);
    if decimal.digits == 0 {
        return None;
    }
    match decimal.number() {
        Some(number) if decimal.end == text.len() => Some(number),
        _ => parse_slowly(text, &decimal),
    }
}

/// The digits that a text begins with, with a sign before and a point among them.
struct Decimal {
    signed: bool,
    negative: bool,
    /// All digits as one number, if they are not too many for that.
    mantissa: u64,
    digits: usize,
    decimals: usize,
    /// Where the text goes on.
    end: usize,
}

/// So many digits make an exact double, and not less than the powers there are.
const EXACT_DIGITS_MAX: usize = 15;

impl Decimal {
    #[inline]
    fn at_start(text: &[u8]) -> Decimal {
        let signed = matches!(text, [b'-' | b'+', ..]);
        let start = usize::from(signed);
        let mut decimal = Decimal {
            signed,
            negative: text.first() == Some(&b'-'),
            mantissa: 0,
            digits: 0,
            decimals: 0,
            end: start,
        };
        decimal.take_digits(text);
        decimal.digits = decimal.end - start;
        if text.get(decimal.end) == Some(&b'.') {
            decimal.end += 1;
            let point = decimal.end;
            decimal.take_digits(text);
            decimal.decimals = decimal.end - point;
            decimal.digits += decimal.decimals;
        }
        decimal
    }

    #[inline]
    fn take_digits(&mut self, text: &[u8]) {
        while let Some(digit) = text.get(self.end).map(|byte| byte.wrapping_sub(b'0'))
            && digit < 10
        {
            self.mantissa = self
                .mantissa
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit));
            self.end += 1;
        }
    }

    /// The number, if it can be had exactly. Up to 15 digits both parts are exact doubles, and
    /// one division of exact doubles is rounded correctly (Clinger, "How to read floating point
    /// numbers accurately").
    #[inline]
    fn number(&self) -> Option<Number> {
        if self.digits == 0 || self.digits > EXACT_DIGITS_MAX {
            return None;
        }
        let mut value = self.mantissa as f64;
        if self.decimals > 0 {
            value /= POWERS_OF_TEN[self.decimals];
        }
        Some(Number {
            value: if self.negative { -value } else { value },
            signed: self.signed,
        })
    }
}

/// Reads long numbers and those with an exponent; the digits before that are checked already.
#[cold]
fn parse_slowly(text: &[u8], decimal: &Decimal) -> Option<Number> {
    let (mantissa, exponent) = text.split_at(decimal.end);
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
    (value.is_normal() || (is_zero && value == 0.0)).then_some(Number {
        value,
        signed: decimal.signed,
    })
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
        for _ in 0..if cfg!(miri) { 200 } else { 200_000 } {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let text = format!("{}.{:03}", state % 1_000_000_000_000, state >> 54);
            let expected: f64 = text.parse().expect("a decimal number");
            assert_eq!(value(&text), Some(expected), "{text}");
        }
    }
}
