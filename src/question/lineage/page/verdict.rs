//! How a pair stands, in sentences: its verdict, the bounds behind it, and what the signs of its tests mean together. Nothing here says
//! who took from whom.

use super::words::effect;
use crate::{
    metric::lineage::verdict::{Sign, Verdict},
    question::lineage::{Group, pair::PairAnswer},
};

/// How pairs of a list stand, those with most to tell first. Norms alone link nobody in words, and a correlation that no one-sided test
/// looks for is not called independence.
pub(crate) const STANDINGS: [&str; 7] = [
    "identical bytes",
    "linked",
    "norm weights share a residual basis",
    INCONCLUSIVE,
    "correlated negatively",
    "consistent with independence",
    "not comparable",
];

pub(crate) const INCONCLUSIVE: &str = "inconclusive";

/// Which of [`STANDINGS`] a pair has.
pub(crate) fn standing(pair: &PairAnswer) -> &'static str {
    let place = match pair.verdict() {
        Verdict::IdenticalBytes => 0,
        Verdict::Linked if pair.is_linked_by_norms_alone() => 2,
        Verdict::Linked => 1,
        Verdict::Inconclusive | Verdict::Independent if !pair.negative().is_empty() => 4,
        Verdict::Inconclusive => 3,
        Verdict::Independent => 5,
        Verdict::NotComparable => 6,
    };
    STANDINGS[place]
}

/// The verdict in one sentence.
pub(crate) fn headline(pair: &PairAnswer) -> String {
    match pair.verdict() {
        Verdict::IdenticalBytes => "IDENTICAL BYTES: the weight files have equal SHA-256.".to_owned(),
        Verdict::NotComparable => "NOT COMPARABLE: no group of tensors could be tested.".to_owned(),
        Verdict::Linked if pair.is_linked_by_norms_alone() => {
            format!(
                "THE NORM WEIGHTS SHARE A RESIDUAL BASIS: p is below {}. Nothing else that was tested shows a link.",
                bounds(pair)
            )
        }
        Verdict::Linked => format!("LINKED, not independent: p is below {}.", bounds(pair)),
        Verdict::Inconclusive | Verdict::Independent => {
            let standing = match negative(pair) {
                Some(rows) => format!("CORRELATED NEGATIVELY, which independent models are not: {rows}"),
                None if pair.verdict() == Verdict::Inconclusive => inconclusive(pair),
                None => "CONSISTENT WITH INDEPENDENCE".to_owned(),
            };
            let experts = if pair.has_unread_experts { ", routed experts not read" } else { "" };
            format!("{standing}{experts}. {}", would_have_been_seen(pair))
        }
    }
}

/// `rows of mlp (z < -20), rows of heads (z -9.3), as where weights have the opposite sign`.
fn negative(pair: &PairAnswer) -> Option<String> {
    let told = |z: f64| if z < -20.0 { "z < -20".to_owned() } else { format!("z {z:.1}") };
    let negative = pair.negative().into_iter().map(|(group, z)| format!("rows of {group} ({})", told(z)));
    let groups: Vec<String> = negative.collect();
    (!groups.is_empty()).then(|| format!("{}, as where weights have the opposite sign", groups.join(", ")))
}

/// What no link means. Tests of units and of embeddings are one-sided.
fn would_have_been_seen(pair: &PairAnswer) -> String {
    format!("Would have been seen (power .9): a positive mean row correlation of {}.", power(pair))
}

/// `1e-21 (mlp), 1e-28 (norms, embeddings)`: the proven bounds of the groups that are linked.
fn bounds(pair: &PairAnswer) -> String {
    let mut bounds: Vec<(i64, Vec<&str>)> = Vec::new();
    for (group, answer) in pair.tested().filter(|(_, answer)| answer.sign == Sign::Plus && answer.evidence.exact) {
        #[expect(clippy::cast_possible_truncation, reason = "a small exponent")]
        let exponent = answer.evidence.significance.log10_bound.ceil() as i64;
        match bounds.iter_mut().find(|(of, _)| *of == exponent) {
            Some((_, groups)) => groups.push(group.name()),
            None => bounds.push((exponent, vec![group.name()])),
        }
    }
    let bounds: Vec<String> =
        bounds.into_iter().map(|(exponent, groups)| format!("1e{exponent} ({})", groups.join(", "))).collect();
    bounds.join(", ")
}

