//! Which scale belongs to which element of a quantised tensor, as far as the two shapes say so.
//!
//! A scale is shared by the whole tensor, a row, a column, or a block. Where shapes allow two readings (a square matrix with
//! one vector of scales) none is chosen: a matrix scaled along the wrong axis has plausible values, and all of them wrong.

use crate::values::elements;

/// The scales of a tensor: each axis is divided into blocks of one length, and every block of the tensor has one scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleGrid {
    /// The weight's shape; `[1]` for a scalar.
    shape: Vec<u64>,
    /// Elements that share a scale, by axis. At least 1.
    pub(super) block: Vec<u64>,
    /// Scales, by axis.
    scales: Vec<u64>,
}

impl ScaleGrid {
    /// How scales of shape `scale` lie on a weight of shape `weight`.
    ///
    /// One scale is everybody's. With as many axes as the weight, each axis of the scales has extent 1 (shared), that of the
    /// weight (one each), or, of the last two axes, the number of blocks that the configuration's `block` (rows, columns)
    /// makes. With fewer axes they must fit the weight's in exactly one place. Everything else is an error that says why.
    pub fn new(weight: &[u64], scale: &[u64], block: Option<[u64; 2]>) -> Result<Self, String> {
        let shape = if weight.is_empty() { vec![1] } else { weight.to_vec() };
        let scales = match aligned(&shape, scale) {
            Ok(scales) => scales,
            Err(reason) => {
                return Err(format!("scales of shape {scale:?} on a weight of shape {weight:?}: {reason}"));
            }
        };
        let mut blocks = Vec::with_capacity(shape.len());
        for (axis, (&extent, &count)) in shape.iter().zip(&scales).enumerate() {
            let configured = block.and_then(|block| {
                let from_end = shape.len() - axis;
                (from_end <= 2).then(|| block[2 - from_end])
            });
            blocks.push(match (count, configured) {
                (1, _) => extent.max(1),
                (count, _) if count == extent => 1,
                (count, Some(length)) if length > 0 && count == extent.div_ceil(length) => length,
                (count, Some(length)) => {
                    return Err(format!(
                        "{count} scales on {extent} elements of axis {axis} are no blocks of {length}, as the configuration says"
                    ));
                }
                (count, None) => {
                    return Err(format!(
                        "{count} scales on {extent} elements of axis {axis}: the configuration does not say how long a block is"
                    ));
                }
            });
        }
        Ok(Self { shape, block: blocks, scales })
    }

    /// Number of scales.
    pub fn scales(&self) -> u64 {
        elements(&self.scales).unwrap_or(u64::MAX)
    }

    /// Number of elements of the weight.
    pub fn numel(&self) -> u64 {
        elements(&self.shape).unwrap_or(u64::MAX)
    }

