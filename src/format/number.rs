//! Writes numbers as the dialects do.

use std::io::Write;

use crate::naming::Value;

/// Whole numbers below this are written as integers: they are exact, and shorter than a power.
const WHOLE_MAX: f64 = 1e15;

/// Appends a number.
pub(super) fn push_value(value: Value, into: &mut Vec<u8>) {
    let number = value.number();
    let is_whole = number.trunc() == number && number.abs() < WHOLE_MAX;
    if is_whole && !(number == 0.0 && number.is_sign_negative()) {
        let mut buffer = itoa::Buffer::new();
        into.extend_from_slice(buffer.format(number as i64).as_bytes());
        if let Value::Fixed(_) = value {
            into.extend_from_slice(b".000000");
        }
        return;
    }
    match value {
        Value::Shortest(number) => {
            let mut buffer = ryu_js::Buffer::new();
            into.extend_from_slice(buffer.format(number).as_bytes());
        }
        Value::Fixed(number) => write!(into, "{number:.6}").expect("a Vec takes all bytes"),
        Value::Whole(_) => write!(into, "{number:.0}").expect("a Vec takes all bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: Value, expected: &str) {
        let mut text = Vec::new();
        push_value(value, &mut text);
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn the_shortest_form_is_javascripts() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-5.0, "-5"),
            (0.30000000000000004, "0.30000000000000004"),
            (5e-8, "5e-8"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (123456789012345680.0, "123456789012345680"),
            (999999999999999.0, "999999999999999"),
        ] {
            check(Value::Shortest(number), expected);
        }
    }

    #[test]
    fn the_fixed_form_is_printfs() {
        for (number, expected) in [
            (0.5, "0.500000"),
            (3.0, "3.000000"),
            (-0.0, "-0.000000"),
            (0.0000001, "0.000000"),
            (10.0 / 3.0, "3.333333"),
            (1e22, "10000000000000000000000.000000"),
        ] {
            check(Value::Fixed(number), expected);
        }
    }

    #[test]
    fn the_whole_form_rounds_half_away_from_zero() {
        for (number, expected) in [
            (2.5, "3"),
            (-2.5, "-3"),
            (9.999, "10"),
            (1e20, "100000000000000000000"),
        ] {
            check(Value::Whole(number), expected);
        }
    }
}
