//! The study run on models: each role's table with every pair that an experiment or a published figure needs, what the lists
//! come to, then the published figures.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Basis, ChanceExperiment, Checked, Lists, Outcome, Pair, Reads, Record, Rows, Study, check};
use crate::{
    family::{LayerIndex, RoleKind},
    fetch::Corpus,
    metric::{Correlations, Criterion, LayerAverage, MeanSd, Metric, Undefined, Verdicts, is_one, related},
    model::{Exclusion, ModelSummary, Opened},
    parallel,
    question::lineage::Lineage,
    table::{
        GroupFigures, GroupPair, Held, PairTable, Sources, TableKey,
        groups::{figure, group_pairs},
    },
};

/// The metrics of which groups have means.
pub const GROUP_METRICS: [Metric; 4] = [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm];

/// What the study comes to.
#[derive(Debug)]
pub struct Critique {
    /// The study.
    pub study: Study,
    /// Its models, as they were read.
    pub models: Vec<ModelSummary>,
    /// The experiments, role by role.
    pub roles: Vec<RoleAnswer>,
    /// What was read beyond the experiments.
    pub reads: Reads,
    /// Every published figure.
    pub published: Vec<Checked>,
    /// Matrices of published figures that were wanted and could not be read: model, role, layer and reason.
    pub unread: Vec<(usize, String, LayerIndex, String)>,
    /// (model, tensor and reason) of what was left out.
    pub excluded: Vec<(usize, Exclusion)>,
    /// Whether the first two models are linked, where that was asked as well.
    pub lineage: Option<Lineage>,
}

/// The experiments on one role.
#[derive(Debug, Clone)]
pub struct RoleAnswer {
    /// The role's name.
    pub role: String,
    /// The tensors, one row a model and layer, and all pairs that were needed.
    pub table: PairTable,
    /// Who meets whom.
    pub lists: Lists,
    /// Experiment 5: where each pair of models stands among all.
    pub verdicts: Verdicts,
    /// Experiment 5: figures of each two groups, one entry each of [`GROUP_METRICS`].
    pub groups: Vec<GroupFigures>,
    /// Experiment 6: beside random vectors.
    pub chance: ChanceExperiment,
    /// Mean of Pearson's r of the first two models over all layers that were read of both.
    pub average: Result<LayerAverage, Undefined>,
    /// What was wanted and could not be read: model, layer and reason.
    pub absent: Vec<(usize, LayerIndex, String)>,
}

impl RoleAnswer {
    /// Runs the experiments on the table of one role. `seed` is that of the random vectors.
    pub(crate) fn of(study: &Study, table: PairTable, rows: &Rows, lists: Lists, seed: u64) -> Self {
        let mut answer = Self {
            role: table.key.role_name(),
            verdicts: verdicts(&table, &lists.all_models.pairs),
            groups: Vec::new(),
            chance: ChanceExperiment::of(study, &table, &lists, seed),
            average: average(&table, rows, &lists.by_layer),
            absent: rows.absent(),
            table,
            lists,
        };
        answer.groups = answer.groups_of(study);
        answer
    }

    /// Mean and deviation of `metric` over `pairs`.
    pub fn mean_sd(&self, metric: Metric, pairs: &[Pair]) -> Result<MeanSd, Undefined> {
        let no_pair = || Undefined::NotComparable("no comparable tensors".to_owned());
        self.table.stats(metric, pairs).figures.map(|of| of.mean_sd()).ok_or_else(no_pair)
    }

    /// The two means of the study's "fair baseline − cross-model": over experiment 2's pairs of layers within one model, and over
    /// experiment 3's pairs of models. `None` where either has no value.
    pub fn fair_baseline(&self, metric: Metric) -> Option<[f64; 2]> {
        let mean = |pairs: &[Pair]| Some(self.mean_sd(metric, pairs).ok()?.mean);
        Some([mean(&self.lists.apart.concat())?, mean(&self.lists.across.pairs)?])
    }

