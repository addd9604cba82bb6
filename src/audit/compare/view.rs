//! Which elements of a tensor are meant, and in which order: all of them, or the rows or columns of one part of a fused one.

use std::ops::Range;

use crate::family::Block;

/// A tensor's elements in the order `[out, in]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// As stored.
    Whole,
    /// Rows of a matrix, or elements of a vector.
    Rows(Vec<(u64, u64)>),
    /// Columns of a matrix that is stored `[in, out]`, read as the rows that they are.
    Columns(Vec<(u64, u64)>),
}

impl View {
    /// The rows, or the columns, of one part of a fused tensor.
    pub fn of_block(block: &Block, transposed: bool) -> Self {
        let runs = block.ranges().map(|Range { start, end }| (start, end)).collect();
        if transposed {
            Self::Columns(runs)
        } else {
            Self::Rows(runs)
        }
    }

    /// All columns of a matrix that is stored `[in, out]`; as stored where it is no matrix.
    pub fn turned(shape: &[u64]) -> Self {
        match shape {
            [_, columns] => Self::Columns(vec![(0, *columns)]),
            _ => Self::Whole,
        }
    }

    /// The shape of what is seen of a tensor of `shape`; `None` where it is seen past its end, or has another number of axes.
    pub fn shape(&self, shape: &[u64]) -> Option<Vec<u64>> {
        let length = |runs: &[(u64, u64)], extent: u64| {
            let inside = runs.iter().all(|&(start, end)| start <= end && end <= extent);
            inside.then(|| runs.iter().map(|(start, end)| end - start).sum::<u64>())
        };
        match (self, shape) {
            (Self::Whole, _) => Some(shape.to_vec()),
            (Self::Rows(runs), [rows, rest @ ..]) => {
                let mut seen = vec![length(runs, *rows)?];
                seen.extend_from_slice(rest);
                Some(seen)
            }
            (Self::Columns(runs), [rows, columns]) => Some(vec![length(runs, *columns)?, *rows]),
            _ => None,
        }
    }

    /// Visits, in order, the stored runs that hold the seen elements `from..from + count`: (first stored element, how
    /// many). `shape` is that of the stored tensor.
    pub fn runs<E>(
        &self,
        shape: &[u64],
        from: u64,
        count: u64,
        mut visit: impl FnMut(u64, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Whole => visit(from, count),
            Self::Rows(runs) => {
                let width: u64 = shape.iter().skip(1).product();
                let (mut skip, mut left) = (from, count);
                for &(start, end) in runs {
                    let held = (end - start) * width;
                    if skip < held && left > 0 {
                        let taken = left.min(held - skip);
                        visit(start * width + skip, taken)?;
                        left -= taken;
                        skip = 0;
                    } else {
                        skip = skip.saturating_sub(held);
                    }
                }
                Ok(())
            }
            Self::Columns(runs) => {
                let (height, columns) = match shape {
                    [rows, columns] => (*rows, *columns),
                    _ => return Ok(()),
                };
                let mut left = count;
                let mut at = from;
                while left > 0 && height > 0 {
                    let Some(column) = nth(runs, at / height) else { break };
                    visit(at % height * columns + column, 1)?;
                    at += 1;
                    left -= 1;
                }
                Ok(())
            }
        }
    }
}

/// The index that stands at place `place` of the runs.
pub(super) fn nth(runs: &[(u64, u64)], mut place: u64) -> Option<u64> {
    for &(start, end) in runs {
        if place < end - start {
            return Some(start + place);
        }
        place -= end - start;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(view: &View, shape: &[u64], from: u64, count: u64) -> Vec<u64> {
        let mut elements = Vec::new();
        let visited: Result<(), ()> = view.runs(shape, from, count, |start, count| {
            elements.extend(start..start + count);
            Ok(())
        });
        visited.unwrap();
        elements
    }

    #[test]
    fn rows_are_seen_in_the_order_of_their_runs_from_any_element_on() {
        let view = View::Rows(vec![(0, 1), (3, 5)]);
        assert_eq!(view.shape(&[6, 2]), Some(vec![3, 2]));
        assert_eq!(seen(&view, &[6, 2], 0, 6), [0, 1, 6, 7, 8, 9]);
        assert_eq!(seen(&view, &[6, 2], 1, 3), [1, 6, 7]);
        assert_eq!(seen(&view, &[6, 2], 5, 1), [9]);
        assert_eq!(view.shape(&[4, 2]), None);
    }

    #[test]
    fn columns_are_seen_as_the_rows_that_they_are() {
        let view = View::Columns(vec![(1, 3)]);
        assert_eq!(view.shape(&[2, 4]), Some(vec![2, 2]));
        assert_eq!(seen(&view, &[2, 4], 0, 4), [1, 5, 2, 6]);
        assert_eq!(seen(&view, &[2, 4], 1, 2), [5, 2]);
        assert_eq!(seen(&View::turned(&[2, 3]), &[2, 3], 0, 6), [0, 3, 1, 4, 2, 5]);
    }
}
