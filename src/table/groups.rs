//! What the pairs within a group of models and between two groups amount to, with and without the flagged pairs.
//!
//! The number of pairs is never reduced in silence: a pair without a value is listed with its reason, and a group without a
//! comparable pair has no mean.

use std::{collections::BTreeSet, sync::Arc};

use super::{PairTable, Relations, pairs_of};
use crate::metric::{MeanSd, Metric, Undefined};

/// Name of the one group that all models form where none is named.
const EVERYBODY: &str = "all";

/// Two groups, or one with itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPair {
    /// The first group.
    pub a: String,
    /// The second; equal to the first for pairs within a group.
    pub b: String,
    /// Pairs of models, by place, the lower first.
    pub pairs: Vec<(usize, usize)>,
    /// Whether the groups were named, rather than all models taken as one.
    pub named: bool,
}

/// One metric over the pairs of two groups in one table.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupFigures {
    /// The groups.
    pub groups: Arc<GroupPair>,
    /// Number of the table.
    pub table: usize,
    /// The metric.
    pub metric: Metric,
    /// Pairs with a value.
    pub n: usize,
    /// Their mean and standard deviation (ddof 0); undefined with the reason where there are none.
    pub all: Result<MeanSd, Undefined>,
    /// Pairs with a value that are not flagged.
    pub n_unrelated: usize,
    /// Mean and standard deviation (ddof 0) of those.
    pub unrelated: Result<MeanSd, Undefined>,
    /// Mean over the pairs with a value of the cosine that unrelated models would give; `None` for
    /// metrics other than the cosine, and where there is no pair.
    pub null: Option<f64>,
    /// The same over those that are not flagged.
    pub null_unrelated: Option<f64>,
    /// Pairs without a value.
    pub left_out: usize,
}

/// The figures of every table, group pair and metric. `groups` are those of the models, which are the rows of each table.
pub(crate) fn figures(
    tables: &[PairTable],
    groups: &[Option<&str>],
    metrics: &[Metric],
    relations: &Relations,
) -> Vec<GroupFigures> {
    let pairs: Vec<Arc<GroupPair>> = group_pairs(groups).into_iter().map(Arc::new).collect();
    let mut all = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        for groups in &pairs {
            let figure = |&metric| figure(number, table, groups, metric, |pair| relations.is_flagged(pair.0, pair.1));
            all.extend(metrics.iter().map(figure));
        }
    }
    all
}

/// Group pairs that were named and have no comparable pair in any layer of a role, as (role, group, group).
pub fn empty_groups(figures: &[GroupFigures], tables: &[PairTable]) -> Vec<(String, String, String)> {
    let mut seen: Vec<((String, String, String), usize)> = Vec::new();
    for figure in figures {
        if !figure.groups.named || figure.groups.pairs.is_empty() {
            continue;
        }
        let role = tables[figure.table].key.role_name();
        let key = (role, figure.groups.a.clone(), figure.groups.b.clone());
        match seen.iter_mut().find(|(known, _)| *known == key) {
            Some((_, n)) => *n += figure.n,
            None => seen.push((key, figure.n)),
        }
    }
    seen.into_iter().filter(|(_, n)| *n == 0).map(|(key, _)| key).collect()
}

/// Every group with itself and with every later one, in the order in which they are first named. Models without a group
/// are in none, unless no model has one: then all are one.
pub(crate) fn group_pairs(groups: &[Option<&str>]) -> Vec<GroupPair> {
    let mut seen = BTreeSet::new();
    let names: Vec<&str> = groups.iter().flatten().copied().filter(|name| seen.insert(*name)).collect();
    if names.is_empty() {
        return vec![GroupPair {
            a: EVERYBODY.to_owned(),
            b: EVERYBODY.to_owned(),
            pairs: pairs_of(groups.len()).collect(),
            named: false,
        }];
    }
    let mut pairs = Vec::new();
    for (place, &a) in names.iter().enumerate() {
        for &b in &names[place..] {
            let meet = |&(row, column): &(usize, usize)| {
                let ends = (groups[row], groups[column]);
                ends == (Some(a), Some(b)) || ends == (Some(b), Some(a))
            };
            pairs.push(GroupPair {
                a: a.to_owned(),
                b: b.to_owned(),
                pairs: pairs_of(groups.len()).filter(meet).collect(),
                named: true,
            });
        }
    }
    pairs
}

