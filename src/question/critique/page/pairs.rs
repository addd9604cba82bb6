//! `pairs.csv` and `groups.csv` of the study: every pair that an experiment compared, and every group mean.

use crate::{
    metric::{MeanSd, Undefined},
    question::{
        critique::{Critique, Pair, RoleAnswer},
        page::PairsCsv,
    },
    report::{csv, escape},
    table::GroupFigures,
};

/// One row a pair, by its places, every metric in full digits. Diagonals are not pairs.
pub(crate) fn pairs_csv(critique: &Critique) -> Vec<u8> {
    let mut csv = PairsCsv::new();
    for role in &critique.roles {
        let place = |row: usize| (role.table.rows[row].model, role.table.rows[row].place);
        let mut pairs: Vec<Pair> = role.lists.pairs().into_iter().collect();
        pairs.sort_by_key(|&(a, b)| (place(a), place(b)));
        for pair in pairs {
            csv.push(&critique.models, &role.table, pair);
        }
    }
    csv.into_bytes()
}

/// One row a group, layer and metric: all groups at the layer of experiment 5, the first group at those of experiment 4.
pub(crate) fn groups_csv(critique: &Critique) -> Vec<u8> {
    let mut rows: Vec<Vec<String>> = vec![csv::GROUPS.map(str::to_owned).to_vec()];
    let first = critique.study.members.first().map_or("", |member| member.group.as_str());
    for role in &critique.roles {
        let all_models = &role.lists.all_models;
        rows.extend(role.groups.iter().map(|figures| group_row(role, &all_models.layer.to_string(), figures)));
        for at in role.lists.depths.iter().filter(|at| at.layer != all_models.layer) {
            let figures = role.group_at(first, &at.pairs);
            rows.extend(figures.iter().map(|figures| group_row(role, &at.layer.to_string(), figures)));
        }
    }
    csv::document(rows)
}

fn group_row(role: &RoleAnswer, layer: &str, figures: &GroupFigures) -> Vec<String> {
    let names = [figures.groups.a.as_str(), &figures.groups.b, &role.role];
    let mut row: Vec<String> = names.iter().map(|name| escape::csv(name).into_owned()).collect();
    row.extend([layer.to_owned(), figures.metric.name().to_owned()]);
    let mut push = |n: usize, of: &Result<MeanSd, Undefined>| {
        let of = of.as_ref().ok();
        row.extend([n.to_string(), csv::number(of.map(|of| of.mean)), csv::number(of.map(|of| of.sd))]);
    };
    push(figures.n, &figures.all);
    push(figures.n_unrelated, &figures.unrelated);
    row.extend([figures.null, figures.null_unrelated].map(csv::number));
    row
}
