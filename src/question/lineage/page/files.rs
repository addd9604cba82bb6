//! `lineage.csv`, `layer_map.csv` and `relation.csv`, in full digits, and with three models or more a matrix of z for each group.

use crate::{
    metric::{
        Undefined,
        lineage::{
            distance::{Distances, Interval},
            untested::Untested,
            verdict::Sign,
        },
    },
    question::lineage::{
        Group, Lineage,
        group_answer::{Distance, GroupAnswer},
        merges::{MergeAnswer, TaskAnswer},
        pair::PairAnswer,
    },
    report::{Frame, csv},
    table::Matrix,
};

const LINEAGE: [&str; 20] = [
    "model_a",
    "commit_a",
    "model_b",
    "commit_b",
    "group",
    "scope",
    "layer",
    "rows",
    "width",
    "blocks",
    "z",
    "p",
    "log10_bound",
    "log10_floor",
    "rho",
    "rho_sd",
    "rho_detectable",
    "sign",
    "exact",
    "undefined",
];
const LAYER_MAP: [&str; 11] = [
    "model_a",
    "commit_a",
    "model_b",
    "commit_b",
    "role",
    "layer_a",
    "layer_b",
    "z",
    "p_adjusted",
    "best",
    "undefined",
];
const RELATION: [&str; 12] = [
    "model_a",
    "commit_a",
    "model_b",
    "commit_b",
    "role",
    "layer",
    "quantity",
    "value",
    "low",
    "high",
    "text",
    "undefined",
];

/// The tables of the answer.
pub fn lineage_csv(lineage: &Lineage) -> Vec<(String, Vec<u8>)> {
    let pairs = || lineage.pairs.iter();
    let mut files = vec![
        ("lineage.csv".to_owned(), document(&LINEAGE, pairs().flat_map(|pair| tests(lineage, pair)))),
        (
            "relation.csv".to_owned(),
            document(
                &RELATION,
                pairs().flat_map(|pair| relations(lineage, pair)).chain(merges(lineage)).chain(tasks(lineage)),
            ),
        ),
    ];
    if pairs().any(|pair| pair.map.is_some()) {
        files.push(("layer_map.csv".to_owned(), document(&LAYER_MAP, pairs().flat_map(|pair| map(lineage, pair)))));
    }
    if lineage.models.len() > 2 {
        let matrices = Group::ALL.into_iter().filter_map(|group| Some((group, matrix(lineage, group)?)));
        files.extend(
            matrices.map(|(group, matrix)| {
                (format!("matrix_z_{group}.csv"), Frame::matrix(String::new(), &matrix).csv().1)
            }),
        );
    }
    files
}

/// Rows are written as they come: those of twenty thousand pairs take a gigabyte as cells.
fn document(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    csv::document(std::iter::once(head.iter().map(|name| (*name).to_owned()).collect()).chain(rows))
}

/// z of every pair; `None` where no pair was tested.
pub(crate) fn matrix(lineage: &Lineage, group: Group) -> Option<Matrix> {
    lineage.pairs.iter().find(|pair| pair.group(group).is_ok())?;
    let labels = || lineage.models.iter().map(|model| model.label.clone()).collect();
    Some(Matrix::from_fn(labels(), labels(), |row, column| {
        let both = [row.min(column), row.max(column)];
        let place = lineage.pairs.binary_search_by_key(&both, |pair| pair.models);
        let tested =
            place.map_or(Err(Untested::NoTensor), |at| lineage.pairs[at].group(group).map(|group| group.evidence.z));
        tested.map_err(|reason| {
            Undefined::NotComparable(if row == column { "one model".to_owned() } else { reason.to_string() })
        })
    }))
}

/// Both models, each with its commit.
fn models(lineage: &Lineage, models: [usize; 2]) -> Vec<String> {
    let name = |model: usize| {
        let model = &lineage.models[model];
        [model.model.clone(), model.commit.as_ref().map_or_else(String::new, ToString::to_string)]
    };
    models.into_iter().flat_map(name).collect()
}

fn number(value: f64) -> String {
    csv::number(Some(value))
}

