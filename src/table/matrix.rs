//! Labelled numbers: rows, columns, and cells that hold a value or the reason why there is none.

use crate::metric::Undefined;

/// A matrix of one quantity. Cells are row-major; a cell that is undefined carries its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Labels of the rows.
    pub rows: Vec<String>,
    /// Labels of the columns.
    pub columns: Vec<String>,
    cells: Vec<Result<f64, Undefined>>,
}

impl Matrix {
    /// A matrix whose cells are computed by `cell(row, column)`.
    pub fn from_fn(
        rows: Vec<String>,
        columns: Vec<String>,
        mut cell: impl FnMut(usize, usize) -> Result<f64, Undefined>,
    ) -> Self {
        let cells = (0..rows.len())
            .flat_map(|row| (0..columns.len()).map(move |column| (row, column)))
            .map(|(row, column)| cell(row, column))
            .collect();
        Self { rows, columns, cells }
    }

    /// The cell at (`row`, `column`).
    pub fn get(&self, row: usize, column: usize) -> &Result<f64, Undefined> {
        &self.cells[row * self.columns.len() + column]
    }

    /// Every cell with its row and column, row by row.
    pub fn iter(&self) -> impl Iterator<Item = (usize, usize, &Result<f64, Undefined>)> {
        let columns = self.columns.len().max(1);
        self.cells.iter().enumerate().map(move |(index, cell)| (index / columns, index % columns, cell))
    }
}