/// One metric over the pairs of two groups, given by their rows in `table`; `is_related` says which of them are flagged.
pub(crate) fn figure(
    number: usize,
    table: &PairTable,
    groups: &Arc<GroupPair>,
    metric: Metric,
    is_related: impl Fn((usize, usize)) -> bool,
) -> GroupFigures {
    let (mut all, mut unrelated) = (Vec::new(), Vec::new());
    let (mut nulls, mut nulls_unrelated) = (Vec::new(), Vec::new());
    for &models @ (row, column) in &groups.pairs {
        let Ok(value) = table.metric(row, column, metric) else { continue };
        let null = (metric == Metric::CosSim).then(|| table.metric(row, column, Metric::CosNull).ok()).flatten();
        all.push(value);
        nulls.extend(null);
        if !is_related(models) {
            unrelated.push(value);
            nulls_unrelated.extend(null);
        }
    }
    let nothing = |of: &[f64]| {
        Undefined::NotComparable(
            if groups.pairs.is_empty() {
                "a group of one model has no pair within"
            } else if of.len() < all.len() {
                "every pair is flagged as related"
            } else {
                "no comparable tensors"
            }
            .to_owned(),
        )
    };
    GroupFigures {
        groups: Arc::clone(groups),
        table: number,
        metric,
        n: all.len(),
        all: MeanSd::of(&all).ok_or_else(|| nothing(&all)),
        n_unrelated: unrelated.len(),
        unrelated: MeanSd::of(&unrelated).ok_or_else(|| nothing(&unrelated)),
        null: MeanSd::of(&nulls).map(|of| of.mean),
        null_unrelated: MeanSd::of(&nulls_unrelated).map(|of| of.mean),
        left_out: groups.pairs.len() - all.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::planted;
    use super::*;

    #[test]
    fn groups_pair_with_themselves_and_each_other_once() {
        let groups = [Some("moe"), Some("dense"), None, Some("moe"), Some("dense"), Some("dense")];
        let pairs = group_pairs(&groups);
        let shape: Vec<(&str, &str, usize)> =
            pairs.iter().map(|pair| (pair.a.as_str(), pair.b.as_str(), pair.pairs.len())).collect();
        assert_eq!(shape, [("moe", "moe", 1), ("moe", "dense", 6), ("dense", "dense", 3)]);
        assert!(pairs[1].pairs.contains(&(1, 3)), "the lower place comes first");
    }

    #[test]
    fn without_groups_all_models_are_one() {
        let pairs = group_pairs(&[None, None, None]);
        assert_eq!((pairs.len(), pairs[0].a.as_str(), pairs[0].pairs.len()), (1, "all", 3));
        assert!(!pairs[0].named);
    }

    #[test]
    fn a_pair_without_a_value_is_listed_and_a_group_without_one_has_no_mean() {
        let (table, _) =
            planted(3, &[Some(vec![1.0, 2.0, 4.0]), Some(vec![1.0, 3.0, 4.0]), None, Some(vec![9.0, 1.0, 1.0])], false);
        let cosine = |a, b| table.get(a, b, Metric::CosSim).unwrap();
        let pairs = group_pairs(&[Some("x"), Some("x"), Some("y"), Some("x")]);
        let pairs: Vec<_> = pairs.into_iter().map(Arc::new).collect();
        let of = |place: usize| figure(0, &table, &pairs[place], Metric::CosSim, |_| false);
        let within = of(0);
        let mean = (cosine(0, 1) + cosine(0, 3) + cosine(1, 3)) / 3.0;
        assert_eq!((within.n, within.n_unrelated, within.left_out), (3, 3, 0));
        assert!((within.all.as_ref().unwrap().mean - mean).abs() < 1e-15);
        let null = |a, b| table.get(a, b, Metric::CosNull).unwrap();
        let mean_null = (null(0, 1) + null(0, 3) + null(1, 3)) / 3.0;
        assert!((within.null.unwrap() - mean_null).abs() < 1e-15 && within.null == within.null_unrelated);
        let pearson = figure(0, &table, &pairs[0], Metric::Pearson, |_| false);
        assert_eq!((pearson.n, pearson.null), (3, None), "its null is zero");
        let between = of(1);
        assert_eq!((between.n, between.left_out), (0, 3));
        assert_eq!(between.all.as_ref().unwrap_err().to_string(), "no comparable tensors");
        let alone = of(2);
        assert_eq!(alone.all.as_ref().unwrap_err().to_string(), "a group of one model has no pair within");
        assert_eq!(
            empty_groups(&[within, between, alone], &[table]),
            [("input_layernorm".to_owned(), "x".to_owned(), "y".to_owned())]
        );
    }
}
