//! Numbers that compare two tensors, each defined once; undefined is absent, with a reason.
//!
//! Everything here is a function of slices: no names, no files, no network. Sums are `f64` in a fixed block order, so a
//! result does not depend on the number of threads; [`Metric`] is the catalogue, [`PairMetrics`] its values for one
//! pair, [`null`] what they would be if nothing were shared.

#![expect(clippy::inline_always, reason = "kernels are compiled anew for each instruction set")]

pub mod align;
mod baseline;
mod catalogue;
mod cluster;
mod correlations;
mod eigen;
mod element;
mod formulas;
#[cfg(test)]
mod goldens;
mod lanczos;
mod layers;
pub(crate) mod lineage;
mod moments;
pub mod null;
pub mod overlap;
mod pair;
mod pair_sums;
mod pca;
mod quantile;
mod rank;
mod related;
mod row_pair;
mod side;
mod simd;
pub mod spectrum;
mod stats;
pub mod stream;
mod sums;
mod weights;

pub use baseline::GaussianBaseline;
pub use catalogue::{Metric, Undefined};
pub(crate) use cluster::components;
pub use cluster::{Dendrogram, Merge};
pub use correlations::Correlations;
pub use element::Element;
pub use layers::LayerAverage;
pub use moments::{Moments, Summary};
pub(crate) use null::{log10_two_sided, z_perm};
pub use overlap::{Overlap, Strip};
pub use pair::PairMetrics;
pub use pca::{Component, Gram, Pca, Scale};
pub use quantile::{median, quantile, quantiles};
pub use related::{Baseline, Criterion, FEWEST, RelatedVerdict, Verdicts, benjamini_hochberg, is_one, related};
pub(crate) use related::{Judge, fisher_score};
pub use row_pair::RowPair;
pub use side::Side;
pub use stats::{Figures, MeanSd, Stats};
pub use weights::Weights;
