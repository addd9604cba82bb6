//! A table in full digits: whole as a CSV file, and on a page a choice of its columns and its first rows, rounded for reading.
//! So a column is named once and a cell is made once.

use std::fmt;

use super::{Cell, Column, Digits, Table, csv};
use crate::table::Matrix;

/// A table whose rows are made one at a time, so that a file of many rows is never held as cells.
pub struct Frame<'a> {
    file: String,
    columns: Vec<String>,
    /// How many of the columns are in the file; those after them are for pages alone.
    in_file: usize,
    rows: Box<dyn Iterator<Item = Vec<Cell>> + 'a>,
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("file", &self.file).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl<'a> Frame<'a> {
    /// The table that the CSV file `file` holds. Each row has one cell a column.
    pub fn new<C: Into<String>>(
        file: impl Into<String>,
        columns: impl IntoIterator<Item = C>,
        rows: impl IntoIterator<Item = Vec<Cell>, IntoIter: 'a>,
    ) -> Self {
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        Self { file: file.into(), in_file: columns.len(), columns, rows: Box::new(rows.into_iter()) }
    }

    /// `matrix` as a labelled rectangle: an empty corner, the columns' labels, then one row a line.
    pub fn matrix(file: impl Into<String>, matrix: &'a Matrix) -> Self {
        let columns = std::iter::once(String::new()).chain(matrix.columns.iter().cloned());
        let row = move |row: usize| {
            let cells = (0..matrix.columns.len()).map(|column| Cell::number(matrix.get(row, column), Digits::Exact));
            std::iter::once(Cell::text(&matrix.rows[row])).chain(cells).collect()
        };
        Self::new(file, columns, (0..matrix.rows.len()).map(row))
    }

    /// The table with columns that pages alone show; their cells come after those of the file.
    #[must_use]
    pub fn with_page_columns(mut self, columns: &[&str]) -> Self {
        self.columns.extend(columns.iter().map(|&name| name.to_owned()));
        self
    }

    /// The file, as (name, bytes): every row, numbers in the shortest text that reads back as the same number, absent ones
    /// empty.
    pub fn csv(self) -> (String, Vec<u8>) {
        let fields = |row: &[Cell]| row.iter().take(self.in_file).map(csv::field).collect::<Vec<String>>();
        let heading: Vec<Cell> = self.columns.iter().map(Cell::text).collect();
        let rows = std::iter::once(heading).chain(self.rows).map(|row| fields(&row));
        (self.file, csv::document(rows))
    }

    /// The `first` rows as a table of a page: the columns that `choice` names, each under its heading there.
    pub fn page<const N: usize>(self, caption: impl Into<String>, choice: [(&str, Column); N], first: usize) -> Table {
        let place = |name: &str| {
            let place = self.columns.iter().position(|column| column == name);
            debug_assert!(place.is_some(), "`{}` has no column `{name}`", self.file);
            place
        };
        let places: Vec<Option<usize>> = choice.iter().map(|(name, _)| place(name)).collect();
        let cell = |row: &[Cell], place: Option<usize>| place.and_then(|place| row.get(place).cloned());
        let row = |row: Vec<Cell>| places.iter().map(|&place| cell(&row, place).unwrap_or_else(Cell::empty)).collect();
        let rows = self.rows.take(first).map(row).collect();
        Table { caption: caption.into(), columns: choice.into_iter().map(|(_, column)| column).collect(), rows }
    }
}

/// The last cell of a row: which of `cells` are undefined and why, as `NAME:REASON` apart by semicolons.
pub(crate) fn each_reason(names: &[&str], cells: &[Cell]) -> Cell {
    let reasons = names.iter().zip(cells).filter_map(|(name, cell)| Some(format!("{name}:{}", cell.reason()?)));
    Cell::Text(reasons.collect::<Vec<_>>().join(";"))
}

/// As [`each_reason`], but `all:REASON` where all are undefined for one reason.
pub(crate) fn all_or_each_reason(names: &[&str], cells: &[Cell]) -> Cell {
    match cells.first().and_then(Cell::reason) {
        Some(reason) if cells.iter().all(|cell| cell.reason() == Some(reason)) => Cell::text(format!("all:{reason}")),
        _ => each_reason(names, cells),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Undefined;

    fn text((name, bytes): (String, Vec<u8>)) -> (String, String) {
        (name, String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_matrix_is_a_labelled_rectangle_with_empty_cells_where_undefined() {
        let matrix = Matrix::from_fn(vec!["a,b".into(), "=c".into()], vec!["x".into(), "y".into()], |row, column| {
            if row == 1 && column == 0 { Err(Undefined::ZeroNorm) } else { Ok(0.1 + row as f64 / 3.0) }
        });
        let (name, text) = text(Frame::matrix("m.csv", &matrix).csv());
        assert_eq!((name.as_str(), text.as_str()), ("m.csv", ",x,y\n\"a,b\",0.1,0.1\n'=c,,0.43333333333333335\n"));
    }

    fn pairs(rows: usize) -> Frame<'static> {
        let row = |at: usize| {
            let r = if at == 1 { Cell::undefined("Constant") } else { Cell::number(0.123_456_789, Digits::Fixed(2)) };
            let numbers = [r, Cell::count(7 + at)];
            let reasons = each_reason(&["r", "n"], &numbers);
            let mut row = vec![Cell::code(format!("a\"{at}"))];
            row.extend(numbers);
            row.extend([reasons, Cell::text(format!("label {at}"))]);
            row
        };
        Frame::new("pairs.csv", ["model", "r", "n", "undefined"], (0..rows).map(row)).with_page_columns(&["label"])
    }

    #[test]
    fn the_file_has_every_row_and_digit_and_no_column_of_pages() {
        let (_, text) = text(pairs(2).csv());
        assert_eq!(text, "model,r,n,undefined\n\"a\"\"0\",0.123456789,7,\n\"a\"\"1\",,8,r:Constant\n");
    }

    #[test]
    fn a_page_has_the_chosen_columns_of_the_first_rows_with_their_digits() {
        let table = pairs(9).page("Pairs", [("label", Column::text("of")), ("r", Column::numeric("pearson"))], 1);
        assert_eq!(table.columns, [Column::text("of"), Column::numeric("pearson")]);
        assert_eq!(table.rows, [vec![Cell::text("label 0"), Cell::number(0.123_456_789, Digits::Fixed(2))]]);
    }

    #[test]
    fn one_reason_for_all_cells_is_told_once() {
        let (constant, zero) = (Cell::undefined("Constant"), Cell::undefined("ZeroNorm"));
        let all = [constant.clone(), constant.clone()];
        assert_eq!(all_or_each_reason(&["r", "z"], &all), Cell::text("all:Constant"));
        assert_eq!(each_reason(&["r", "z"], &all), Cell::text("r:Constant;z:Constant"));
        assert_eq!(all_or_each_reason(&["r", "z"], &[constant, zero]), Cell::text("r:Constant;z:ZeroNorm"));
        assert_eq!(all_or_each_reason(&["r"], &[Cell::count(1)]), Cell::empty());
    }
}
