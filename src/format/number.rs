//! Writes numbers as the dialects do. Hot path: no allocation for numbers of usual size.
//!
//! A number is written straight to where it shall stand, whole groups of bytes at a time; what is
//! written beyond its end is written over by what follows.

use std::io::Write;

use crate::naming::Value;

/// Room that a number may need: the largest double has 309 digits and, fixed, seven bytes more.
pub(super) const VALUE_BYTES_MAX: usize = 320;

/// Whole numbers below this are written as integers: they are exact, and shorter than a power.
const WHOLE_MAX: f64 = 1e15;

/// Decimals that are tried before the digits of a number are searched for.
const FEW_DECIMALS: u32 = 3;

/// Ten to the power of [`FEW_DECIMALS`].
const FEW_SCALE: f64 = 1e3;

/// JavaScript writes numbers from ten to the power of this on with a power of ten.
const PLAIN_POWER_END: i32 = 21;

/// And those below ten to the power of this.
const PLAIN_POWER_MIN: i32 = -6;

/// The decimals of the fixed form.
const FIXED_SCALE: u64 = 1_000_000;

/// The first number that has more than twelve digits.
const TWELVE_DIGITS: f64 = 1e12;

/// 0 to 999 in three digits, and a byte that makes a group as long as a word.
const GROUPS: [[u8; 4]; 1000] = groups();

const fn groups() -> [[u8; 4]; 1000] {
    let mut groups = [[b'0'; 4]; 1000];
    let mut number = 0;
    while number < 1000 {
        groups[number][0] += (number / 100) as u8;
        groups[number][1] += (number / 10 % 10) as u8;
        groups[number][2] += (number % 10) as u8;
        number += 1;
    }
    groups
}

/// Writes a number to the start of `into` and says how many bytes it took.
///
/// # Panics
/// If there is less room than [`VALUE_BYTES_MAX`].
#[inline]
pub(super) fn put_value(value: Value, into: &mut [u8]) -> usize {
    let into = &mut into[..VALUE_BYTES_MAX];
    let number = value.number();
    let is_whole = number.trunc() == number && number.abs() < WHOLE_MAX;
    if is_whole && !(number == 0.0 && number.is_sign_negative()) {
        let end = put_signed(number as i64, into);
        if let Value::Fixed(_) = value {
            into[end..end + 7].copy_from_slice(b".000000");
            return end + 7;
        }
        if let Value::Twelve(_) = value {
            if number.abs() >= TWELVE_DIGITS {
                return put_twelve(number, into);
            }
            into[end..end + 2].copy_from_slice(b".0");
            return end + 2;
        }
        return end;
    }
    match value {
        Value::Shortest(number) => put_shortest(number, into),
        Value::Fixed(number) => put_fixed(number, into),
        Value::Twelve(number) => put_twelve(number, into),
        // What is left of these is rounded already.
        Value::Whole(_) => put_formatted(format_args!("{number:.0}"), into),
    }
}

/// Appends a number.
pub(super) fn push_value(value: Value, into: &mut Vec<u8>) {
    let start = into.len();
    into.resize(start + VALUE_BYTES_MAX, 0);
    let length = put_value(value, &mut into[start..]);
    into.truncate(start + length);
}

/// Writes an integer; returns where it ends.
#[inline]
pub(super) fn put_digits(number: u64, into: &mut [u8]) -> usize {
    if number < 1000 {
        let digits = 1 + usize::from(number >= 10) + usize::from(number >= 100);
        // Leading zeros are shifted out.
        let group = u32::from_le_bytes(GROUPS[number as usize]) >> (8 * (3 - digits));
        into[..4].copy_from_slice(&group.to_le_bytes());
        return digits;
    }
    let start = put_digits(number / 1000, into);
    into[start..start + 4].copy_from_slice(&GROUPS[(number % 1000) as usize]);
    start + 3
}

#[inline]
fn put_signed(number: i64, into: &mut [u8]) -> usize {
    if number >= 0 {
        return put_digits(number as u64, into);
    }
    into[0] = b'-';
    1 + put_digits(number.unsigned_abs(), &mut into[1..])
}

/// Writes the shortest text that reads back as the same number, as JavaScript lays it out.
#[inline]
fn put_shortest(number: f64, into: &mut [u8]) -> usize {
    // Most fractions are rates of few decimals. Let m be the whole number next to 1,000 times the
    // number, below 10^15. If m / 1,000, which is rounded correctly as both are exact, is the number,
    // then the text of m / 1,000 reads back as it. No two decimals of 15 digits at most read as the
    // same double, so no other text of so few digits does, and no shorter one. It takes a third of
    // the time of the search.
    let scaled = (number * FEW_SCALE).round_ties_even();
    if scaled.abs() < WHOLE_MAX && scaled / FEW_SCALE == number && scaled != 0.0 {
        return put_thousandths(scaled as i64, into);
    }
    put_searched(number, into)
}

