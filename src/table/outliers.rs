//! Which pairs of models are outliers among what the other pairs of the same survey show.
//!
//! Every comparable cell of the survey, a pair at one role and layer, is one test; the population is all of them, and the
//! false discovery rate is controlled over all of them at once. A pair of models is flagged as related where at least one of its
//! cells is. That is a statement about this survey: it does not say how two models came to resemble each other. Where the
//! survey has no unrelated population, cells are judged against the permutation null instead ([`Baseline`]).

use super::{PairTable, packed::narrow, pairs_of};
use crate::metric::{Baseline, Criterion, Metric, RelatedVerdict, related};

/// One pair of models in the population.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// The models, by place; the lower first.
    pub models: (usize, usize),
    /// Whether the pair is flagged as related.
    pub related: bool,
    /// Cells with a verdict.
    pub cells: usize,
    /// Cells that are flagged.
    pub flagged: usize,
    /// Cells in which both tensors hold the same numbers.
    pub identical: usize,
    /// Mean r over the cells with a verdict.
    pub mean_r: f64,
    /// Number of the table in which the pair is strongest.
    pub panel: usize,
    /// r in that table.
    pub pearson: f64,
    /// z and false discovery rate in that table.
    pub verdict: RelatedVerdict,
}

/// The pairs of a survey as one population.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Relations {
    /// Pairs with at least one verdict, ordered by model.
    pub pairs: Vec<Relation>,
    /// Cells of the population.
    pub cells: usize,
    /// What they are judged against; `None` where no cell can be judged.
    pub baseline: Option<Baseline>,
    /// How far a pair must stand out.
    pub criterion: Criterion,
}

/// A comparable cell. A survey may have millions.
struct CellOf {
    panel: u32,
    models: (u32, u32),
    is_identical: bool,
    r: f64,
    n: u64,
}

impl Relations {
    /// Judges the pairs of `models` models, which are the rows of each table.
    pub fn of(tables: &[PairTable], models: usize, criterion: Criterion) -> Self {
        let mut cells = Vec::new();
        for (panel, table) in (0..).zip(tables) {
            for (a, b) in pairs_of(models) {
                if let Ok(r) = table.get(a, b, Metric::Pearson) {
                    let is_identical = table.get(a, b, Metric::ChangedFrac) == Ok(0.0);
                    let n = table.channels(a, b).unwrap_or(0);
                    cells.push(CellOf { panel, models: narrow((a, b)), is_identical, r, n });
                }
            }
        }
        Self::judge(&cells, models, criterion)
    }

    fn judge(cells: &[CellOf], models: usize, criterion: Criterion) -> Self {
        let place_of = |cell: &CellOf| {
            let (a, b) = (cell.models.0 as usize, cell.models.1 as usize);
            (a * (2 * models - a - 1) / 2 + b - a - 1, (a, b))
        };
        let verdicts = {
            let mut is_there = vec![false; pairs_of(models).count()];
            cells.iter().for_each(|cell| is_there[place_of(cell).0] = true);
            let distinct = is_there.into_iter().filter(|&is_there| is_there).count();
            let population: Vec<_> = cells.iter().map(|cell| (Ok(cell.r), cell.n)).collect();
            related(&population, distinct, criterion)
        };
        let mut relations: Vec<Option<Relation>> = pairs_of(models).map(|_| None).collect();
        let mut judged = 0;
        for (cell, verdict) in cells.iter().zip(verdicts.each) {
            let Ok(verdict) = verdict else { continue };
            judged += 1;
            let (place, models) = place_of(cell);
            let relation = relations[place].get_or_insert(Relation {
                models,
                related: false,
                cells: 0,
                flagged: 0,
                identical: 0,
                mean_r: 0.0,
                panel: cell.panel as usize,
                pearson: cell.r,
                verdict,
            });
            relation.related |= verdict.related;
            relation.cells += 1;
            relation.flagged += usize::from(verdict.related);
            relation.identical += usize::from(cell.is_identical);
            // The sum for now.
            relation.mean_r += cell.r;
            if verdict.z > relation.verdict.z {
                (relation.panel, relation.pearson, relation.verdict) = (cell.panel as usize, cell.r, verdict);
            }
        }
        let mut pairs: Vec<Relation> = relations.into_iter().flatten().collect();
        for pair in &mut pairs {
            pair.mean_r /= pair.cells as f64;
        }
        Self { pairs, cells: judged, baseline: (judged > 0).then_some(verdicts.baseline), criterion }
    }

    /// The pairs that are flagged as related, the strongest first.
    pub fn flagged(&self) -> Vec<&Relation> {
        let mut flagged: Vec<&Relation> = self.pairs.iter().filter(|pair| pair.related).collect();
        flagged.sort_by(|a, b| b.verdict.z.total_cmp(&a.verdict.z));
        flagged
    }

    /// Whether the pair (`a`, `b`), in either order, is flagged as related.
    pub fn is_flagged(&self, a: usize, b: usize) -> bool {
        let models = (a.min(b), a.max(b));
        let found = self.pairs.binary_search_by_key(&models, |pair| pair.models);
        found.is_ok_and(|place| self.pairs[place].related)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `panels` cells of every pair of `models` models, r from a small pattern unless planted.
    fn judge(models: usize, panels: usize, planted: impl Fn(usize, (usize, usize)) -> Option<f64>) -> Relations {
        let mut cells = Vec::new();
        for panel in 0..panels {
            for (number, models) in pairs_of(models).enumerate() {
                let small = f64::from(u32::try_from((number * 7 + panel * 13) % 29).unwrap()) / 14.0 - 1.0;
                let pearson = planted(panel, models).unwrap_or(0.03 * small);
                let panel = u32::try_from(panel).unwrap();
                cells.push(CellOf { panel, models: narrow(models), is_identical: pearson >= 1.0, r: pearson, n: 4096 });
            }
        }
        Relations::judge(&cells, models, Criterion::default())
    }

    #[test]
    fn a_pair_that_stands_out_in_one_layer_is_set_apart_with_that_layer() {
        let relations = judge(5, 6, |panel, pair| (panel == 4 && pair == (1, 3)).then_some(0.6));
        let flagged = relations.flagged();
        assert_eq!(flagged.len(), 1);
        assert_eq!((flagged[0].models, flagged[0].panel, flagged[0].flagged, flagged[0].cells), ((1, 3), 4, 1, 6));
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
        let models: Vec<_> = relations.flagged().iter().map(|pair| pair.models).collect();
        assert_eq!(models, [(3, 4), (5, 6)]);
    }

    #[test]
    fn three_models_are_no_population_however_many_layers_they_have() {
        let relations = judge(3, 40, |panel, pair| (pair == (0, 1)).then_some(if panel < 30 { 1.0 } else { 0.99 }));
        assert_eq!(relations.baseline, Some(Baseline::FewPairs(3)));
        let flagged = relations.flagged();
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
        assert_eq!(relations.flagged().len(), 6);
        assert!(relations.is_flagged(0, 3) && !relations.is_flagged(0, 4));
    }

    #[test]
    fn nothing_to_judge_has_no_baseline() {
        assert_eq!(judge(1, 3, |_, _| None).baseline, None);
    }
}
