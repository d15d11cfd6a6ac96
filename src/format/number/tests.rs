//! Numbers by example, and against slower formatting of the same forms.

use super::*;

fn text_of(value: Value) -> String {
    let mut text = Vec::new();
    push_value(value, &mut text);
    String::from_utf8(text).expect("numbers are ASCII")
}

#[track_caller]
fn check(value: Value, expected: &str) {
    assert_eq!(text_of(value), expected);
}

#[track_caller]
fn check_javascript(number: f64) {
    // JavaScript has no -0 in text, and ryu-js knows that.
    let mut buffer = ryu_js::Buffer::new();
    let expected = buffer.format(number);
    assert_eq!(text_of(Value::Shortest(number)), expected, "{number:e}");
}

#[track_caller]
fn check_printf(number: f64) {
    // The standard library's bignums take seconds there.
    if cfg!(miri) && !(1e-30..1e30).contains(&number.abs()) {
        return;
    }
    assert_eq!(text_of(Value::Fixed(number)), format!("{number:.6}"));
}

#[test]
fn twelve_digits_are_laid_out_as_python_2_does() {
    for (number, expected) in [
        (0.1 + 0.2, "0.3"),
        (5.0, "5.0"),
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.5, "0.5"),
        (123000.0, "123000.0"),
        (1.0 / 3.0, "0.333333333333"),
        (2.0 / 3e5, "6.66666666667e-06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1e-300, "1e-300"),
        (1234567.891234, "1234567.89123"),
        (-999999999999.0, "-999999999999.0"),
        (999999999999.9, "1e+12"),
        (99999999999.95, "99999999999.9"),
        (123456789012.5, "123456789012.0"),
        (123456789013.5, "123456789014.0"),
        (1e12, "1e+12"),
        (123456789012345678.0, "1.23456789012e+17"),
        (f64::MAX, "1.79769313486e+308"),
    ] {
        check(Value::Twelve(number), expected);
    }
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
        // Beyond what is written as an integer there are halves too.
        (1e15 + 0.5, "1000000000000001"),
        (-(1e15 + 2.5), "-1000000000000003"),
        (999_999_999_999_999.5, "1000000000000000"),
    ] {
        check(Value::Whole(number), expected);
    }
}

/// Where layouts and ways change: powers of ten and of two, the edges of each form, and what lies
/// next to them.
#[test]
fn numbers_at_every_edge_are_javascripts_and_printfs() {
    let (step, twos_step) = if cfg!(miri) { (400, 1_200) } else { (1, 1) };
    let tens = (-323..=308).step_by(step);
    let tens = tens.map(|power| format!("1e{power}").parse().expect("a number"));
    let twos = (-1_074..=1_023).step_by(twos_step);
    let twos = twos.map(|power| 2f64.powi(power));
    let edges = [f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e15 - 0.125, 0.0005];
    for number in tens.chain(twos).chain(edges) {
        let near = [number.next_down(), number, number.next_up(), 1.5 * number];
        for number in near.into_iter().filter(|number| number.is_finite()) {
            for number in [number, -number] {
                check_javascript(number);
                check_printf(number);
            }
        }
    }
    // Halves of a millionth, which are exact in binary and go to the even neighbour.
    for odd in (1..2_000).step_by(2 * step) {
        check_printf(f64::from(odd) / 128.0 / 1024.0);
        check_printf(f64::from(odd) / 128.0);
    }
}

#[test]
fn fractions_of_few_decimals_are_javascripts() {
    for numerator in (0..20_000).step_by(if cfg!(miri) { 9_001 } else { 1 }) {
        for denominator in [1000.0, 10.0, 2.0, 3.0, 60.0, 9_999.0] {
            let number = f64::from(numerator) / denominator;
            // What a sum of such fractions comes to is next to one.
            for number in [number, -number, number.next_up(), 1e9 + number] {
                check_javascript(number);
                check_printf(number);
            }
        }
    }
    // Fifteen digits, and one more than is proven.
    for number in [
        999_999_999_999.999,
        9_999_999_999_999.999,
        123_456_789_012.345,
    ] {
        check_javascript(number);
    }
}

#[test]
fn random_doubles_are_javascripts_and_printfs() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..if cfg!(miri) { 8 } else { 300_000 } {
        let number = f64::from_bits(random.u64(..));
        if number.is_finite() {
            check_javascript(number);
            check_printf(number);
        }
        // Of the size that values have.
        let number = (random.f64() - 0.5) * 10f64.powi(random.i32(-9..18));
        check_javascript(number);
        check_printf(number);
        check_javascript((number * 1e3).round() / 1e3);
    }
}

#[test]
fn integers_of_every_length_are_whole() {
    let mut number = 1u64;
    for _ in 0..15 {
        for near in [number - 1, number, number + 1, 7 * number] {
            check(Value::Shortest(near as f64), &near.to_string());
            check(
                Value::Fixed(-(near as f64) - 1.0),
                &format!("-{}.000000", near + 1),
            );
        }
        number *= 10;
    }
}
