//! Midranks of elements that are one of a few codes: counting the codes gives all of them.

use crate::metric::sums;

/// The doubled midrank of every code, less its mean.
#[derive(Debug)]
pub(super) struct CodeRanks {
    /// By code.
    pub(super) centred: Vec<f64>,
    /// Σ of its square over all elements.
    pub(super) squares: f64,
}

impl CodeRanks {
    /// Of elements of which `counts` have each code; `values` are the codes' values, NaN for codes that do not occur.
    pub(super) fn new(values: &[f64], counts: &[u64]) -> Self {
        let numel: u64 = counts.iter().sum();
        let mut order: Vec<usize> = (0..values.len()).filter(|&code| counts[code] > 0).collect();
        // Adding 0.0 makes 0.0 of −0.0.
        order.sort_by(|&left, &right| (values[left] + 0.0).total_cmp(&(values[right] + 0.0)));
        let mut centred = vec![0.0; values.len()];
        let mut smaller = 0;
        let mut squares = Vec::new();
        for tied in order.chunk_by(|&left, &right| values[left] + 0.0 == values[right] + 0.0) {
            let count: u64 = tied.iter().map(|&code| counts[code]).sum();
            let rank = centred_rank(smaller, count, numel);
            tied.iter().for_each(|&code| centred[code] = rank);
            squares.push(count as f64 * (rank * rank));
            smaller += count;
        }
        Self {
            centred,
            squares: sums::compensated(squares),
        }
    }
}

/// `count` elements after `smaller` ones share the ranks smaller+1 to smaller+count: their doubled mean, less n + 1.
pub(super) fn centred_rank(smaller: u64, count: u64, numel: u64) -> f64 {
    (2 * smaller + count) as f64 - numel as f64
}
