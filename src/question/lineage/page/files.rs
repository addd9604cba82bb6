//! The tables of the answer, in full digits: verdicts, tests, relations, layer maps, clusters, the check of the null; and with three
//! models or more a matrix of z for each group.

use serde_json::{Map, Value, json};

use super::verdict;
use crate::{
    metric::{
        Undefined,
        lineage::{
            block_test::DRAWS,
            distance::{Distances, Interval},
            evidence::{Z_LINK, Z_LOOK},
            untested::Untested,
            verdict::{Sign, Strictness},
        },
    },
    question::{
        hash::chunks::chunk_tables,
        lineage::{
            Group, Lineage,
            group_answer::{Distance, GroupAnswer},
            merges::{MergeAnswer, TaskAnswer},
            pair::PairAnswer,
        },
        page::model_cells,
    },
    report::{Cell, Digits, Frame, Frames},
    table::Matrix,
};

const VERDICTS: &str =
    "model_a commit_a model_b commit_b verdict units basis relation layers reading identical_files stage";
const LINEAGE: &str = "model_a commit_a model_b commit_b group scope layer rows width blocks z p log10_bound log10_floor rho rho_sd \
                       rho_detectable sign exact undefined n_eff by_map equal_share matched_share matched_same_index";
const LAYER_MAP: &str = "model_a commit_a model_b commit_b role layer_a layer_b z p_adjusted best undefined";
const RELATION: &str = "model_a commit_a model_b commit_b role layer quantity value low high text undefined";

/// The tables of the answer. Rows are made as they are written: those of twenty thousand pairs take a gigabyte as cells.
pub fn lineage_tables(lineage: &Lineage) -> Frames<'_> {
    let pairs = || lineage.pairs.iter();
    let verdicts = pairs().map(move |pair| verdict(lineage, pair));
    let tests = pairs().flat_map(move |pair| tests(lineage, pair));
    let relations = pairs().flat_map(move |pair| relations(lineage, pair)).chain(merges(lineage)).chain(tasks(lineage));
    let mut tables = vec![
        Frame::new("verdicts.csv", VERDICTS.split(' '), verdicts),
        Frame::new("lineage.csv", LINEAGE.split(' '), tests),
        Frame::new("relation.csv", RELATION.split(' '), relations),
    ];
    if pairs().any(|pair| pair.map.is_some()) {
        let maps = pairs().flat_map(move |pair| map(lineage, pair));
        tables.push(Frame::new("layer_map.csv", LAYER_MAP.split(' '), maps));
    }
    // Of the pairs alone: tensors are what `hash --chunks` is for.
    tables.extend(lineage.chunks.iter().flat_map(|answer| chunk_tables(answer, true).take(1)));
    if lineage.models.len() <= 2 {
        return Box::new(tables.into_iter());
    }
    tables.extend([clusters(lineage), self_check(lineage)]);
    let matrices = Group::IN_PLACE.into_iter().filter_map(move |group| {
        let matrix = matrix(lineage, group)?;
        let labels = [matrix.rows.clone(), matrix.columns.clone()];
        let cell = move |row, column| matrix.get(row, column).clone();
        Some(Frame::matrix(format!("matrix_z_{group}.csv"), labels, cell))
    });
    Box::new(tables.into_iter().chain(matrices))
}

