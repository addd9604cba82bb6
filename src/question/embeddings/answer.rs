//! The comparison itself: matched rows, the two contrasts, and how unusual the mean is.

use super::{Chosen, Drawn, derangement};
use crate::{
    cache::Cache,
    error::{Error, Result},
    fetch::Failures,
    metric::{Correlations, LayerAverage, Metric, RowPair, Stats, Undefined},
    model::{Model, ModelSummary, Opened, TOKENIZER},
    parallel,
    rows::RowSet,
    tensor::RowReader,
};

/// Pairs on which the test of the mean rests at most: it needs the correlation of each with every other.
const MOST_TESTED: usize = 512;

/// Two embedding tables, compared.
#[derive(Debug, Clone)]
pub struct Embeddings {
    /// The models.
    pub models: [ModelSummary; 2],
    /// What was chosen, and why nothing was where that is so.
    pub chosen: Chosen,
    /// Each drawn token with its numbers, in the order of the first model's rows.
    pub pairs: Vec<TokenPair>,
    /// Rows of the same token.
    pub matched: RowPairs,
    /// How unusual the mean of Pearson's r over matched rows is under one permutation of channels for all tokens at once, by the
    /// tokens that [`LayerAverage`] has layers for: evenly spaced among the drawn. Rows of one table resemble each other, so a
    /// thousand tokens are far fewer than a thousand independent tests.
    pub test: Result<LayerAverage, Undefined>,
    /// Each token's row in the first table with another token's in the second, drawn at random.
    pub random: RowPairs,
    /// Rows of the first model's numbers in both tables; `None` where that is what was matched.
    pub same_id: Option<RowPairs>,
}

/// One token and the numbers of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenPair {
    /// The token and its rows.
    pub drawn: Drawn,
    /// The numbers of its two rows.
    pub matched: RowPair,
    /// Those of its row in the first table with the row of the same number in the second; `None` where there is none.
    pub same_id: Option<RowPair>,
    /// The row of the second table that belongs to another token, drawn at random, and the numbers of its row in the first
    /// table with that; `None` where there is no other token.
    pub random: Option<(u64, RowPair)>,
}

/// How the pairs of one kind are spread.
#[derive(Debug, Clone, PartialEq)]
pub struct RowPairs {
    /// Every pair's cosine.
    pub cosines: Vec<Result<f64, Undefined>>,
    /// Cosines.
    pub cos_sim: Stats,
    /// What they would be on average if channels were permuted, pair by pair.
    pub cos_null: Stats,
    /// The standard deviation of each about that.
    pub cos_null_sd: Stats,
    /// Pearson's r.
    pub pearson: Stats,
    /// r·√(n−1) of each pair.
    pub z_perm: Stats,
}

impl Embeddings {
    /// Whether something that was asked for has no number: nothing could be compared, or nothing was defined.
    pub fn is_incomplete(&self) -> bool {
        self.chosen.nothing.is_some() || !self.chosen.left_out.is_empty() || self.matched.cos_sim.n == 0
    }
}

/// Compares the rows that were chosen. Rows that were not fetched leave nothing to compare, with the reason.
pub fn embeddings(cache: &Cache, opened: [&Opened; 2], failures: [&Failures; 2], mut chosen: Chosen) -> Embeddings {
    let loaded = match &chosen.nothing {
        Some(_) => None,
        None => load(cache, opened, failures, &chosen).map_err(|reason| chosen.nothing = Some(reason)).ok(),
    };
    let pairs: Vec<TokenPair> = loaded.as_ref().map_or_else(Vec::new, |[a, b]| {
        let others = derangement(chosen.drawn.len(), chosen.ask.seed);
        let pair = |at: usize| {
            let drawn: &Drawn = &chosen.drawn[at];
            let with = |row: u64| a.compare(drawn.rows[0], b, row);
            let same = (!chosen.ask.same_id && chosen.has_second(drawn.rows[0])).then_some(drawn.rows[0]);
            let other = others.get(at).map(|&other| chosen.drawn[other].rows[1]);
            TokenPair {
                drawn: drawn.clone(),
                matched: with(drawn.rows[1]),
                same_id: same.map(with),
                random: other.map(|row| (row, with(row))),
            }
        };
        parallel::numbers(chosen.drawn.len(), pair)
    });
    let same_id = || RowPairs::of(pairs.iter().filter_map(|pair| pair.same_id.as_ref()));
    Embeddings {
        models: opened.map(|opened| summary(opened, &chosen)),
        matched: RowPairs::of(pairs.iter().map(|pair| &pair.matched)),
        test: loaded.as_ref().ok_or(Undefined::TooFew).and_then(|[a, b]| mean_test(a, b, &pairs)),
        random: RowPairs::of(pairs.iter().filter_map(|pair| Some(&pair.random.as_ref()?.1))),
        same_id: (!chosen.ask.same_id).then(same_id),
        chosen,
        pairs,
    }
}

