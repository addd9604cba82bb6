//! `pairs.csv` and `groups.csv` of the study: every pair that an experiment compared, and every group mean.

use crate::{
    metric::{MeanSd, Undefined},
    question::{
        critique::{Critique, Pair, RoleAnswer},
        page::{self, PairRow},
    },
    report::{Cell, Digits, Frame, csv},
    table::GroupFigures,
};

/// One row a pair, by its places, every metric in full digits. Diagonals are not pairs.
pub(crate) fn pairs(critique: &Critique) -> Frame<'_> {
    let pairs = critique.roles.iter().flat_map(move |role| {
        let place = |row: usize| (role.table.rows[row].model, role.table.rows[row].place);
        let mut pairs: Vec<Pair> = role.lists.pairs().into_iter().collect();
        pairs.sort_by_key(|&(a, b)| (place(a), place(b)));
        pairs.into_iter().map(move |pair| (&role.table, pair))
    });
    page::pairs(pairs, |&(table, pair)| PairRow::of(&critique.models, table, pair))
}

/// One row a group, layer and metric: all groups at the layer of experiment 5, the first group at those of experiment 4.
pub(crate) fn groups(critique: &Critique) -> Frame<'_> {
    let first = critique.study.members.first().map_or("", |member| member.group.as_str());
    let rows = critique.roles.iter().flat_map(move |role| {
        let all_models = &role.lists.all_models;
        let groups = role.groups.iter().map(move |figures| group_row(role, &all_models.layer.to_string(), figures));
        let depths = role.lists.depths.iter().filter(move |at| at.layer != all_models.layer).flat_map(move |at| {
            let figures = role.group_at(first, &at.pairs);
            figures.iter().map(|figures| group_row(role, &at.layer.to_string(), figures)).collect::<Vec<_>>()
        });
        groups.chain(depths)
    });
    Frame::new("groups.csv", csv::GROUPS, rows)
}

fn group_row(role: &RoleAnswer, layer: &str, figures: &GroupFigures) -> Vec<Cell> {
    let names = [figures.groups.a.as_str(), &figures.groups.b, &role.role];
    let mut row: Vec<Cell> = names.map(Cell::text).to_vec();
    row.extend([Cell::layer(layer), Cell::code(figures.metric.name())]);
    let mut push = |n: usize, of: &Result<MeanSd, Undefined>| {
        let figure = |get: fn(MeanSd) -> f64| Cell::exact(of.clone().map(get));
        row.extend([Cell::count(n), figure(|of| of.mean), figure(|of| of.sd)]);
    };
    push(figures.n, &figures.all);
    push(figures.n_unrelated, &figures.unrelated);
    row.extend([figures.null, figures.null_unrelated].map(|null| Cell::number_or_empty(null, Digits::Exact)));
    row
}