/// Writes a number of thousandths that is not whole.
#[inline]
fn put_thousandths(thousandths: i64, into: &mut [u8]) -> usize {
    let magnitude = thousandths.unsigned_abs();
    let (whole, part) = (magnitude / 1000, (magnitude % 1000) as usize);
    into[0] = b'-';
    let start = usize::from(thousandths < 0);
    let end = start + put_digits(whole, &mut into[start..]);
    into[end] = b'.';
    into[end + 1..end + 5].copy_from_slice(&GROUPS[part]);
    let zeros = usize::from(part.is_multiple_of(10)) + usize::from(part.is_multiple_of(100));
    end + 1 + FEW_DECIMALS as usize - zeros
}

/// Finds the shortest digits.
fn put_searched(number: f64, into: &mut [u8]) -> usize {
    if number == 0.0 {
        into[0] = b'0';
        return 1;
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(number).as_bytes();
    match memchr::memchr(b'e', text) {
        Some(at) => put_power(&text[..at], &text[at + 1..], into),
        None => {
            // "2." and ".0" are all that the crate writes that JavaScript does not.
            let text = text.strip_suffix(b".0").unwrap_or(text);
            into[..text.len()].copy_from_slice(text);
            text.len()
        }
    }
}

/// Lays digits and a power of ten out as JavaScript does. <https://tc39.es/ecma262/#sec-numeric-types-number-tostring>
#[cold]
fn put_power(mantissa: &[u8], power: &[u8], into: &mut [u8]) -> usize {
    let power = std::str::from_utf8(power).ok();
    let power: i32 = power
        .and_then(|power| power.parse().ok())
        .expect("the crate writes e and an integer");
    let digits = || mantissa.iter().filter(|byte| byte.is_ascii_digit());
    let count = digits().count() as i32;
    // The value is 0.DIGITS times ten to this power.
    let point = power + 1;
    let mut text = Vec::with_capacity(VALUE_BYTES_MAX);
    if mantissa.starts_with(b"-") {
        text.push(b'-');
    }
    if (0..PLAIN_POWER_END).contains(&power) {
        for place in 0..point.max(count) {
            if place == point {
                text.push(b'.');
            }
            text.push(digits().nth(place as usize).copied().unwrap_or(b'0'));
        }
    } else if (PLAIN_POWER_MIN..0).contains(&power) {
        text.extend_from_slice(b"0.");
        text.resize(text.len() + point.unsigned_abs() as usize, b'0');
        text.extend(digits());
    } else {
        for (place, digit) in digits().enumerate() {
            if place == 1 {
                text.push(b'.');
            }
            text.push(*digit);
        }
        text.extend_from_slice(if power < 0 { b"e-" } else { b"e+" });
        write!(text, "{}", power.unsigned_abs()).expect("a Vec takes all bytes");
    }
    into[..text.len()].copy_from_slice(&text);
    text.len()
}

/// Writes six decimals, rounded as printf does: to the nearest, and half to even, of the exact value.
#[inline]
fn put_fixed(number: f64, into: &mut [u8]) -> usize {
    // The number is mantissa / 2^shift. The millionths are a product of 73 bits, shifted down; from
    // a shift of 9 on they fit into 64. A tenth of the time that formatting with std takes.
    let bits = number.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    let shift = 1_075 - exponent;
    if !(9..=127).contains(&shift) {
        return put_formatted(format_args!("{number:.6}"), into);
    }
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    let exact = u128::from(mantissa) * u128::from(FIXED_SCALE);
    let half = 1u128 << (shift - 1);
    let below = exact & ((half << 1) - 1);
    let down = (exact >> shift) as u64;
    let is_up = below > half || (below == half && down % 2 == 1);
    let millionths = down + u64::from(is_up);
    into[0] = b'-';
    let start = usize::from(number.is_sign_negative());
    let end = start + put_digits(millionths / FIXED_SCALE, &mut into[start..]);
    let part = (millionths % FIXED_SCALE) as usize;
    into[end] = b'.';
    into[end + 1..end + 5].copy_from_slice(&GROUPS[part / 1000]);
    into[end + 4..end + 8].copy_from_slice(&GROUPS[part % 1000]);
    end + 7
}

/// Writes twelve significant digits as Python 2 writes a float: without zeros at the end but for one
/// behind a point, and with a power of ten where that is below -4 or above 11.
fn put_twelve(number: f64, into: &mut [u8]) -> usize {
    let text = format!("{number:.11e}");
    let (mantissa, power) = text.split_once('e').expect("the format has an e");
    let power: i32 = power.parse().expect("and an integer behind it");
    let short = mantissa.trim_end_matches('0').trim_end_matches('.');
    if !(-4..12).contains(&power) {
        let sign = if power < 0 { '-' } else { '+' };
        let power = power.unsigned_abs();
        return put_formatted(format_args!("{short}e{sign}{power:02}"), into);
    }
    let decimals = usize::try_from(11 - power).expect("the power is below 12");
    let text = format!("{number:.decimals$}");
    let short = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    let point = if short.contains('.') { "" } else { ".0" };
    put_formatted(format_args!("{short}{point}"), into)
}

#[cold]
fn put_formatted(text: std::fmt::Arguments<'_>, into: &mut [u8]) -> usize {
    let room = into.len();
    let mut rest = into;
    rest.write_fmt(text)
        .expect("no number is longer than the room");
    room - rest.len()
}

#[cfg(test)]
mod tests;
