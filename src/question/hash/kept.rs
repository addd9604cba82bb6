//! Digests of tensors that are on this machine: in a folder, in the cache, or in the Hugging Face cache.

use std::{
    cmp::Reverse,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    cache::{Cache, TensorKey},
    checkpoint::FolderFile,
    digest::{Sha256Hex, TensorDigest, TensorHash},
    error::{Error, Result},
    model::{Model, Tensor},
    range::ByteRange,
};

/// Bytes read at once: few enough to stay in a second-level cache beside the digest's own work.
const BLOCK: usize = 256 * 1024;

/// What identifies each of these tensors of folders or of the cache, in their order. One a thread is digested at once, the
/// largest first.
pub fn hash_all_kept(cache: &Cache, tensors: &[(&Model, &Tensor)]) -> Vec<Result<TensorHash>> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&position| Reverse(tensors[position].1.info.range.len()));
    let next = AtomicUsize::new(0);
    let mut results: Vec<(usize, Result<TensorHash>)> = rayon::broadcast(|_| {
        let mut done = Vec::new();
        while let Some(&position) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (model, tensor) = tensors[position];
            done.push((position, hash_kept(cache, model, tensor)));
        }
        done
    })
    .into_iter()
    .flatten()
    .collect();
    results.sort_by_key(|&(position, _)| position);
    results.into_iter().map(|(_, result)| result).collect()
}

/// What identifies a tensor of a folder, of the cache or of the Hugging Face cache. No byte moves over the network; memory is one block.
///
/// A cached tensor's digest of stored bytes is the one that was taken when they arrived; the rest comes from its kept
/// values, which are checked on the way. A tensor that is not kept, or not any more, is [`AuditError::Vanished`](crate::model::AuditError::Vanished).
pub fn hash_kept(cache: &Cache, model: &Model, tensor: &Tensor) -> Result<TensorHash> {
    let cached = match model.key(tensor) {
        Some(key) => hash_cached(cache, &key, tensor)?,
        None => None,
    };
    match (cached, model.repository.local_file(&tensor.shard)) {
        (Some(hash), _) => Ok(hash),
        (None, Some(file)) => {
            let mut digest = TensorDigest::new(&tensor.info.dtype, &tensor.info.shape);
            file.read_blocks::<Error>(tensor.info.range, BLOCK, |block| Ok(digest.update(block)?))?;
            Ok(digest.finish())
        }
        (None, None) => Err(model.vanished(tensor).into()),
    }
}

/// `None` where the entry is absent or its values are not those that were written.
fn hash_cached(cache: &Cache, key: &TensorKey, tensor: &Tensor) -> Result<Option<TensorHash>> {
    let Some((sidecar, path)) = cache.lookup(key) else { return Ok(None) };
    let Some(values_at) = sidecar.data_start() else { return Ok(None) };
    let file = FolderFile::open(path)?;
    let mut digest = TensorDigest::new(&sidecar.kept_dtype(), &tensor.info.shape);
    let mut whole = Sha256Hex::default();
    let header = file.read_at(ByteRange::new(0, values_at))?;
    whole.update(&header);
    file.read_blocks::<Error>(ByteRange::new(values_at, sidecar.npy_bytes), BLOCK, |block| {
        whole.update(block);
        Ok(digest.update(block)?)
    })?;
    if whole.finish() != sidecar.npy_sha256 {
        return Ok(None);
    }
    Ok(Some(TensorHash { sha256: sidecar.meta.sha256, ..digest.finish() }))
}