    /// Length of a row: the last axis.
    pub fn columns(&self) -> u64 {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Elements of a row that share a scale.
    pub(super) fn columns_a_block(&self) -> u64 {
        self.block.last().copied().unwrap_or(1)
    }

    /// Position of the scale of the first element of a row; those of the row's other blocks follow it. Rows are counted over
    /// all leading axes together.
    pub(super) fn first_scale(&self, row: u64) -> u64 {
        let mut rest = row;
        let mut position = 0;
        let mut stride = self.scales.last().copied().unwrap_or(1);
        for axis in (0..self.shape.len().saturating_sub(1)).rev() {
            let extent = self.shape[axis].max(1);
            position += rest % extent / self.block[axis] * stride;
            rest /= extent;
            stride *= self.scales[axis];
        }
        position
    }

    /// The grid in words, such as `one scale a row` or `one scale for 128 × 128`.
    pub fn describe(&self) -> String {
        if self.scales() == 1 {
            return "one scale for all".to_owned();
        }
        match (self.shape.as_slice(), self.block.as_slice()) {
            (&[_, columns], &[1, shared]) if shared == columns => "one scale a row".to_owned(),
            (&[rows, _], &[shared, 1]) if shared == rows => "one scale a column".to_owned(),
            (_, block) => {
                let lengths: Vec<String> = block.iter().map(u64::to_string).collect();
                format!("one scale for {}", lengths.join(" × "))
            }
        }
    }
}

/// The scales' extents on each axis of the weight.
fn aligned(weight: &[u64], scale: &[u64]) -> Result<Vec<u64>, &'static str> {
    if scale.iter().all(|&extent| extent == 1) {
        return Ok(vec![1; weight.len()]);
    }
    if scale.len() > weight.len() {
        return Err("they have more axes than it");
    }
    if scale.len() == weight.len() {
        return Ok(scale.to_vec());
    }
    let mut places = (0..=weight.len() - scale.len()).filter(|&from| weight[from..].starts_with(scale));
    match (places.next(), places.next()) {
        (None, _) => Err("they fit none of its axes"),
        (Some(_), Some(_)) => Err("they fit more than one of its axes, and nothing says which is meant"),
        (Some(from), None) => {
            let mut scales = vec![1; weight.len()];
            scales[from..from + scale.len()].copy_from_slice(scale);
            Ok(scales)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(weight: &[u64], scale: &[u64], block: Option<[u64; 2]>) -> Option<Vec<u64>> {
        ScaleGrid::new(weight, scale, block).ok().map(|grid| grid.block)
    }

    #[test]
    fn shapes_say_who_shares_a_scale() {
        let fp8 = Some([128, 128]);
        for (scale, shared) in [(&[][..], vec![6, 4]), (&[1], vec![6, 4]), (&[1, 1], vec![6, 4])] {
            assert_eq!(blocks(&[6, 4], scale, None), Some(shared));
        }
        assert_eq!(blocks(&[6, 4], &[6, 1], None), Some(vec![1, 4]));
        assert_eq!(blocks(&[6, 4], &[6], None), Some(vec![1, 4]));
        assert_eq!(blocks(&[6, 4], &[1, 4], None), Some(vec![6, 1]));
        assert_eq!(blocks(&[6, 4], &[4], None), Some(vec![6, 1]));
        assert_eq!(blocks(&[300, 256], &[3, 2], fp8), Some(vec![128, 128]));
        assert_eq!(blocks(&[300, 100], &[3, 1], fp8), Some(vec![128, 100]));
        assert_eq!(blocks(&[8, 300, 256], &[8, 3, 2], fp8), Some(vec![1, 128, 128]));
        assert_eq!(blocks(&[384, 80, 3], &[384], None), Some(vec![1, 80, 3]));
        assert_eq!(blocks(&[6, 128], &[6, 4], Some([1, 32])), Some(vec![1, 32]));
        assert_eq!(blocks(&[1, 64], &[1], None), Some(vec![1, 64]));
        assert_eq!(blocks(&[], &[], None), Some(vec![1]));
    }

    #[test]
    fn shapes_that_say_nothing_are_refused_with_the_reason() {
        let refused = |weight: &[u64], scale: &[u64], block| ScaleGrid::new(weight, scale, block).unwrap_err();
        assert!(refused(&[64, 64], &[64], None).contains("more than one of its axes"));
        assert!(refused(&[64, 64, 3], &[64], None).contains("more than one of its axes"));
        assert!(refused(&[64, 32], &[5], None).contains("none of its axes"));
        assert!(refused(&[300, 256], &[3, 2], None).contains("does not say how long"));
        assert!(refused(&[300, 256], &[4, 2], Some([128, 128])).contains("no blocks of 128"));
        assert!(refused(&[300], &[300, 2], None).contains("more axes"));
        assert!(ScaleGrid::new(&[64, 64], &[3, 1], Some([0, 0])).is_err());
    }

    #[test]
    fn a_row_knows_its_first_scale() {
        let grid = ScaleGrid::new(&[2, 300, 256], &[2, 3, 2], Some([128, 128])).unwrap();
        let at = |row| grid.first_scale(row);
        assert_eq!([at(0), at(127), at(128), at(299), at(300), at(599)], [0, 0, 2, 4, 6, 10]);
        assert_eq!(grid.describe(), "one scale for 1 × 128 × 128");
        assert_eq!((grid.scales(), grid.columns(), grid.numel()), (12, 256, 2 * 300 * 256));
    }
}