fn tests(lineage: &Lineage, pair: &PairAnswer) -> Vec<Vec<String>> {
    let start = || models(lineage, pair.models);
    let empty = |count: usize| vec![String::new(); count];
    let mut rows = Vec::new();
    for (group, answer) in &pair.groups {
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => {
                rows.push(
                    [
                        start(),
                        vec![group.to_string(), "group".to_owned()],
                        empty(11),
                        vec![Sign::NotTested.to_string(), String::new(), reason.to_string()],
                    ]
                    .concat(),
                );
                continue;
            }
        };
        rows.push([start(), vec![group.to_string(), "group".to_owned()], of_group(answer)].concat());
        let name =
            |layer: usize| lineage.layers[pair.models[0]].get(layer).cloned().unwrap_or_else(|| layer.to_string());
        for layer in &answer.layers {
            let cells = vec![group.to_string(), "layer".to_owned(), name(layer.layer)];
            rows.push(
                [start(), cells, empty(3), vec![number(layer.z)], empty(3), vec![number(layer.rho)], empty(5)].concat(),
            );
        }
        for (layer, reason) in &answer.left_out {
            let cells = vec![group.to_string(), "layer".to_owned(), name(*layer)];
            rows.push([start(), cells, empty(12), vec![reason.to_string()]].concat());
        }
    }
    rows.push(
        [start(), vec![String::new(), "pair".to_owned()], empty(11), vec![pair.verdict().to_string()], empty(2)]
            .concat(),
    );
    rows
}

/// From `layer` on.
fn of_group(answer: &GroupAnswer) -> Vec<String> {
    let evidence = &answer.evidence;
    let significance = &evidence.significance;
    vec![
        String::new(),
        evidence.rows.to_string(),
        evidence.width.to_string(),
        evidence.blocks.to_string(),
        number(evidence.z),
        number(significance.p),
        number(significance.log10_bound),
        number(significance.log10_floor),
        csv::number(evidence.rho),
        csv::number(evidence.rho_sd),
        number(evidence.rho_detectable),
        answer.sign.to_string(),
        evidence.exact.to_string(),
        String::new(),
    ]
}

fn relations(lineage: &Lineage, pair: &PairAnswer) -> Vec<Vec<String>> {
    let start = || models(lineage, pair.models);
    let row = |role: &str, layer: String, quantity: &str, cells: [String; 5]| {
        [start(), vec![role.to_owned(), layer, quantity.to_owned()], cells.to_vec()].concat()
    };
    let undefined =
        |reason: &Untested| [String::new(), String::new(), String::new(), String::new(), reason.to_string()];
    let plain = |value: Option<f64>| [csv::number(value), String::new(), String::new(), String::new(), String::new()];
    let within = |of: Interval| [number(of.value), number(of.low), number(of.high), String::new(), String::new()];
    let sampled = |role: &str, layer: &str, distances: &Result<Distances, Untested>| match distances {
        Ok(distances) => vec![
            row(role, layer.to_owned(), "cosine", within(distances.cosine)),
            row(role, layer.to_owned(), "pearson", within(distances.pearson)),
            row(role, layer.to_owned(), "rel_l2", within(distances.relative_l2)),
        ],
        Err(reason) => vec![row(role, layer.to_owned(), "cosine", undefined(reason))],
    };
    let mut rows = Vec::new();
    for (group, answer) in pair.tested_directly() {
        let role = group.name();
        match &answer.distance {
            Distance::Sampled(distances) => rows.extend(sampled(role, "", distances)),
            Distance::Norms(Ok(distances)) => {
                rows.push(row(role, String::new(), "cosine", plain(Some(distances.cosine))));
                rows.push(row(role, String::new(), "cosine_from_means", plain(Some(distances.cosine_from_means))));
                rows.push(row(role, String::new(), "pearson", plain(distances.pearson)));
            }
            Distance::None => {}
            Distance::Norms(Err(reason)) => rows.push(row(role, String::new(), "cosine", undefined(reason))),
        }
        rows.push(row(role, String::new(), "equal_share", plain(answer.equal)));
        for (layer, distances) in &answer.by_layer {
            let layer = lineage.layers[pair.models[0]].get(*layer).map_or("", String::as_str);
            rows.extend(sampled(role, layer, distances));
        }
    }
    if let Some(description) = pair.relation.as_ref().filter(|_| pair.decision().units == Sign::Plus) {
        let kind = description.kind.to_string();
        rows.push(row("", String::new(), "kind", [String::new(), String::new(), String::new(), kind, String::new()]));
        if let Some(change) = &description.medians {
            let facts = [
                ("zero_share", Some(change.zero_share)),
                ("flatness", change.flatness),
                ("kurtosis", Some(change.kurtosis)),
            ];
            rows.extend(facts.into_iter().map(|(name, value)| row("units", String::new(), name, plain(value))));
        }
        for change in description.deep.iter().flatten() {
            let Some(low_rank) = &change.low_rank else { continue };
            rows.push(row("deep", String::new(), "rank", plain(Some(low_rank.rank as f64))));
            rows.push(row("deep", String::new(), "rest_over_noise", plain(low_rank.rest_over_noise)));
        }
    }
    rows
}

