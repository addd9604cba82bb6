//! The CSV files of a survey: every pair, group, average and matrix in full digits.

use super::{View, baselines, components, groups, pairs, relations};
use crate::{
    metric::Metric,
    question::{lineage::page::lineage_csv, page::pairs_csv, survey::Survey},
    report::Frame,
    table::TableKey,
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
            files.push(Frame::matrix(matrix_file(metric, &panel.key), &panel.matrix(metric, &labels)).csv());
        }
    }
    for crossing in &survey.crossings {
        for metric in view.shown() {
            files.push(Frame::matrix(matrix_file(metric, &crossing.key), &crossing.layer_matrix(metric)).csv());
        }
    }
    if !survey.panels.is_empty() {
        files.push(groups::frame(survey).csv());
        files.push(relations::frame(survey, &survey.relations.pairs).csv());
    }
    if !survey.averages.is_empty() {
        files.push(averages(survey).csv());
    }
    if survey.components.iter().any(|components| !components.vectors.is_empty()) {
        files.push(components::scores(survey).csv());
        files.push(components::all_shares(survey).csv());
    }
    files.extend(survey.baselines.as_ref().map(|baselines| baselines::frame(survey, baselines).csv()));
    files.extend(survey.lineage.iter().flat_map(lineage_csv));
    files
}

fn averages(survey: &Survey) -> Frame<'_> {
    let roles = survey.roles();
    let pairs = survey.averages.iter().flat_map(move |averages| {
        let panels = roles.iter().find(|panels| panels.iter().any(|panel| panel.key.whole() == averages.key));
        let panels = panels.copied().unwrap_or_default();
        averages.pairs.iter().map(move |pair| (averages, panels, pair))
    });
    pairs::averages(survey, pairs)
}
