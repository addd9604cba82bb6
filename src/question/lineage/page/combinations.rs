//! What models of a list are made of, in sentences that the terminal and the report share.

use std::collections::BTreeSet;

use super::words::fraction;
use crate::{
    metric::lineage::{merge::LEAST_WEIGHT, pattern::runs},
    question::lineage::{
        Lineage,
        merges::{MergeAnswer, TaskAnswer},
    },
};

/// Every combination that may be said, a sentence each.
pub(crate) fn combinations(lineage: &Lineage) -> Vec<String> {
    [assemblies(lineage), merges(lineage), tasks(lineage)].concat()
}

/// Models whose layers match those of several others, a different part of them each.
fn assemblies(lineage: &Lineage) -> Vec<String> {
    let of_model = |model: usize| {
        let (mut taken, mut parts) = (BTreeSet::new(), Vec::new());
        for pair in lineage.pairs.iter().filter(|pair| pair.models.contains(&model) && pair.is_linked_in_place()) {
            let Some(Ok(map)) = &pair.map else { continue };
            let side = usize::from(pair.models[1] == model);
            let mut matches: Vec<(usize, usize)> =
                map.pairs().iter().map(|both| (both[side], both[1 - side])).collect();
            matches.sort_unstable();
            let own: BTreeSet<usize> = matches.iter().map(|(own, _)| *own).collect();
            if own.is_empty() || own.len() == lineage.layers[model].len() || !own.is_disjoint(&taken) {
                continue;
            }
            taken.extend(own);
            parts.push(format!("{} of {}", runs(&matches), lineage.models[pair.models[1 - side]].label));
        }
        let label = &lineage.models[model].label;
        (parts.len() > 1).then(|| {
            format!(
                "Layers of {label}: {}. Either it is put together from layers of these, or these hold layers of it.",
                parts.join("; ")
            )
        })
    };
    (0..lineage.models.len()).filter_map(of_model).collect()
}

/// Every merge that may be said, a sentence each.
fn merges(lineage: &Lineage) -> Vec<String> {
    let sentence = |found: &MergeAnswer| {
        let merge = found.merge.ok().filter(|_| found.holds() && !is_told_by_tasks(lineage, found))?;
        let [a, b, c] = [found.between[0], found.between[1], found.model].map(|model| &lineage.models[model].label);
        Some(format!(
            "{c} lies on the line between {a} and {b}, w = {} [{}, {}] of the first, as a merge or an intermediate checkpoint of \
             one run would; that explains {} of its squared distance to the nearer and leaves {} of their distance.",
            fraction(merge.weight, 2),
            fraction(merge.low, 2),
            fraction(merge.high, 2),
            fraction(merge.explained?, 3),
            fraction(merge.left, 3)
        ))
    };
    lineage.merges.iter().filter_map(sentence).collect()
}

/// Whether changes from the base tell of a model what its place on a line does not: those of other models are in it, or the weights
/// of both ends are not one together.
fn is_told_by_tasks(lineage: &Lineage, line: &MergeAnswer) -> bool {
    let Some(found) = lineage.tasks.iter().find(|found| found.model == line.model) else { return false };
    let Some(tasks) = found.weights.as_ref().ok().filter(|tasks| tasks.holds()) else { return false };
    let weights = || found.others.iter().zip(&tasks.weights);
    let of_ends: f64 = weights().filter(|(other, _)| line.between.contains(other)).map(|(_, weight)| weight).sum();
    let is_base_an_end = lineage.ask.base.is_some_and(|base| line.between.contains(&base));
    let takes_others = weights().any(|(other, weight)| !line.between.contains(other) && *weight > LEAST_WEIGHT);
    takes_others || !is_base_an_end && (of_ends - 1.0).abs() > LEAST_WEIGHT
}

/// Every model that may be said to be made of changes from the base, a sentence each.
fn tasks(lineage: &Lineage) -> Vec<String> {
    let sentence = |base: usize, found: &TaskAnswer| {
        let tasks = found.weights.as_ref().ok().filter(|tasks| tasks.holds())?;
        let [base, model] = [base, found.model].map(|model| &lineage.models[model].label);
        let parts = found.others.iter().zip(&tasks.weights).filter(|(_, weight)| **weight > LEAST_WEIGHT);
        let parts: Vec<String> = parts
            .map(|(other, weight)| format!("{} times that of {}", fraction(*weight, 2), lineage.models[*other].label))
            .collect();
        Some(format!(
            "{} of the squared change of {model} from {base} is {}, as a merge of changes or a checkpoint of one run would show.",
            fraction(tasks.explained?, 3),
            parts.join(" plus ")
        ))
    };
    let base = lineage.ask.base.into_iter();
    base.flat_map(|base| lineage.tasks.iter().filter_map(move |found| sentence(base, found))).collect()
}
