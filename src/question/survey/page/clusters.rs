//! The clustering of the models as a tree.

use std::fmt::Write;

use super::{comparable, listed, mean};
use crate::{
    metric::{Dendrogram as Tree, Metric},
    question::survey::Survey,
    report::{
        Block,
        figure::{Dendrogram, Merge, Picture, PictureKind},
    },
    table::PairTable,
};

/// Models beyond which a tree is too tall to be read.
const MOST_LEAVES: usize = 200;

/// The tree of one role; `None` with fewer than three models that can be compared, where there is nothing to order.
pub(crate) fn block(survey: &Survey, tables: &[PairTable]) -> Option<Block> {
    let models = survey.models.len();
    if !(3..=MOST_LEAVES).contains(&comparable(tables, models).len()) {
        return None;
    }
    let tree = Tree::of(models, |a, b| mean(tables, Metric::Pearson, a, b).map(|(mean, _)| mean));
    let label = |model: &usize| survey.models[*model].label.clone();
    let leaves = &tree.order;
    let merges = tree.merges.iter().map(|merge| Merge { a: merge.left, b: merge.right, height: merge.height });
    let key = &tables.first()?.key;
    let (role, place) = match tables {
        [one] => (key.title(), one.key.layer_name()),
        _ => (format!("{}, mean over layers", key.role_name()), "mean".to_owned()),
    };
    let mut subtitle = "Unrelated models join near 1. Similarity is no proof of descent.".to_owned();
    // Writing to a string cannot fail.
    if !tree.left_out.is_empty() {
        let names: Vec<String> = tree.left_out.iter().map(label).collect();
        let _ = write!(subtitle, " Not comparable with any other: {}.", listed(&names));
    }
    if !tree.assumed_unrelated.is_empty() {
        let pairs: Vec<String> =
            tree.assumed_unrelated.iter().map(|(a, b)| format!("{} × {}", label(a), label(b))).collect();
        let _ = write!(subtitle, " Not comparable, taken as unrelated: {}.", listed(&pairs));
    }
    Some(Block::picture(Picture {
        id: format!("dendrogram_{}_{place}", key.role_name()),
        title: format!("Dendrogram (average linkage, 1 − |r|), {role}"),
        subtitle,
        alt: format!("Dendrogram of {} models in {role} (average linkage, 1 − |r|)", leaves.len()),
        kind: PictureKind::Dendrogram(Dendrogram {
            x_label: "1 − |pearson|".to_owned(),
            labels: leaves.iter().map(label).collect(),
            merges: merges.collect(),
        }),
    }))
}
