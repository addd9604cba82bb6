//! A table in full digits: whole as a CSV file and in `report.json`, and on a page a choice of its columns and its first rows, rounded
//! for reading. So a column is named once and a cell is made once.

use std::{
    fmt,
    io::{self, Write},
};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Cell, Column, Digits, Format, Table, csv};
use crate::{metric::Undefined, parallel};

/// The tables of an answer, each made when its turn has come; labelled matrices after all others.
pub type Frames<'a> = Box<dyn Iterator<Item = Frame<'a>> + 'a>;

/// Rows as text, some in each.
pub(super) type Parts<'a> = Box<dyn Iterator<Item = io::Result<Vec<u8>>> + 'a>;

/// Whole numbers below it are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Cells that one thread makes, or turns into text, at a time.
const PART: usize = 1 << 12;

/// A table whose rows are made one at a time, so that a file of many rows is never held as cells.
pub struct Frame<'a> {
    file: String,
    columns: Vec<String>,
    /// How many of the columns are in the file; those after them are for pages alone.
    in_file: usize,
    is_matrix: bool,
    only: Option<Format>,
    rows: Box<dyn Iterator<Item = Vec<Cell>> + 'a>,
}

/// A row of a table as JSON: each cell that is not empty by the name of its column; of a matrix its label and its values.
struct Record<'r> {
    columns: &'r [String],
    is_matrix: bool,
    cells: &'r [Cell],
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
        let rows = Box::new(rows.into_iter());
        Self { file: file.into(), in_file: columns.len(), columns, is_matrix: false, only: None, rows }
    }

    /// As [`Frame::new`], of rows so many that they are made in parallel.
    pub(crate) fn of_many<C: Into<String>, T: Send + Sync + 'a>(
        file: impl Into<String>,
        columns: impl IntoIterator<Item = C>,
        items: impl Iterator<Item = T> + 'a,
        row: impl Fn(&T) -> Vec<Cell> + Sync + 'a,
    ) -> Self {
        let frame = Self::new(file, columns, []);
        let make = move |items: Vec<T>| parallel::map(&items, &row);
        Self { rows: Box::new(blocks(items, frame.part()).flat_map(make)), ..frame }
    }

    /// A labelled rectangle: an empty corner, the columns' labels, then one row a line, each cell as `cell(row, column)` gives it.
    pub fn matrix(
        file: impl Into<String>,
        [rows, columns]: [Vec<String>; 2],
        cell: impl Fn(usize, usize) -> Result<f64, Undefined> + Sync + 'a,
    ) -> Self {
        let width = columns.len();
        let row = move |(row, label): &(usize, String)| {
            let cells = (0..width).map(|column| Cell::number(cell(*row, column), Digits::Exact));
            std::iter::once(Cell::text(label)).chain(cells).collect()
        };
        let columns = std::iter::once(String::new()).chain(columns);
        Self { is_matrix: true, ..Self::of_many(file, columns, rows.into_iter().enumerate(), row) }
    }

    /// The table with columns that pages alone show; their cells come after those of the file.
    #[must_use]
    pub fn with_page_columns(mut self, columns: &[&str]) -> Self {
        self.columns.extend(columns.iter().map(|&name| name.to_owned()));
        self
    }

    /// The table of one format alone, where another table of its name has other rows.
    #[must_use]
    pub(crate) fn only(self, format: Format) -> Self {
        Self { only: Some(format), ..self }
    }

    /// Whether the table belongs to what is written in this format.
    pub fn is_for(&self, format: Format) -> bool {
        self.only.is_none_or(|only| only == format)
    }

    /// Its CSV file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its name in `report.json`: that of the file without its ending.
    pub fn name(&self) -> &str {
        self.file.strip_suffix(".csv").unwrap_or(&self.file)
    }

    pub(crate) fn is_matrix(&self) -> bool {
        self.is_matrix
    }

    /// Of a matrix the labels of its columns.
    pub(super) fn labels(&self) -> &[String] {
        &self.columns[1..]
    }

    /// Rows that one thread takes at a time.
    fn part(&self) -> usize {
        (PART / self.columns.len().max(1)).max(1)
    }

    /// The rows, without the columns of pages, as `text` has some of them, in their order and in parallel.
    fn in_parts(self, text: impl Fn(&[String], &[Vec<Cell>]) -> io::Result<Vec<u8>> + Sync + 'a) -> Parts<'a> {
        let (part, in_file, columns) = (self.part(), self.in_file, self.columns);
        let rows = self.rows.map(move |mut row| {
            row.truncate(in_file);
            row
        });
        let write = move |rows: Vec<Vec<Cell>>| {
            let parts: Vec<&[Vec<Cell>]> = rows.chunks(part).collect();
            parallel::map(&parts, |rows| text(&columns[..in_file], rows))
        };
        Box::new(blocks(rows, part).flat_map(write))
    }

    /// The rows as JSON, some in each text, with `between` them.
    pub(super) fn json(self, between: &'a str) -> Parts<'a> {
        let is_matrix = self.is_matrix;
        self.in_parts(move |columns, rows| {
            let mut text = Vec::new();
            for (at, cells) in rows.iter().enumerate() {
                text.extend_from_slice(if at == 0 { b"" } else { between.as_bytes() });
                serde_json::to_writer(&mut text, &Record { columns, is_matrix, cells })?;
            }
            Ok(text)
        })
    }

    /// The file: every row, numbers in the shortest text that reads back as the same number, absent ones empty.
    pub fn write_csv(mut self, out: &mut dyn Write) -> io::Result<()> {
        let heading = self.columns.iter().map(Cell::text).collect();
        self.rows = Box::new(std::iter::once(heading).chain(self.rows));
        let mut parts = self.in_parts(|_, rows| {
            let mut writer = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in rows {
                row.iter().try_for_each(|cell| writer.write_field(&*csv::field(cell)))?;
                writer.write_record(None::<&[u8]>)?;
            }
            writer.into_inner().map_err(::csv::IntoInnerError::into_error)
        });
        parts.try_for_each(|part| out.write_all(&part?))
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

/// `items`, as many together as are worth sharing among threads that take `part` of them at a time.
fn blocks<T>(mut items: impl Iterator<Item = T>, part: usize) -> impl Iterator<Item = Vec<T>> {
    let length = 4 * part * rayon::current_num_threads();
    let block = move || Some(items.by_ref().take(length).collect()).filter(|block: &Vec<T>| !block.is_empty());
    std::iter::from_fn(block)
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.cells {
            [label, values @ ..] if self.is_matrix => {
                let mut row = serializer.serialize_map(Some(2))?;
                row.serialize_entry("label", label)?;
                row.serialize_entry("values", values)?;
                row.end()
            }
            cells => serializer.collect_map(self.columns.iter().zip(cells).filter(|(_, cell)| !cell.is_absent())),
        }
    }
}

impl Cell {
    fn is_absent(&self) -> bool {
        match self {
            Self::Text(text) | Self::Code(text) => text.is_empty(),
            Self::Reasons(reasons) => reasons.is_empty(),
            Self::Number { value, .. } => value.value().is_none(),
            Self::Flag(_) => false,
        }
    }
}

/// The value alone; `null` where there is nothing, or no number.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            absent if absent.is_absent() => serializer.serialize_none(),
            Self::Text(text) | Self::Code(text) => serializer.serialize_str(text),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Reasons(reasons) => serializer.collect_map(reasons.iter().map(|(name, reason)| (name, reason))),
            Self::Number { value, digits } => match value.value() {
                None => serializer.serialize_none(),
                Some(value) if *digits == Digits::Integer && value.fract() == 0.0 && value.abs() < EXACT =>
                {
                    #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 53 bits")]
                    serializer.serialize_i64(value as i64)
                }
                Some(value) => serializer.serialize_f64(value),
            },
        }
    }
}

