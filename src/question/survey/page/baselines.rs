//! The section on random baselines: what was drawn, beside the closed form and the value.

use super::{MOST_PAIRS, digits, names, rest};
use crate::{
    metric::{MeanSd, Metric, Undefined},
    question::survey::{Baseline, Baselines, Survey},
    report::{Block, Cell, Column, Datum, Digits, Section, Table},
};

/// The section; `None` if nothing was drawn.
pub(crate) fn section(survey: &Survey) -> Option<Section> {
    let baselines = survey.baselines.as_ref()?;
    let simulation = &baselines.simulation;
    let drawn = match simulation.normal {
        Some(normal) => format!("all from N({}, {}²)", normal.mean, normal.sd),
        None => {
            "each from a normal distribution with the mean and deviation of the tensor that it stands for".to_owned()
        }
    };
    Some(Section {
        id: "baselines".to_owned(),
        title: "Random baselines".to_owned(),
        blocks: vec![
            Block::prose(format!(
                "For each pair {} pairs of independent random vectors were drawn, {drawn} (seed {}). `null` is the closed form, \
                 which holds mean and spread of both sides fixed and permutes channels; a drawing lets them vary, so that its \
                 deviation is a little larger.",
                simulation.trials, simulation.seed
            )),
            table(survey, baselines),
        ],
    })
}

/// One line of the table: the value, its closed-form null, what was drawn, and the distance in drawn deviations.
pub(crate) struct Line {
    pub(crate) metric: Metric,
    pub(crate) value: Result<f64, Undefined>,
    pub(crate) null: Option<MeanSd>,
    pub(crate) drawn: Result<MeanSd, Undefined>,
    pub(crate) z: Result<f64, Undefined>,
}

/// The lines of one pair.
pub(crate) fn lines(survey: &Survey, baseline: &Baseline) -> Vec<Line> {
    let panel = &survey.panels[baseline.panel];
    let metrics = panel.metrics(baseline.models.0, baseline.models.1);
    let line = |(metric, drawn): &(Metric, Result<MeanSd, Undefined>)| {
        let value = metrics.get(*metric).clone();
        let z = value.clone().and_then(|value| {
            let drawn = drawn.clone()?;
            if drawn.sd > 0.0 { Ok((value - drawn.mean) / drawn.sd) } else { Err(Undefined::Constant) }
        });
        let null = match metric {
            Metric::CosSim => metrics
                .get(Metric::CosNull)
                .as_ref()
                .ok()
                .copied()
                .zip(metrics.get(Metric::CosNullSd).as_ref().ok().copied()),
            Metric::Pearson => {
                let n = panel.channels(baseline.models.0, baseline.models.1).filter(|n| *n > 1);
                n.map(|n| (0.0, 1.0 / ((n - 1) as f64).sqrt()))
            }
            _ => None,
        };
        Line { metric: *metric, value, null: null.map(|(mean, sd)| MeanSd { mean, sd }), drawn: drawn.clone(), z }
    };
    baseline.figures.iter().map(line).collect()
}

fn table(survey: &Survey, baselines: &Baselines) -> Block {
    let total = baselines.pairs.iter().map(|pair| pair.figures.len()).sum();
    let rows = baselines.pairs.iter().flat_map(|pair| {
        lines(survey, pair).into_iter().map(|line| {
            let digits = digits(line.metric);
            let null = |value: fn(MeanSd) -> f64| match line.null {
                Some(null) => Cell::number(value(null), digits),
                None => Cell::undefined("no closed form"),
            };
            let drawn = |value: fn(MeanSd) -> f64| Cell::number(Datum::from(line.drawn.clone().map(value)), digits);
            let mut row = names(survey, pair.models);
            row.extend([
                Cell::text(survey.panels[pair.panel].key.title()),
                Cell::code(line.metric.name()),
                Cell::number(Datum::from(&line.value), digits),
                null(|null| null.mean),
                null(|null| null.sd),
                drawn(|drawn| drawn.mean),
                drawn(|drawn| drawn.sd),
                Cell::number(Datum::from(&line.z), Digits::Fixed(2)),
            ]);
            row
        })
    });
    let text = ["model a", "model b", "where", "metric"].map(Column::text);
    let numbers = ["value", "null", "null sd", "drawn mean", "drawn sd", "z drawn"].map(Column::numeric);
    Block::Table(Table {
        caption: format!("Values beside their baselines.{}", rest(total, "baselines.csv")),
        csv: None,
        columns: text.into_iter().chain(numbers).collect(),
        rows: rows.take(MOST_PAIRS).collect(),
    })
}
