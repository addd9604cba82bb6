//! The CSV files of a survey: every pair, group, average and matrix in full digits.

use super::{View, lines};
use crate::{
    metric::{MeanSd, Metric, Pca, Undefined},
    question::{
        page::pairs_csv,
        survey::{RoleComponents, Survey},
    },
    report::{
        csv::{GROUPS, document, matrix_csv, number},
        escape,
    },
    table::{PairTable, TableKey},
};

/// Name of the CSV file of one matrix.
pub fn matrix_file(metric: Metric, key: &TableKey) -> String {
    format!("matrix_{}_{}_{}.csv", metric.name(), key.role_name(), key.layer_name())
}

/// Every CSV file, by name. Files whose subject was not asked for are not among them.
pub fn survey_csv(survey: &Survey, view: &View<'_>) -> Vec<(String, Vec<u8>)> {
    let labels = survey.labels();
    let mut files = vec![("pairs.csv".to_owned(), pairs_csv(survey))];
    for panel in &survey.panels {
        for metric in view.shown() {
            let matrix = panel.matrix(metric, &labels);
            files.push((matrix_file(metric, &panel.key), matrix_csv(&matrix)));
        }
    }
    for crossing in &survey.crossings {
        for metric in view.shown() {
            files.push((matrix_file(metric, &crossing.key), matrix_csv(&crossing.layer_matrix(metric))));
        }
    }
    if !survey.panels.is_empty() {
        files.push(("groups.csv".to_owned(), groups(survey)));
        files.push(("related.csv".to_owned(), related(survey)));
    }
    if !survey.averages.is_empty() {
        files.push(("averages.csv".to_owned(), averages(survey)));
    }
    if !survey.components.is_empty() {
        files.push(("components.csv".to_owned(), components(survey)));
        files.push(("component_shares.csv".to_owned(), shares(survey)));
    }
    files.extend(baselines(survey).map(|bytes| ("baselines.csv".to_owned(), bytes)));
    files
}

/// Rows of text with their headings.
fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    document(std::iter::once(head.map(str::to_owned).to_vec()).chain(rows))
}

fn optional(value: Option<&f64>) -> String {
    number(value.copied())
}

/// Model and commit.
fn model(survey: &Survey, place: usize) -> [String; 2] {
    let model = &survey.models[place];
    let commit = model.commit.as_ref().map(ToString::to_string);
    [escape::csv(&model.model).into_owned(), commit.unwrap_or_default()]
}

/// The layer of each side of a pair.
fn layers(table: &PairTable, (a, b): (usize, usize)) -> [String; 2] {
    [a, b].map(|row| table.rows[row].place_name())
}

fn groups(survey: &Survey) -> Vec<u8> {
    let rows = survey.groups.iter().map(|figures| {
        let key = &survey.panels[figures.panel].key;
        let moments = |of: &Result<MeanSd, Undefined>| {
            let of = of.as_ref().ok();
            [of.map(|of| of.mean), of.map(|of| of.sd)].map(number)
        };
        let ([mean, sd], [mean_unrelated, sd_unrelated]) = (moments(&figures.all), moments(&figures.unrelated));
        vec![
            escape::csv(&figures.groups.a).into_owned(),
            escape::csv(&figures.groups.b).into_owned(),
            key.role_name(),
            key.layer_name(),
            figures.metric.name().to_owned(),
            figures.n.to_string(),
            mean,
            sd,
            figures.n_unrelated.to_string(),
            mean_unrelated,
            sd_unrelated,
            number(figures.null),
            number(figures.null_unrelated),
        ]
    });
    table(GROUPS, rows)
}

fn related(survey: &Survey) -> Vec<u8> {
    let rows = survey.relations.pairs.iter().map(|relation| {
        let panel = &survey.panels[relation.panel];
        let mut row = Vec::new();
        row.extend(model(survey, relation.models.0));
        row.extend(model(survey, relation.models.1));
        row.extend([
            relation.related.to_string(),
            relation.cells.to_string(),
            relation.apart.to_string(),
            number(Some(relation.mean_r)),
            panel.key.role_name(),
        ]);
        row.extend(layers(panel, relation.models));
        row.extend(
            [relation.pearson, relation.verdict.robust_z, relation.verdict.log10_q].map(|value| number(Some(value))),
        );
        row
    });
    let head = [
        "model_a",
        "commit_a",
        "model_b",
        "commit_b",
        "set_apart",
        "cells",
        "cells_set_apart",
        "mean_pearson",
        "role",
        "layer_a",
        "layer_b",
        "pearson",
        "robust_z",
        "log10_q",
    ];
    table(head, rows)
}