    /// Deviation (ddof 0) of the mean cosines of experiment 4's layers; `None` where no layer has one.
    pub fn spread_over_depths(&self) -> Option<MeanSd> {
        let means = self.lists.depths.iter().filter_map(|at| Some(self.mean_sd(Metric::CosSim, &at.pairs).ok()?.mean));
        MeanSd::of(&means.collect::<Vec<_>>())
    }

    /// The pairs of models that are flagged as related, by their places.
    pub fn related(&self) -> Vec<(usize, usize)> {
        let pairs = self.lists.all_models.pairs.iter().zip(&self.verdicts.each);
        let related = pairs.filter(|(_, verdict)| verdict.as_ref().is_ok_and(|verdict| verdict.related));
        related.map(|(&pair, _)| self.models_of(pair)).collect()
    }

    fn models_of(&self, (a, b): Pair) -> (usize, usize) {
        (self.table.rows[a].model, self.table.rows[b].model)
    }

    /// Tells whether a pair of rows is of models that are flagged as related.
    pub(crate) fn is_related(&self) -> impl Fn(Pair) -> bool + '_ {
        let related: BTreeSet<(usize, usize)> = self.related().into_iter().collect();
        move |pair| related.contains(&self.models_of(pair))
    }

    /// Figures of the first group at the layer of `at`, one for each of [`GROUP_METRICS`].
    pub(crate) fn group_at(&self, name: &str, pairs: &[Pair]) -> Vec<GroupFigures> {
        let groups = GroupPair { a: name.to_owned(), b: name.to_owned(), pairs: pairs.to_vec(), named: true };
        self.figures(groups, self.is_related())
    }

    /// Figures of two groups, one for each of [`GROUP_METRICS`].
    fn figures(&self, groups: GroupPair, is_related: impl Fn(Pair) -> bool) -> Vec<GroupFigures> {
        let groups = Arc::new(groups);
        GROUP_METRICS.iter().map(|&metric| figure(0, &self.table, &groups, metric, &is_related)).collect()
    }

    /// Pairs within each group and between each two groups, in the study's order of groups. A group of one model has no pair
    /// within it: that is no gap in what was asked.
    fn groups_of(&self, study: &Study) -> Vec<GroupFigures> {
        let (rows, is_related) = (&self.lists.all_models.rows, self.is_related());
        let names: Vec<Option<&str>> = study.members.iter().map(|member| Some(member.group.as_str())).collect();
        let groups = group_pairs(&names).into_iter().filter(|groups| !groups.pairs.is_empty());
        let of_rows = groups.map(|groups| {
            let pairs = groups.pairs.iter().map(|&(a, b)| (rows[a], rows[b])).collect();
            GroupPair { pairs, ..groups }
        });
        of_rows.flat_map(|groups| self.figures(groups, &is_related)).collect()
    }

    /// Whether a group of models, or the pair that the study is about, has nothing to compare.
    pub fn has_empty_group(&self) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| group.n == 0)
    }

    /// Whether a pair that an experiment compares has no cosine, or a group of models a pair without a value.
    pub fn has_gaps(&self) -> bool {
        let lists = &self.lists;
        let across = lists.depths.iter().chain([&lists.across]).map(|at| &at.pairs);
        let mut pairs = lists.base.iter().chain(&lists.apart).chain(across);
        pairs.any(|pairs| self.table.stats(Metric::CosSim, pairs).missing() > 0)
            || self.groups.iter().any(|group| group.left_out > 0)
    }
}

impl Critique {
    /// Whether the models are synthetic.
    pub fn is_synthetic(&self) -> bool {
        self.models.iter().any(|model| model.synthetic)
    }