/// What the tests rest on.
pub(crate) fn settings(lineage: &Lineage) -> Map<String, Value> {
    let strictness = Strictness { tests: lineage.tests, stage: 0 };
    let settings = [
        ("draws", json!(DRAWS)),
        ("tests", json!(lineage.tests)),
        ("tokens", json!(lineage.ask.tokens)),
        ("z_link", json!(Z_LINK)),
        ("z_look", json!(Z_LOOK)),
        ("log10_bound", json!(strictness.log10_link())),
    ];
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
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

fn optional(value: Option<f64>) -> Cell {
    Cell::number_or_empty(value, Digits::Exact)
}

/// A row that begins with both models and has these cells, the others empty.
fn row<'n>(
    lineage: &Lineage,
    models: [usize; 2],
    columns: &str,
    cells: impl IntoIterator<Item = (&'n str, Cell)>,
) -> Vec<Cell> {
    let mut cells: Vec<(&str, Cell)> = cells.into_iter().collect();
    let models: Vec<Cell> = models.into_iter().flat_map(|of| model_cells(&lineage.models[of])).collect();
    let named = columns.split(' ').skip(models.len()).map(|column| {
        let place = cells.iter().position(|(name, _)| *name == column);
        place.map_or_else(Cell::empty, |place| cells.swap_remove(place).1)
    });
    let row = models.into_iter().chain(named).collect();
    debug_assert!(cells.is_empty(), "no columns for {cells:?}");
    row
}

fn verdict(lineage: &Lineage, pair: &PairAnswer) -> Vec<Cell> {
    let decision = pair.decision();
    let relation = pair.relation.as_ref().filter(|_| decision.units == Sign::Plus);
    let layers = pair.map.as_ref().and_then(|map| Some(map.as_ref().ok()?.reading()));
    let cells = [
        ("verdict", Cell::text(pair.verdict().to_string())),
        ("units", Cell::text(decision.units.to_string())),
        ("basis", Cell::text(decision.basis.to_string())),
        ("relation", Cell::optional(relation.map(|relation| &relation.kind))),
        ("layers", Cell::optional(layers)),
        ("reading", Cell::optional(verdict::reading(pair))),
        ("identical_files", Cell::Flag(pair.is_identical)),
        ("stage", Cell::integer(Some(pair.stage.into()))),
    ];
    row(lineage, pair.models, VERDICTS, cells)
}

fn tests(lineage: &Lineage, pair: &PairAnswer) -> Vec<Vec<Cell>> {
    let scope = |scope: &str| ("scope", Cell::text(scope));
    let mut rows = Vec::new();
    for (group, answer) in &pair.groups {
        let of_group = ("group", Cell::text(group.name()));
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => {
                let sign = ("sign", Cell::text(Sign::NotTested.to_string()));
                let undefined = ("undefined", Cell::text(reason.to_string()));
                rows.push(row(lineage, pair.models, LINEAGE, [of_group, scope("group"), sign, undefined]));
                continue;
            }
        };
        rows.push(test(lineage, pair, *group, answer));
        let name =
            |layer: usize| lineage.layers[pair.models[0]].get(layer).cloned().unwrap_or_else(|| layer.to_string());
        for layer in &answer.layers {
            let figures = [("z", Cell::exact(layer.z)), ("rho", Cell::exact(layer.rho))];
            let cells = [of_group.clone(), scope("layer"), ("layer", Cell::layer(name(layer.layer)))];
            let cells = cells.into_iter().chain(figures);
            rows.push(row(lineage, pair.models, LINEAGE, cells));
        }
        for (layer, reason) in &answer.left_out {
            let undefined = ("undefined", Cell::text(reason.to_string()));
            let cells = [of_group.clone(), scope("layer"), ("layer", Cell::layer(name(*layer))), undefined];
            rows.push(row(lineage, pair.models, LINEAGE, cells));
        }
    }
    let sign = ("sign", Cell::text(pair.verdict().to_string()));
    rows.push(row(lineage, pair.models, LINEAGE, [scope("pair"), sign]));
    rows
}

fn test(lineage: &Lineage, pair: &PairAnswer, group: Group, answer: &GroupAnswer) -> Vec<Cell> {
    let evidence = &answer.evidence;
    let significance = &evidence.significance;
    let cells = [
        ("group", Cell::text(group.name())),
        ("scope", Cell::text("group")),
        ("rows", Cell::count(evidence.rows)),
        ("width", Cell::count(evidence.width)),
        ("blocks", Cell::count(evidence.blocks)),
        ("z", Cell::exact(evidence.z)),
        ("p", Cell::exact(significance.p)),
        ("log10_bound", Cell::exact(significance.log10_bound)),
        ("log10_floor", Cell::exact(significance.log10_floor)),
        ("rho", optional(evidence.rho)),
        ("rho_sd", optional(evidence.rho_sd)),
        ("rho_detectable", Cell::exact(evidence.rho_detectable)),
        ("sign", Cell::text(answer.sign.to_string())),
        ("exact", Cell::Flag(evidence.exact)),
        ("n_eff", optional(evidence.n_eff)),
        ("by_map", Cell::Flag(answer.is_by_map)),
        ("equal_share", optional(answer.equal)),
        ("matched_share", optional(answer.matches.map(|of| of.mutual))),
        ("matched_same_index", optional(answer.matches.map(|of| of.same_index))),
    ];
    row(lineage, pair.models, LINEAGE, cells)
}

