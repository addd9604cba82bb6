//! Colours of layer × layer matrices, in which layer 0 is often an outlier.

use crate::{report::figure::ColorScale, table::Matrix};

/// What is said where [`later_cosines`] gives the colours.
pub(crate) const WITHOUT_FIRST: &str = "Layer 0 stands so far off that the colours leave it out.";

/// Colours over the cosines of later layers, where layer 0, the row and the column at `first`, would take more than half of the scale
/// for itself; its cells are marked as lying outside.
pub(crate) fn later_cosines(matrices: &[&Matrix], first: [Option<usize>; 2]) -> Option<ColorScale> {
    let smallest = |with_first: bool| {
        let cells = matrices.iter().flat_map(|matrix| matrix.iter());
        let is_later = |row: usize, column: usize| Some(row) != first[0] && Some(column) != first[1];
        let cells = cells.filter(|&(row, column, _)| with_first || is_later(row, column));
        cells.filter_map(|(_, _, cell)| cell.as_ref().ok().copied()).fold(1.0, f64::min)
    };
    let (all, later) = (smallest(true), smallest(false));
    (1.0 - later > 0.0 && 1.0 - all > 2.0 * (1.0 - later)).then(|| ColorScale::sequential(later, 1.0))
}