/// The last cell of a row: which of `cells` are undefined and why.
pub(crate) fn each_reason(names: &[&'static str], cells: &[Cell]) -> Cell {
    let reasons = names.iter().zip(cells).filter_map(|(name, cell)| Some((*name, cell.reason()?.to_owned())));
    Cell::Reasons(reasons.collect())
}

/// As [`each_reason`], but once for `all` where all are undefined for one reason.
pub(crate) fn all_or_each_reason(names: &[&'static str], cells: &[Cell]) -> Cell {
    match cells.first().and_then(Cell::reason) {
        Some(reason) if cells.iter().all(|cell| cell.reason() == Some(reason)) => {
            Cell::Reasons(vec![("all", reason.to_owned())])
        }
        _ => each_reason(names, cells),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(frame: Frame<'_>) -> String {
        let mut bytes = Vec::new();
        frame.write_csv(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_matrix_is_a_labelled_rectangle_with_empty_cells_where_undefined() {
        let labels = [vec!["a,b".into(), "=c".into()], vec!["x".into(), "y".into()]];
        let frame = Frame::matrix("m.csv", labels, |row, column| {
            if row == 1 && column == 0 { Err(Undefined::ZeroNorm) } else { Ok(0.1 + row as f64 / 3.0) }
        });
        assert_eq!((frame.file(), frame.name()), ("m.csv", "m"));
        assert_eq!(text(frame), ",x,y\n\"a,b\",0.1,0.1\n'=c,,0.43333333333333335\n");
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
        assert_eq!(text(pairs(2)), "model,r,n,undefined\n\"a\"\"0\",0.123456789,7,\n\"a\"\"1\",,8,r:Constant\n");
    }

    #[test]
    fn a_table_of_many_rows_has_each_once_and_in_order() {
        const ROWS: usize = 30_000;
        let frame = || {
            Frame::of_many("n.csv", ["n", "name"], 0..ROWS, |n| vec![Cell::count(*n), Cell::text(format!("row {n}"))])
        };
        let expected = (0..ROWS).fold("n,name\n".to_owned(), |text, n| text + &format!("{n},row {n}\n"));
        assert!(text(frame()) == expected, "the CSV file has other lines");
        let parts: Vec<_> = frame().json(",").map(|part| String::from_utf8(part.unwrap()).unwrap()).collect();
        assert!(parts.len() > 1, "one part is no test");
        let rows: Vec<serde_json::Value> = serde_json::from_str(&format!("[{}]", parts.join(","))).unwrap();
        assert_eq!(rows.len(), ROWS);
        assert!(
            rows.iter().enumerate().all(|(n, row)| *row == serde_json::json!({ "n": n, "name": format!("row {n}") }))
        );
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
        let all_or_each = |cells: &[Cell]| csv::field(&all_or_each_reason(&["r", "z"], cells)).into_owned();
        assert_eq!(all_or_each(&all), "all:Constant");
        assert_eq!(csv::field(&each_reason(&["r", "z"], &all)), "r:Constant;z:Constant");
        assert_eq!(all_or_each(&[constant, zero]), "r:Constant;z:ZeroNorm");
        assert_eq!(all_or_each(&[Cell::count(1)]), "");
    }
}
