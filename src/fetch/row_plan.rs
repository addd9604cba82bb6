//! Which rows of a tensor must move, and in which requests.

use super::{
    ModelPlan, SPAN_LIMIT,
    tensors::{is_kept, meta},
};
use crate::{
    cache::TensorKey,
    dtype::decode,
    error::Result,
    model::{AuditError, Model, Session, Tensor},
    rows::RowSet,
};

/// What the rows of one tensor cost, and the way to them.
#[derive(Debug, Clone, Default)]
pub struct RowPlan {
    /// The costs. The tensor counts once; it is cached where every wanted row is.
    pub plan: ModelPlan,
    /// Position of the tensor in its model.
    pub(crate) position: usize,
    /// Bytes of a row.
    pub(crate) width: u64,
    /// Rows that are neither cached nor local.
    pub(crate) missing: RowSet,
    /// Whether the whole tensor comes, since more than three quarters of its rows are missing: in pieces that need not be held
    /// together, as one entry that need not be merged.
    pub(crate) whole: bool,
}

impl RowPlan {
    /// Whole tensors, planned by [`plan`](super::plan), beside rows of others.
    pub(crate) fn of_whole(plan: ModelPlan) -> Self {
        Self { plan, whole: true, ..Self::default() }
    }
}

/// Bytes of one row of a tensor of at least two axes; `None` where its bytes are no whole number of rows.
pub fn row_width(tensor: &Tensor) -> Option<u64> {
    let (rows, bytes) = (*tensor.info.shape.first()?, tensor.info.range.len());
    let whole = tensor.info.shape.len() > 1 && rows > 0 && bytes > 0 && bytes.is_multiple_of(rows);
    whole.then(|| bytes / rows)
}

/// Plans what must move for the rows `wanted` of the tensor at `position` of `model`: rows on this machine cost
/// nothing. Every byte of what is kept is checked here, while there is still a network.
///
/// Fails where the tensor has no rows of whole bytes, or fewer than are wanted.
pub fn plan_rows(session: &Session, model: &Model, position: usize, wanted: &RowSet) -> Result<RowPlan> {
    let Some(tensor) = model.tensors.get(position) else {
        return Ok(RowPlan::default());
    };
    let has = tensor.info.shape.first().copied().unwrap_or(0);
    let no_rows = || AuditError::NoRows {
        model: model.repository.place(),
        tensor: tensor.info.name.clone(),
        wanted: wanted.end(),
        has,
    };
    let width = row_width(tensor).filter(|_| wanted.end() <= has).ok_or_else(no_rows)?;
    let mut plan = RowPlan { position, width, ..RowPlan::default() };
    let (mut cached, mut local, mut shared) = (0, 0, 0);
    match model.key(tensor) {
        None => local = 1,
        Some(key) if is_kept(session, &key) => cached = 1,
        // Read where they lie, and not copied.
        Some(_) if model.repository.is_shared(&tensor.shard) => shared = 1,
        // A type that is not decoded would be paid for in vain.
        Some(_) if decode(&tensor.info.dtype, &[]).is_err() => {}
        Some(key) => {
            plan.missing = wanted.difference(&kept_rows(session, &key, tensor));
            cached = usize::from(plan.missing.is_empty());
            plan.whole = plan.missing.len().saturating_mul(4) > has.saturating_mul(3);
        }
    }
    let ranges = if plan.whole {
        Some(vec![tensor.info.range])
    } else {
        plan.missing.byte_ranges(tensor.info.range.start, width, SPAN_LIMIT)
    };
    let missing: Vec<_> =
        ranges.ok_or_else(no_rows)?.into_iter().map(|range| (position, tensor.shard.clone(), range)).collect();
    plan.plan = ModelPlan::new(1, cached, local, &missing, |shard| model.repository.is_resolved(shard));
    plan.plan.shared = shared;
    Ok(plan)
}

/// The rows that the cache has of this very tensor from this source, every byte intact.
fn kept_rows(session: &Session, key: &TensorKey, tensor: &Tensor) -> RowSet {
    let kept = session.access.cache.check_rows(key).ok().flatten();
    let kept = kept.filter(|(sidecar, _)| sidecar.meta == meta(tensor, &session.access.source, String::new()));
    kept.and_then(|(sidecar, _)| sidecar.rows).unwrap_or_default()
}
