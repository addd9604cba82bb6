//! What the arithmetic will cost, before it begins: operations, and memory at its height.

use super::{Group, Kind, MatrixIndex, Piece, StructureOptions, attention, chosen, layer_pairs};
use crate::{
    metric::align::{Gauge, PRECISE_TO},
    model::{Model, Opened},
    parallel,
};

/// What the arithmetic on one model costs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// Pairs of matrices that are compared.
    pub pairs: usize,
    /// Multiplications and additions.
    pub operations: f64,
    /// Bytes in memory at the height of it.
    pub memory: f64,
}

/// What each model costs; nothing where it was not read.
pub fn estimate(opened: &[Opened], options: &StructureOptions) -> Vec<Estimate> {
    let one = |opened: &Opened| {
        let model = opened.outcome.as_ref().ok();
        model.map_or_else(Estimate::default, |model| of_model(model, &MatrixIndex::of(model, options), options))
    };
    opened.iter().map(one).collect()
}

pub(crate) fn of_model(model: &Model, index: &MatrixIndex, options: &StructureOptions) -> Estimate {
    let mut estimate = Estimate::default();
    for (kind, layers) in &index.kinds {
        if kind.role.is_some_and(|role| !options.wants(role)) {
            continue;
        }
        let Ok(layers) = chosen(model, layers.keys().copied(), kind.stack, options) else {
            continue;
        };
        let pairs = layer_pairs(&layers, options.stride).len();
        let (rows, columns) = extents(model, index, kind);
        estimate.pairs += pairs;
        estimate.operations += pairs as f64 * raw_pair(model, index, kind, options);
        let mut memory = 4.0 * rows * columns;
        if options.effective_rank {
            memory += 28.0 * rows.min(columns).powi(2);
        }
        estimate.memory = estimate.memory.max(memory);
    }
    add_alignments(model, index, options, &mut estimate);
    estimate
}

/// Adds what the alignments of a model cost.
fn add_alignments(model: &Model, index: &MatrixIndex, options: &StructureOptions, estimate: &mut Estimate) {
    for group in Group::all(index, options) {
        let Ok(layers) = group.layers(model, index, options) else {
            continue;
        };
        let pairs = layer_pairs(&layers, options.stride).len();
        let one = work(model, index, &group);
        estimate.pairs += pairs;
        estimate.operations += pairs as f64 * one.operations;
        estimate.memory = estimate.memory.max(one.memory);
    }
}

/// What one pair of layers costs.
pub(crate) fn work(model: &Model, index: &MatrixIndex, group: &Group) -> Estimate {
    let sizes = group.kinds().into_iter().map(|kind| {
        let (rows, columns) = extents(model, index, &kind);
        rows * columns
    });
    let elements: f64 = sizes.sum();
    // Both layers in their stored width, taken as two bytes.
    let mut estimate = Estimate { pairs: 1, operations: 0.0, memory: 4.0 * elements };
    for gauge in &group.gauges {
        let (operations, memory) = match gauge {
            Gauge::Heads | Gauge::Attention => {
                let width = attention::layout(&model.config).map_or(0.0, |layout| layout.width as f64);
                // Products of every row with its head's rows, and decompositions that count twentyfold.
                let heads = extents(model, index, &group.kinds()[0]).0;
                (2.0 * elements * width + 20.0 * heads * width * width, 16.0 * width * width)
            }
            Gauge::MlpRotation | Gauge::MlpPermutation => {
                let (units, _) = extents(model, index, &group.kinds()[0]);
                let products = 2.0 * elements * units;
                let square = 8.0 * units * units;
                if *gauge == Gauge::MlpPermutation {
                    (products + 0.5 * units.powi(3), 5.0 * units * units)
                } else if units <= PRECISE_TO as f64 {
                    // Both sides of a decomposition, which count twentyfold, and the rotation.
                    (products + 22.0 * units.powi(3), 8.0 * square)
                } else {
                    // The Gram matrix, and a reduction to three diagonals that waits for memory and counts fourfold.
                    (products + units.powi(3) * (1.0 + 16.0 / 3.0), 2.0 * square)
                }
            }
        };
        estimate.operations += operations;
        estimate.memory = estimate.memory.max(4.0 * elements + memory);
    }
    estimate
}

/// Operations of one pair of a role: five sums of two each, and the spectrum.
pub(crate) fn raw_pair(model: &Model, index: &MatrixIndex, kind: &Kind, options: &StructureOptions) -> f64 {
    let (rows, columns) = extents(model, index, kind);
    let (small, large) = (rows.min(columns), rows.max(columns));
    let spectrum = if options.effective_rank && small > 1.0 {
        // Half of the products, and a reduction to three diagonals that waits for memory and counts fourfold.
        small * small * large + 4.0 * 4.0 / 3.0 * small.powi(3)
    } else {
        0.0
    };
    10.0 * rows * columns + spectrum
}

/// Rows and columns of a role's matrix in the first layer that has it.
pub(crate) fn extents(model: &Model, index: &MatrixIndex, kind: &Kind) -> (f64, f64) {
    let layers = index.kinds.get(kind);
    let piece = layers.and_then(|layers| layers.values().find_map(|piece| piece.as_ref().ok()));
    piece.map_or((0.0, 0.0), |piece| of_piece(model, piece))
}

fn of_piece(model: &Model, piece: &Piece) -> (f64, f64) {
    let mut shape: Vec<f64> = model.tensors[piece.tensor].info.shape.iter().map(|&extent| extent as f64).collect();
    if let Some((split, role)) = &piece.split
        && let (Some(extent), Some(block)) = (shape.get_mut(split.axis), split.block(*role))
    {
        *extent = block.len() as f64;
    }
    let columns = shape.pop().unwrap_or(1.0);
    (shape.iter().product(), columns)
}

/// A small product, to measure this machine by; gives the operations that it took.
pub fn rehearse() -> f64 {
    const SIZE: usize = 384;
    let operand = faer::Mat::<f64>::from_fn(SIZE, SIZE, |i, j| ((i + 3 * j) % 7) as f64 - 3.0);
    let products = parallel::numbers(4, |_| {
        let mut product = faer::Mat::<f64>::zeros(SIZE, SIZE);
        faer::linalg::matmul::matmul(
            product.as_mut(),
            faer::Accum::Replace,
            operand.transpose(),
            operand.as_ref(),
            1.0,
            faer::Par::Seq,
        );
        std::hint::black_box(product[(0, 0)])
    });
    products.len() as f64 * 2.0 * (SIZE as f64).powi(3)
}
