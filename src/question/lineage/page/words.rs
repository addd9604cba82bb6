//! The sentences that the terminal and the report share. Nothing here says who took from whom.

use crate::{
    metric::lineage::{
        distance::Interval,
        evidence::{Evidence, Z_LINK},
        layer_map,
        relation::{Description, Kind},
        untested::Untested,
        verdict::{LOG10_LINK, Sign, Verdict},
    },
    question::{
        hash::chunks::{self, ChunkPair},
        lineage::{
            Group, Lineage,
            choose::{FEWEST_MAPPED, MOST_MAPPED},
            group_answer::{Distance, GroupAnswer},
            merges::MOST_MODELS,
            pair::PairAnswer,
        },
    },
    report::{Digits, number::counted},
};

/// Printed with every link.
pub(crate) const ALTERNATIVES: &str = "A link does not say which came first, nor whether a licence allowed it. It may be: one \
    trained from the other (either way); both from a third model; merged or transplanted parts; the same random seed and \
    initialisation; a conversion.";

/// Printed with every null.
pub(crate) const NOT_EXCLUDED: &str = "Not excluded: a weaker link; relabelled copies (--disguised) or rotated ones; parts that were \
    not tested; distillation or shared data, which leave no trace in weights.";

/// How many tensors are proven to be the same without reading them, where that was asked: of pairs of models, by their labels.
pub(crate) fn proven(lineage: &Lineage) -> impl Iterator<Item = ([&str; 2], String)> {
    let told = |pair: &ChunkPair| {
        let all = counted(pair.tensors.len(), "tensor");
        let equal = match pair.count(chunks::Verdict::Identical) {
            0 => format!("none of {all} is proven equal, which says nothing of them"),
            identical => format!("{identical} of {all} equal, without reading them"),
        };
        match pair.count(chunks::Verdict::NotExamined) {
            0 => equal,
            unknown => format!("{equal}; {unknown} could not be examined"),
        }
    };
    lineage.chunks.iter().flat_map(move |answer| {
        let label = |model: usize| answer.corpus.models[model].label.as_str();
        answer.pairs.iter().map(move |pair| ([label(pair.a), label(pair.b)], told(pair)))
    })
}

/// The same of one pair, where its models met.
pub(crate) fn proven_of(lineage: &Lineage, pair: &PairAnswer) -> Option<String> {
    let labels = pair.models.map(|model| lineage.models[model].label.as_str());
    proven(lineage).find(|(of, _)| *of == labels).map(|(_, told)| told)
}

/// A fraction without its zero: `.0198`.
pub(crate) fn fraction(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let is_zero = text.bytes().all(|byte| !byte.is_ascii_digit() || byte == b'0');
    let text = if is_zero { text.trim_start_matches('-').to_owned() } else { text };
    match text.strip_prefix('-') {
        Some(rest) => format!("-{}", rest.strip_prefix('0').unwrap_or(rest)),
        None => text.strip_prefix('0').unwrap_or(&text).to_owned(),
    }
}

/// A small effect, to three digits.
pub(crate) fn effect(value: f64) -> String {
    fraction(value, if value.abs() < 0.1 { 4 } else { 2 })
}

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

