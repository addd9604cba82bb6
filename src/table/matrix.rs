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

    /// The rows and columns at these places, in this order; places beyond the last are passed over, and one that is named
    /// twice comes twice.
    #[must_use]
    pub fn select(&self, rows: &[usize], columns: &[usize]) -> Self {
        let within = |places: &[usize], labels: &[String]| -> Vec<usize> {
            places.iter().copied().filter(|&place| place < labels.len()).collect()
        };
        let (rows, columns) = (within(rows, &self.rows), within(columns, &self.columns));
        Self::from_fn(
            rows.iter().map(|&row| self.rows[row].clone()).collect(),
            columns.iter().map(|&column| self.columns[column].clone()).collect(),
            |row, column| self.get(rows[row], columns[column]).clone(),
        )
    }

    /// Rows and columns of a square matrix in one `order`, as a clustering gives it. See [`Matrix::select`].
    #[must_use]
    pub fn reorder(&self, order: &[usize]) -> Self {
        self.select(order, order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &str) -> Vec<String> {
        names.split(' ').map(str::to_owned).collect()
    }

    /// 11 12 13 / 21 — 23 / 31 32 33
    fn square() -> Matrix {
        Matrix::from_fn(labels("a b c"), labels("a b c"), |row, column| {
            if (row, column) == (1, 1) { Err(Undefined::Shape) } else { Ok((10 * (row + 1) + column + 1) as f64) }
        })
    }

    #[test]
    fn an_order_moves_labels_and_cells_together_and_passes_over_what_is_not_there() {
        let turned = square().reorder(&[2, 0, 9, 1]);
        assert_eq!(turned.rows, labels("c a b"));
        assert_eq!(turned.columns, labels("c a b"));
        assert_eq!(turned.get(0, 1), &Ok(31.0));
        assert_eq!(turned.get(2, 2), &Err(Undefined::Shape));
    }
}
