//! Which elements of a tensor are meant, and in which order: all of them, or the rows or columns of one part of a fused one.

use std::ops::Range;

use crate::{family::Block, values::elements};

/// A tensor's elements in the order `[out, in]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// As stored.
    Whole,
    /// Rows of a matrix, or elements of a vector.
    Rows(Vec<(u64, u64)>),
    /// Columns of a matrix that is stored `[in, out]`, read as the rows that they are.
    Columns(Vec<(u64, u64)>),
    /// The same of each expert of a packed tensor, one after the other: the first axis counts them.
    Experts(Box<View>),
    /// That of one expert.
    Expert(u64, Box<View>),
    /// That of the same elements in another shape.
    Shaped(Vec<u64>, Box<View>),
}

/// Fills a buffer with the stored elements from one on.
type Fill<'a, E> = dyn FnMut(u64, &mut [u8]) -> Result<(), E> + 'a;

impl View {
    /// The rows, or the columns, of one part of a fused tensor.
    pub fn of_block(block: &Block, transposed: bool) -> Self {
        let runs = block.ranges().map(|Range { start, end }| (start, end)).collect();
        if transposed { Self::Columns(runs) } else { Self::Rows(runs) }
    }

    /// All columns of a matrix that is stored `[in, out]`, or of each of packed ones; as stored where it is no matrix.
    pub fn turned(shape: &[u64]) -> Self {
        match shape {
            [_, columns] => Self::Columns(vec![(0, *columns)]),
            [_, matrix @ ..] if matrix.len() == 2 => Self::Experts(Box::new(Self::turned(matrix))),
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
            (Self::Experts(part), [experts, one @ ..]) => Some([&[*experts], part.shape(one)?.as_slice()].concat()),
            (Self::Expert(expert, part), [experts, one @ ..]) if expert < experts => part.shape(one),
            (Self::Shaped(seen, part), _) if elements(seen) == elements(shape) => part.shape(seen),
            _ => None,
        }
    }

    /// Reads the seen elements from `from` on, of `width` bytes each, until `into` is full. `fill` reads stored elements that
    /// follow one another; `shape` is that of the stored tensor. What is seen past the end is left as it is.
    pub fn read<E>(
        &self,
        shape: &[u64],
        width: usize,
        from: u64,
        into: &mut [u8],
        fill: &mut Fill<'_, E>,
    ) -> Result<(), E> {
        match (self, shape) {
            (Self::Expert(expert, part), [_, one @ ..]) => {
                let first = expert * one.iter().product::<u64>();
                part.read(one, width, from, into, &mut |element, into| fill(first + element, into))
            }
            (Self::Experts(part), [experts, one @ ..]) => {
                let stored: u64 = one.iter().product();
                let seen: u64 = part.shape(one).unwrap_or_default().iter().product();
                let (mut at, mut rest) = (from, into);
                while seen > 0 && at < experts * seen && !rest.is_empty() {
                    let (expert, within) = (at / seen, at % seen);
                    let (here, later) = rest.split_at_mut(bytes(seen - within, width).min(rest.len()));
                    let first = expert * stored;
                    part.read(one, width, within, here, &mut |element, into| fill(first + element, into))?;
                    (at, rest) = (at + (seen - within), later);
                }
                Ok(())
            }
            (Self::Shaped(seen, part), _) => part.read(seen, width, from, into, fill),
            (Self::Whole, _) => fill(from, into),
            (Self::Rows(runs), _) => {
                let columns: u64 = shape.iter().skip(1).product();
                let (mut skip, mut rest) = (from, into);
                for &(start, end) in runs {
                    let held = (end - start) * columns;
                    if skip < held && !rest.is_empty() {
                        let (here, later) = rest.split_at_mut(bytes(held - skip, width).min(rest.len()));
                        fill(start * columns + skip, here)?;
                        rest = later;
                    }
                    skip = skip.saturating_sub(held);
                }
                Ok(())
            }
            (Self::Columns(runs), &[height, columns]) if height > 0 => {
                let count = (into.len() / width) as u64;
                let (first, last) = (from / height, (from + count).div_ceil(height));
                let runs = between(runs, first, last);
                // One stretch of every stored row holds all columns that are seen: a read an element would be slow.
                let mut stretch = Vec::new();
                for row in 0..height {
                    let mut place = first;
                    for &(start, end) in &runs {
                        stretch.resize(bytes(end - start, width), 0);
                        fill(row * columns + start, &mut stretch)?;
                        for element in stretch.chunks_exact(width) {
                            let seen = (place * height + row).checked_sub(from).map(|at| bytes(at, width));
                            let target = seen.and_then(|at| into.get_mut(at..at.saturating_add(width)));
                            if let Some(target) = target {
                                target.copy_from_slice(element);
                            }
                            place += 1;
                        }
                    }
                }
                Ok(())
            }
            (Self::Columns(_), _) | (Self::Experts(_) | Self::Expert(..), []) => Ok(()),
        }
    }
}

fn bytes(elements: u64, width: usize) -> usize {
    usize::try_from(elements).map_or(usize::MAX, |elements| elements.saturating_mul(width))
}

/// What stands at the places `first..last` of the runs.
fn between(runs: &[(u64, u64)], first: u64, last: u64) -> Vec<(u64, u64)> {
    let mut before = 0;
    let mut found = Vec::new();
    for &(start, end) in runs {
        let (from, to) = (first.max(before), last.min(before + end - start));
        if from < to {
            found.push((start + from - before, start + to - before));
        }
        before += end - start;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(view: &View, shape: &[u64], from: u64, count: usize) -> Vec<u64> {
        let mut bytes = vec![0xff; 8 * count];
        let read: Result<(), ()> = view.read(shape, 8, from, &mut bytes, &mut |first, into| {
            for (element, target) in (first..).zip(into.as_chunks_mut::<8>().0) {
                *target = element.to_le_bytes();
            }
            Ok(())
        });
        read.unwrap();
        bytes.as_chunks::<8>().0.iter().map(|&element| u64::from_le_bytes(element)).collect()
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

    #[test]
    fn matrices_below_one_another_are_seen_one_by_one() {
        let matrices = |part| View::Shaped(vec![2, 2, 3], Box::new(part));
        let turned = matrices(View::turned(&[2, 2, 3]));
        assert_eq!(turned.shape(&[4, 3]), Some(vec![2, 3, 2]));
        assert_eq!(seen(&turned, &[4, 3], 0, 12), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        let second = matrices(View::Expert(1, Box::new(View::Whole)));
        assert_eq!((second.shape(&[4, 3]), seen(&second, &[4, 3], 1, 2)), (Some(vec![2, 3]), vec![7, 8]));
        assert_eq!(second.shape(&[5, 3]), None);
    }

    #[test]
    fn a_stretch_over_several_runs_of_columns_is_seen_from_any_element_on() {
        let view = View::Columns(vec![(4, 5), (0, 2)]);
        assert_eq!(view.shape(&[2, 5]), Some(vec![3, 2]));
        assert_eq!(seen(&view, &[2, 5], 0, 6), [4, 9, 0, 5, 1, 6]);
        assert_eq!(seen(&view, &[2, 5], 1, 4), [9, 0, 5, 1]);
        assert_eq!(seen(&view, &[2, 5], 3, 1), [5]);
    }
}
