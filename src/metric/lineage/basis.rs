//! Residual basis: one permutation of the hidden coordinates for the whole model.
//!
//! Rows are anchored: row i of both sides is the same token, or the norm of the same role and layer. They are not replicates,
//! so each group is one joint test.

use faer::MatRef;

use super::{
    block_test::{Tables, Tail},
    draws::draw_key,
    evidence::{Evidence, detectable},
    products::{centre, centre_columns, column_products, dot, row_products, to_unit_length},
    untested::{Untested, positive},
};
use crate::{
    metric::{Element, rank::Ranks},
    parallel,
};

const FEWEST_TOKENS: usize = 16;
const FEWEST_COORDINATES: usize = 32;

/// Anchored rows of one model, centred, of length 1, with the products of all of them: prepared once for all pairs that
/// share the anchors.
#[derive(Debug, Clone)]
pub(crate) struct AnchoredRows {
    width: usize,
    values: Vec<f64>,
    /// Whether a row varies; else it is all zeros.
    live: Vec<bool>,
    products: Vec<f64>,
}

impl AnchoredRows {
    /// Norm gains, one row for each role and layer. Undefined where rows are of different widths (`Width`), do not all hold numbers
    /// (`NonFinite`), or there is none (`NoTensor`).
    pub(crate) fn norms<T: Element>(rows: &[&[T]]) -> Result<Self, Untested> {
        let (width, values) = widened(rows)?;
        Ok(Self::ranked(width, values))
    }

    /// Embeddings, one row for each token: the mean over the tokens goes first, coordinate by coordinate. Undefined as
    /// [`norms`](Self::norms), and below 16 tokens (`TooFewTokens`).
    pub(crate) fn tokens<T: Element>(rows: &[&[T]]) -> Result<Self, Untested> {
        if rows.len() < FEWEST_TOKENS {
            return Err(Untested::TooFewTokens);
        }
        let (width, mut values) = widened(rows)?;
        centre_columns(&mut values, width);
        Ok(Self::ranked(width, values))
    }

    /// Ranks are not optional: one massive coordinate that both have by chance makes strangers look linked.
    fn ranked(width: usize, mut values: Vec<f64>) -> Self {
        parallel::change_runs(&mut values, width, |_, row| {
            // Elements are finite and few, so that there are ranks.
            if let Ok(ranks) = Ranks::of(row) {
                row.iter_mut().zip(ranks.iter()).for_each(|(x, rank)| *x = rank);
            }
        });
        Self::centred(width, values)
    }

    /// Rows as they are, centred and of length 1.
    pub(super) fn centred(width: usize, mut values: Vec<f64>) -> Self {
        let live = values
            .chunks_exact_mut(width)
            .map(|row| {
                centre(row);
                to_unit_length(row)
            })
            .collect();
        Self { products: row_products(&values, &values, width), width, values, live }
    }

    /// Tests the rows of norms, on both sides: patterns of either sign come from one basis.
    pub(crate) fn test_norms(&self, other: &Self, seed: u64) -> Result<Evidence, Untested> {
        self.test(other, coordinate_block(self.width), draw_key(seed, "norms"), Tail::Both)
    }

    /// Tests the rows of tokens, one-sided.
    pub(crate) fn test_tokens(&self, other: &Self, seed: u64) -> Result<Evidence, Untested> {
        self.test(other, coordinate_block(self.width), draw_key(seed, "embeddings"), Tail::Upper)
    }

    /// z = Σᵢ⟨xᵢ, yᵢ⟩/√V with V = `⟨XXᵀ, YYᵀ⟩/(d−1)`, the exact variance over permutations of coordinates (Hoeffding 1951). Tables
    /// are of `block` consecutive coordinates; the last takes the rest.
    pub(super) fn test(&self, other: &Self, block: usize, key: u64, tail: Tail) -> Result<Evidence, Untested> {
        if self.width != other.width {
            return Err(Untested::Width);
        }
        if self.live.len() != other.live.len() {
            return Err(Untested::Units);
        }
        let rows = self.live.iter().zip(&other.live).filter(|(of_a, of_b)| **of_a && **of_b).count();
        if rows == 0 {
            return Err(Untested::Constant);
        }
        if self.width < FEWEST_COORDINATES {
            return Err(Untested::TooFew);
        }
        let (n, free) = (rows as f64, (self.width - 1) as f64);
        let variance = positive(dot(&self.products, &other.products) / free)?;
        let sd = variance.sqrt();
        let trace = dot(&self.values, &other.values);
        let tables = self.tables(other, block, sd);
        Ok(Evidence {
            z: trace / sd,
            significance: tables.test(key, tail),
            tail,
            exact: true,
            rows,
            width: self.width,
            blocks: tables.len(),
            rho: Some(trace / n),
            rho_sd: Some(sd / n),
            rho_detectable: detectable(sd / n),
            n_eff: Some(n * n / (variance * free)),
        })
    }