/// What a null would have seen, in units and basis.
pub(crate) fn power(pair: &PairAnswer) -> String {
    let best = |of_units: bool| {
        let tests = pair.tested_directly().filter(move |(group, _)| group.is_of_units() == of_units);
        tests.min_by(|(_, a), (_, b)| a.evidence.rho_detectable.total_cmp(&b.evidence.rho_detectable))
    };
    let part = |of_units: bool| {
        let (group, answer) = best(of_units)?;
        let place = if of_units { "units" } else { group.name() };
        Some(format!("{} in the {place}", effect(answer.evidence.rho_detectable)))
    };
    let parts: Vec<String> = [true, false].into_iter().filter_map(part).collect();
    if parts.is_empty() { "any size in nothing that was tested".to_owned() } else { parts.join(", ") }
}

/// Why a pair is neither linked nor consistent with independence.
pub(crate) fn unclear(pair: &PairAnswer) -> &'static str {
    let decision = pair.decision();
    if pair.is_found_by_both() && decision.verdict == Verdict::Independent {
        "units are found again once hidden coordinates are matched too, which is calibrated and not exact"
    } else if [decision.units, decision.basis].contains(&Sign::Unclear) {
        "a test stands between a link and nothing"
    } else if decision.units == Sign::NotTested {
        "units could not be tested"
    } else if decision.basis == Sign::NotTested {
        "the residual basis could not be tested"
    } else {
        "units could not be tested sharply"
    }
}

fn inconclusive(pair: &PairAnswer) -> String {
    let why = unclear(pair);
    let rows = match pair.stage {
        0 => String::new(),
        1 => ", also with twice the rows".to_owned(),
        _ => ", also with four times the rows".to_owned(),
    };
    format!("INCONCLUSIVE: {why}{rows}")
}

/// What the signs mean together, and what no sign of a one-sided test says.
pub(crate) fn reading(pair: &PairAnswer) -> Option<String> {
    let Some(rows) = negative(pair) else { return of_signs(pair) };
    let negative = format!("Correlated negatively, which no test of a link looks for: {rows}.");
    let decision = pair.decision();
    let are_both_linked = [decision.units, decision.basis] == [Sign::Plus; 2];
    // Else one of the signs is what turned signs make of it.
    let of_signs = of_signs(pair).filter(|_| are_both_linked);
    Some(of_signs.map_or_else(|| negative.clone(), |reading| format!("{reading} {negative}")))
}

/// What the signs mean together. Norms alone say no more than that the norm weights share a residual basis.
fn of_signs(pair: &PairAnswer) -> Option<String> {
    let is_linked = |group: Group| pair.group(group).is_ok_and(|answer| answer.sign == Sign::Plus);
    let decision = pair.decision();
    if pair.verdict() == Verdict::Inconclusive && decision.verdict == Verdict::Independent {
        return Some(
            "Nothing shows where either order is kept; with both matched, units correspond (calibrated, not exact)."
                .to_owned(),
        );
    }
    if pair.verdict() == Verdict::Linked && !pair.is_linked_in_place() {
        return Some("Layers correspond once units or hidden coordinates are put in another order.".to_owned());
    }
    if decision.basis == Sign::Plus && decision.units != Sign::Plus && !is_linked(Group::Embeddings) {
        return Some("The norm weights share a residual basis.".to_owned());
    }
    let reading = decision.reading()?;
    let is_of_some = decision.units == Sign::Plus && pair.has_some_layers();
    Some(if is_of_some { reading.replacen("Layers are", "Some layers are", 1) } else { reading.to_owned() })
}
