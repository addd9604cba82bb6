//! The study's six experiments on one role, each as the study lists it, with every metric of each pair.

use std::collections::BTreeMap;

use super::{
    Average, BESIDE_CHANCE, Bench, Comparison, GroupFigure, Place, Study, UnitTrials, closed_form, group_figures,
    pairs_at, verdicts,
};
use crate::{
    family::LayerIndex,
    metric::{MeanSd, Metric, RelatedVerdict, Undefined},
};

/// Pairs of layers within one model.
#[derive(Debug, Clone)]
pub struct Within {
    /// The model's place.
    pub model: usize,
    /// The pairs, in the order of the plan.
    pub comparisons: Vec<Comparison>,
    /// Mean cosine over them.
    pub cosine: Average,
}

/// Pairs of models at one layer.
#[derive(Debug, Clone)]
pub struct AtLayer {
    /// The layer.
    pub layer: LayerIndex,
    /// Each pair once.
    pub comparisons: Vec<Comparison>,
    /// Mean over them of each of [`GROUP_METRICS`](crate::question::critique::GROUP_METRICS).
    pub averages: Vec<(Metric, Average)>,
}

impl AtLayer {
    /// Compares `models` at `layer`.
    fn of(bench: &Bench<'_>, models: &[usize], layer: u32) -> Self {
        Self::of_pairs(bench, LayerIndex(layer), &pairs_at(models, layer))
    }

    /// Compares `pairs`, which stand for `layer`.
    pub(crate) fn of_pairs(bench: &Bench<'_>, layer: LayerIndex, pairs: &[(Place, Place)]) -> Self {
        let comparisons = bench.compare_all(pairs);
        let averages = crate::question::critique::GROUP_METRICS
            .iter()
            .map(|&metric| (metric, Average::of(metric, &comparisons)))
            .collect();
        Self { layer, comparisons, averages }
    }

    /// The mean of one metric.
    pub fn average(&self, metric: Metric) -> Option<&Average> {
        self.averages.iter().find(|(known, _)| *known == metric).map(|(_, average)| average)
    }
}

/// Every pair of models at one layer, and what groups of them come to.
#[derive(Debug, Clone)]
pub struct Square {
    /// The layer.
    pub layer: LayerIndex,
    /// Every cell, row by row, the diagonal included: each is computed.
    pub cells: Vec<Comparison>,
    /// Each pair once, in the order of the rows.
    pub pairs: Vec<Comparison>,
    /// Where each of [`Square::pairs`] stands among them.
    pub verdicts: Vec<Result<RelatedVerdict, Undefined>>,
    /// Means by group.
    pub groups: Vec<GroupFigure>,
}

impl Square {
    /// The cell of (row, column).
    pub fn cell(&self, models: usize, row: usize, column: usize) -> Option<&Comparison> {
        self.cells.get(row * models + column)
    }

    /// The pairs that are set apart as related, by the places of their models.
    pub fn related(&self) -> Vec<(usize, usize)> {
        let pairs = self.pairs.iter().zip(&self.verdicts);
        pairs
            .filter(|(_, verdict)| verdict.as_ref().is_ok_and(|verdict| verdict.related))
            .map(|(pair, _)| (pair.a.model, pair.b.model))
            .collect()
    }
}

/// A pair beside random vectors.
#[derive(Debug, Clone)]
pub struct Chance {
    /// The pair.
    pub comparison: Comparison,
    /// One line a metric of [`BESIDE_CHANCE`].
    pub lines: Vec<ChanceLine>,
}

/// One metric of a pair, observed and expected.
#[derive(Debug, Clone)]
pub struct ChanceLine {
    /// The metric.
    pub metric: Metric,
    /// As measured.
    pub observed: Result<f64, Undefined>,
    /// Random vectors with the mean and spread of either side, drawn.
    pub own_drawn: Result<MeanSd, Undefined>,
    /// The same in closed form.
    pub own_closed: Result<MeanSd, Undefined>,
}

/// One metric of the study's own random vectors.
#[derive(Debug, Clone)]
pub struct StudyChance {
    /// The metric.
    pub metric: Metric,
    /// Drawn.
    pub drawn: Result<MeanSd, Undefined>,
    /// In closed form.
    pub closed: Result<MeanSd, Undefined>,
}

/// Experiment 6: pairs beside random vectors.
#[derive(Debug, Clone)]
pub struct ChanceExperiment {
    /// Elements of the study's own random vectors: as many as the first model has.
    pub n: u64,
    /// Pairs drawn.
    pub trials: u32,
    /// N(mean, sd²) of the study.
    pub study: Vec<StudyChance>,
    /// The pairs, across models first.
    pub pairs: Vec<Chance>,
}

/// Experiments 1 to 6.
#[derive(Debug, Clone)]
pub struct Experiments {
    /// 1: the base layer of the first two models against later ones.
    pub base: Vec<Within>,
    /// 2: layers at one distance within the first two models.
    pub apart: Vec<Within>,
    /// 3: the first group at one layer.
    pub across: AtLayer,
    /// 4: the first group at several layers.
    pub depths: Vec<AtLayer>,
    /// 4: mean cosine over all its pairs and layers.
    pub depths_overall: Average,
    /// 4: deviation (ddof 0) of the layers' mean cosines.
    pub depths_spread: Result<MeanSd, Undefined>,
    /// 5: all models at one layer.
    pub square: Square,
    /// 6: beside random vectors.
    pub chance: ChanceExperiment,
}

