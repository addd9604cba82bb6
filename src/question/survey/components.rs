//! Principal components of the vectors of all layers of all models: what differs most among them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    dtype::decode,
    error::Error,
    family::{FusedLayout, LayerIndex},
    metric::{Gram, Pca, Scale, Undefined, stream::Source},
    parallel,
    table::{PairTable, TableKey},
    tensor::{Elements, Floats, Loaded, floats},
};

/// Components that are worked out.
const COMPONENTS: usize = 5;

/// Vectors beyond which no components are worked out.
const MOST: usize = 2000;

/// Elements of each matrix that are held at once.
const RUN: usize = 1 << 14;

/// A vector: one layer of one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VectorAt {
    /// The model, by place.
    pub model: usize,
    /// Its layer.
    pub layer: LayerIndex,
}

/// The components of one role.
#[derive(Debug)]
pub struct RoleComponents {
    /// The role.
    pub key: TableKey,
    /// The vectors, in the order of the scores.
    pub vectors: Vec<VectorAt>,
    /// Vectors that are in no component, with the reason.
    pub left_out: Vec<(VectorAt, String)>,
    /// The components of the vectors as they are.
    pub kept: Result<Pca, Undefined>,
    /// The components of the vectors divided by their norms.
    pub removed: Result<Pca, Undefined>,
}