fn map(lineage: &Lineage, pair: &PairAnswer) -> Vec<Vec<String>> {
    let Some(map) = &pair.map else { return Vec::new() };
    let map = match map {
        Ok(map) => map,
        Err(reason) => {
            let cells = vec![String::new(); 6];
            return vec![[models(lineage, pair.models), cells, vec![reason.to_string()]].concat()];
        }
    };
    let role = map.group.name().to_owned();
    let mut rows = Vec::new();
    for (column, &of_deeper) in map.map.columns.iter().enumerate() {
        for (row, &of_shallower) in map.map.rows.iter().enumerate() {
            let cell = row * map.map.columns.len() + column;
            let [a, b] = if map.is_swapped { [of_deeper, of_shallower] } else { [of_shallower, of_deeper] };
            let best = map.map.matches.contains(&(of_deeper, of_shallower));
            let cells = vec![
                role.clone(),
                a.to_string(),
                b.to_string(),
                number(map.map.z[cell]),
                number(map.map.p[cell]),
                best.to_string(),
                String::new(),
            ];
            rows.push([models(lineage, pair.models), cells].concat());
        }
    }
    let [shallower, deeper] = if map.is_swapped { [pair.models[1], pair.models[0]] } else { pair.models };
    for (model, repeats) in [shallower, deeper].into_iter().zip(&map.repeats) {
        for (first, second, z) in repeats {
            let cells = vec![
                role.clone(),
                first.to_string(),
                second.to_string(),
                number(*z),
                String::new(),
                "true".to_owned(),
                String::new(),
            ];
            rows.push([models(lineage, [model; 2]), cells].concat());
        }
    }
    rows
}

/// Where linked models lie between pairs of others: `model_b` is the one between, `text` the other end.
fn merges(lineage: &Lineage) -> Vec<Vec<String>> {
    let row = |found: &MergeAnswer, quantity: &str, cells: [String; 3], reason: String| {
        let other = lineage.models[found.between[1]].model.clone();
        let start = models(lineage, [found.between[0], found.model]);
        [start, vec!["units".to_owned(), String::new(), quantity.to_owned()], cells.to_vec(), vec![other, reason]]
            .concat()
    };
    let rows = lineage.merges.iter().flat_map(|found| match &found.merge {
        Ok(merge) => vec![
            row(found, "merge_weight", [merge.weight, merge.low, merge.high].map(number), String::new()),
            row(
                found,
                "merge_explained",
                [csv::number(merge.explained), String::new(), String::new()],
                if merge.explained.is_some() { String::new() } else { Untested::Constant.to_string() },
            ),
        ],
        Err(reason) => vec![row(found, "merge_weight", [const { String::new() }; 3], reason.to_string())],
    });
    rows.collect()
}

/// Parts of the change of `model_b` from the base, which `text` names: a weight for each `model_a`, then the share that they explain.
fn tasks(lineage: &Lineage) -> Vec<Vec<String>> {
    let row = |base: usize, both: [usize; 2], quantity: &str, value: String, reason: String| {
        let cells = vec!["units".to_owned(), String::new(), quantity.to_owned(), value, String::new(), String::new()];
        [models(lineage, both), cells, vec![lineage.models[base].model.clone(), reason]].concat()
    };
    let of_model = |base: usize, found: &TaskAnswer| match &found.weights {
        Ok(tasks) => {
            let weights = found.others.iter().zip(&tasks.weights);
            let weights = weights
                .map(|(other, weight)| row(base, [*other, found.model], "task_weight", number(*weight), String::new()));
            let why = if tasks.explained.is_some() { String::new() } else { Untested::Constant.to_string() };
            let explained = row(base, [base, found.model], "task_explained", csv::number(tasks.explained), why);
            weights.chain([explained]).collect()
        }
        Err(reason) => {
            let none =
                |other: &usize| row(base, [*other, found.model], "task_weight", String::new(), reason.to_string());
            found.others.iter().map(none).collect::<Vec<_>>()
        }
    };
    let base = lineage.ask.base.into_iter();
    base.flat_map(|base| lineage.tasks.iter().flat_map(move |found| of_model(base, found))).collect()
}