/// A row of `relation.csv`: of a role and a layer a quantity.
fn related<'n>(
    lineage: &Lineage,
    models: [usize; 2],
    [role, layer, quantity]: [&str; 3],
    cells: impl IntoIterator<Item = (&'n str, Cell)>,
) -> Vec<Cell> {
    let start = [("role", Cell::text(role)), ("layer", Cell::layer(layer)), ("quantity", Cell::text(quantity))];
    row(lineage, models, RELATION, start.into_iter().chain(cells))
}

fn value(value: Option<f64>) -> [(&'static str, Cell); 1] {
    [("value", optional(value))]
}

fn within(of: Interval) -> [(&'static str, Cell); 3] {
    [("value", Cell::exact(of.value)), ("low", Cell::exact(of.low)), ("high", Cell::exact(of.high))]
}

fn undefined(reason: &Untested) -> [(&'static str, Cell); 1] {
    [("undefined", Cell::text(reason.to_string()))]
}

fn relations(lineage: &Lineage, pair: &PairAnswer) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for (group, answer) in pair.tested_directly() {
        let plain = |quantity, of| related(lineage, pair.models, [group.name(), "", quantity], value(of));
        match &answer.distance {
            Distance::Sampled(distances) => rows.extend(sampled(lineage, pair, [group.name(), ""], distances)),
            Distance::Norms(Ok(distances)) => rows.extend([
                plain("cosine", Some(distances.cosine)),
                plain("cosine_from_means", Some(distances.cosine_from_means)),
                plain("pearson", distances.pearson),
            ]),
            Distance::None => {}
            Distance::Norms(Err(reason)) => {
                rows.push(related(lineage, pair.models, [group.name(), "", "cosine"], undefined(reason)));
            }
        }
        rows.push(plain("equal_share", answer.equal));
        for (layer, distances) in &answer.by_layer {
            let layer = lineage.layers[pair.models[0]].get(*layer).map_or("", String::as_str);
            rows.extend(sampled(lineage, pair, [group.name(), layer], distances));
        }
    }
    if let Some(description) = pair.relation.as_ref().filter(|_| pair.decision().units == Sign::Plus) {
        let kind = [("text", Cell::text(description.kind.to_string()))];
        rows.push(related(lineage, pair.models, ["", "", "kind"], kind));
        let plain = |role, quantity, of| related(lineage, pair.models, [role, "", quantity], value(of));
        if let Some(change) = &description.medians {
            rows.extend([
                plain("units", "zero_share", Some(change.zero_share)),
                plain("units", "flatness", change.flatness),
                plain("units", "kurtosis", Some(change.kurtosis)),
            ]);
        }
        for change in description.deep.iter().flatten() {
            let Some(low_rank) = &change.low_rank else { continue };
            rows.push(plain("deep", "rank", Some(low_rank.rank as f64)));
            rows.push(plain("deep", "rest_over_noise", low_rank.rest_over_noise));
        }
    }
    rows
}

fn sampled(
    lineage: &Lineage,
    pair: &PairAnswer,
    [role, layer]: [&str; 2],
    distances: &Result<Distances, Untested>,
) -> Vec<Vec<Cell>> {
    match distances {
        Ok(distances) => {
            let quantities =
                [("cosine", distances.cosine), ("pearson", distances.pearson), ("rel_l2", distances.relative_l2)];
            let row = |(quantity, of)| related(lineage, pair.models, [role, layer, quantity], within(of));
            quantities.map(row).into()
        }
        Err(reason) => vec![related(lineage, pair.models, [role, layer, "cosine"], undefined(reason))],
    }
}

fn map(lineage: &Lineage, pair: &PairAnswer) -> Vec<Vec<Cell>> {
    let map = match &pair.map {
        Some(Ok(map)) => map,
        Some(Err(reason)) => return vec![row(lineage, pair.models, LAYER_MAP, undefined(reason))],
        None => return Vec::new(),
    };
    let met = |models: [usize; 2], [a, b]: [usize; 2], best: bool, figures: [(&'static str, Cell); 2]| {
        let start = [
            ("role", Cell::text(map.group.name())),
            ("layer_a", Cell::count(a)),
            ("layer_b", Cell::count(b)),
            ("best", Cell::Flag(best)),
        ];
        row(lineage, models, LAYER_MAP, start.into_iter().chain(figures))
    };
    let mut rows = Vec::new();
    for (column, &of_deeper) in map.map.columns.iter().enumerate() {
        for (row, &of_shallower) in map.map.rows.iter().enumerate() {
            let cell = row * map.map.columns.len() + column;
            let layers = if map.is_swapped { [of_deeper, of_shallower] } else { [of_shallower, of_deeper] };
            let best = map.map.matches.contains(&(of_deeper, of_shallower));
            let figures = [("z", Cell::exact(map.map.z[cell])), ("p_adjusted", Cell::exact(map.map.p[cell]))];
            rows.push(met(pair.models, layers, best, figures));
        }
    }
    let [shallower, deeper] = if map.is_swapped { [pair.models[1], pair.models[0]] } else { pair.models };
    for (model, repeats) in [shallower, deeper].into_iter().zip(&map.repeats) {
        let figures = |z: f64| [("z", Cell::exact(z)), ("p_adjusted", Cell::empty())];
        rows.extend(repeats.iter().map(|(first, second, z)| met([model; 2], [*first, *second], true, figures(*z))));
    }
    rows
}

/// Where linked models lie between pairs of others: `model_b` is the one between, `text` the other end.
fn merges(lineage: &Lineage) -> impl Iterator<Item = Vec<Cell>> {
    let row = move |found: &MergeAnswer, quantity: &str, cells: Vec<(&'static str, Cell)>| {
        let other = ("text", Cell::text(&lineage.models[found.between[1]].model));
        let both = [found.between[0], found.model];
        related(lineage, both, ["units", "", quantity], cells.into_iter().chain([other]))
    };
    lineage.merges.iter().flat_map(move |found| match &found.merge {
        Ok(merge) => {
            let weight = Interval { value: merge.weight, low: merge.low, high: merge.high };
            vec![
                row(found, "merge_weight", within(weight).into()),
                row(found, "merge_explained", explained(merge.explained)),
            ]
        }
        Err(reason) => vec![row(found, "merge_weight", undefined(reason).into())],
    })
}

/// The share that is explained; `Constant` where there is nothing to explain.
fn explained(share: Option<f64>) -> Vec<(&'static str, Cell)> {
    if share.is_some() { value(share).into() } else { undefined(&Untested::Constant).into() }
}

/// Parts of the change of `model_b` from the base, which `text` names: a weight for each `model_a`, then the share that they explain.
fn tasks(lineage: &Lineage) -> impl Iterator<Item = Vec<Cell>> {
    let row = move |base: usize, both: [usize; 2], quantity: &str, cells: Vec<(&'static str, Cell)>| {
        let base = ("text", Cell::text(&lineage.models[base].model));
        related(lineage, both, ["units", "", quantity], cells.into_iter().chain([base]))
    };
    let of_model = move |base: usize, found: &TaskAnswer| match &found.weights {
        Ok(tasks) => {
            let weights = found.others.iter().zip(&tasks.weights);
            let weights = weights
                .map(|(other, weight)| row(base, [*other, found.model], "task_weight", value(Some(*weight)).into()));
            weights.chain([row(base, [base, found.model], "task_explained", explained(tasks.explained))]).collect()
        }
        Err(reason) => {
            let none = |other: &usize| row(base, [*other, found.model], "task_weight", undefined(reason).into());
            found.others.iter().map(none).collect::<Vec<_>>()
        }
    };
    let base = lineage.ask.base.into_iter();
    base.flat_map(move |base| lineage.tasks.iter().flat_map(move |found| of_model(base, found)))
}

/// Models that are linked with each other, directly or through others: a row a model.
fn clusters(lineage: &Lineage) -> Frame<'_> {
    let rows = lineage.clusters().into_iter().enumerate().flat_map(move |(number, members)| {
        members.into_iter().map(move |of| {
            let [model, commit] = model_cells(&lineage.models[of]);
            vec![Cell::count(number + 1), model, commit]
        })
    });
    Frame::new("clusters.csv", ["cluster", "model", "commit"], rows)
}

/// Whether the null holds on the pairs that show no link: a row a group.
fn self_check(lineage: &Lineage) -> Frame<'_> {
    let rows = lineage.self_check.iter().map(|check| {
        vec![
            Cell::text(check.group.name()),
            Cell::count(check.z.len()),
            Cell::exact(check.mean),
            optional(check.sd),
            Cell::exact(check.distance),
            Cell::exact(check.divisor()),
        ]
    });
    Frame::new("self_check.csv", ["group", "pairs", "mean_z", "sd_z", "distance", "divisor"], rows)
}
