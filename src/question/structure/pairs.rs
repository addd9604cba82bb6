//! The raw test: each role's matrix of one layer against that of a later one, and its norm in every layer.

use std::collections::BTreeMap;

use super::{Kind, Overlaps, Quantity, Read, Source, StructureOptions, StructureRow, strips};
use crate::metric::{
    Overlap, Undefined, Weights,
    align::null,
    overlap::{frobenius_norm, residual, residual_scaled},
    spectrum::Spectrum,
};

/// Layers k and k + stride that are both chosen; those that share a layer stand next to each other, so that each tensor
/// is read once.
pub(crate) fn layer_pairs(layers: &[u32], stride: u32) -> Vec<(u32, u32)> {
    let mut pairs: Vec<(u32, u32)> = layers
        .iter()
        .filter_map(|&layer| Some((layer, layer.checked_add(stride)?)))
        .filter(|(_, later)| layers.contains(later))
        .collect();
    pairs.sort_by_key(|&(layer, _)| (layer % stride.max(1), layer));
    pairs
}

/// All rows of a role in these layers, which ascend; `done` is told after each pair.
pub(crate) fn rows(
    source: &Source<'_>,
    kind: &Kind,
    layers: &[u32],
    options: &StructureOptions,
    done: &dyn Fn(),
) -> Vec<StructureRow> {
    let row = |layer_a, layer_b, (quantity, value, null): Found| StructureRow {
        model: source.number,
        role: kind.name(),
        layer_a: Some(layer_a),
        layer_b,
        quantity,
        value,
        null,
    };
    let mut rows = Vec::new();
    let mut norms: BTreeMap<u32, f64> = BTreeMap::new();
    let mut kept: Option<(u32, Read)> = None;
    let pairs = layer_pairs(layers, options.stride);
    // The spectrum needs whole matrices.
    let mut overlaps = if options.effective_rank { Overlaps::new() } else { strips::overlaps(source, kind, &pairs) };
    for (a, b) in pairs {
        let (overlap, spectrum) = overlaps.remove(&(a, b)).map_or_else(
            || {
                let first = match kept.take() {
                    Some((layer, read)) if layer == a => read,
                    _ => source.read(kind, a),
                };
                let second = source.read(kind, b);
                let both = first.as_ref().and_then(|first| Ok((first, second.as_ref()?))).map_err(Clone::clone);
                let overlap = both.clone().and_then(|(first, second)| Overlap::of(first, second));
                let spectrum = if options.effective_rank { spectrum(both) } else { Vec::new() };
                kept = Some((b, second));
                (overlap, spectrum)
            },
            |overlap| (overlap, Vec::new()),
        );
        if let Ok([of_a, of_b]) = overlap.as_ref().map(Overlap::norms) {
            norms.extend([(a, of_a), (b, of_b)]);
        }
        rows.extend(raw(overlap).into_iter().chain(spectrum).map(|found| row(a, Some(b), found)));
        done();
    }
    drop(kept);
    for &layer in layers {
        let read = || source.read(kind, layer).and_then(|weights| frobenius_norm(&weights));
        let norm = norms.remove(&layer).map_or_else(read, Ok);
        rows.push(row(layer, None, (Quantity::FrobeniusNorm, norm, None)));
    }
    rows
}

/// A quantity of a pair of layers, and what it is when nothing is shared.
type Found = (Quantity, Result<f64, Undefined>, Option<f64>);

fn raw(overlap: Result<Overlap, Undefined>) -> [Found; 3] {
    let cosine = overlap.clone().and_then(|overlap| overlap.cos_sim());
    let null = overlap.and_then(|overlap| overlap.cos_null()).ok();
    [
        (Quantity::CosSim, cosine.clone(), null),
        (Quantity::Residual, cosine.clone().map(residual), null.map(residual)),
        (Quantity::ResidualScaled, cosine.map(residual_scaled), null.map(residual_scaled)),
    ]
}

/// Of the residual of two matrices; nothing of vectors.
fn spectrum(both: Result<(&Weights, &Weights), Undefined>) -> Vec<Found> {
    if both.as_ref().is_ok_and(|(first, _)| !is_matrix(first)) {
        return Vec::new();
    }
    let null = both.as_ref().ok().map(|(first, _)| null::effective_rank(first.rows(), first.columns()));
    let spectrum = both.and_then(|(first, second)| Spectrum::of_residual(first, second));
    let of = |get: fn(&Spectrum) -> f64| spectrum.as_ref().map(get).map_err(Clone::clone);
    vec![
        (Quantity::EffectiveRank, of(Spectrum::effective_rank), null),
        (Quantity::SpectralEntropy, of(Spectrum::entropy), null.map(f64::ln)),
    ]
}

/// A vector has one direction, and nothing to be learnt from its spectrum.
fn is_matrix(weights: &Weights) -> bool {
    weights.rows() > 1 && weights.columns() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stride_pairs_layers_of_one_chain_after_each_other() {
        assert_eq!(layer_pairs(&[0, 1, 2, 3], 1), [(0, 1), (1, 2), (2, 3)]);
        assert_eq!(layer_pairs(&[0, 1, 2, 3, 4], 2), [(0, 2), (2, 4), (1, 3)]);
        assert_eq!(layer_pairs(&[0, 10, 20], 1), []);
        assert_eq!(layer_pairs(&[u32::MAX], 1), []);
    }
}
