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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlying_first_layer_is_left_out_of_the_colours_and_others_are_not() {
        let labels = || (0..3).map(|layer| layer.to_string()).collect::<Vec<_>>();
        let matrix = |first: f64| {
            Matrix::from_fn(labels(), labels(), |row, column| Ok(if row == 0 || column == 2 { first } else { 0.97 }))
        };
        // Layer 0 is the first row, and of the other model the last column.
        let scale = later_cosines(&[&matrix(0.3), &matrix(0.31)], [Some(0), Some(2)]);
        assert_eq!(scale, Some(ColorScale::sequential(0.97, 1.0)));
        assert_eq!(later_cosines(&[&matrix(0.96)], [Some(0), Some(2)]), None);
        assert_eq!(later_cosines(&[&matrix(0.3)], [None, None]), None);
    }
}
