//! Why a test, a map or a merge was not made, in sentences.

use crate::{
    metric::lineage::{layer_map, untested::Untested},
    question::lineage::{
        Group, Lineage,
        choose::{FEWEST_MAPPED, MOST_MAPPED},
        merges::MOST_MODELS,
        pair::PairAnswer,
    },
    report::Digits,
};

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