fn averages(survey: &Survey) -> Vec<u8> {
    let rows = survey.averages.iter().flat_map(|averages| {
        averages.pairs.iter().map(move |pair| {
            let average = pair.average.as_ref();
            let reason = match average {
                Err(reason) => format!("all:{reason}"),
                Ok(average) => average.z.as_ref().err().map(|reason| format!("z:{reason}")).unwrap_or_default(),
            };
            let mut row = Vec::new();
            row.extend(model(survey, pair.models.0));
            row.extend(model(survey, pair.models.1));
            row.extend([
                averages.key.role_name(),
                average.map_or(0, |average| average.layers.len()).to_string(),
                average.map_or(averages.layers.len(), |average| average.left_out.len()).to_string(),
                pair.channels.map(|channels| channels.to_string()).unwrap_or_default(),
                number(average.ok().map(|average| average.mean_r)),
                optional(average.ok().and_then(|average| average.z.as_ref().ok())),
                number(average.ok().map(|average| average.naive_z)),
                reason,
            ]);
            row
        })
    });
    let head = [
        "model_a",
        "commit_a",
        "model_b",
        "commit_b",
        "role",
        "layers",
        "layers_left_out",
        "numel",
        "mean_pearson",
        "z",
        "naive_z",
        "undefined",
    ];
    table(head, rows)
}

fn sides(components: &RoleComponents) -> [(&'static str, Option<&Pca>); 2] {
    [("kept", components.kept.as_ref().ok()), ("removed", components.removed.as_ref().ok())]
}

fn components(survey: &Survey) -> Vec<u8> {
    let mut rows = Vec::new();
    for components in &survey.components {
        for (scale, pca) in sides(components) {
            for (place, at) in components.vectors.iter().enumerate() {
                let mut row = vec![components.key.role_name(), scale.to_owned()];
                row.extend(model(survey, at.model));
                row.push(at.layer.to_string());
                let scores = |component: usize| pca?.components.get(component)?.scores.get(place);
                row.extend((0..5).map(|component| optional(scores(component))));
                rows.push(row);
            }
        }
    }
    let head = ["role", "scale", "model", "commit", "layer", "score_1", "score_2", "score_3", "score_4", "score_5"];
    table(head, rows.into_iter())
}

fn shares(survey: &Survey) -> Vec<u8> {
    let mut rows = Vec::new();
    for components in &survey.components {
        for (scale, pca) in sides(components) {
            for (place, component) in pca.map(|pca| &pca.components).into_iter().flatten().enumerate() {
                rows.push(vec![
                    components.key.role_name(),
                    scale.to_owned(),
                    (place + 1).to_string(),
                    number(Some(component.share)),
                    number(Some(component.singular_value)),
                ]);
            }
        }
    }
    table(["role", "scale", "component", "share", "singular_value"], rows.into_iter())
}

fn baselines(survey: &Survey) -> Option<Vec<u8>> {
    let baselines = survey.baselines.as_ref()?;
    let simulation = &baselines.simulation;
    let rows = baselines.pairs.iter().flat_map(|pair| {
        let panel = &survey.panels[pair.panel];
        lines(survey, pair).into_iter().map(move |line| {
            let mut row = Vec::new();
            row.extend(model(survey, pair.models.0));
            row.extend(model(survey, pair.models.1));
            row.push(panel.key.role_name());
            row.extend(layers(panel, pair.models));
            let drawn = line.drawn.as_ref().ok();
            row.extend([
                line.metric.name().to_owned(),
                optional(line.value.as_ref().ok()),
                number(line.null.map(|null| null.mean)),
                number(line.null.map(|null| null.sd)),
                simulation.trials.to_string(),
                simulation.seed.to_string(),
                number(drawn.map(|drawn| drawn.mean)),
                number(drawn.map(|drawn| drawn.sd)),
                optional(line.z.as_ref().ok()),
            ]);
            row
        })
    });
    let head = [
        "model_a",
        "commit_a",
        "model_b",
        "commit_b",
        "role",
        "layer_a",
        "layer_b",
        "metric",
        "value",
        "null",
        "null_sd",
        "trials",
        "seed",
        "drawn_mean",
        "drawn_sd",
        "z_drawn",
    ];
    Some(table(head, rows))
}
