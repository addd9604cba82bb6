//! `pairs.csv` and `groups.csv` of the study: every pair that an experiment compared, and every group mean.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    metric::Metric,
    question::{
        critique::{AtLayer, Average, Comparison, Critique, GroupFigure, Place, RoleAnswer},
        page::{PairSide, PairTable},
    },
    report::{csv, escape},
};

/// Every pair of `role` once, by place. Diagonals are not pairs.
fn all_pairs(role: &RoleAnswer) -> BTreeMap<(Place, Place), &Comparison> {
    let experiments = &role.experiments;
    let within = experiments.base.iter().chain(&experiments.apart);
    let layers = std::iter::once(&experiments.across).chain(&experiments.depths);
    let same_depth = role.same_depth.iter().map(|depth| &depth.figures);
    let chance = experiments.chance.pairs.iter().map(|pair| &pair.comparison);
    let pairs = within
        .flat_map(|within| &within.comparisons)
        .chain(layers.chain(same_depth).flat_map(|at: &AtLayer| &at.comparisons))
        .chain(&experiments.square.pairs)
        .chain(chance)
        .chain(&role.by_layer.comparisons);
    pairs.map(|pair| ((pair.a, pair.b), pair)).collect()
}

/// One row a pair, every metric in full digits.
pub(crate) fn pairs_csv(critique: &Critique) -> Vec<u8> {
    let mut table = PairTable::new();
    for role in &critique.roles {
        for pair in all_pairs(role).into_values() {
            if let (Some(a), Some(b)) = (side(critique, role, pair.a), side(critique, role, pair.b)) {
                table.push(a, b, &role.role, &pair.metrics);
            }
        }
    }
    table.into_bytes()
}

fn side<'a>(critique: &'a Critique, role: &'a RoleAnswer, place: Place) -> Option<PairSide<'a>> {
    let layers = role.sides.get(place.model)?;
    Some(PairSide {
        model: critique.models.get(place.model)?,
        side: layers.iter().find(|(layer, _)| *layer == place.layer).map(|(_, side)| side),
        layer: Some(place.layer),
    })
}

/// One row a group, layer and metric: all groups at the layer of experiment 5, the first group at those of experiment 4.
pub(crate) fn groups_csv(critique: &Critique) -> Vec<u8> {
    let mut rows: Vec<Vec<String>> = vec![csv::GROUPS.map(str::to_owned).to_vec()];
    let first = critique.study.members.first().map_or("", |member| member.group.as_str());
    for role in &critique.roles {
        let square = &role.experiments.square;
        let related: BTreeSet<(usize, usize)> = square.related().into_iter().collect();
        for group in &square.groups {
            let beside = |other: &&GroupFigure| (&other.a, &other.b) == (&group.a, &group.b);
            let null = square.groups.iter().filter(beside).find(|other| other.metric == Metric::CosNull);
            let names = [group.a.as_str(), group.b.as_str(), role.role.as_str()];
            rows.push(group_row(
                names,
                &square.layer.to_string(),
                group.metric,
                [(&group.all, null.map(|null| &null.all)), (&group.unrelated, null.map(|null| &null.unrelated))],
            ));
        }
        for at in role.experiments.depths.iter().filter(|at| at.layer != square.layer) {
            for (metric, all) in &at.averages {
                let apart = |pair: &&Comparison| !related.contains(&(pair.a.model, pair.b.model));
                let of_unrelated = |metric| Average::of(metric, at.comparisons.iter().filter(apart));
                let (unrelated, null_unrelated) = (of_unrelated(*metric), of_unrelated(Metric::CosNull));
                let names = [first, first, role.role.as_str()];
                let averages = [(all, at.average(Metric::CosNull)), (&unrelated, Some(&null_unrelated))];
                rows.push(group_row(names, &at.layer.to_string(), *metric, averages));
            }
        }
    }
    csv::document(rows)
}

/// `averages` are of all pairs and of those not set apart, each with its null.
fn group_row(
    names: [&str; 3],
    layer: &str,
    metric: Metric,
    averages: [(&Average, Option<&Average>); 2],
) -> Vec<String> {
    let mut row: Vec<String> = names.iter().map(|name| escape::csv(name).into_owned()).collect();
    row.extend([layer.to_owned(), metric.name().to_owned()]);
    for (average, _) in averages {
        let values = average.values.as_ref().ok();
        row.push(average.n.to_string());
        row.push(csv::number(values.map(|of| of.mean)));
        row.push(csv::number(values.map(|of| of.sd)));
    }
    for (_, null) in averages {
        let values = null.filter(|_| metric == Metric::CosSim).map(|null| &null.values);
        row.push(csv::number(values.and_then(|of| Some(of.as_ref().ok()?.mean))));
    }
    row
}