/// As of any model, and its tokenizer among the files that were read.
fn summary(opened: &Opened, chosen: &Chosen) -> ModelSummary {
    let mut summary = ModelSummary::of(opened);
    if let (Ok(model), Some(_)) = (&opened.outcome, &chosen.vocabularies) {
        summary.files.extend(model.repository.snapshot().file(TOKENIZER).cloned());
    }
    summary
}

impl RowPairs {
    /// The numbers that a pair of rows has.
    pub const METRICS: [Metric; 5] =
        [Metric::CosSim, Metric::CosNull, Metric::CosNullSd, Metric::Pearson, Metric::ZPerm];

    /// How each of them is spread.
    pub fn metrics(&self) -> [(Metric, &Stats); 5] {
        let stats = [&self.cos_sim, &self.cos_null, &self.cos_null_sd, &self.pearson, &self.z_perm];
        std::array::from_fn(|at| (Self::METRICS[at], stats[at]))
    }

    /// The mean of one of the five numbers over the pairs; `NotComparable` of any other metric.
    pub fn mean(&self, metric: Metric) -> Result<f64, Undefined> {
        let found = self.metrics().into_iter().find(|(of, _)| *of == metric);
        let none = || Undefined::NotComparable(format!("{metric} is not worked out for rows"));
        found.ok_or_else(none)?.1.get(|figures| figures.mean)
    }

    fn of<'a>(pairs: impl IntoIterator<Item = &'a RowPair>) -> Self {
        let pairs: Vec<&RowPair> = pairs.into_iter().collect();
        let of = |get: fn(&RowPair) -> &Result<f64, Undefined>| Stats::of(pairs.iter().map(|pair| get(pair)));
        Self {
            cosines: pairs.iter().map(|pair| pair.cos_sim.clone()).collect(),
            cos_sim: of(|pair| &pair.cos_sim),
            cos_null: of(|pair| &pair.cos_null),
            cos_null_sd: of(|pair| &pair.cos_null_sd),
            pearson: of(|pair| &pair.pearson),
            z_perm: of(|pair| &pair.z_perm),
        }
    }
}

fn load(
    cache: &Cache,
    opened: [&Opened; 2],
    failures: [&Failures; 2],
    chosen: &Chosen,
) -> Result<[RowReader; 2], String> {
    let [first, second] = chosen.wanted();
    let one = |side: usize, wanted: &RowSet| -> Result<RowReader, String> {
        let table = chosen.tables[side].as_ref().map_err(Clone::clone)?;
        let model: &Model = opened[side].outcome.as_ref().map_err(Error::chain)?;
        let tensor = &model.tensors[table.position];
        if let Some(error) = failures[side].get(&table.tensor) {
            return Err(format!("rows of {} were not fetched: {}", opened[side].label, error.chain()));
        }
        RowReader::open(cache, model, tensor, wanted).map_err(|error| error.chain())
    };
    Ok([one(0, &first)?, one(1, &second)?])
}

fn mean_test(a: &RowReader, b: &RowReader, pairs: &[TokenPair]) -> Result<LayerAverage, Undefined> {
    // Evenly spaced, so that all parts of the vocabulary have their share.
    let count = pairs.len().min(MOST_TESTED);
    let tested: Vec<&TokenPair> = (0..count).map(|at| &pairs[at * pairs.len() / count]).collect();
    let pearson: Vec<Result<f64, Undefined>> = tested.iter().map(|pair| pair.matched.pearson.clone()).collect();
    let within = |table: &RowReader, side: usize| {
        let rows: Vec<_> = tested.iter().map(|pair| table.as_f64(pair.drawn.rows[side])).collect();
        let rows: Vec<Result<&[f64], Undefined>> =
            rows.iter().map(|row| row.as_deref().map_err(Clone::clone)).collect();
        let width = rows.iter().find_map(|row| row.as_ref().ok().map(|row| row.len() as u64));
        (Correlations::of(&rows), width)
    };
    let ((within_a, width), (within_b, _)) = (within(a, 0), within(b, 1));
    LayerAverage::of(&pearson, width.unwrap_or(0), |i, j| within_a.get(i, j), |i, j| within_b.get(i, j))
}
