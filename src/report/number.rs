//! Numbers as text: every rounding of a report is decided here, and `-0.000` is never written.

use crate::size::readable;

/// How a number is rounded for reading. Files for machines hold the whole number whatever its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// Shortest text that reads back as the same number: [`round_trip`].
    Exact,
    /// This many digits after the point.
    Fixed(u8),
    /// This many significant digits; with an exponent below 10⁻⁴ and from 10⁶.
    Significant(u8),
    /// No digits after the point, thousands set apart by commas.
    Integer,
    /// A share in percent, with this many digits after the point.
    Percent(u8),
    /// A count of bytes in decimal units: `5.9 MB`.
    Bytes,
}

impl Digits {
    /// `value` as text. Not for values that are not finite, which a [`Datum`](super::Datum) does not hold.
    pub fn format(self, value: f64) -> String {
        match self {
            Self::Exact => round_trip(value),
            Self::Fixed(digits) => fixed(value, digits.into()),
            Self::Significant(digits) => significant(value, digits.into()),
            Self::Integer => thousands(&fixed(value, 0)),
            Self::Percent(digits) => format!("{} %", fixed(value * 100.0, digits.into())),
            Self::Bytes => readable(value),
        }
    }
}

/// The shortest decimal text that parses back to the same `f64`; an exponent is written only where positional notation
/// would be long (below 10⁻⁵ and from 10¹⁶).
pub fn round_trip(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (1e-5..1e16).contains(&size) {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value);
        text.strip_suffix(".0").unwrap_or(text).to_owned()
    } else {
        format!("{value:e}")
    }
}

/// The digits that tell the values of one picture apart: enough for about three digits of their spread, at most four
/// after the point.
pub fn common_digits(values: impl Iterator<Item = f64>) -> Digits {
    let (mut low, mut high, mut size) = (f64::INFINITY, f64::NEG_INFINITY, 0.0_f64);
    for value in values {
        low = low.min(value);
        high = high.max(value);
        size = size.max(value.abs());
    }
    if size > 0.0 && !(0.001..1e5).contains(&size) {
        return Digits::Significant(2);
    }
    let spread = high - low;
    if spread.is_finite() && spread > 0.0 {
        let digits = (0..4).find(|&digits| spread * 10_f64.powi(digits) >= 500.0).unwrap_or(4);
        return Digits::Fixed(u8::try_from(digits).unwrap_or(4));
    }
    Digits::Fixed(3)
}

/// `count` with its noun: `1 value`, `2 values`. For nouns whose plural takes an s.
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(&count.to_string()))
}

/// `z = 9.7`; beyond 20 on either side, where its size says nothing more, `z > 20` or `z < -20`.
pub fn z_in_prose(z: f64) -> String {
    match z {
        _ if z > 20.0 => "z > 20".to_owned(),
        _ if z < -20.0 => "z < -20".to_owned(),
        _ => format!("z = {}", Digits::Fixed(1).format(z)),
    }
}

/// `text` with the minus sign of typography in place of the hyphen before a digit or an exponent; for pictures, where
/// nothing is copied out of.
pub fn typeset(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

fn fixed(value: f64, digits: usize) -> String {
    // Beyond the integers that f64 holds exactly, more digits would be noise, and up to three hundred of it.
    if value.abs() >= 1e15 {
        return format!("{value:.3e}");
    }
    without_negative_zero(format!("{value:.digits$}"))
}

fn significant(value: f64, digits: usize) -> String {
    let digits = digits.max(1);
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:.*e}", digits - 1);
    let exponent: i32 = scientific.rsplit('e').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        return scientific;
    }
    let after_point = i32::try_from(digits).unwrap_or(17) - 1 - exponent;
    fixed(value, usize::try_from(after_point).unwrap_or(0))
}

fn without_negative_zero(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_owned(),
        _ => text,
    }
}

fn thousands(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    if digits.contains('e') {
        return text.to_owned();
    }
    let mut out = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_negative_number_that_rounds_to_zero_is_written_without_its_sign() {
        assert_eq!(Digits::Fixed(3).format(-0.0001), "0.000");
        assert_eq!(Digits::Fixed(3).format(-0.0006), "-0.001");
        assert_eq!(Digits::Significant(3).format(-0.0), "0");
        assert_eq!(Digits::Exact.format(-0.0), "0");
        assert_eq!(Digits::Integer.format(-0.2), "0");
    }

    #[test]
    fn significant_digits_keep_their_count_at_every_size() {
        let shown = [0.999_96, 0.012_345, 123.456, 99_999.9, 1_234_567.0, 0.000_012_346]
            .map(|v| Digits::Significant(4).format(v));
        assert_eq!(shown, ["1.000", "0.01235", "123.5", "100000", "1.235e6", "1.235e-5"]);
    }

    #[test]
    fn counts_and_bytes_read_like_counts_and_bytes() {
        assert_eq!(Digits::Integer.format(1_234_567.0), "1,234,567");
        assert_eq!(Digits::Integer.format(-123.0), "-123");
        assert_eq!(Digits::Bytes.format(512.0), "512 B");
        assert_eq!(Digits::Bytes.format(5_900_000.0), "5.9 MB");
        assert_eq!(Digits::Bytes.format(999_960.0), "1.0 MB");
        assert_eq!(Digits::Percent(1).format(0.1234), "12.3 %");
    }

    #[test]
    fn a_huge_number_is_not_written_with_three_hundred_digits() {
        let styles = [Digits::Fixed(4), Digits::Integer, Digits::Percent(1), Digits::Bytes, Digits::Exact];
        assert!(styles.iter().all(|style| style.format(-1.5e300).len() < 14));
        assert_eq!(Digits::Integer.format(1.5e300), "1.500e300");
    }

    #[test]
    fn close_values_get_more_digits_than_distant_ones() {
        assert_eq!(common_digits([0.98, 1.0].into_iter()), Digits::Fixed(4));
        assert_eq!(common_digits([-1.0, 1.0].into_iter()), Digits::Fixed(3));
        assert_eq!(common_digits([0.0, 4000.0].into_iter()), Digits::Fixed(0));
        assert_eq!(common_digits([1e-7, 2e-7].into_iter()), Digits::Significant(2));
        assert_eq!(common_digits(std::iter::empty()), Digits::Fixed(3));
    }

    proptest! {
        #[test]
        fn round_trip_text_is_the_same_number_and_short(
            value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL,
            usual in -1e17..1e17_f64,
            whole in -(1_i64 << 60)..1 << 60,
            exponent in -25..25,
        ) {
            let text = round_trip(value);
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
            // As short as the standard library has it, which takes several times as long; of two texts that are as near they differ.
            let values = [usual, whole as f64, usual * 10_f64.powi(exponent), whole as f64 * 10_f64.powi(exponent)];
            for value in values.into_iter().filter(|&value| value != 0.0) {
                let is_usual = (1e-5..1e16).contains(&value.abs());
                let (text, expected) = (round_trip(value), if is_usual { format!("{value}") } else { format!("{value:e}") });
                prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
                prop_assert_eq!(text.len(), expected.len(), "{} {}", text, expected);
            }
            prop_assert!(text.len() <= 25, "{}", text);
        }

        #[test]
        fn no_style_writes_a_negative_zero_or_a_word(value in -1e12..1e12_f64, digits in 0..6_u8) {
            for style in [Digits::Fixed(digits), Digits::Significant(digits), Digits::Integer, Digits::Percent(digits)] {
                let text = style.format(value);
                prop_assert!(!text.contains("NaN") && !text.contains("inf"));
                prop_assert!(!text.starts_with('-') || text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)), "{}", text);
            }
        }
    }
}