impl Experiments {
    /// Runs all six. `seed` is that of the random vectors.
    pub fn run(study: &Study, bench: &Bench<'_>, seed: u64) -> Self {
        let plan = &study.plan;
        let within = |pairs: &[[u32; 2]]| -> Vec<Within> {
            let first_two = 0..bench.models().min(2);
            first_two.map(|model| Within::of(bench, model, pairs)).collect()
        };
        let base: Vec<[u32; 2]> = plan.later.iter().map(|&later| [plan.base, later]).collect();
        let first_group = study.first_group();
        let at = |&layer: &u32| AtLayer::of(bench, &first_group, layer);
        let depths: Vec<AtLayer> = plan.depths.iter().map(at).collect();
        let means: Vec<f64> =
            depths.iter().filter_map(|depth| Some(depth.average(Metric::CosSim)?.values.as_ref().ok()?.mean)).collect();
        Self {
            base: within(&base),
            apart: within(&plan.apart),
            across: at(&plan.across),
            depths_overall: Average::of(Metric::CosSim, depths.iter().flat_map(|depth| &depth.comparisons)),
            depths_spread: MeanSd::of(&means).ok_or(Undefined::TooFew),
            depths,
            square: Square::of(study, bench),
            chance: ChanceExperiment::of(study, bench, seed),
        }
    }
}

impl Experiments {
    /// Whether a pair that an experiment compares has no cosine.
    pub fn has_gaps(&self) -> bool {
        let within = self.base.iter().chain(&self.apart).map(|within| &within.cosine);
        let across = std::iter::once(&self.across).chain(&self.depths);
        let across = across.filter_map(|at| at.average(Metric::CosSim));
        let groups = self.square.groups.iter().map(|group| &group.all);
        within.chain(across).chain(groups).any(|average| average.missing > 0)
    }
}

impl Within {
    fn of(bench: &Bench<'_>, model: usize, pairs: &[[u32; 2]]) -> Self {
        let places: Vec<(Place, Place)> =
            pairs.iter().map(|&[a, b]| (Place::new(model, a), Place::new(model, b))).collect();
        let comparisons = bench.compare_all(&places);
        Self { model, cosine: Average::of(Metric::CosSim, &comparisons), comparisons }
    }
}

impl Square {
    fn of(study: &Study, bench: &Bench<'_>) -> Self {
        let n = bench.models();
        let layer = study.plan.across;
        let places: Vec<(Place, Place)> =
            (0..n * n).map(|cell| (Place::new(cell / n, layer), Place::new(cell % n, layer))).collect();
        let cells = bench.compare_all(&places);
        let pairs: Vec<Comparison> = cells.iter().filter(|cell| cell.a.model < cell.b.model).cloned().collect();
        let verdicts = verdicts(&pairs, |pair| bench.numel(pair.a));
        let mut square = Self { layer: LayerIndex(layer), cells, pairs, verdicts, groups: Vec::new() };
        let related = square.related();
        square.groups = group_figures(study, &square.pairs, |pair| related.contains(&(pair.a.model, pair.b.model)));
        square
    }
}

