//! Which pairs of models are outliers among what the other pairs of the same survey show.
//!
//! Every comparable cell of the survey, a pair at one role and layer, is one test; the population is all of them, and the
//! false discovery rate is controlled over all of them at once. A pair of models is flagged as related where at least one of its
//! cells is. That is a statement about this survey: it does not say how two models came to resemble each other. Where the
//! survey has no unrelated population, cells are judged against the permutation null instead ([`Baseline`]). A cell whose ranks lie
//! within chance is not flagged, however large its r.

use std::sync::Arc;

use super::{
    PairTable, Scratch,
    pairs::{number_of, pairs_of, strongest},
    scratch::{BLOCK, Records},
};
use crate::metric::{Baseline, Criterion, Judge, Metric, RelatedVerdict, fisher_score, is_one, z_perm};

/// One pair of models in the population.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Relation {
    /// The models, by place; the lower first.
    pub models: (usize, usize),
    /// Cells with a verdict.
    pub cells: u32,
    /// Cells that are flagged; the pair is flagged as related where one is.
    pub flagged: u32,
    /// Cells in which both have the tensor, whether or not their correlation has a value.
    pub met: u32,
    /// Of those, in which both hold the same numbers.
    pub identical: u32,
    /// Mean r over the cells with a verdict.
    pub mean_r: f64,
    /// Number of the table in which |z| is largest; of a pair that has no z, the first.
    pub table: u32,
    /// r in that table.
    pub pearson: f64,
    /// z and false discovery rate in that table.
    pub verdict: RelatedVerdict,
}

impl Relation {
    /// Whether both hold the same numbers wherever both have the tensor: a NaN is equal to nothing.
    pub fn is_identical(&self) -> bool {
        self.identical == self.met
    }

    /// Of its cells; each comes with the number of its table. Without a verdict there is none of the pair.
    fn of(models: (usize, usize), cells: impl Iterator<Item = (u32, CellOf)>, judge: &mut Judge) -> Self {
        let verdict = RelatedVerdict { related: false, z: None, log10_q: None };
        let mut relation =
            Self { models, cells: 0, flagged: 0, met: 0, identical: 0, mean_r: 0.0, table: 0, pearson: 0.0, verdict };
        for (table, cell) in cells {
            relation.met += 1;
            relation.identical += u32::from(cell.is_identical);
            let Some((r, score)) = cell.r.zip(cell.score()) else { continue };
            let mut verdict = judge.next(score);
            verdict.related &= cell.is_by_ranks;
            relation.cells += 1;
            relation.flagged += u32::from(verdict.related);
            // The sum for now.
            relation.mean_r += r;
            // A copy in one layer says nothing of how far the others depart.
            let departs_more = |z: f64| relation.verdict.z.is_none_or(|than| z.abs() > than.abs());
            if relation.cells == 1 || verdict.z.is_some_and(departs_more) {
                (relation.table, relation.pearson, relation.verdict) = (table, r, verdict);
            }
        }
        relation.mean_r /= f64::from(relation.cells);
        relation
    }

    /// NaN stands for what there is none of: neither z nor rate is ever one, since what is undefined has no cell here.
    fn to_numbers(self) -> [u64; 7] {
        let two = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let optional = |value: Option<f64>| value.unwrap_or(f64::NAN).to_bits();
        [
            two(self.cells, self.flagged),
            two(self.met, self.identical),
            two(self.table, self.verdict.related.into()),
            self.mean_r.to_bits(),
            self.pearson.to_bits(),
            optional(self.verdict.z),
            optional(self.verdict.log10_q),
        ]
    }

    /// `None` where no cell has a verdict.
    #[expect(clippy::cast_possible_truncation, reason = "two halves of one number")]
    fn from_numbers(
        models: (usize, usize),
        [cells, met, table, mean_r, pearson, z, log10_q]: [u64; 7],
    ) -> Option<Self> {
        let two = |both: u64| (both as u32, (both >> 32) as u32);
        let optional = |bits: u64| Some(f64::from_bits(bits)).filter(|value| !value.is_nan());
        let ((cells, flagged), (met, identical), (table, related)) = (two(cells), two(met), two(table));
        let [mean_r, pearson] = [mean_r, pearson].map(f64::from_bits);
        let verdict = RelatedVerdict { related: related == 1, z: optional(z), log10_q: optional(log10_q) };
        (cells > 0).then_some(Self { models, cells, flagged, met, identical, mean_r, table, pearson, verdict })
    }
}

/// The pairs of a survey as one population.
#[derive(Debug, Clone, Default)]
pub struct Relations {
    models: usize,
    /// One row a pair of models, in the order of [`pairs_of`].
    pairs: Records<7>,
    /// Cells of the population.
    pub cells: usize,
    /// What they are judged against; `None` where no cell can be judged.
    pub baseline: Option<Baseline>,
    /// How far a pair must stand out.
    pub criterion: Criterion,
}

