//! What the metrics of a survey would be of independent random vectors, by simulation, beside the closed form.

use std::collections::BTreeMap;

use crate::{
    metric::{GaussianBaseline, MeanSd, Metric, Summary, Undefined},
    table::{PairTable, pairs_of},
};

/// What to draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// Pairs of vectors for each pair of tensors.
    pub trials: u32,
    /// The seed that reproduces them.
    pub seed: u64,
    /// The distribution of every vector; `None` for the mean and deviation of the tensor that it stands for.
    pub normal: Option<MeanSd>,
}

/// The simulated baseline of one pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Place of the table.
    pub table: usize,
    /// The models, by place; the lower first.
    pub models: (usize, usize),
    /// Mean and deviation (ddof 0) of each metric over the trials.
    pub figures: Vec<(Metric, Result<MeanSd, Undefined>)>,
}

/// The simulated baselines of a survey.
#[derive(Debug, Clone, PartialEq)]
pub struct Baselines {
    /// What was drawn.
    pub simulation: Simulation,
    /// One entry a comparable pair of each table.
    pub pairs: Vec<Baseline>,
}

impl Baselines {
    /// Draws the baselines of every pair that can be compared.
    pub fn of(tables: &[PairTable], metrics: &[Metric], simulation: Simulation) -> Self {
        let Simulation { trials, seed, normal } = simulation;
        // One distribution for all needs one drawing a width.
        let mut by_width: BTreeMap<usize, Result<GaussianBaseline, Undefined>> = BTreeMap::new();
        let mut pairs = Vec::new();
        for (number, table) in tables.iter().enumerate() {
            for (a, b) in pairs_of(table.rows.len()) {
                let Some(n) = table.channels(a, b).and_then(|n| usize::try_from(n).ok()) else {
                    continue;
                };
                let own;
                let drawn = if let Some(normal) = normal {
                    by_width.entry(n).or_insert_with(|| GaussianBaseline::draw(normal, normal, n, trials, seed))
                } else {
                    let own_moments =
                        |row: usize| table.rows[row].summary.as_ref().map(Summary::mean_sd).map_err(Clone::clone);
                    own =
                        own_moments(a).and_then(|of_a| GaussianBaseline::draw(of_a, own_moments(b)?, n, trials, seed));
                    &own
                };
                let figure = |metric: Metric| match drawn {
                    Ok(drawn) => drawn.get(metric).clone(),
                    Err(reason) => Err(reason.clone()),
                };
                pairs.push(Baseline {
                    table: number,
                    models: (a, b),
                    figures: metrics.iter().map(|&metric| (metric, figure(metric))).collect(),
                });
            }
        }
        Self { simulation, pairs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::pairs::tests::planted;

    fn drawn(normal: Option<MeanSd>) -> Baselines {
        let vector = |scale: f64| (0..40).map(|i| scale * (1.0 + 0.1 * f64::from(i % 5))).collect();
        let (table, _) = planted(0, &[Some(vector(1.0)), Some(vector(9.0)), None], false);
        let simulation = Simulation { trials: 30, seed: 5, normal };
        Baselines::of(&[table], &[Metric::L2, Metric::Pearson], simulation)
    }

    #[test]
    fn the_pairs_own_moments_or_one_distribution_are_drawn() {
        let own = drawn(None);
        assert_eq!((own.pairs.len(), own.pairs[0].models), (1, (0, 1)));
        let l2 = |baselines: &Baselines| baselines.pairs[0].figures[0].1.clone().unwrap().mean;
        // Means 1.2 and 10.8 over 40 elements: √40 · 9.6 and a little spread.
        assert!((l2(&own) / (9.6 * 40_f64.sqrt()) - 1.0).abs() < 0.1);
        let standard = drawn(Some(MeanSd { mean: 1.0, sd: 0.1 }));
        assert!((l2(&standard) / (0.1 * 80_f64.sqrt()) - 1.0).abs() < 0.1);
        assert_eq!(own, drawn(None));
    }
}
