//! A survey as a document: the question, the models, the matrices with their nulls, what was left out, what it took.

use std::collections::BTreeMap;

use super::{
    Block, Cell, Column, Datum, Digits, Excluded, Report, Run, Section, Table,
    picture::{ColorScale, Heatmap, Panel as Grid, Picture, PictureKind},
};
use crate::{
    audit::{ModelSummary, Panel, PanelKey, Survey},
    matrix::Matrix,
    metric::{Metric, Undefined},
};

/// Pairs that a table of the report lists; `pairs.csv` has all.
const MOST_PAIRS: usize = 60;

/// Panels of one role that get a picture each; beyond, the mean over layers is drawn.
const MOST_PICTURED: usize = 6;

/// The four numbers that always stand side by side.
const BESIDE: [Metric; 4] = [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm];

/// Builds the document. `metrics` are those of matrices and pictures.
pub fn survey_report(survey: &Survey, metrics: &[Metric], run: &Run) -> Report {
    let mut sections = vec![models(&survey.models)];
    for (role, panels) in by_role(survey) {
        sections.push(role_section(survey, &role, &panels, metrics));
    }
    if survey.panels.is_empty() {
        sections.push(Section {
            id: "nothing".to_owned(),
            title: "No comparable tensors".to_owned(),
            blocks: vec![Block::note(
                "**No comparable tensors.** None of the models has a tensor that was asked for, so there is no number to report.",
            )],
        });
    }
    sections.push(reading());
    let excluded = left_out(survey);
    sections.push(left_out_section(&excluded));
    sections.push(traffic(survey));
    Report {
        title: format!("Survey of {} models", survey.models.len()),
        question: question(survey),
        synthetic: survey.models.iter().any(|model| model.synthetic),
        sections,
        provenance: super::run::provenance(run, &survey.models, excluded),
    }
}

fn question(survey: &Survey) -> String {
    let roles: Vec<String> = by_role(survey)
        .into_iter()
        .map(|(role, _)| format!("`{role}`"))
        .collect();
    let layers = survey
        .panels
        .iter()
        .map(|panel| panel.key.layer_name())
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    if roles.is_empty() {
        return "Do these models resemble each other in the tensors that were asked for?".to_owned();
    }
    let layers = if layers == 1 {
        survey.panels[0].key.title()
    } else {
        format!("{}, {layers} layers", roles.join(", "))
    };
    format!(
        "Do these {} models resemble each other in {layers} more than unrelated models would?",
        survey.models.len()
    )
}

fn by_role(survey: &Survey) -> Vec<(String, Vec<&Panel>)> {
    let mut roles: Vec<(String, Vec<&Panel>)> = Vec::new();
    for panel in &survey.panels {
        let name = panel.key.role_name();
        match roles.iter_mut().find(|(role, _)| *role == name) {
            Some((_, panels)) => panels.push(panel),
            None => roles.push((name, vec![panel])),
        }
    }
    roles
}