/// A comparable cell. A survey may have millions: they are looked at twice, and not held.
struct CellOf {
    /// `None` also where a tensor has no number or another shape: such a cell is not identical.
    r: Option<f64>,
    n: u64,
    is_identical: bool,
    /// Whether the ranks agree as well: one large channel in common makes r large, and no ranks.
    is_by_ranks: bool,
}

impl CellOf {
    fn score(&self) -> Option<f64> {
        fisher_score(self.r?, self.n).ok()
    }
}

impl Relations {
    /// Judges the pairs of `models` models, which are the rows of each table.
    pub(crate) fn of(
        tables: &[PairTable],
        models: usize,
        criterion: Criterion,
        scratch: Option<&Arc<Scratch>>,
    ) -> Self {
        let cell = |table: &PairTable, (a, b): (usize, usize)| {
            if table.rows[a].side.is_err() || table.rows[b].side.is_err() {
                return None;
            }
            let r = table.get(a, b, Metric::Pearson).ok();
            let n = table.channels(a, b).unwrap_or(0);
            let is_identical = table.get(a, b, Metric::ChangedFrac) == Ok(0.0);
            let rho = table.get(a, b, Metric::Spearman).unwrap_or_default();
            let is_by_ranks = z_perm(rho, n).abs() >= criterion.z || r.is_some_and(is_one);
            Some(CellOf { r, n, is_identical, is_by_ranks })
        };
        let cells = |pair| (0..).zip(tables).filter_map(move |(number, table)| Some((number, cell(table, pair)?)));
        Self::judge(cells, models, criterion, scratch)
    }

    fn judge<C: Iterator<Item = (u32, CellOf)>>(
        cells: impl Fn((usize, usize)) -> C,
        models: usize,
        criterion: Criterion,
        scratch: Option<&Arc<Scratch>>,
    ) -> Self {
        let (mut scores, mut distinct, mut pairs) = (Vec::new(), 0, 0);
        for pair in pairs_of(models) {
            let mut differs = false;
            for (_, cell) in cells(pair) {
                differs |= cell.r.is_some_and(|r| !is_one(r));
                scores.extend(cell.score());
            }
            distinct += usize::from(differs);
            pairs += 1;
        }
        let judged = scores.len();
        let mut judge = Judge::of(scores, distinct, criterion);
        let mut rows = Records::new(pairs, scratch);
        let mut block = Vec::with_capacity(BLOCK.min(pairs));
        for pair in pairs_of(models) {
            block.push(Relation::of(pair, cells(pair), &mut judge).to_numbers());
            if block.len() == BLOCK {
                rows.push(&block);
                block.clear();
            }
        }
        rows.push(&block);
        let baseline = (judged > 0).then_some(judge.baseline);
        Self { models, pairs: rows, cells: judged, baseline, criterion }
    }

