//! Matrices as pictures: the cosine, its null and the correlation side by side.

use super::{MOST_SHOWN, View, listed, mean};
use crate::{
    metric::{Metric, Undefined},
    model::Pairing,
    question::survey::Survey,
    report::figure::{ColorScale, Heatmap, Panel as Grid, Picture, PictureKind},
    table::{Matrix, PairTable},
};

/// Rows and columns from which matrices stand below each other: side by side they cannot be read on a page.
const WIDE: usize = 16;

/// The matrices of one table.
pub(crate) fn of_table(survey: &Survey, table: &PairTable, view: &View<'_>) -> Picture {
    let shown = view.shown_models(std::slice::from_ref(table), survey.models.len());
    let matrix = |metric| matrix_of(survey, &shown, |row, column| table.get(row, column, metric));
    grid(
        &format!("heatmap_{}_{}", table.key.role_name(), table.key.layer_name()),
        &table.key.title(),
        &format!("Model × model{}.{}", ordered(survey, view), rest(survey, &shown)),
        &groups_of(survey, &shown),
        view.shown().into_iter().map(|metric| (metric, matrix(metric))).collect(),
    )
}

/// The means over the tables of one role.
pub(crate) fn of_means(survey: &Survey, tables: &[PairTable], view: &View<'_>) -> Picture {
    let role = tables.first().map(|table| table.key.role_name()).unwrap_or_default();
    let shown = view.shown_models(tables, survey.models.len());
    let matrix =
        |metric| matrix_of(survey, &shown, |row, column| mean(tables, metric, row, column).map(|(mean, _)| mean));
    let which = match survey.pairing {
        Pairing::Depth => "depths at",
        _ => "layers in",
    };
    grid(
        &format!("heatmap_{role}_mean"),
        &format!("{role}, mean over layers"),
        &format!(
            "Model × model{}. Mean over the {which} which both models have the tensor, of {} in all.{}",
            ordered(survey, view),
            tables.len(),
            rest(survey, &shown)
        ),
        &groups_of(survey, &shown),
        view.shown().into_iter().map(|metric| (metric, matrix(metric))).collect(),
    )
}

/// The square of the models `shown`.
fn matrix_of(survey: &Survey, shown: &[usize], cell: impl Fn(usize, usize) -> Result<f64, Undefined>) -> Matrix {
    let labels: Vec<String> = shown.iter().map(|&model| survey.models[model].label.clone()).collect();
    Matrix::from_fn(labels.clone(), labels, |row, column| cell(shown[row], shown[column]))
}

/// The groups of the models `shown`; nothing where none has one.
fn groups_of(survey: &Survey, shown: &[usize]) -> Vec<String> {
    let groups = || shown.iter().map(|&model| survey.models[model].group.as_deref());
    if groups().flatten().next().is_none() {
        return Vec::new();
    }
    groups().map(|group| group.unwrap_or_default().to_owned()).collect()
}

fn ordered(survey: &Survey, view: &View<'_>) -> &'static str {
    if view.is_by_cluster(survey.models.len()) { ", ordered by clustering" } else { "" }
}

/// The models that a picture does not show.
fn rest(survey: &Survey, shown: &[usize]) -> String {
    let rest = (0..survey.models.len()).filter(|model| !shown.contains(model));
    let rest: Vec<String> = rest.map(|model| survey.models[model].label.clone()).collect();
    if rest.is_empty() {
        String::new()
    } else if shown.len() == MOST_SHOWN {
        format!(" The {MOST_SHOWN} models with the strongest pairs, of {}.", survey.models.len())
    } else {
        format!(" Not comparable with any other: {}.", listed(&rest))
    }
}

/// Heatmaps with the colours that their metrics call for. The cosine and its null share one scale: they are there to be
/// compared.
pub(crate) fn colored(matrices: Vec<(Metric, Matrix)>) -> Vec<(Metric, Heatmap)> {
    let cosines = matrices.iter().filter(|(metric, _)| is_cosine(*metric)).map(|(_, matrix)| matrix);
    let cells: Vec<Result<f64, Undefined>> =
        cosines.flat_map(|matrix| matrix.iter().map(|(.., cell)| cell.clone())).collect();
    let labels = |count: usize| vec![String::new(); count];
    let together = Matrix::from_fn(labels(1), labels(cells.len()), |_, column| cells[column].clone());
    let scale = |metric: Metric, matrix: &Matrix| match metric {
        _ if is_cosine(metric) => ColorScale::cosine(&together),
        Metric::Pearson | Metric::Spearman => ColorScale::correlation(),
        Metric::ZPerm | Metric::MeanRatio => ColorScale::fit_signed(matrix),
        _ => ColorScale::fit(matrix),
    };
    matrices
        .into_iter()
        .map(|(metric, matrix)| {
            let scale = scale(metric, &matrix);
            (metric, Heatmap::new(matrix, scale, metric.name()))
        })
        .collect()
}

pub(crate) fn is_cosine(metric: Metric) -> bool {
    matches!(metric, Metric::CosSim | Metric::CosNull)
}

fn grid(id: &str, title: &str, subtitle: &str, groups: &[String], matrices: Vec<(Metric, Matrix)>) -> Picture {
    let columns = if matrices.iter().any(|(_, matrix)| matrix.rows.len() > WIDE) { 1 } else { 2 };
    let mut pictures: Vec<Picture> = colored(matrices)
        .into_iter()
        .map(|(metric, heatmap)| Picture {
            id: format!("{id}_{}", metric.name()),
            title: metric.name().to_owned(),
            subtitle: String::new(),
            alt: format!("{} of every pair of models, {title}", metric.name()),
            kind: PictureKind::Heatmap(Heatmap { groups: groups.to_vec(), ..heatmap }),
        })
        .collect();
    if pictures.len() == 1 {
        id.clone_into(&mut pictures[0].id);
        pictures[0].title = format!("{title}: {}", pictures[0].title);
        subtitle.clone_into(&mut pictures[0].subtitle);
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