/// The table of models with which every report opens.
pub(super) fn models(models: &[ModelSummary]) -> Section {
    let known = |value: Option<String>, why: &str| value.map_or_else(|| Cell::undefined(why), Cell::text);
    let rows = models
        .iter()
        .map(|model| {
            let unread = model.failure.as_deref().unwrap_or("not stated by its files");
            vec![
                Cell::text(&model.label),
                Cell::code(&model.model),
                match (&model.commit, model.is_folder) {
                    (Some(commit), _) => Cell::code(commit.as_str()),
                    (None, true) => Cell::text("local folder"),
                    (None, false) => Cell::undefined(unread),
                },
                known(
                    model.family.as_ref().map(|(name, _)| name.clone()),
                    model.failure.as_deref().unwrap_or("no known family"),
                ),
                model
                    .layers
                    .map_or_else(|| Cell::undefined(unread), |layers| Cell::count(layers as usize)),
                model.width.map_or_else(
                    || Cell::undefined(unread),
                    |width| Cell::number(width as f64, Digits::Integer),
                ),
                known(
                    (!model.dtypes.is_empty()).then(|| model.dtypes.iter().cloned().collect::<Vec<_>>().join(", ")),
                    unread,
                ),
                Cell::text(model.group.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    let mut blocks = vec![Block::Table(Table {
        caption: "The models, each pinned to a commit.".to_owned(),
        csv: None,
        columns: vec![
            Column::text("label"),
            Column::text("model"),
            Column::text("commit"),
            Column::text("family"),
            Column::numeric("layers"),
            Column::numeric("width"),
            Column::text("dtype"),
            Column::text("group"),
        ],
        rows,
    })];
    for model in models {
        if let Some(failure) = &model.failure {
            blocks.push(Block::note(format!("**{}** was not read: {failure}.", model.label)));
        }
        if model.zero_centred {
            blocks.push(Block::prose(format!(
                "**{}** stores the gain of its norms zero-centred; the effective gain 1 + w is compared.",
                model.label
            )));
        }
    }
    Section {
        id: "models".to_owned(),
        title: "Models".to_owned(),
        blocks,
    }
}

fn role_section(survey: &Survey, role: &str, panels: &[&Panel], metrics: &[Metric]) -> Section {
    let labels = survey.labels();
    let mut blocks = Vec::new();
    if panels.len() <= MOST_PICTURED {
        for panel in panels {
            blocks.push(Block::picture(heatmaps(panel, &labels, metrics)));
            blocks.push(pair_table(survey, panel));
        }
    } else {
        blocks.push(Block::picture(mean_heatmaps(role, panels, &labels, metrics)));
        blocks.push(mean_table(survey, panels));
    }
    Section {
        id: format!("role-{}", role.replace('_', "-")),
        title: role.to_owned(),
        blocks,
    }
}

/// Name of the CSV file of one matrix.
pub fn matrix_file(metric: Metric, key: &PanelKey) -> String {
    format!("matrix_{}_{}_{}.csv", metric.name(), key.role_name(), key.layer_name())
}

fn heatmap(metric: Metric, matrix: Matrix) -> Heatmap {
    let scale = match metric {
        Metric::CosSim | Metric::CosNull => ColorScale::cosine(&matrix),
        Metric::Pearson | Metric::Spearman => ColorScale::correlation(),
        Metric::ZPerm | Metric::MeanRatio => ColorScale::fit_signed(&matrix),
        _ => ColorScale::fit(&matrix),
    };
    Heatmap::new(matrix, scale, metric.name())
}

fn heatmaps(panel: &Panel, labels: &[String], metrics: &[Metric]) -> Picture {
    let id = format!("heatmap_{}_{}", panel.key.role_name(), panel.key.layer_name());
    let matrices = metrics
        .iter()
        .map(|&metric| (metric, panel.matrix(metric, labels)))
        .collect();
    grid(&id, &panel.key.title(), "Model × model.", matrices)
}

fn mean_heatmaps(role: &str, panels: &[&Panel], labels: &[String], metrics: &[Metric]) -> Picture {
    let matrices = metrics
        .iter()
        .map(|&metric| {
            let matrix = Matrix::from_fn(labels.to_vec(), labels.to_vec(), |row, column| {
                mean(panels, metric, row, column).map(|(mean, _)| mean)
            });
            (metric, matrix)
        })
        .collect();
    let subtitle = format!(
        "Model × model, mean over the layers that both models have, of {} in all.",
        panels.len()
    );
    grid(
        &format!("heatmap_{role}_mean"),
        &format!("{role}, mean over layers"),
        &subtitle,
        matrices,
    )
}

fn grid(id: &str, title: &str, subtitle: &str, matrices: Vec<(Metric, Matrix)>) -> Picture {
    // Two wide pictures side by side cannot be read on a page: large matrices stand below each other.
    let columns = if matrices.iter().any(|(_, matrix)| matrix.rows.len() > 16) {
        1
    } else {
        2
    };
    let mut pictures: Vec<Picture> = matrices
        .into_iter()
        .map(|(metric, matrix)| Picture {
            id: format!("{id}_{}", metric.name()),
            title: metric.name().to_owned(),
            subtitle: String::new(),
            alt: format!("{} of every pair of models, {title}", metric.name()),
            kind: PictureKind::Heatmap(heatmap(metric, matrix)),
        })
        .collect();
    if pictures.len() == 1 {
        pictures[0].id = id.into();
        pictures[0].title = format!("{title}: {}", pictures[0].title);
        pictures[0].subtitle = subtitle.into();
        return pictures.remove(0);
    }
    Picture {
        id: id.to_owned(),
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        alt: format!("Heatmaps of {title}"),
        kind: PictureKind::Panel(Grid { columns, pictures }),
    }
}

/// Mean over the panels in which the pair is defined, and their number.
fn mean(panels: &[&Panel], metric: Metric, row: usize, column: usize) -> Result<(f64, usize), Undefined> {
    let mut sum = 0.0;
    let mut count = 0;
    let mut reason = None;
    for panel in panels {
        match panel.metrics(row, column).get(metric) {
            Ok(value) => {
                sum += value;
                count += 1;
            }
            Err(other) => reason = reason.or(Some(other)),
        }
    }
    match (count, reason) {
        (0, Some(reason)) => Err(reason.clone()),
        (0, None) => Err(Undefined::TooFew),
        _ => Ok((sum / count as f64, count)),
    }
}

/// Pairs of different models, the strongest departure from the null first, undefined ones last.
fn ranked(survey: &Survey, strength: impl Fn(usize, usize) -> Option<f64>) -> Vec<(usize, usize)> {
    let n = survey.models.len();
    let mut pairs: Vec<(usize, usize)> = (0..n)
        .flat_map(|row| (row + 1..n).map(move |column| (row, column)))
        .collect();
    let key = |&(row, column): &(usize, usize)| strength(row, column).map_or(f64::NEG_INFINITY, f64::abs);
    pairs.sort_by(|a, b| key(b).total_cmp(&key(a)).then(a.cmp(b)));
    pairs
}

fn digits(metric: Metric) -> Digits {
    match metric {
        Metric::ZPerm => Digits::Fixed(2),
        _ => Digits::Fixed(6),
    }
}

fn pair_table(survey: &Survey, panel: &Panel) -> Block {
    let pairs = ranked(survey, |row, column| {
        panel.metrics(row, column).get(Metric::ZPerm).as_ref().ok().copied()
    });
    let rows = pairs
        .iter()
        .take(MOST_PAIRS)
        .map(|&(row, column)| {
            let numbers = BESIDE
                .iter()
                .map(|&metric| Cell::number(panel.metrics(row, column).get(metric), digits(metric)));
            names(survey, row, column).into_iter().chain(numbers).collect()
        })
        .collect();
    Block::Table(Table {
        caption: caption(&panel.key.title(), pairs.len()),
        csv: None,
        columns: pair_columns(&[]),
        rows,
    })
}

fn mean_table(survey: &Survey, panels: &[&Panel]) -> Block {
    let pairs = ranked(survey, |row, column| {
        mean(panels, Metric::Pearson, row, column).ok().map(|(mean, _)| mean)
    });
    let rows = pairs
        .iter()
        .take(MOST_PAIRS)
        .map(|&(row, column)| {
            let layers = mean(panels, Metric::CosSim, row, column).map_or(0, |(_, count)| count);
            let means = BESIDE.iter().map(|&metric| {
                let mean = mean(panels, metric, row, column).map(|(mean, _)| mean);
                Cell::number(Datum::from(mean), digits(metric))
            });
            let cells = names(survey, row, column).into_iter().chain([Cell::count(layers)]);
            cells.chain(means).collect()
        })
        .collect();
    Block::Table(Table {
        caption: format!(
            "{} Each number is a plain mean over layers; layers of one model resemble each other, so a mean of `z_perm` is \
             no significance of its own.",
            caption("mean over layers", pairs.len())
        ),
        csv: None,
        columns: pair_columns(&["layers"]),
        rows,
    })
}

fn names(survey: &Survey, row: usize, column: usize) -> [Cell; 2] {
    [
        Cell::text(&survey.models[row].label),
        Cell::text(&survey.models[column].label),
    ]
}

fn caption(title: &str, pairs: usize) -> String {
    let rest = if pairs > MOST_PAIRS {
        format!(" The first {MOST_PAIRS} of {pairs}; `pairs.csv` has all.")
    } else {
        String::new()
    };
    format!("Pairs, {title}, strongest departure from the permutation null first.{rest}")
}

fn pair_columns(between: &[&str]) -> Vec<Column> {
    let mut columns = vec![Column::text("model a"), Column::text("model b")];
    columns.extend(between.iter().map(|title| Column::numeric(*title)));
    columns.extend(BESIDE.iter().map(|metric| Column::numeric(metric.name())));
    columns
}

fn reading() -> Section {
    Section {
        id: "reading".to_owned(),
        title: "How to read these numbers".to_owned(),
        blocks: vec![
            Block::prose(
                "`cos_sim` of two norms is high for nothing: their elements have nearly one value, so the cosine carries mean and \
                 spread only. `cos_null` is what it would be on average if the channels of one side were shuffled, that is, without \
                 any shared pattern. `pearson` removes mean and spread; `z_perm` is its distance from the shuffled mean in standard \
                 deviations, r·√(n−1).",
            ),
            Block::prose(
                "Channels of trained models are not quite exchangeable, so a nominal z overstates: compare a pair with the other \
                 pairs of this survey before anything is concluded. Norm weights alone neither prove nor refute that one model \
                 comes from another.",
            ),
        ],
    }
}

fn left_out(survey: &Survey) -> Vec<Excluded> {
    let mut excluded: Vec<Excluded> = survey
        .excluded
        .iter()
        .map(|(model, exclusion)| Excluded {
            model: survey.models[*model].model.clone(),
            tensor: exclusion.tensor.clone(),
            reason: exclusion.reason.clone(),
        })
        .collect();
    // One reason for many layers is one line.
    let mut absent: BTreeMap<(usize, String, String), Vec<String>> = BTreeMap::new();
    for panel in &survey.panels {
        for (model, side) in panel.sides.iter().enumerate() {
            if let Err(reason) = side {
                let entry = absent
                    .entry((model, panel.key.role_name(), reason.clone()))
                    .or_default();
                entry.push(panel.key.layer_name());
            }
        }
    }
    excluded.extend(absent.into_iter().map(|((model, role, reason), layers)| {
        let layers = match layers.as_slice() {
            [one] => format!("layer {one}"),
            [first, .., last] => format!("{} layers, {first} to {last}", layers.len()),
            [] => String::new(),
        };
        Excluded {
            model: survey.models[model].model.clone(),
            tensor: format!("{role}, {layers}"),
            reason,
        }
    }));
    excluded.extend(other_shapes(survey));
    excluded
}

/// Models whose tensors have another shape than most: their rows are empty.
fn other_shapes(survey: &Survey) -> Vec<Excluded> {
    let mut lines: BTreeMap<(usize, String), String> = BTreeMap::new();
    for panel in &survey.panels {
        let mut counts: BTreeMap<&[u64], usize> = BTreeMap::new();
        for side in panel.sides.iter().flatten() {
            *counts.entry(&side.shape).or_default() += 1;
        }
        let Some((&common, &most)) = counts.iter().max_by_key(|(_, count)| **count) else {
            continue;
        };
        for (model, side) in panel.sides.iter().enumerate() {
            if let Ok(side) = side
                && side.shape != common
                && most > 1
            {
                let (own, other) = (crate::audit::shape_text(&side.shape), crate::audit::shape_text(common));
                let reason = format!(
                    "its shape is {own}, where {most} models have {other}: a vector of another width cannot be compared"
                );
                lines.insert((model, panel.key.role_name()), reason);
            }
        }
    }
    lines
        .into_iter()
        .map(|((model, role), reason)| Excluded {
            model: survey.models[model].model.clone(),
            tensor: role,
            reason,
        })
        .collect()
}

fn left_out_section(excluded: &[Excluded]) -> Section {
    let block = if excluded.is_empty() {
        Block::prose("Nothing: every model has every tensor that was asked for.")
    } else {
        Block::Table(Table {
            caption: "What was asked for and is in no number above.".to_owned(),
            csv: None,
            columns: vec![Column::text("model"), Column::text("tensor"), Column::text("reason")],
            rows: excluded
                .iter()
                .map(|line| {
                    vec![
                        Cell::code(&line.model),
                        Cell::code(&line.tensor),
                        Cell::text(&line.reason),
                    ]
                })
                .collect(),
        })
    };
    Section {
        id: "left-out".to_owned(),
        title: "What was left out, and why".to_owned(),
        blocks: vec![block],
    }
}

/// What the question needs of each model, which does not depend on what happened to be in the cache.
fn traffic(survey: &Survey) -> Section {
    let mut rows = Vec::new();
    for (number, model) in survey.models.iter().enumerate() {
        let sides: Vec<_> = survey
            .panels
            .iter()
            .filter_map(|panel| panel.sides[number].as_ref().ok())
            .collect();
        let bytes: u64 = sides.iter().map(|side| side.stored_bytes).sum();
        rows.push(vec![
            Cell::text(&model.label),
            Cell::count(sides.len()),
            Cell::number(bytes as f64, Digits::Bytes),
            Cell::count(model.files.len()),
            Cell::number(model.checkpoint_bytes as f64, Digits::Bytes),
        ]);
    }
    Section {
        id: "traffic".to_owned(),
        title: "Traffic".to_owned(),
        blocks: vec![
            Block::Table(Table {
                caption: "What the numbers rest on, of how much there is.".to_owned(),
                csv: None,
                columns: vec![
                    Column::text("model"),
                    Column::numeric("tensors used"),
                    Column::numeric("their bytes"),
                    Column::numeric("files touched"),
                    Column::numeric("checkpoint"),
                ],
                rows,
            }),
            Block::prose(
                "Requests and bytes that the run itself moved depend on what was in its cache; they are in `report.json` under \
                 `provenance`.",
            ),
        ],
    }
}

/// `pairs.csv`, and one labelled matrix a metric and panel.
pub fn survey_csv(survey: &Survey, metrics: &[Metric]) -> Vec<(String, Vec<u8>)> {
    let labels = survey.labels();
    let mut files = vec![("pairs.csv".to_owned(), super::pairs_csv(survey))];
    for panel in &survey.panels {
        for &metric in metrics {
            let matrix = panel.matrix(metric, &labels);
            files.push((matrix_file(metric, &panel.key), super::csv::matrix_csv(&matrix)));
        }
    }
    files
}