impl ChanceExperiment {
    fn of(study: &Study, bench: &Bench<'_>, seed: u64) -> Self {
        let plan = &study.plan;
        let inside = |&&[a, b]: &&[usize; 2]| a < bench.models() && b < bench.models();
        let cross = plan.cross.iter().filter(inside);
        let mut places: Vec<(Place, Place)> =
            cross.map(|&[a, b]| (Place::new(a, plan.across), Place::new(b, plan.across))).collect();
        for &[a, b] in &plan.within {
            let first_two = 0..bench.models().min(2);
            places.extend(first_two.map(|model| (Place::new(model, a), Place::new(model, b))));
        }
        let trials = study.random.trials;
        let n = bench.numel(Place::new(0, plan.across));
        let mut drawn: BTreeMap<u64, UnitTrials> = BTreeMap::new();
        for length in places.iter().map(|(a, _)| bench.numel(*a)).chain([n]) {
            // Lengths of vectors in memory fit.
            let elements = usize::try_from(length).unwrap_or_default();
            drawn.entry(length).or_insert_with(|| UnitTrials::draw(elements, trials, seed));
        }
        let own = MeanSd { mean: study.random.mean, sd: study.random.sd };
        let expect = |metric, a: MeanSd, b: MeanSd, n: u64| {
            drawn.get(&n).map_or(Err(Undefined::TooFew), |trials| trials.expect(metric, a, b))
        };
        let study_chance = BESIDE_CHANCE.iter().map(|&metric| StudyChance {
            metric,
            drawn: expect(metric, own, own, n),
            closed: closed_form(metric, own, own, n),
        });
        let pairs = places.iter().map(|&(a, b)| {
            let comparison = bench.compare(a, b);
            let sides = || Ok((bench.mean_sd(a)?, bench.mean_sd(b)?));
            let lines = BESIDE_CHANCE.iter().map(|&metric| {
                let observed = comparison.metrics.get(metric).clone();
                // What cannot be compared has no baseline either.
                let own = |expected: &dyn Fn(MeanSd, MeanSd) -> Result<MeanSd, Undefined>| {
                    observed.clone().and_then(|_| sides()).and_then(|(a, b)| expected(a, b))
                };
                ChanceLine {
                    metric,
                    own_drawn: own(&|x, y| expect(metric, x, y, bench.numel(a))),
                    own_closed: own(&|x, y| closed_form(metric, x, y, bench.numel(a))),
                    observed: observed.clone(),
                }
            });
            Chance { lines: lines.collect(), comparison }
        });
        Self { n, trials, study: study_chance.collect(), pairs: pairs.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Vectors, planted};
    use super::*;

    fn run(vectors: &Vectors) -> Experiments {
        Experiments::run(&Study::nine_models(), &Bench::new(vectors), 0)
    }

    #[test]
    fn every_number_of_the_experiments_is_numpys() {
        let golden = planted::golden();
        let experiments = run(&planted::vectors());
        for (within, name) in [(&experiments.base, "exp1"), (&experiments.apart, "exp2")] {
            assert_eq!(within.len(), 2);
            for (within, expected) in within.iter().zip(golden[name].as_array().unwrap()) {
                planted::assert_pairs(&within.comparisons, &expected["pairs"]);
                planted::assert_average(&within.cosine, expected);
            }
        }
        let depths = experiments.depths.iter().zip(golden["exp4"].as_array().unwrap());
        for (at, expected) in depths.chain([(&experiments.across, &golden["exp3"])]) {
            assert_eq!(u64::from(at.layer.0), expected["layer"].as_u64().unwrap());
            planted::assert_pairs(&at.comparisons, &expected["pairs"]);
            planted::assert_average(at.average(Metric::CosSim).unwrap(), expected);
        }
        let overall = experiments.depths_overall.values.unwrap();
        planted::near(overall.mean, &golden["exp4_overall"][1]);
        planted::near(overall.sd, &golden["exp4_overall"][2]);
        planted::near(experiments.depths_spread.unwrap().sd, &golden["exp4_spread"]);
        planted::assert_pairs(&experiments.square.pairs, &golden["exp5"]);
        let chance: Vec<Comparison> = experiments.chance.pairs.iter().map(|pair| pair.comparison.clone()).collect();
        planted::assert_pairs(&chance, &golden["exp6"]);
    }

    #[test]
    fn group_means_are_numpys_with_and_without_the_two_planted_pairs() {
        let square = run(&planted::vectors()).square;
        assert_eq!(square.related(), [(3, 4), (5, 6)]);
        let golden = planted::golden();
        let expected = golden["groups"].as_array().unwrap();
        assert_eq!(square.groups.len(), 4 * expected.len());
        for (index, group) in square.groups.iter().enumerate() {
            let expected = &expected[index / 4];
            assert_eq!(expected["name"], format!("{} × {}", group.a, group.b));
            for (average, expected) in [&group.all, &group.unrelated]
                .into_iter()
                .zip(expected["figures"][group.metric.name()].as_array().unwrap())
            {
                assert_eq!(average.n as u64, expected[0].as_u64().unwrap());
                planted::near(average.values.as_ref().unwrap().mean, &expected[1]);
                planted::near(average.values.as_ref().unwrap().sd, &expected[2]);
            }
        }
        let sizes: Vec<usize> = square.groups.iter().step_by(4).map(|group| group.all.n).collect();
        assert_eq!(sizes, [6, 20, 10], "nine models, none lost for its names");
    }

    #[test]
    fn a_group_whose_models_are_all_missing_has_no_mean() {
        let rows = planted::rows().into_iter().enumerate();
        let without_dense = rows.map(|(model, layers)| if model < 4 { layers } else { BTreeMap::new() });
        let experiments = run(&Vectors::from_rows(without_dense.collect()));
        let dense = &experiments.square.groups[8].all;
        assert_eq!((dense.n, dense.missing), (0, 10));
        let reason = dense.values.clone().unwrap_err();
        assert_eq!(reason.to_string(), "no comparable tensors");
        assert!(experiments.has_gaps());
        let complete = &experiments.square.groups[0].all;
        assert_eq!((complete.n, complete.missing), (6, 0));
    }

    #[test]
    fn the_numbers_do_not_depend_on_the_number_of_threads() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| format!("{:?}", run(&planted::vectors())))
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn fewer_models_than_the_study_has_run_as_far_as_they_go() {
        for count in 0..3 {
            let rows: Vec<_> = planted::rows().into_iter().take(count).collect();
            let mut study = Study::nine_models();
            study.members.truncate(count);
            let vectors = Vectors::from_rows(rows);
            let experiments = Experiments::run(&study, &Bench::new(&vectors), 0);
            assert_eq!(experiments.square.cells.len(), count * count);
            assert_eq!(experiments.base.len(), count.min(2));
        }
    }
}
