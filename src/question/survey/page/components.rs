//! Principal components of all layers' vectors: scores as a picture, explained shares as a table.

use crate::{
    metric::{Pca, Undefined},
    question::survey::{RoleComponents, Survey},
    report::{
        Block, Cell, Column, Digits, Frame,
        figure::{Panel as Grid, Picture, PictureKind, Point, Scatter},
    },
};

/// Components whose share is told.
const TOLD: usize = 5;

/// The blocks of one role.
pub(crate) fn blocks(survey: &Survey, components: &RoleComponents) -> Vec<Block> {
    let role = components.key.role_name();
    if let (true, Err(reason)) = (components.vectors.is_empty(), &components.kept) {
        return vec![Block::prose(format!("**No principal components** of `{role}`: {reason}."))];
    }
    let mut blocks = vec![Block::prose(format!(
        "**Principal components** of {} vectors of `{role}`, one a model and layer, centred on their mean vector. With its scale \
         the first component is mostly the size of a layer's norm, which grows with depth in every model; with each vector \
         divided by its own norm, patterns are left.",
        components.vectors.len()
    ))];
    let sides = [("scale kept", &components.kept), ("scale removed", &components.removed)];
    let pictures: Vec<Picture> =
        sides.iter().filter_map(|(title, pca)| Some(scatter(survey, components, title, pca.as_ref().ok()?))).collect();
    if !pictures.is_empty() {
        blocks.push(Block::picture(Picture {
            id: format!("components_{role}"),
            title: format!("Principal components of {role}"),
            subtitle: "Each point is one layer of one model; in the HTML report a pointer names it.".to_owned(),
            alt: format!("First two principal components of every layer's {role}"),
            kind: PictureKind::Panel(Grid { columns: 1, pictures }),
        }));
    }
    blocks.push(shares(&sides));
    if !components.left_out.is_empty() {
        let names = components
            .left_out
            .iter()
            .map(|(at, reason)| format!("{} layer {} ({reason})", survey.models[at.model].label, at.layer));
        blocks.push(Block::prose(format!("In no component: {}.", names.collect::<Vec<_>>().join(", "))));
    }
    blocks
}

/// `components.csv`: the scores of every vector.
pub(crate) fn scores(survey: &Survey) -> Frame<'_> {
    let columns = ["role", "scale", "model", "commit", "layer", "score_1", "score_2", "score_3", "score_4", "score_5"];
    let rows = survey.components.iter().flat_map(move |components| {
        sides(components).into_iter().flat_map(move |(scale, pca)| {
            components.vectors.iter().enumerate().map(move |(place, at)| {
                let model = &survey.models[at.model];
                let score = |component: usize| pca?.components.get(component)?.scores.get(place).copied();
                let mut row = vec![
                    Cell::text(components.key.role_name()),
                    Cell::text(scale),
                    Cell::text(&model.model),
                    Cell::optional(model.commit.as_ref()),
                    Cell::layer(at.layer.to_string()),
                ];
                let cell =
                    |score: Option<f64>| score.map_or_else(Cell::empty, |score| Cell::number(score, Digits::Exact));
                row.extend((0..TOLD).map(|component| cell(score(component))));
                row
            })
        })
    });
    Frame::new("components.csv", columns, rows)
}

/// `component_shares.csv`: what each component explains.
pub(crate) fn all_shares(survey: &Survey) -> Frame<'_> {
    let rows = survey.components.iter().flat_map(|components| {
        sides(components).into_iter().flat_map(move |(scale, pca)| {
            pca.map_or(&[][..], |pca| pca.components.as_slice()).iter().enumerate().map(move |(place, component)| {
                vec![
                    Cell::text(components.key.role_name()),
                    Cell::text(scale),
                    Cell::count(place + 1),
                    Cell::number(component.share, Digits::Exact),
                    Cell::number(component.singular_value, Digits::Exact),
                ]
            })
        })
    });
    Frame::new("component_shares.csv", ["role", "scale", "component", "share", "singular_value"], rows)
}

fn sides(components: &RoleComponents) -> [(&'static str, Option<&Pca>); 2] {
    [("kept", components.kept.as_ref().ok()), ("removed", components.removed.as_ref().ok())]
}

fn scatter(survey: &Survey, components: &RoleComponents, title: &str, pca: &Pca) -> Picture {
    let score = |component: usize, vector: usize| {
        let component = pca.components.get(component);
        component.and_then(|component| component.scores.get(vector).copied()).unwrap_or(0.0)
    };
    let axis = |component: usize| match pca.components.get(component) {
        Some(found) => format!("component {} ({})", component + 1, Digits::Percent(1).format(found.share)),
        None => format!("component {} (none)", component + 1),
    };
    let mut models: Vec<usize> = components.vectors.iter().map(|at| at.model).collect();
    models.dedup();
    let points = components.vectors.iter().enumerate().map(|(vector, at)| Point {
        label: format!("{} layer {}", survey.models[at.model].label, at.layer),
        group: models.iter().position(|model| *model == at.model).unwrap_or(0),
        x: score(0, vector),
        y: score(1, vector),
    });
    Picture {
        id: title.replace(' ', "_"),
        title: title.to_owned(),
        subtitle: String::new(),
        alt: format!("Scores of the first two components, {title}"),
        kind: PictureKind::Scatter(Scatter {
            x_label: axis(0),
            y_label: axis(1),
            groups: models.iter().map(|&model| survey.models[model].label.clone()).collect(),
            points: points.collect(),
        }),
    }
}

fn shares(sides: &[(&str, &Result<Pca, Undefined>)]) -> Block {
    let row = |(title, pca): &(&str, &Result<Pca, Undefined>)| {
        let share = |place: usize| match pca {
            Ok(pca) => pca.components.get(place).map_or_else(
                || Cell::undefined("no further component"),
                |component| Cell::number(component.share, Digits::Percent(1)),
            ),
            Err(reason) => Cell::undefined(reason.to_string()),
        };
        std::iter::once(Cell::text(*title)).chain((0..TOLD).map(share)).collect()
    };
    let mut columns = vec![Column::text("vectors")];
    columns.extend((1..=TOLD).map(|place| Column::numeric(format!("component {place}"))));
    Block::table("Shares of the variance that each component explains.", columns, sides.iter().map(row))
}
