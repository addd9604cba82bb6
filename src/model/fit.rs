//! Which of several sets of files is the checkpoint: the one whose tensors are those that the configuration describes.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::Repository;
use crate::{
    checkpoint::{Header, Layout},
    family::{ModelConfig, Part, Registry, Role, Stack},
};

/// How far a set of files is from a configuration, the gravest first: layers that it lacks, sizes that differ, layers too many.
type Misfit = (u64, u64, u64);

/// The first of the candidates that are nearest to the configuration. What cannot be read, or is no one checkpoint, is farthest.
pub(crate) async fn nearest(repository: &Repository, candidates: Vec<Layout>, config: &ModelConfig) -> Option<Layout> {
    if candidates.len() < 2 || config.num_hidden_layers.is_none() && config.hidden_size.is_none() {
        return candidates.into_iter().next();
    }
    let read = candidates.iter().map(async |layout| {
        let headers = join_all(layout.shards.iter().map(|shard| repository.header(shard, None))).await;
        let headers: Option<Vec<Header>> = headers.into_iter().collect::<Result<_, _>>().ok();
        let named = layout.shards.iter().map(String::as_str).zip(headers?).collect();
        is_one(&named).is_ok().then(|| misfit(named.values(), config))
    });
    let misfits: Vec<Option<Misfit>> = join_all(read).await;
    let far = (u64::MAX, u64::MAX, u64::MAX);
    let nearest = candidates.into_iter().zip(misfits).min_by_key(|(_, misfit)| misfit.unwrap_or(far));
    nearest.map(|(layout, _)| layout)
}

/// Fails with a tensor, and two files that both hold it.
pub(crate) fn is_one<'h, K: AsRef<str> + Ord>(headers: &'h BTreeMap<K, Header>) -> Result<(), (String, [String; 2])> {
    let mut holders: BTreeMap<&'h str, &'h str> = BTreeMap::new();
    for (file, header) in headers {
        for tensor in &header.tensors {
            if let Some(other) = holders.insert(&tensor.name, file.as_ref()) {
                return Err((tensor.name.clone(), [other.to_owned(), file.as_ref().to_owned()]));
            }
        }
    }
    Ok(())
}

fn misfit<'h>(headers: impl Iterator<Item = &'h Header>, config: &ModelConfig) -> Misfit {
    let tensors: Vec<_> = headers.flat_map(|header| &header.tensors).collect();
    let family = Registry::builtin().choose(config, tensors.iter().map(|info| info.name.as_str())).family;
    let (mut layers, mut sizes) = (BTreeSet::new(), 0);
    for info in tensors {
        let Some(slot) = family.and_then(|family| family.classify(&info.name, config).slot()) else { continue };
        if slot.part == Part::Bias || slot.stack != Stack::Main {
            continue;
        }
        layers.extend(slot.layer.map(|layer| layer.0));
        let is_wide = |width: u64| info.shape.last() == Some(&width);
        let is_as_stated = match slot.role {
            Role::EmbedTokens => {
                let holds_all = |rows: u64| info.shape.first().is_none_or(|&extent| extent >= rows);
                config.hidden_size.is_none_or(is_wide) && config.vocab_size.is_none_or(holds_all)
            }
            Role::InputLayernorm | Role::PostAttentionLayernorm | Role::FinalNorm => {
                config.hidden_size.is_none_or(is_wide)
            }
            _ => true,
        };
        sizes += u64::from(!is_as_stated);
    }
    let stated = config.num_hidden_layers.unwrap_or(0);
    let found = layers.iter().filter(|&&layer| layer < stated).count() as u64;
    (u64::from(stated) - found, sizes, if stated == 0 { 0 } else { layers.len() as u64 - found })
}
