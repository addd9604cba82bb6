//! Rows as CSV for other programs: numbers in full, absent ones empty, text that a spreadsheet would run as a formula made
//! harmless.

use std::borrow::Cow;

use super::{Cell, escape, number::round_trip};

/// Columns of `groups.csv`, which surveys and the study write alike.
pub(crate) const GROUPS: [&str; 13] = [
    "group_a",
    "group_b",
    "role",
    "layer",
    "metric",
    "n",
    "mean",
    "sd",
    "n_unrelated",
    "mean_unrelated",
    "sd_unrelated",
    "mean_null",
    "mean_null_unrelated",
];

/// A number as a field: the shortest text that reads back as the same number; empty where it is absent.
fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(round_trip).unwrap_or_default()
}

/// A cell as a field: numbers in full, whatever digits a page shows.
pub fn field(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Text(text) | Cell::Code(text) => escape::csv(text),
        Cell::Number { value, .. } => number(value.value()).into(),
        Cell::Flag(flag) => if *flag { "true" } else { "false" }.into(),
        Cell::Reasons(reasons) => {
            reasons.iter().map(|(name, reason)| format!("{name}:{reason}")).collect::<Vec<_>>().join(";").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiny_and_huge_numbers_have_an_exponent() {
        assert_eq!(number(Some(1.5e-300)), "1.5e-300");
        assert_eq!(number(Some(1e20)), "1e20");
        assert_eq!(number(Some(0.000_012)), "0.000012");
        assert_eq!(number(None), "");
    }
}
