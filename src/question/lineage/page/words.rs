//! The sentences that the terminal and the report share. Nothing here says who took from whom.

use crate::{
    metric::lineage::{
        distance::Interval,
        evidence::{Evidence, Z_LINK},
        relation::{Description, Kind},
        verdict::{LOG10_LINK, Sign},
    },
    question::{
        hash::chunks::{self, ChunkPair},
        lineage::{
            Group, Lineage,
            group_answer::{Distance, GroupAnswer},
            pair::PairAnswer,
        },
    },
    report::number::counted,
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

/// `1e-21.7`, as far as it is below one.
pub(crate) fn bound(log10: f64) -> String {
    let exponent = format!("{log10:.1}");
    if exponent.trim_start_matches('-') == "0.0" { "1".to_owned() } else { format!("1e{exponent}") }
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
