//! Tables and matrices as CSV for other programs: numbers in full, absent ones empty, text that a spreadsheet would run as
//! a formula made harmless.

use super::{Cell, Datum, Table, escape, number::round_trip};
use crate::table::Matrix;

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

/// `matrix` as a labelled rectangle: an empty corner, the columns' labels, then one row a line.
pub fn matrix_csv(matrix: &Matrix) -> Vec<u8> {
    let heading =
        std::iter::once(String::new()).chain(matrix.columns.iter().map(|label| escape::csv(label).into_owned()));
    let row = |row: usize| {
        let cells = (0..matrix.columns.len()).map(move |column| number(Datum::from(matrix.get(row, column)).value()));
        std::iter::once(escape::csv(&matrix.rows[row]).into_owned()).chain(cells).collect::<Vec<String>>()
    };
    document(std::iter::once(heading.collect()).chain((0..matrix.rows.len()).map(row)))
}

/// `table` with its headings. Numbers are written in full, whatever digits the table shows.
pub fn table_csv(table: &Table) -> Vec<u8> {
    let heading = table.columns.iter().map(|column| escape::csv(&column.title).into_owned()).collect();
    let row = |row: &Vec<Cell>| {
        (0..table.columns.len()).map(|column| row.get(column).map(field).unwrap_or_default()).collect()
    };
    document(std::iter::once::<Vec<String>>(heading).chain(table.rows.iter().map(row)))
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Code(text) => escape::csv(text).into_owned(),
        Cell::Number { value, .. } => number(value.value()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Column, Digits};
    use super::*;
    use crate::metric::Undefined;

    #[test]
    fn a_matrix_is_a_labelled_rectangle_with_empty_cells_where_undefined() {
        let matrix = Matrix::from_fn(vec!["a,b".into(), "=c".into()], vec!["x".into(), "y".into()], |row, column| {
            if row == 1 && column == 0 { Err(Undefined::ZeroNorm) } else { Ok(0.1 + row as f64 / 3.0) }
        });
        let text = String::from_utf8(matrix_csv(&matrix)).unwrap();
        assert_eq!(text, "\"\",x,y\n\"a,b\",0.1,0.1\n'=c,,0.43333333333333335\n".replace("\"\",x", ",x"));
    }

    #[test]
    fn a_table_keeps_every_digit_that_its_picture_rounds() {
        let table = Table {
            caption: String::new(),
            csv: None,
            columns: vec![Column::text("model"), Column::numeric("r")],
            rows: vec![
                vec![Cell::code("a\"b"), Cell::number(0.123_456_789, Digits::Fixed(2))],
                vec![Cell::text("short")],
                vec![Cell::text("none"), Cell::number(f64::NAN, Digits::Exact)],
            ],
        };
        let text = String::from_utf8(table_csv(&table)).unwrap();
        assert_eq!(text, "model,r\n\"a\"\"b\",0.123456789\nshort,\nnone,\n");
    }

    #[test]
    fn tiny_and_huge_numbers_have_an_exponent() {
        assert_eq!(number(Some(1.5e-300)), "1.5e-300");
        assert_eq!(number(Some(1e20)), "1e20");
        assert_eq!(number(Some(0.000_012)), "0.000012");
        assert_eq!(number(None), "");
    }
}
