//! `pairs.csv` and `groups.csv` of the study: every pair that an experiment compared, and every group mean.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    audit::critique::{AtLayer, Average, Comparison, Critique, Place, RoleAnswer},
    metric::Metric,
    report::{
        csv, escape,
        pairs::{PairSide, PairTable},
    },
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
pub(super) fn pairs_csv(critique: &Critique) -> Vec<u8> {
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
        side: layers
            .iter()
            .find(|(layer, _)| *layer == place.layer)
            .map(|(_, side)| side),
        layer: Some(place.layer),
    })
}

/// One row a group, layer and metric: all groups at the layer of experiment 5, the first group at those of experiment 4.
pub(super) fn groups_csv(critique: &Critique) -> Vec<u8> {
    let mut rows: Vec<Vec<String>> = vec![csv::GROUPS.map(str::to_owned).to_vec()];
    let first = critique
        .study
        .members
        .first()
        .map_or("", |member| member.group.as_str());
    for role in &critique.roles {
        let square = &role.experiments.square;
        let related: BTreeSet<(usize, usize)> = square.related().into_iter().collect();
        for group in &square.groups {
            let names = [group.a.as_str(), group.b.as_str(), role.role.as_str()];
            rows.push(group_row(
                names,
                &square.layer.to_string(),
                group.metric,
                &group.all,
                &group.unrelated,
            ));
        }
        for at in role.experiments.depths.iter().filter(|at| at.layer != square.layer) {
            for (metric, all) in &at.averages {
                let apart = |pair: &&Comparison| !related.contains(&(pair.a.model, pair.b.model));
                let unrelated = Average::of(*metric, at.comparisons.iter().filter(apart));
                let names = [first, first, role.role.as_str()];
                rows.push(group_row(names, &at.layer.to_string(), *metric, all, &unrelated));
            }
        }
    }
    csv::document(rows)
}

fn group_row(names: [&str; 3], layer: &str, metric: Metric, all: &Average, unrelated: &Average) -> Vec<String> {
    let mut row: Vec<String> = names.iter().map(|name| escape::csv(name).into_owned()).collect();
    row.extend([layer.to_owned(), metric.name().to_owned()]);
    for average in [all, unrelated] {
        let values = average.values.as_ref().ok();
        row.push(average.n.to_string());
        row.push(csv::number(values.map(|of| of.mean)));
        row.push(csv::number(values.map(|of| of.sd)));
    }
    row
}
