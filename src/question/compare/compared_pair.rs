//! Two tensors that correspond, and what is known of them.

use super::{Counterpart, Obstacle};
use crate::{
    digest::TrivialClass,
    family::{Part, RoleKind, Slot},
    metric::{Metric, PairMetrics, Undefined},
    question::hash::chunks::Method,
    table::{Side, role_name},
};

/// Two tensors that correspond, and what is known of them.
#[derive(Debug, Clone)]
pub struct ComparedPair {
    /// Of the first model.
    pub a: Side,
    /// Of the second.
    pub b: Side,
    /// What they do; `None` where no family knows.
    pub slot: Option<Slot>,
    /// How they met.
    pub how: Counterpart,
    /// By what their bytes are known to be the same, so that only the first's were read.
    pub proven: Option<Method>,
    /// All metrics, or why there are none.
    pub metrics: PairMetrics,
    /// Whether the stored bytes, in the order of the comparison, are the same; `None` where they were not read, or have
    /// different element types.
    pub equal: Option<bool>,
    /// Why they were not compared; where they were, the metrics have their own reasons.
    pub obstacle: Option<Obstacle>,
    /// What both sides are, where each is constant or a buffer that a formula fills: similar by construction.
    pub trivial: Option<[TrivialClass; 2]>,
}

impl ComparedPair {
    /// The role's name, as `pairs.csv` has it; `unclassified` where no family knows.
    pub fn role_name(&self) -> String {
        let known = self.slot.map(|slot| role_name(Some(slot.role), slot.part, slot.stack));
        known.unwrap_or_else(|| "unclassified".to_owned())
    }

    /// Whether it is a norm, a bias or another vector, whose cosine says little.
    pub fn is_norm_or_bias(&self) -> bool {
        match self.slot {
            Some(slot) => slot.part == Part::Bias || slot.role.kind() == RoleKind::Norm || self.a.shape.len() < 2,
            None => self.a.shape.len() < 2,
        }
    }

    /// Whether it is a table of token or position vectors, or the output matrix.
    pub fn is_embedding(&self) -> bool {
        !self.is_norm_or_bias() && self.slot.is_some_and(|slot| slot.role.kind() == RoleKind::Embedding)
    }

    /// Whether it was compared: at least one metric has a value.
    pub fn is_compared(&self) -> bool {
        self.obstacle.is_none() && self.metrics.iter().any(|(_, value)| value.is_ok())
    }

    /// Whether it has no number but counts, since elements are NaN or infinite.
    pub fn is_broken(&self) -> bool {
        self.is_compared() && matches!(self.metrics.get(Metric::CosSim), Err(Undefined::NonFinite { .. }))
    }

    /// Whether it was compared and says something: it is in no figure of groups, and meets no condition, otherwise.
    pub fn is_evidence(&self) -> bool {
        self.is_compared() && self.trivial.is_none()
    }
}
