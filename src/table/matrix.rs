//! Labelled numbers: rows, columns, and cells that hold a value or the reason why there is none.

use crate::metric::{MeanSd, Undefined};

/// A matrix of one quantity. Cells are row-major; a cell that is undefined carries its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Labels of the rows.
    pub rows: Vec<String>,
    /// Labels of the columns.
    pub columns: Vec<String>,
    cells: Vec<Result<f64, Undefined>>,
}

/// Which cells a statistic is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Every cell.
    All,
    /// Every cell whose row and column numbers differ.
    OffDiagonal,
    /// Cells right of the diagonal: each pair once, for a symmetric metric of one list of models or layers.
    Upper,
    /// Cells whose row and column numbers are equal.
    Diagonal,
}

impl Cells {
    fn contain(self, row: usize, column: usize) -> bool {
        match self {
            Self::All => true,
            Self::OffDiagonal => row != column,
            Self::Upper => row < column,
            Self::Diagonal => row == column,
        }
    }
}

/// What the cells of a selection come to. Cells that are undefined are counted, not skipped in silence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Cells with a value.
    pub n: usize,
    /// Cells without one.
    pub undefined: usize,
    /// Mean, deviation and extremes; `None` if no cell has a value.
    pub values: Option<Extent>,
}

/// Where a set of values lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Mean.
    pub mean: f64,
    /// Population standard deviation (ddof 0).
    pub sd: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

impl Statistics {
    /// The statistics of any cells.
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a Result<f64, Undefined>>) -> Self {
        let (mut values, mut undefined) = (Vec::new(), 0);
        for cell in cells {
            match cell {
                Ok(value) => values.push(*value),
                Err(_) => undefined += 1,
            }
        }
        let extent = MeanSd::of(&values).map(|MeanSd { mean, sd }| Extent {
            mean,
            sd,
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        });
        Self { n: values.len(), undefined, values: extent }
    }
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

    /// Whether there are as many rows as columns.
    pub fn is_square(&self) -> bool {
        self.rows.len() == self.columns.len()
    }

    /// The statistics of a selection of cells.
    pub fn statistics(&self, cells: Cells) -> Statistics {
        Statistics::of(self.iter().filter(|&(row, column, _)| cells.contain(row, column)).map(|(.., cell)| cell))
    }

    /// Rows as columns.
    #[must_use]
    pub fn transpose(&self) -> Self {
        Self::from_fn(self.columns.clone(), self.rows.clone(), |row, column| self.get(column, row).clone())
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
    fn selections_of_cells_have_their_statistics_and_undefined_cells_are_counted() {
        let upper = square().statistics(Cells::Upper);
        assert_eq!((upper.n, upper.undefined), (3, 0));
        let extent = upper.values.unwrap();
        assert_eq!((extent.mean, extent.min, extent.max), (16.0, 12.0, 23.0));
        assert!((extent.sd - (74.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        let diagonal = square().statistics(Cells::Diagonal);
        assert_eq!((diagonal.n, diagonal.undefined, diagonal.values.unwrap().mean), (2, 1, 22.0));
        assert_eq!(square().statistics(Cells::OffDiagonal).n, 6);
        assert_eq!(square().statistics(Cells::All).n, 8);
    }

    #[test]
    fn no_value_has_no_mean() {
        let matrix = Matrix::from_fn(labels("a"), labels("b"), |_, _| Err(Undefined::TooFew));
        assert_eq!(matrix.statistics(Cells::All), Statistics { n: 0, undefined: 1, values: None });
        let empty = Matrix::from_fn(labels("a"), Vec::new(), |_, _| Ok(1.0));
        assert_eq!(empty.statistics(Cells::All).n, 0);
        assert!(!empty.is_square());
    }

    #[test]
    fn rows_become_columns() {
        let wide = square().select(&[0, 2], &[0, 1, 2]);
        let tall = wide.transpose();
        assert_eq!((tall.rows.len(), tall.columns.len()), (3, 2));
        assert_eq!(tall.get(2, 1), &Ok(33.0));
        assert_eq!(tall.transpose(), wide);
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
