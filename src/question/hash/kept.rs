//! Digests of tensors that are on this machine: in a folder, in the cache, or in the Hugging Face cache.

use std::{
    cmp::Reverse,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    cache::{Cache, Sidecar, TensorKey},
    checkpoint::FolderFile,
    digest::{Sha256Hex, TensorDigest, TensorHash},
    dtype::Dtype,
    error::{Error, Result},
    model::{AuditError, Model, Tensor},
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
/// values, which are checked on the way. A tensor that is not kept, or not any more, is [`AuditError::Vanished`].
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
        (None, None) => Err(vanished(model, tensor)),
    }
}

fn vanished(model: &Model, tensor: &Tensor) -> Error {
    AuditError::Vanished { model: model.repository.place(), tensor: tensor.info.name.clone() }.into()
}

/// `None` where the entry is absent or its values are not those that were written.
fn hash_cached(cache: &Cache, key: &TensorKey, tensor: &Tensor) -> Result<Option<TensorHash>> {
    let Some((sidecar, path)) = cache.lookup(key) else { return Ok(None) };
    let widened = widened(&tensor.info.dtype);
    let Some(values_at) = values_at(&sidecar, &widened) else {
        return Ok(None);
    };
    let file = FolderFile::open(path)?;
    let mut digest = TensorDigest::new(&widened, &tensor.info.shape);
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

/// The type that a `.npy` holds tensors of this type in.
fn widened(dtype: &Dtype) -> Dtype {
    match *dtype {
        Dtype::F64
        | Dtype::BOOL
        | Dtype::I8
        | Dtype::I16
        | Dtype::I32
        | Dtype::I64
        | Dtype::U8
        | Dtype::U16
        | Dtype::U32
        | Dtype::U64 => dtype.clone(),
        _ => Dtype::F32,
    }
}

/// Where the values begin in a `.npy`: they are what it ends with.
fn values_at(sidecar: &Sidecar, widened: &Dtype) -> Option<u64> {
    let numel = sidecar.meta.shape.iter().try_fold(1_u64, |n, &extent| n.checked_mul(extent))?;
    let bytes = numel.checked_mul(widened.bits()? / 8)?;
    sidecar.npy_bytes.checked_sub(bytes)
}