    /// Whether something that was asked for is missing: a model, a tensor, or a whole group.
    pub fn is_incomplete(&self) -> bool {
        let failed = self.models.iter().any(|model| model.failure.is_some());
        let lacking = |role: &RoleAnswer| !role.absent.is_empty() || role.has_empty_group() || role.has_gaps();
        failed || self.roles.is_empty() || !self.unread.is_empty() || self.roles.iter().any(lacking)
    }

    /// How many published figures fared so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.published.iter().filter(|figure| figure.outcome() == outcome).count()
    }

    /// What else would have to be read for figures that were not checked, and of how many.
    pub fn further_options(&self) -> BTreeMap<Reads, usize> {
        let mut counts = BTreeMap::new();
        for figure in self.published.iter().filter(|figure| figure.outcome() == Outcome::NotChecked) {
            let needs = check::needs(&figure.record, &self.study, &self.models);
            match needs.map(|needs| needs.without(self.reads)) {
                Some(needs) if needs != Reads::default() => *counts.entry(needs).or_default() += 1,
                _ => {}
            }
        }
        counts
    }

    /// How many of a model's layers were read, at most over the roles.
    pub fn layers_read(&self, model: usize) -> usize {
        self.roles.iter().map(|role| role.table.sides_of(model).count()).max().unwrap_or(0)
    }
}

/// Runs `study` on models that were opened and fetched. Its members are the opened models, in order. The numbers depend on
/// nothing but the elements and `seed`.
pub fn critique(study: Study, corpus: &Corpus, reads: Reads, seed: u64) -> Critique {
    let models: Vec<ModelSummary> = corpus.opened.iter().map(ModelSummary::of).collect();
    let depth = |place: usize| {
        let stated = study.members.get(place).and_then(|member| member.layers);
        models.get(place).and_then(|model| model.layers).or(stated)
    };
    let sources = Sources::new(corpus, |tensor| TableKey::of(tensor, false));
    let records = Record::all();
    let (mut roles, mut unread) = (Vec::new(), Vec::new());
    let mut measured = check::sizes(&records, &models, &corpus.opened);
    for role in sources.roles().into_iter().filter(|key| key.role.is_some()) {
        let places: Vec<(usize, TableKey)> = (0..corpus.opened.len())
            .flat_map(|model| sources.layers(model, role).into_iter().map(move |key| (model, key)))
            .collect();
        let read =
            |&(model, key): &(usize, TableKey)| Held { model, place: key.layer, cell: sources.read(model, &key) };
        let mut rows = Rows::new(parallel::map(&places, read));
        if role.role.is_some_and(|role| role.kind() == RoleKind::Matrix) {
            // The experiments are of norms; of matrices only published figures are checked.
            let bases = check::bases(&records, &models, &role.role_name(), &mut rows);
            let pairs: Vec<Pair> = bases.iter().flat_map(|(_, basis)| basis.iter().flat_map(Basis::pairs)).collect();
            measured.extend(check::measure(&records, bases, &PairTable::of(role, &rows.held, pairs)));
            let absent = rows.absent().into_iter();
            unread.extend(absent.map(|(model, layer, reason)| (model, role.role_name(), layer, reason)));
            continue;
        }
        let lists = Lists::of(&study, &mut rows, depth);
        let bases = check::bases(&records, &models, &role.role_name(), &mut rows);
        let table = lists.table(role, &rows, bases.iter().flat_map(|(_, basis)| basis.iter().flat_map(Basis::pairs)));
        measured.extend(check::measure(&records, bases, &table));
        roles.push(RoleAnswer::of(&study, table, &rows, lists, seed));
    }
    let published = check::check(records, &measured, &models);
    let excluded: BTreeSet<_> = Opened::excluded(&corpus.opened).into_iter().collect();
    let excluded = excluded.into_iter().collect();
    Critique { study, models, roles, reads, published, unread, excluded, lineage: None }
}