/// `1e-21.7`, as far as it is below one.
pub(crate) fn bound(log10: f64) -> String {
    let exponent = format!("{log10:.1}");
    if exponent.trim_start_matches('-') == "0.0" { "1".to_owned() } else { format!("1e{exponent}") }
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

/// How many layers a test rests on, or what it is of in their place.
pub(crate) fn tested_layers(group: Group, answer: &GroupAnswer) -> String {
    if answer.is_by_map {
        "by map".to_owned()
    } else if group.is_of_units() && !answer.layers.is_empty() {
        answer.layers.len().to_string()
    } else {
        "joint".to_owned()
    }
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

/// Why a group was not tested, in words.
pub(crate) fn why(lineage: &Lineage, pair: &PairAnswer, group: Group, reason: Untested) -> String {
    let [a, b] = pair.models.map(|model| &lineage.models[model]);
    let depths = pair.models.map(|model| lineage.layers[model].len());
    match reason {
        Untested::NoTensor => {
            let whose = match pair.lacking(group) {
                [true, true] => "neither model has such a tensor".to_owned(),
                [true, false] => format!("{} has no such tensor", a.label),
                [false, true] => format!("{} has no such tensor", b.label),
                [false, false] => "one of the models has no such tensor".to_owned(),
            };
            let are_unread = group == Group::Mlp && pair.has_unread_experts;
            format!("{whose} that was read{}", if are_unread { "; routed experts are not read" } else { "" })
        }
        Untested::Width => match (a.width, b.width) {
            (Some(a), Some(b)) if a != b => format!("hidden sizes differ, {a} against {b}"),
            _ => lacking(reason),
        },
        Untested::Depth => format!("{} layers against {}", depths[0], depths[1]),
        Untested::TooManyLayers => {
            format!("{} layers against {}, and maps have at most {MOST_MAPPED} × {MOST_MAPPED}", depths[0], depths[1])
        }
        Untested::Orientation => "one side is stored [in, out]".to_owned(),
        _ => lacking(reason),
    }
}

/// What a model lacks, or why a test has no value, whatever the other model is.
pub(crate) fn lacking(reason: Untested) -> String {
    match reason {
        Untested::NoTensor => "no such tensor".to_owned(),
        Untested::Width => "rows differ in width".to_owned(),
        Untested::Units => "units differ in number".to_owned(),
        Untested::Depth => "layers differ in number".to_owned(),
        Untested::TooManyLayers => "too many layers for a layer map".to_owned(),
        Untested::Orientation => "stored [in, out]".to_owned(),
        Untested::Packed => "weights that cannot be dequantised by rows".to_owned(),
        Untested::NotExchangeable => "no index that may be permuted".to_owned(),
        Untested::NoTokenizer => "no tokenizer.json that could be read".to_owned(),
        Untested::TooFewTokens => "fewer than 16 shared tokens".to_owned(),
        Untested::TooFew => "too few blocks or coordinates".to_owned(),
        Untested::Constant => "rows that do not vary".to_owned(),
        Untested::NonFinite { count } => format!("{count} elements are not finite"),
    }
}

/// What would make a pair comparable.
pub(crate) fn remedy(pair: &PairAnswer) -> &'static str {
    let has = |reason: Untested| pair.groups.iter().any(|(_, answer)| answer.as_ref().is_err_and(|why| *why == reason));
    if has(Untested::Packed) {
        "A copy whose weights are not quantised can be tested."
    } else if has(Untested::Width) {
        "Models of one hidden size can be tested; widths that differ cannot."
    } else {
        "Models of one family and shape, with their tokenizers, can be tested."
    }
}

/// `mlp: cosine .9951 [.9946, .9956], relative L2 .099`, of the first group of units, else of the embeddings.
pub(crate) fn distance(pair: &PairAnswer) -> Option<String> {
    let order = [Group::Mlp, Group::Heads, Group::Experts, Group::Embeddings];
    order.into_iter().find_map(|group| match &pair.group(group).ok()?.distance {
        Distance::Sampled(Ok(distances)) => Some(format!(
            "{group}: cosine {}, relative L2 {}",
            interval(distances.cosine),
            fraction(distances.relative_l2.value, 3)
        )),
        _ => None,
    })
}

fn interval(of: Interval) -> String {
    format!("{} [{}, {}]", fraction(of.value, 4), fraction(of.low, 4), fraction(of.high, 4))
}

/// The layer map in one sentence.
pub(crate) fn layers(pair: &PairAnswer) -> Option<String> {
    let map = pair.map.as_ref()?.as_ref().ok()?;
    let mut reading = map.reading();
    if map.depths[0] != map.depths[1] && reading.contains("the deeper") {
        let deeper = if map.is_swapped { "first" } else { "second" };
        reading = format!("{reading} (the deeper is the {deeper} model)");
    }
    Some(reading)
}

/// What matching found; `None` where it was not asked for or made no test. Rotations are not found.
pub(crate) fn matched(pair: &PairAnswer) -> Option<String> {
    let of_units = pair.group(Group::MatchedUnits).ok().and_then(|answer| {
        let matches = answer.matches?;
        let rho = answer.evidence.rho.unwrap_or(0.0);
        let again = answer.sign == Sign::Plus && rho >= 0.5 && matches.mutual >= 0.5;
        Some(match (again, matches.same_index >= 0.5) {
            (true, false) => format!("units found again in another order (correlation {})", effect(rho)),
            (true, true) => format!("units found again, most at the same place (correlation {})", effect(rho)),
            (false, _) if answer.sign == Sign::Plus => {
                format!(
                    "matched units are correlated ({}), as those of one basis are; no order of units was found",
                    effect(rho)
                )
            }
            (false, _) => undecided(answer).map_or_else(
                || "units were not found again".to_owned(),
                |undecided| format!("{undecided} (correlation {})", effect(rho)),
            ),
        })
    });
    let of_basis = pair.group(Group::MatchedBasis).ok().and_then(|answer| {
        let matches = answer.matches?;
        Some(match (answer.sign, matches.same_index >= 0.5) {
            (Sign::Plus, false) => format!(
                "hidden coordinates found again in another order ({:.0} % of them by shared tokens)",
                100.0 * matches.mutual
            ),
            (Sign::Plus, true) => "hidden coordinates are at the same place".to_owned(),
            (Sign::Unclear, _) => {
                "whether units of equal number correspond, with hidden coordinates in the order that tokens \
                suggest, is not decided"
                    .to_owned()
            }
            _ => "with hidden coordinates in the order that tokens suggest, units of equal number do not correspond"
                .to_owned(),
        })
    });
    let of_both = pair.group(Group::MatchedBoth).ok().map(|answer| {
        let found = match answer.sign {
            Sign::Plus => "units are found again".to_owned(),
            _ => undecided(answer).unwrap_or_else(|| "units were not found again".to_owned()),
        };
        let rho = effect(answer.evidence.rho.unwrap_or(0.0));
        format!("by coordinates that tokens match, {found} (correlation {rho}; calibrated, not exact)")
    });
    let found: Vec<String> = [of_units, of_basis, of_both].into_iter().flatten().collect();
    (!found.is_empty()).then(|| format!("{}; rotations are not looked for", found.join("; ")))
}

/// What is said of matches that are neither found again nor not: where few coordinates are permuted, no bound is small enough for a link.
fn undecided(answer: &GroupAnswer) -> Option<String> {
    let Evidence { z, significance, blocks, .. } = answer.evidence;
    (answer.sign == Sign::Unclear).then(|| {
        let why = if z >= Z_LINK && significance.log10_floor > LOG10_LINK {
            format!(
                "cannot be decided at this width, of whose {blocks} blocks no p below {} follows",
                bound(significance.log10_floor)
            )
        } else {
            "is not decided".to_owned()
        };
        format!("whether units correspond {why}")
    })
}

/// What is not made: maps of deep models and merges among many, which would cost too much, with the cost; weights without a base that
/// others are linked with.
pub fn refused(lineage: &Lineage) -> Vec<String> {
    let no_tasks = lineage.ask.base.filter(|_| lineage.tasks.is_empty()).map(|base| {
        format!(
            "no weights of changes from {}: fewer than two models of its shape are linked with it among at most {MOST_MODELS}",
            lineage.models[base].label
        )
    });
    refused_maps(lineage).into_iter().chain(refused_merges(lineage)).chain(no_tasks).collect()
}

fn refused_maps(lineage: &Lineage) -> Option<String> {
    let mut pairs = lineage.pairs.iter().filter(|pair| pair.has_refused_map());
    let first = pairs.next()?;
    let [a, b] = first.models.map(|model| &lineage.models[model].label);
    let others = match pairs.count() {
        0 => "have".to_owned(),
        others => format!("and {others} more pairs have"),
    };
    let depths = first.models.map(|model| lineage.layers[model].len());
    let blocks = depths.map(|depth| lineage.ask.blocks_per_layer(depth, first.stage)).into_iter().max();
    let (bytes, terms) = layer_map::cost(depths, blocks.unwrap_or(0).max(FEWEST_MAPPED));
    Some(format!(
        "{a} and {b} {others} no layer map: {} × {} layers would take {} of memory and sums of {terms:.0e} terms; maps have at most \
         {MOST_MAPPED} × {MOST_MAPPED}",
        depths[0],
        depths[1],
        Digits::Bytes.format(bytes as f64),
        terms = terms as f64,
    ))
}

fn refused_merges(lineage: &Lineage) -> Vec<String> {
    let large = lineage.clusters().into_iter().filter(|cluster| cluster.len() > MOST_MODELS);
    let refused = large.map(|cluster| {
        let n = cluster.len();
        format!(
            "merges among the {n} linked models around {} are not looked for: {} triples would be compared, each over all rows of \
             three models; merges are looked for among at most {MOST_MODELS}",
            lineage.models[cluster[0]].label,
            n * (n - 1) * (n - 2) / 2
        )
    });
    refused.collect()
}

/// The kind of relation, with the rows that it rests on.
pub(crate) fn relation(pair: &PairAnswer) -> Option<String> {
    if pair.decision().units != Sign::Plus {
        return None;
    }
    let description = pair.relation.as_ref()?;
    let rows: usize =
        pair.tested_directly().filter(|(group, _)| group.is_of_units()).map(|(_, answer)| answer.evidence.rows).sum();
    let deep = if pair.is_deep { " and up to 256 of some matrices" } else { "" };
    Some(format!("{} (on {rows} rows of units{deep})", kind(description)))
}

fn kind(description: &Description) -> String {
    match &description.kind {
        Kind::Cast => "the same weights in another type".to_owned(),
        Kind::Quantised { sides: [false, false], grid } => format!("quantised: {grid}"),
        Kind::Quantised { sides, grid } => {
            let side = match sides {
                [true, true] => "both sides lie",
                [true, false] => "the first lies",
                _ => "the second lies",
            };
            format!("quantised: {side} on a grid ({grid})")
        }
        Kind::Identical => "equal in every byte read".to_owned(),
        Kind::VocabularyGrown => "equal in every byte read, with embedding tables of different lengths".to_owned(),
        Kind::LowRank => {
            let ranks: Vec<usize> =
                description.deep.iter().flatten().filter_map(|change| Some(change.low_rank?.rank)).collect();
            let largest = ranks.iter().max().copied().unwrap_or(0);
            format!("differs by updates of rank up to {largest} in every changed matrix that was read")
        }
        Kind::Sparse { unchanged, trimmed } => format!(
            "{} of the elements are unchanged whatever their size; {}",
            format_args!("{:.0} %", unchanged * 100.0),
            if *trimmed { "the smallest changes are missing" } else { "changes of all sizes are missing" }
        ),
        Kind::NotReadable => "most changes are below the resolution of the stored type".to_owned(),
        Kind::Noise => "the change looks like even Gaussian noise".to_owned(),
        Kind::Changed => "changed; kind not recognised".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_of_one_is_no_power_of_ten() {
        assert_eq!([0.0, -0.0, -0.04].map(bound), ["1", "1", "1"]);
        assert_eq!([-0.06, -7.23, -21.7].map(bound), ["1e-0.1", "1e-7.2", "1e-21.7"]);
    }
}