    /// Pairs with at least one verdict, ordered by model.
    pub fn iter(&self) -> impl Iterator<Item = Relation> + '_ {
        let numbered = pairs_of(self.models).enumerate().take(self.pairs.len());
        numbered.filter_map(|(number, models)| Relation::from_numbers(models, self.pairs.row(number)?))
    }

    /// The pair (`a`, `b`), the lower first; `None` where it has no verdict.
    pub fn get(&self, (a, b): (usize, usize)) -> Option<Relation> {
        let number = self.number(a, b)?;
        Relation::from_numbers((a, b), self.pairs.row(number)?)
    }

    /// The `most` strongest of the pairs that are flagged as related, the strongest first; and how many there are.
    pub fn flagged(&self, most: usize) -> (Vec<Relation>, usize) {
        strongest(self.iter().filter(|pair| pair.flagged > 0), most, |pair| pair.verdict.distance())
    }

    /// Whether the pair (`a`, `b`), in either order, is flagged as related.
    pub fn is_flagged(&self, a: usize, b: usize) -> bool {
        let counts = self.number(a, b).and_then(|number| self.pairs.get(number, 0));
        counts.is_some_and(|counts| counts >> 32 > 0)
    }

    fn number(&self, a: usize, b: usize) -> Option<usize> {
        (a != b && a.max(b) < self.models).then(|| number_of(self.models, a, b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tables` cells of every pair of `models` models, r from a small pattern unless planted.
    fn judge(models: usize, tables: usize, planted: impl Fn(usize, (usize, usize)) -> Option<f64>) -> Relations {
        let cell = |table: usize, pair: (usize, usize)| {
            let number = number_of(models, pair.0, pair.1);
            let small = f64::from(u32::try_from((number * 7 + table * 13) % 29).unwrap()) / 14.0 - 1.0;
            let pearson = planted(table, pair).unwrap_or(0.03 * small);
            CellOf { r: Some(pearson), n: 4096, is_identical: pearson >= 1.0, is_by_ranks: true }
        };
        let cells = |pair| (0..).zip(0..tables).map(move |(number, table)| (number, cell(table, pair)));
        let folder = tempfile::tempdir().unwrap();
        let in_file = Scratch::with_room(folder.path(), 0);
        let [held, filed] = [None, Some(&in_file)].map(|at| Relations::judge(cells, models, Criterion::default(), at));
        assert!(held.iter().eq(filed.iter()), "a file gives what memory gives");
        held
    }

    fn flagged(relations: &Relations) -> Vec<Relation> {
        relations.flagged(usize::MAX).0
    }

    #[test]
    fn a_pair_that_stands_out_in_one_layer_is_set_apart_with_that_layer() {
        let relations = judge(5, 6, |table, pair| (table == 4 && pair == (1, 3)).then_some(0.6));
        let flagged = flagged(&relations);
        assert_eq!(flagged.len(), 1);
        assert_eq!((flagged[0].models, flagged[0].table, flagged[0].flagged, flagged[0].cells), ((1, 3), 4, 1, 6));
        assert!((flagged[0].pearson - 0.6).abs() < 1e-15 && flagged[0].mean_r < 0.2);
        assert!(relations.is_flagged(3, 1) && !relations.is_flagged(0, 1));
        assert_eq!(relations.cells, 60);
    }

    #[test]
    fn the_strongest_comes_first() {
        let relations = judge(9, 1, |_, pair| match pair {
            (5, 6) => Some(0.5),
            (3, 4) => Some(0.99),
            _ => None,
        });
        let models: Vec<_> = flagged(&relations).iter().map(|pair| pair.models).collect();
        assert_eq!(models, [(3, 4), (5, 6)]);
    }

    #[test]
    fn three_models_are_no_population_however_many_layers_they_have() {
        let relations = judge(3, 40, |table, pair| (pair == (0, 1)).then_some(if table < 30 { 1.0 } else { 0.99 }));
        assert_eq!(relations.baseline, Some(Baseline::FewPairs(3)));
        let flagged = flagged(&relations);
        assert_eq!(flagged.len(), 1);
        assert_eq!(
            (flagged[0].models, flagged[0].cells, flagged[0].flagged, flagged[0].identical),
            ((0, 1), 40, 40, 30)
        );
    }

    #[test]
    fn a_base_and_its_fine_tunes_are_no_unrelated_pairs() {
        let relations = judge(5, 4, |_, (_, b)| (b < 4).then_some(0.9985));
        assert!(matches!(relations.baseline, Some(Baseline::MedianFar(median)) if median > 200.0));
        assert_eq!(flagged(&relations).len(), 6);
        assert!(relations.is_flagged(0, 3) && !relations.is_flagged(0, 4));
    }

    #[test]
    fn layers_that_are_copies_leave_the_z_to_those_that_are_not() {
        let relations = judge(4, 6, |table, pair| (pair == (0, 1)).then_some(if table < 2 { 1.0 } else { 0.97 }));
        let [pair] = flagged(&relations)[..] else { panic!("{relations:?}") };
        assert_eq!((pair.models, pair.cells, pair.flagged, pair.met, pair.identical), ((0, 1), 6, 6, 6, 2));
        // By NumPy, over the cells without those of r = 1: median 0.205640, deviation 1.727867.
        assert!((pair.verdict.z.unwrap() - 77.351_021_334_024).abs() < 1e-9, "{:?}", pair.verdict);
        assert!(!pair.is_identical());
    }

    #[test]
    fn an_opposed_cell_is_the_one_that_departs_most() {
        let relations = judge(5, 3, |table, pair| (table == 1 && pair == (1, 3)).then_some(-0.6));
        let [pair] = flagged(&relations)[..] else { panic!("{relations:?}") };
        assert_eq!((pair.models, pair.table), ((1, 3), 1));
        assert!((pair.pearson + 0.6).abs() < 1e-15 && pair.verdict.z.unwrap() < -6.0);
    }

    #[test]
    fn a_cell_without_numbers_keeps_a_pair_from_being_identical() {
        use super::super::pairs::tests::planted;
        let vector = |first: f64| Some(vec![first, 2.0, 4.0, 3.0, 1.0]);
        let equal = planted(0, &[vector(5.0), vector(5.0)], false).0;
        let broken = planted(1, &[vector(f64::NAN), vector(5.0)], false).0;
        let pair = |tables: &[PairTable]| Relations::of(tables, 2, Criterion::default(), None).get((0, 1)).unwrap();
        let both = pair(&[equal.clone(), broken]);
        assert_eq!((both.cells, both.met, both.identical), (1, 2, 1));
        assert!(!both.is_identical());
        assert!(pair(&[equal]).is_identical());
    }

    #[test]
    fn nothing_to_judge_has_no_baseline() {
        assert_eq!(judge(1, 3, |_, _| None).baseline, None);
    }
}