/// Where each pair stands among all, by Pearson's r.
fn verdicts(table: &PairTable, pairs: &[Pair]) -> Verdicts {
    let correlation = |&(a, b): &Pair| (table.get(a, b, Metric::Pearson), table.channels(a, b).unwrap_or(0));
    let population: Vec<_> = pairs.iter().map(correlation).collect();
    let comparable = population.iter().filter(|(pearson, _)| pearson.as_ref().is_ok_and(|&r| !is_one(r))).count();
    related(&population, comparable, Criterion::default())
}

fn average(table: &PairTable, rows: &Rows, by_layer: &[Pair]) -> Result<LayerAverage, Undefined> {
    let pearson: Vec<_> = by_layer.iter().map(|&(a, b)| table.get(a, b, Metric::Pearson)).collect();
    let within = |side: fn(&Pair) -> usize| {
        let elements = |pair: &Pair| match &rows.held[side(pair)].cell {
            Ok((_, loaded)) => loaded.as_f64(),
            Err(reason) => Err(Undefined::NotComparable(reason.clone())),
        };
        let values: Vec<_> = by_layer.iter().map(elements).collect();
        let slices: Vec<_> = values.iter().map(|values| values.as_deref().map_err(Clone::clone)).collect();
        Correlations::of(&slices)
    };
    let within = [within(|pair| pair.0), within(|pair| pair.1)];
    let channels = by_layer.first().map_or(0, |&(a, _)| table.rows[a].numel());
    LayerAverage::of(&pearson, channels, |l, m| within[0].get(l, m), |l, m| within[1].get(l, m))
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    fn run() -> RoleAnswer {
        planted::answer(&Study::nine_models(), planted::rows())
    }

    #[test]
    fn every_number_of_the_experiments_is_numpys() {
        let (golden, answer) = (planted::golden(), run());
        let lists = &answer.lists;
        let cosine = |pairs: &[Pair]| answer.mean_sd(Metric::CosSim, pairs);
        for (within, name) in [(&lists.base, "exp1"), (&lists.apart, "exp2")] {
            assert_eq!(within.len(), 2);
            for (pairs, expected) in within.iter().zip(golden[name].as_array().unwrap()) {
                planted::assert_pairs(&answer, pairs, &expected["pairs"]);
                planted::assert_average(&cosine(pairs), expected);
            }
        }
        let depths = lists.depths.iter().zip(golden["exp4"].as_array().unwrap());
        for (at, expected) in depths.chain([(&lists.across, &golden["exp3"])]) {
            assert_eq!(u64::from(at.layer.0), expected["layer"].as_u64().unwrap());
            planted::assert_pairs(&answer, &at.pairs, &expected["pairs"]);
            planted::assert_average(&cosine(&at.pairs), expected);
        }
        let overall = cosine(&answer.lists.at_depths()).unwrap();
        planted::near(overall.mean, &golden["exp4_overall"][1]);
        planted::near(overall.sd, &golden["exp4_overall"][2]);
        planted::near(answer.spread_over_depths().unwrap().sd, &golden["exp4_spread"]);
        planted::assert_pairs(&answer, &lists.all_models.pairs, &golden["exp5"]);
        planted::assert_pairs(&answer, &lists.beside, &golden["exp6"]);
    }

    #[test]
    fn what_options_would_check_more_is_counted_as_the_script_counts_it() {
        let (study, golden) = (Study::nine_models(), planted::golden());
        let models = planted::summaries(&study);
        let mut counts: BTreeMap<Reads, u64> = BTreeMap::new();
        for needs in Record::all().iter().filter_map(|record| check::needs(record, &study, &models)) {
            *counts.entry(needs).or_default() += 1;
        }
        let count = |all_roles, all_layers| counts.get(&Reads { all_roles, all_layers }).copied();
        let expected = |name: &str| golden["needs"][name].as_u64();
        assert_eq!(
            [count(false, false), count(true, false), count(false, true), count(true, true)],
            ["neither", "roles", "layers", "both"].map(expected)
        );
        // What a run has read is no advice.
        let mut critique = planted::critique(false);
        let all = critique.further_options();
        assert_eq!(all.keys().map(|needs| needs.options()).collect::<Vec<_>>().len(), 3, "{all:?}");
        critique.reads = Reads { all_roles: true, all_layers: true };
        assert!(critique.further_options().is_empty());
    }

    #[test]
    fn group_means_are_numpys_with_and_without_the_two_planted_pairs() {
        let answer = run();
        assert_eq!(answer.related(), [(3, 4), (5, 6)]);
        let golden = planted::golden();
        let expected = golden["groups"].as_array().unwrap();
        assert_eq!(answer.groups.len(), 4 * expected.len());
        for (index, group) in answer.groups.iter().enumerate() {
            let expected = &expected[index / 4];
            assert_eq!(expected["name"], format!("{} × {}", group.groups.a, group.groups.b));
            let figures = expected["figures"][group.metric.name()].as_array().unwrap();
            for ((n, of), expected) in
                [(group.n, &group.all), (group.n_unrelated, &group.unrelated)].into_iter().zip(figures)
            {
                assert_eq!(n as u64, expected[0].as_u64().unwrap());
                planted::near(of.as_ref().unwrap().mean, &expected[1]);
                planted::near(of.as_ref().unwrap().sd, &expected[2]);
            }
        }
        let sizes: Vec<usize> = answer.groups.iter().step_by(4).map(|group| group.n).collect();
        assert_eq!(sizes, [6, 20, 10], "nine models, none lost for its names");
    }

    #[test]
    fn a_group_whose_models_are_all_missing_has_no_mean() {
        let answer = planted::answer(&Study::nine_models(), planted::rows_without_dense());
        let dense = &answer.groups[8];
        assert_eq!((dense.n, dense.left_out), (0, 10));
        assert_eq!(dense.all.clone().unwrap_err().to_string(), "no comparable tensors");
        assert!(answer.has_gaps() && answer.has_empty_group());
        let complete = &answer.groups[0];
        assert_eq!((complete.n, complete.left_out), (6, 0));
    }

    #[test]
    fn the_numbers_do_not_depend_on_the_number_of_threads() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| format!("{:?}", run()))
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn fewer_models_than_the_study_has_run_as_far_as_they_go() {
        for count in 0..3 {
            let mut study = Study::nine_models();
            study.members.truncate(count);
            let answer = planted::answer(&study, planted::rows().into_iter().take(count).collect());
            assert_eq!(answer.lists.all_models.rows.len(), count);
            assert_eq!(answer.lists.base.len(), count.min(2));
        }
    }

    #[test]
    fn the_average_over_layers_and_both_its_z_are_numpys() {
        let (golden, answer) = (planted::golden(), run());
        planted::assert_pairs(&answer, &answer.lists.by_layer, &golden["by_layer"]);
        let average = answer.average.unwrap();
        planted::near(average.mean_r, &golden["average"]["mean_r"]);
        planted::near(average.naive_z, &golden["average"]["naive_z"]);
        planted::near(average.z.unwrap(), &golden["average"]["z"]);
    }

    #[test]
    fn relative_depth_compares_the_layers_of_one_share_of_the_depth() {
        let (golden, answer) = (planted::golden(), run());
        let expected = golden["same_depth"].as_array().unwrap();
        assert_eq!(answer.lists.same_depth.len(), expected.len());
        for (depth, expected) in answer.lists.same_depth.iter().zip(expected) {
            let own: Vec<u64> = depth.rows.iter().map(|&row| answer.table.number(row).into()).collect();
            assert_eq!(serde_json::json!(own), expected["own"]);
            planted::near(answer.mean_sd(Metric::CosSim, &depth.pairs).unwrap().mean, &expected["mean"]);
        }
        assert!(Lists::of(&Study::nine_models(), &mut Rows::default(), |_| None).same_depth.is_empty());
    }
}
