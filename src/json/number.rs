//! Numbers as decimal text: the standard library's own reader and writer of floats would bring their tables, a twentieth
//! of the wasm. What JSON writes is reshaped, what is read is computed.

use super::exact;
use serde_json::{Number, Value};
use std::fmt;

/// A number that writes itself as [`decimal`].
#[derive(Debug, Clone, Copy)]
pub struct Decimal(pub f64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal(self.0))
    }
}

/// A number from 0 to 10^15 with so many digits behind the point, up to 6; what is no such number is 0.
#[must_use]
#[allow(clippy::manual_clamp, reason = "see below")]
pub fn fixed(number: f64, places: u32) -> String {
    let one = 10_u64.pow(places.min(6));
    // Not `clamp`: it would hand on what is no number, and its panic brings the code that writes floats.
    let units = libm::round(number.max(0.0).min(1e15) * one as f64) as u64;
    match usize::try_from(places.min(6)) {
        Ok(width) if width > 0 => format!("{}.{:0width$}", units / one, units % one),
        _ => units.to_string(),
    }
}

/// The shortest decimal text of a number, never with an exponent: what `f64`'s `Display` writes.
#[must_use]
pub fn decimal(number: f64) -> String {
    let Some(json) = Number::from_f64(number) else {
        // What the standard library calls them.
        return if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .to_string();
    };
    let text = super::text(&Value::Number(json));
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}");
    // Position of the point in `digits`; may lie before the first or behind the last.
    let point = whole.len() as i64 + exponent.parse::<i64>().unwrap_or(0);
    let zeros = |n: i64| "0".repeat(usize::try_from(n).unwrap_or(0));
    let text = match usize::try_from(point) {
        Ok(at) if at > 0 => match digits.split_at_checked(at) {
            Some((whole, "")) => whole.to_string(),
            Some((whole, fraction)) => format!("{whole}.{fraction}"),
            None => format!("{digits}{}", zeros(point - digits.len() as i64)),
        },
        _ => format!("0.{}{digits}", zeros(-point)),
    };
    format!("{sign}{text}")
}

/// The number a decimal text stands for, with optional sign, point and exponent: what `f64`'s `FromStr` reads, but
/// neither `inf` nor `nan`.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    let (sign, rest) = match text.strip_prefix(['+', '-']) {
        Some(rest) if text.starts_with('-') => (-1.0, rest),
        Some(rest) => (1.0, rest),
        None => (1.0, text),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if !is_digits(whole) || !is_digits(fraction) || !is_digits(power) {
        return None;
    }
    if (whole.is_empty() && fraction.is_empty()) || power.is_empty() {
        return None;
    }
    // Well formed, so it can only be too large; half of the largest leaves room for adding.
    let power = power.parse().unwrap_or(i64::MAX / 2);
    let power = if exponent.starts_with('-') { -power } else { power };
    let digits = whole.bytes().chain(fraction.bytes());
    Some(sign * exact::nearest(digits, power.saturating_sub(fraction.len() as i64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same(text: &str) {
        assert_eq!(parse(text).map(f64::to_bits), text.parse::<f64>().ok().map(f64::to_bits), "{text}");
    }

    #[test]
    fn odd_spellings_are_read_as_the_standard_library_reads_them() {
        for text in [
            "",
            ".",
            "-",
            "+",
            "e1",
            "1e",
            "1e+",
            ".e1",
            "1.e1",
            ".5",
            "5.",
            "+5",
            "-.5e-3",
            "007",
            "-0",
            "0e999",
            "1e999",
            "-1e999",
            "1e-999",
            "1e0005",
            "1_0",
            "0x1",
            "--1",
            "1e1.5",
            "1e99999999999999999999",
            "0.00000000000000000000000000000000000000000000001e46",
            // Ends and halves of the range.
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "2.2250738585072014e-308",
            "2.2250738585072011e-308",
            "4.9406564584124654e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "9007199254740993",
            "9007199254740993.00000000000000000000000000000000000000000000001",
            "9007199254740992e22",
            "9007199254740993e22",
            "8.5e-22",
        ] {
            same(text);
        }
    }

    #[test]
    fn fixed_points_are_rounded_to_the_nearest() {
        for (number, places, text) in [
            (0.0, 2, "0.00"),
            (12.34, 1, "12.3"),
            (99.96, 1, "100.0"),
            (0.0049, 2, "0.00"),
            (7.6, 0, "8"),
            (f64::NAN, 1, "0.0"),
        ] {
            assert_eq!(fixed(number, places), text);
        }
    }

    #[test]
    fn what_is_no_number_is_written_alike() {
        for number in
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e21, 1e-7, f64::MIN_POSITIVE, f64::MAX]
        {
            assert_eq!(decimal(number), number.to_string());
        }
    }

    proptest! {
        #[test]
        fn numbers_are_written_and_read_as_the_standard_library_does(bits: u64, short in -1e6..1e6_f64) {
            for number in [f64::from_bits(bits), short, short.round(), short / 1e9] {
                let text = decimal(number);
                // Of two shortest texts just as near, each takes another: 1144601746145.03125 ends in 2 or 3.
                let standard = number.to_string();
                prop_assert_eq!(text.len(), standard.len());
                prop_assert_eq!(parse(&text).map(f64::to_bits), parse(&standard).map(f64::to_bits));
                if number.is_finite() {
                    prop_assert_eq!(parse(&text).map(f64::to_bits), Some(number.to_bits()));
                    same(&format!("{number:e}"));
                }
            }
        }

        #[test]
        fn many_digits_are_rounded_as_the_standard_library_does(bits: u64, between in (1_u64 << 52)..(1 << 53)) {
            let number = f64::from_bits(bits);
            if number.is_finite() {
                // All the digits it has, and one more.
                same(&format!("{number:.1075}1"));
            }
            // Odd and above 2^53: half way between two neighbours.
            let half = 2 * between + 1;
            for more in ["", "e3", ".0", ".00000000000000000000000000000000000000001", "e-9"] {
                same(&format!("{half}{more}"));
            }
        }

        #[test]
        fn texts_are_read_as_the_standard_library_does(text in "[-+]?[0-9]{0,20}(\\.[0-9]{0,20})?([eE][-+]?[0-9]{0,4})?") {
            same(&text);
        }
    }
}