    fn tables(&self, other: &Self, block: usize, sd: f64) -> Tables {
        let [x, y] = [self, other].map(|side| MatRef::from_row_major_slice(&side.values, side.live.len(), self.width));
        let blocks = self.width / block;
        let mut tables = Tables::default();
        for k in 0..blocks {
            let first = k * block;
            let size = if k + 1 == blocks { self.width - first } else { block };
            tables.push(&column_products(x.subcols(first, size), y.subcols(first, size)), size, sd);
        }
        tables
    }
}

/// b = max(4, 2^(⌊log2(d)/2⌋−1)) consecutive coordinates.
fn coordinate_block(width: usize) -> usize {
    let half = width.max(1).ilog2() / 2;
    (1_usize << half.saturating_sub(1)).max(4)
}

fn widened<T: Element>(rows: &[&[T]]) -> Result<(usize, Vec<f64>), Untested> {
    let width = rows.first().map_or(0, |row| row.len());
    if width == 0 {
        return Err(Untested::NoTensor);
    }
    if rows.iter().any(|row| row.len() != width) {
        return Err(Untested::Width);
    }
    let values: Vec<f64> = rows.iter().flat_map(|row| row.iter().map(|x| x.to_f64())).collect();
    let count = values.iter().filter(|x| !x.is_finite()).count() as u64;
    if count > 0 { Err(Untested::NonFinite { count }) } else { Ok((width, values)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::lineage::goldens::{Arrays, check_evidence, goldens, integers, text};

    #[test]
    fn the_basis_is_tested_as_the_reference_does() {
        let arrays = Arrays::of("basis.");
        for case in goldens()["basis_tests"].as_array().unwrap() {
            let seed = case["seed"].as_u64().unwrap();
            let [a, b] = ["a", "b"].map(|side| arrays.get(text(&case[side])).all_rows());
            let tokens = AnchoredRows::tokens(&a).unwrap().test_tokens(&AnchoredRows::tokens(&b).unwrap(), seed);
            check_evidence(&tokens.unwrap(), &case["tokens"]);
            let norms = AnchoredRows::norms(&a).unwrap().test_norms(&AnchoredRows::norms(&b).unwrap(), seed);
            check_evidence(&norms.unwrap(), &case["norms"]);
        }
    }

    #[test]
    fn blocks_of_coordinates_are_those_of_the_reference() {
        for (width, golden) in goldens()["vectors"]["coordinate_blocks"].as_object().unwrap() {
            let width: usize = width.parse().unwrap();
            let block = coordinate_block(width);
            let blocks = width / block;
            assert_eq!([blocks, block], [&golden[0], &golden[1]].map(|count| integers(count)[0]));
            assert_eq!([(blocks - 1) * block, width], integers(&golden[2])[..]);
        }
    }

    #[test]
    fn what_cannot_be_compared_has_its_reason() {
        let flat = vec![1.0_f32; 64];
        let rising: Vec<f32> = (0_u8..64).map(f32::from).collect();
        let [of_flat, of_rising] = [&flat, &rising].map(|row| AnchoredRows::norms(&[row.as_slice()]).unwrap());
        assert_eq!(of_flat.test_norms(&of_rising, 0), Err(Untested::Constant));
        let narrow = AnchoredRows::norms(&[&rising[..31]]).unwrap();
        assert_eq!(narrow.test_norms(&of_rising, 0), Err(Untested::Width));
        assert_eq!(narrow.test_norms(&narrow, 0), Err(Untested::TooFew));
        assert_eq!(AnchoredRows::tokens(&[rising.as_slice(); 15]).unwrap_err(), Untested::TooFewTokens);
        assert_eq!(AnchoredRows::norms(&[&[f32::NAN; 64][..]]).unwrap_err(), Untested::NonFinite { count: 64 });
    }
}
