//! What became of every tensor of both models: nothing is left out in silence.

use std::collections::{BTreeMap, BTreeSet};

use super::{ComparedPair, Matching, Obstacle};
use crate::{
    family::Slot,
    model::{Exclusion, Model, Question, Tensor},
    named::named,
};

named! {
    /// What became of a tensor, as `coverage.csv` names it; reports list them in this order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Status {
        /// It was compared.
        Compared = "compared",
        /// It was compared, and is constant or a fixed buffer, as its counterpart is: no evidence, and in no figure.
        Trivial = "trivial",
        /// Its counterpart has another shape.
        ShapeDiffers = "shape_differs",
        /// It has no counterpart, and belongs to the first model.
        OnlyInA = "only_in_a",
        /// It has no counterpart, and belongs to the second model.
        OnlyInB = "only_in_b",
        /// A rule leaves it out: `--skip`, `--role`, `--layers`, `--max-tensors`, or it is no parameter.
        Skipped = "skipped",
        /// Its elements, or its counterpart's, have no exact values.
        Undecodable = "undecodable",
        /// It was read, and no metric has a value.
        NoValue = "no_value",
        /// It could not be read.
        Failed = "failed",
    }
}

impl Status {
    /// What such pairs and tensors are, after their number; `None` of those that were compared.
    pub fn told(self) -> Option<&'static str> {
        Some(match self {
            Self::Compared => return None,
            Self::Trivial => "constant or a fixed buffer",
            Self::ShapeDiffers => "of differing shape",
            Self::OnlyInA => "only in the first model",
            Self::OnlyInB => "only in the second model",
            Self::Skipped => "excluded by an option or rule",
            Self::Undecodable => "without exact values",
            Self::NoValue => "without a value in any metric",
            Self::Failed => "not read",
        })
    }

    fn of(pair: &ComparedPair) -> Self {
        match &pair.obstacle {
            Some(Obstacle::Shape) => Self::ShapeDiffers,
            Some(Obstacle::Undecodable(_)) => Self::Undecodable,
            Some(Obstacle::OverLimit) => Self::Skipped,
            Some(Obstacle::Unread(_)) => Self::Failed,
            None if !pair.is_compared() => Self::NoValue,
            None if pair.trivial.is_some() => Self::Trivial,
            None => Self::Compared,
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
    /// (model, role or layer and reason) of what was asked for by name or number and neither model has.
    pub lacking: Vec<(usize, Exclusion)>,
}

impl Coverage {
    pub(crate) fn of(models: [&Model; 2], question: &Question, matching: &Matching, pairs: &[ComparedPair]) -> Self {
        let mut coverage = Self { pairs: pairs.iter().map(Status::of).collect(), ..Self::default() };
        for (side, model) in models.into_iter().enumerate() {
            let only = if side == 0 { Status::OnlyInA } else { Status::OnlyInB };
            let unread = Unread::of(models[1 - side]);
            for (at, reason) in &matching.alone[side] {
                let tensor = &model.tensors[*at];
                let (status, reason) = match unread.counterpart_of(tensor) {
                    Some(fault) => (Status::Failed, format!("of the other model {}", fault.told())),
                    None => (only, reason.clone()),
                };
                coverage.uncompared.push(Uncompared { side, tensor: tensor.info.name.clone(), status, reason });
            }
            for (at, reason) in &matching.passed_over[side] {
                let tensor = model.tensors[*at].info.name.clone();
                coverage.uncompared.push(Uncompared { side, tensor, status: Status::Skipped, reason: reason.clone() });
            }
            coverage.uncompared.extend(not_taken(side, model, question));
            let lacking = model.lacking.iter().filter(|exclusion| exclusion.is_fault);
            coverage.lacking.extend(lacking.map(|exclusion| (side, exclusion.clone())));
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

/// What was asked of a model and cannot be read, by name and by what it would be: of a broken file that is most of it.
struct Unread<'m> {
    by_name: BTreeMap<&'m str, &'m Exclusion>,
    by_slot: BTreeMap<Slot, &'m Exclusion>,
}

impl<'m> Unread<'m> {
    fn of(model: &'m Model) -> Self {
        let faults = || model.excluded.iter().filter(|exclusion| exclusion.is_fault);
        let mut by_slot = BTreeMap::new();
        for fault in faults() {
            by_slot.extend(fault.slot.map(|slot| (slot, fault)).filter(|(slot, _)| !by_slot.contains_key(slot)));
        }
        Self { by_name: faults().map(|fault| (fault.tensor.as_str(), fault)).collect(), by_slot }
    }

    fn counterpart_of(&self, tensor: &Tensor) -> Option<&'m Exclusion> {
        let named = self.by_name.get(tensor.info.name.as_str());
        named.or_else(|| self.by_slot.get(&tensor.slot?)).copied()
    }
}

/// What the files hold, or should, and was not taken: each name once.
fn not_taken(side: usize, model: &Model, question: &Question) -> Vec<Uncompared> {
    let told: BTreeMap<&str, &Exclusion> = model.excluded.iter().map(|told| (told.tensor.as_str(), told)).collect();
    let wanted: BTreeSet<&str> = model.tensors.iter().map(|tensor| tensor.info.name.as_str()).collect();
    let names = model.names().into_iter().filter(|name| !wanted.contains(name));
    let become_of = |name: &str| match told.get(name) {
        Some(told) if told.is_fault => (Status::Failed, told.reason.clone()),
        Some(told) => (Status::Skipped, told.reason.clone()),
        None => (Status::Skipped, question.left_out_by(name, model.family.family, &model.config)),
    };
    let uncompared = |name: &str| {
        let (status, reason) = become_of(name);
        Uncompared { side, tensor: name.to_owned(), status, reason }
    };
    names.map(uncompared).collect()
}
