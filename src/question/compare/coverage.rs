//! What became of every tensor of both models: nothing is left out in silence.

use std::collections::{BTreeMap, BTreeSet};

use super::{Matching, Meeting, Obstacle};
use crate::{checkpoint::TensorInfo, dtype::Dtype, model::Model};

/// What became of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It was compared.
    Compared,
    /// It was compared, and is constant or a fixed buffer, as its counterpart is: no evidence, and in no figure.
    Trivial,
    /// Its counterpart has another shape.
    ShapeDiffers,
    /// It has no counterpart, and belongs to the first model.
    OnlyInA,
    /// It has no counterpart, and belongs to the second model.
    OnlyInB,
    /// A rule leaves it out: `--skip`, `--role`, `--layers`, `--max-tensors`, or it is no parameter.
    Skipped,
    /// Its elements, or its counterpart's, have no exact values.
    Undecodable,
    /// It was read, and no metric has a value.
    NoValue,
    /// It could not be read.
    Failed,
}

impl Status {
    /// All of them, in the order in which reports list them.
    pub const ALL: [Self; 9] = [
        Self::Compared,
        Self::Trivial,
        Self::ShapeDiffers,
        Self::OnlyInA,
        Self::OnlyInB,
        Self::Skipped,
        Self::Undecodable,
        Self::NoValue,
        Self::Failed,
    ];

    /// Its name in `coverage.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compared => "compared",
            Self::Trivial => "trivial",
            Self::ShapeDiffers => "shape_differs",
            Self::OnlyInA => "only_in_a",
            Self::OnlyInB => "only_in_b",
            Self::Skipped => "skipped",
            Self::Undecodable => "undecodable",
            Self::NoValue => "no_value",
            Self::Failed => "failed",
        }
    }

    fn of(meeting: &Meeting) -> Self {
        match (&meeting.obstacle, &meeting.failure) {
            (Some(Obstacle::Shape), _) => Self::ShapeDiffers,
            (Some(Obstacle::Undecodable(_)), _) => Self::Undecodable,
            (Some(Obstacle::Beyond), _) => Self::Skipped,
            (None, Some(_)) => Self::Failed,
            (None, None) if !meeting.is_compared() => Self::NoValue,
            (None, None) if meeting.trivial.is_some() => Self::Trivial,
            (None, None) => Self::Compared,
        }
    }
}

/// A tensor that is in no pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncompared {
    /// 0 for the first model, 1 for the second.
    pub side: usize,
    /// Name of the tensor.
    pub tensor: String,
    /// Its element type.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<u64>,
    /// What became of it.
    pub status: Status,
    /// Why.
    pub reason: String,
}

/// What became of every tensor.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// What became of each pair, in the order of the pairs.
    pub pairs: Vec<Status>,
    /// The tensors in no pair, by model and name.
    pub uncompared: Vec<Uncompared>,
}

impl Coverage {
    pub(crate) fn of(models: [&Model; 2], matching: &Matching, meetings: &[Meeting]) -> Self {
        let mut coverage = Self { pairs: meetings.iter().map(Status::of).collect(), uncompared: Vec::new() };
        for (side, model) in models.into_iter().enumerate() {
            let only = if side == 0 { Status::OnlyInA } else { Status::OnlyInB };
            for (at, reason) in &matching.alone[side] {
                let info = &model.tensors[*at].info;
                coverage.uncompared.push(Uncompared {
                    side,
                    tensor: info.name.clone(),
                    dtype: info.dtype.clone(),
                    shape: info.shape.clone(),
                    status: only,
                    reason: reason.clone(),
                });
            }
            for (at, reason) in &matching.passed_over[side] {
                coverage.uncompared.push(skipped(side, &model.tensors[*at].info, reason.clone()));
            }
            coverage.uncompared.extend(unasked(side, model));
        }
        coverage.uncompared.sort_by(|left, right| (left.side, &left.tensor).cmp(&(right.side, &right.tensor)));
        coverage
    }

    /// How many tensors of the model on `side` have each status; a fused tensor compared in parts counts once for each part.
    pub fn count(&self, side: usize, status: Status) -> usize {
        let alone = self.uncompared.iter().filter(|tensor| tensor.side == side && tensor.status == status);
        self.pairs.iter().filter(|&&found| found == status).count() + alone.count()
    }
}

/// What the headers hold and nobody asked for.
fn unasked(side: usize, model: &Model) -> Vec<Uncompared> {
    let wanted: BTreeSet<&str> = model.tensors.iter().map(|tensor| tensor.info.name.as_str()).collect();
    let told = model.excluded.iter();
    let told: BTreeMap<&str, &str> = told.map(|told| (told.tensor.as_str(), told.reason.as_str())).collect();
    let reason = |name: &str| {
        let reason = told.get(name).copied();
        reason.unwrap_or("left out by --skip, --role or --layers").to_owned()
    };
    let headers = model.headers.values().flat_map(|header| &header.tensors);
    headers
        .filter(|info| !wanted.contains(info.name.as_str()))
        .map(|info| skipped(side, info, reason(&info.name)))
        .collect()
}

fn skipped(side: usize, info: &TensorInfo, reason: String) -> Uncompared {
    Uncompared {
        side,
        tensor: info.name.clone(),
        dtype: info.dtype.clone(),
        shape: info.shape.clone(),
        status: Status::Skipped,
        reason,
    }
}
