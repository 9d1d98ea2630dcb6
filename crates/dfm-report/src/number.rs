//! Numbers for readers. The page's script writes the numbers that change by the same rules.

/// A raw score, with four decimals, or with one decimal from a thousand on. Very large and very
/// small scores have an exponent, so no digit is lost.
pub(crate) fn score(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 || (size > 0.0 && size < 1e-3) => format!("{value:.4e}"),
        size if size >= 1e3 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}

/// A figure in [0, 1].
pub(crate) fn figure(value: f64) -> String {
    format!("{value:.3}")
}

/// A number of pixels, with its digits in groups of three. A narrow no-break space divides the
/// groups.
pub(crate) fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + 3 * (digits.len() / 3));
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A share of pictures in percent, with one decimal.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", 100.0 * share)
}

/// A probability. A very small one has an exponent, so it is not rounded to zero.
pub(crate) fn probability(value: f64) -> String {
    if value > 0.0 && value < 1e-3 { format!("{value:.1e}") } else { format!("{value:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_at_any_size() {
        assert_eq!([1234.56, 12.0, -0.5].map(score), ["1234.6", "12.0000", "-0.5000"]);
        assert_eq!([0.0, 1.5e-7, 2e12].map(score), ["0.0000", "1.5000e-7", "2.0000e12"]);
        assert_eq!([0.0, 0.000_04, 0.05].map(probability), ["0.000", "4.0e-5", "0.050"]);
        assert_eq!(percent(0.125), "12.5\u{a0}%");
        assert_eq!(
            [0, 999, 1000, 23_456_789].map(count),
            ["0", "999", "1\u{202f}000", "23\u{202f}456\u{202f}789"]
        );
    }
}
