//! Rows as CSV for other programs: numbers in full, absent ones empty, text that a spreadsheet would run as a formula made
//! harmless.

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
pub fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(round_trip).unwrap_or_default()
}

/// A cell as a field: numbers in full, whatever digits a page shows.
pub fn field(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Code(text) => escape::csv(text).into_owned(),
        Cell::Number { value, .. } => number(value.value()),
    }
}

/// Rows of text fields as a CSV document, quoted where needed. Fields are written as they are: text that others wrote goes
/// through [`escape::csv`] first.
pub fn document<R, F>(rows: R) -> Vec<u8>
where
    R: IntoIterator,
    R::Item: IntoIterator<Item = F>,
    F: AsRef<[u8]>,
{
    let mut writer = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for row in rows {
        // Writing to memory fails for nothing but rows of unequal length, which `flexible` allows.
        let _ = writer.write_record(row);
    }
    writer.into_inner().unwrap_or_default()
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
