//! The digests of all that was asked for, whether it streamed past or lies on this machine.

use std::collections::BTreeMap;

use super::{Hashed, hash_all_kept};
use crate::{
    error::{Error, Result},
    fetch::Corpus,
    model::{Model, Tensor},
};

/// The digests of tensors of several models, and what has none.
#[derive(Debug)]
pub struct Hashes {
    /// By model, then layer, then name.
    pub tensors: Vec<Hashed>,
    /// Why tensors of this machine have no digest. Of those that could not be brought the corpus tells.
    pub faults: Vec<Error>,
    /// Numbers of the models that have tensors and none that is wanted.
    pub without: Vec<usize>,
    /// Whether all models were read, each has a wanted tensor, and each of those has a digest.
    pub is_whole: bool,
}

/// Digests the tensors that are `wanted` by name. Fails where a file on this machine changed meanwhile.
pub fn hash(corpus: &Corpus, wanted: impl Fn(&str) -> bool) -> Result<Hashes> {
    let mut is_whole = true;
    let (mut here, mut without) = (Vec::new(), Vec::new());
    for (number, opened) in corpus.opened.iter().enumerate() {
        let Ok(model) = &opened.outcome else {
            is_whole = false;
            continue;
        };
        let chosen = (0..model.tensors.len()).filter(|&at| wanted(&model.tensors[at].info.name));
        let chosen: Vec<usize> = chosen.collect();
        let streamed = corpus.digests.get(number);
        let has_failed = |position: usize| corpus.failures[number].contains_key(&model.tensors[position].info.name);
        let is_streamed = |position: usize| streamed.is_some_and(|streamed| streamed.contains_key(&position));
        is_whole &= !chosen.is_empty() && !chosen.iter().any(|&position| has_failed(position));
        if chosen.is_empty() && !model.tensors.is_empty() {
            without.push(number);
        }
        let left = chosen.into_iter().filter(|&position| !has_failed(position) && !is_streamed(position));
        here.extend(left.map(|position| (number, position)));
    }
    let model_of = |number: usize| corpus.opened[number].outcome.as_deref().ok();
    let jobs: Vec<(&Model, &Tensor)> = here
        .iter()
        .filter_map(|&(number, position)| model_of(number).map(|model| (model, &model.tensors[position])))
        .collect();
    let results = hash_all_kept(&corpus.cache, &jobs);
    // First, so that a file which changed is told once and not as a fault of each of its tensors.
    corpus.check_unchanged()?;
    let (mut hashes, mut faults) = (BTreeMap::new(), Vec::new());
    for (place, result) in here.into_iter().zip(results) {
        match result {
            Ok(hash) => drop(hashes.insert(place, hash)),
            Err(error) => faults.push(error),
        }
    }
    for (number, streamed) in corpus.digests.iter().enumerate() {
        hashes.extend(streamed.iter().map(|(&position, hash)| ((number, position), hash.clone())));
    }
    let row = |((number, position), hash): ((usize, usize), _)| {
        let model = model_of(number)?;
        let tensor = &model.tensors[position];
        Some(Hashed {
            model: corpus.opened[number].spec.to_string(),
            commit: model.repository.commit().map(ToString::to_string).unwrap_or_default(),
            tensor: tensor.info.name.clone(),
            role: tensor.slot.map(|slot| slot.role.to_string()).unwrap_or_default(),
            layer: tensor.layer.map(|layer| layer.0),
            dtype: tensor.info.dtype.clone(),
            shape: tensor.info.shape.clone(),
            hash,
        })
    };
    let tensors = hashes.into_iter().filter_map(row).collect();
    is_whole &= faults.is_empty();
    Ok(Hashes { tensors, faults, without, is_whole })
}