/// The components over the tables of one role; `None` where fewer than two layers are held.
pub(crate) fn role(tables: &[PairTable], vectors: &[Vec<Option<Loaded>>]) -> Option<RoleComponents> {
    let mut held: BTreeMap<VectorAt, &Loaded> = BTreeMap::new();
    for (table, loaded) in tables.iter().zip(vectors) {
        for (model, (row, loaded)) in table.rows.iter().zip(loaded).enumerate() {
            if let (Ok(side), Some(loaded)) = (&row.side, loaded)
                && let Some(layer) = side.layer
            {
                held.insert(VectorAt { model, layer }, loaded);
            }
        }
    }
    let layers: BTreeSet<LayerIndex> = held.keys().map(|at| at.layer).collect();
    if layers.len() < 2 {
        return None;
    }
    let mut lengths: BTreeMap<u64, usize> = BTreeMap::new();
    for loaded in held.values() {
        *lengths.entry(loaded.numel()).or_default() += 1;
    }
    // Of lengths that are as frequent, the smallest.
    let (&usual, _) = lengths.iter().max_by_key(|&(length, &count)| (count, Reverse(*length)))?;
    let (mut at, mut values, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for (place, loaded) in held {
        match vector(loaded, usual) {
            Ok(vector) => {
                at.push(place);
                values.push(vector);
            }
            Err(reason) => left_out.push((place, reason)),
        }
    }
    let slices: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    let pca = |scale| {
        if slices.len() > MOST {
            let reason = format!("more than {MOST} vectors");
            return Err(Undefined::NotComparable(reason));
        }
        Pca::of(&slices, scale, COMPONENTS)
    };
    let (kept, removed) = rayon::join(|| pca(Scale::Kept), || pca(Scale::Removed));
    Some(RoleComponents { key: tables.first()?.key.whole(), vectors: at, left_out, kept, removed })
}

/// The components of matrices, which are read once more, run by run, and never held; the reason instead where nobody asked for that.
pub(crate) fn of_matrices(key: TableKey, cells: Vec<(VectorAt, Opening)>, are_wanted: bool) -> RoleComponents {
    let mut vectors = Vec::new();
    let mut left_out = Vec::new();
    let none = |reason: String| -> Result<Pca, Undefined> { Err(Undefined::NotComparable(reason)) };
    let without = |reason: String, left_out| RoleComponents {
        key,
        vectors: Vec::new(),
        left_out,
        kept: none(reason.clone()),
        removed: none(reason),
    };
    if !are_wanted {
        let reason = "matrices would have to be read once more: --components does that";
        return without(reason.to_owned(), left_out);
    }
    let first = cells.iter().find_map(|(_, opened)| opened.as_ref().ok());
    let first = first.map(|(elements, fused)| (elements.shape.clone(), *fused));
    let mut opened = Vec::new();
    for (at, opening) in cells {
        let refused = match opening {
            Err(reason) => reason,
            Ok((elements, _)) if elements.zero_centred => "it is a zero-centred gain".to_owned(),
            Ok((elements, fused)) => {
                if first.as_ref().is_some_and(|first| (&elements.shape, fused) == (&first.0, first.1)) {
                    vectors.push(at);
                    opened.push(elements);
                    continue;
                }
                "its shape, or the order of its parts, is another than the first's".to_owned()
            }
        };
        left_out.push((at, refused));
    }
    if opened.len() > MOST {
        return without(format!("more than {MOST} matrices"), left_out);
    }
    match gram(&opened) {
        Ok(gram) => {
            let kept = gram.clone().components(Scale::Kept, COMPONENTS);
            RoleComponents { key, vectors, left_out, kept, removed: gram.components(Scale::Removed, COMPONENTS) }
        }
        Err(error) => without(format!("a tensor was not read: {}", error.chain()), left_out),
    }
}

/// A matrix to be read run by run and the order of its parts, or the reason why there is none.
pub(crate) type Opening = Result<(Elements, Option<FusedLayout>), String>;

/// The products of matrices of one shape.
fn gram(opened: &[Elements]) -> Result<Gram, Error> {
    let mut gram = Gram::new(opened.len());
    let numel = opened.first().map_or(0, Source::numel);
    for start in (0..numel).step_by(RUN) {
        let length = (numel - start).min(RUN as u64);
        let runs: Result<Vec<Vec<f64>>, Error> =
            parallel::map(opened, |elements| run(elements, start, length)).into_iter().collect();
        gram.add(&runs?);
    }
    Ok(gram)
}

/// Elements `start` to `start + length`.
fn run(elements: &Elements, start: u64, length: u64) -> Result<Vec<f64>, Error> {
    let width = elements.dtype().bits().unwrap_or(0) / 8;
    let mut bytes = vec![0; usize::try_from(length * width).unwrap_or_default()];
    elements.read(start * width, &mut bytes)?;
    Ok(match floats(decode(elements.dtype(), &bytes)?) {
        Ok(Floats::F32(values)) => values.into_iter().map(f64::from).collect(),
        Ok(Floats::F64(values)) => values,
        // Integers beyond what f64 holds are no number here.
        Err(_) => vec![f64::NAN; usize::try_from(length).unwrap_or_default()],
    })
}

/// A vector of the most frequent length that has components: finite, and not all zeros.
fn vector(loaded: &Loaded, usual: u64) -> Result<Vec<f64>, String> {
    let told = |reason: Undefined| reason.to_string();
    let summary = loaded.moments().and_then(|moments| moments.summary).map_err(told)?;
    if summary.norm == 0.0 {
        return Err(Undefined::ZeroNorm.to_string());
    }
    if loaded.numel() != usual {
        return Err(format!("{} elements, where most vectors have {usual}", loaded.numel()));
    }
    Ok(loaded.as_f64().map_err(told)?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::pairs::tests::planted;

    #[test]
    fn every_vector_of_the_usual_length_has_its_score_and_the_others_a_reason() {
        let vector = |model: u32, layer: u32| vec![1.0, f64::from(layer), f64::from(model) * 0.1];
        let models = |layer: u32| {
            let odd = if layer == 2 { vec![1.0; 5] } else { vector(1, layer) };
            [Some(vector(0, layer)), Some(odd), (layer == 0).then(|| vec![0.0; 3])]
        };
        let (tables, loaded): (Vec<_>, Vec<_>) = (0..3).map(|layer| planted(layer, &models(layer), false)).unzip();
        let components = role(&tables, &loaded).unwrap();
        let at: Vec<(usize, u32)> = components.vectors.iter().map(|at| (at.model, at.layer.0)).collect();
        assert_eq!(at, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]);
        let reasons: Vec<&str> = components.left_out.iter().map(|(_, reason)| reason.as_str()).collect();
        assert_eq!(reasons, ["5 elements, where most vectors have 3", "ZeroNorm"]);
        let first = &components.kept.as_ref().unwrap().components[0];
        assert_eq!(first.scores.len(), 5);
        assert!(first.share > 0.9 && first.scores[0] < first.scores[1] && first.scores[1] < first.scores[2]);
    }

    #[test]
    fn one_layer_has_no_components() {
        let (table, loaded) = planted(4, &[Some(vec![1.0, 2.0]), Some(vec![2.0, 1.0])], false);
        assert!(role(&[table], &[loaded]).is_none());
    }
}
