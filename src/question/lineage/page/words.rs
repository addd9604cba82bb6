//! The sentences that the terminal and the report share. Nothing here says who took from whom.

use crate::{
    metric::lineage::{
        distance::Interval,
        layer_map,
        relation::{Description, Kind},
        untested::Untested,
        verdict::{Sign, Verdict},
    },
    question::{
        hash::chunks::{self, ChunkPair},
        lineage::{
            Group, Lineage,
            choose::{FEWEST_MAPPED, MOST_MAPPED},
            group_answer::Distance,
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

/// The verdict in one sentence.
pub(crate) fn headline(pair: &PairAnswer) -> String {
    match pair.verdict() {
        Verdict::IdenticalBytes => "IDENTICAL BYTES: the weight files have equal SHA-256.".to_owned(),
        Verdict::NotComparable => "NOT COMPARABLE: no group of tensors could be tested.".to_owned(),
        Verdict::Linked => format!("LINKED, not independent: p is below {}.", bounds(pair)),
        Verdict::Inconclusive => inconclusive(pair),
        Verdict::Independent => {
            format!(
                "CONSISTENT WITH INDEPENDENCE. Would have been seen (power .9): a mean row correlation of {}.",
                power(pair)
            )
        }
    }
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
    format!("INCONCLUSIVE: {why}{rows}. Would have been seen (power .9): a mean row correlation of {}.", power(pair))
}

/// What the signs mean together. Norms alone say no more than that the norm weights share a residual basis.
pub(crate) fn reading(pair: &PairAnswer) -> Option<String> {
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
    decision.reading().map(str::to_owned)
}

/// Why a group was not tested, in words.
pub(crate) fn why(lineage: &Lineage, pair: &PairAnswer, reason: Untested) -> String {
    let [a, b] = pair.models.map(|model| &lineage.models[model]);
    let depths = pair.models.map(|model| lineage.layers[model].len());
    match reason {
        Untested::NoTensor => "one of the models has no such tensor that was read".to_owned(),
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
    if pair.models.len() == 2 && map.depths[0] != map.depths[1] && reading.contains("the deeper") {
        let sides = if map.is_swapped { ["second", "first"] } else { ["first", "second"] };
        reading = format!("{reading} (the deeper is the {} model)", sides[1]);
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
            (false, _) => "units were not found again".to_owned(),
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
            _ => "with hidden coordinates in the order that tokens suggest, units of equal number do not correspond"
                .to_owned(),
        })
    });
    let of_both = pair.group(Group::MatchedBoth).ok().map(|answer| {
        let found = if answer.sign == Sign::Plus { "units are found again" } else { "units were not found again" };
        let rho = effect(answer.evidence.rho.unwrap_or(0.0));
        format!("by coordinates that tokens match, {found} (correlation {rho}; calibrated, not exact)")
    });
    let found: Vec<String> = [of_units, of_basis, of_both].into_iter().flatten().collect();
    (!found.is_empty()).then(|| format!("{}; rotations are not looked for", found.join("; ")))
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
    let deep = if pair.is_deep() { " and up to 256 of some matrices" } else { "" };
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
