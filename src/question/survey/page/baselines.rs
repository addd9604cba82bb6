//! The section on random baselines: what was drawn, beside the closed form and the value.

use super::{MOST_PAIRS, digits, layers, models, names, rest};
use crate::{
    metric::{MeanSd, Metric, Undefined},
    question::survey::{Baseline, Baselines, Survey},
    report::{Block, Cell, Column, Digits, Frame, Section},
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
    let prose = format!(
        "For each pair {} pairs of independent random vectors were drawn, {drawn} (seed {}). `null` is the closed form, \
         which holds mean and spread of both sides fixed and permutes channels; a drawing lets them vary, so that its \
         deviation is a little larger.",
        simulation.trials, simulation.seed
    );
    Some(Section::new("baselines", "Random baselines", vec![Block::prose(prose), table(survey, baselines)]))
}

/// One line of the table: the value, its closed-form null, what was drawn, and the distance in drawn deviations.
struct Line {
    metric: Metric,
    value: Result<f64, Undefined>,
    null: Option<MeanSd>,
    drawn: Result<MeanSd, Undefined>,
    z: Result<f64, Undefined>,
}

/// The lines of one pair.
fn lines(survey: &Survey, baseline: &Baseline) -> Vec<Line> {
    let table = &survey.tables[baseline.table];
    let metrics = table.metrics(baseline.models.0, baseline.models.1);
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
                let n = table.channels(baseline.models.0, baseline.models.1).filter(|n| *n > 1);
                n.map(|n| (0.0, 1.0 / ((n - 1) as f64).sqrt()))
            }
            _ => None,
        };
        Line { metric: *metric, value, null: null.map(|(mean, sd)| MeanSd { mean, sd }), drawn: drawn.clone(), z }
    };
    baseline.figures.iter().map(line).collect()
}

/// `baselines.csv`; pages show labels and say where.
pub(crate) fn frame<'a>(survey: &'a Survey, baselines: &'a Baselines) -> Frame<'a> {
    let columns = "model_a,commit_a,model_b,commit_b,role,layer_a,layer_b,metric,value,null,null_sd,trials,seed,\
                   drawn_mean,drawn_sd,z_drawn";
    let row = move |pair: &Baseline, line: Line| {
        let table = &survey.tables[pair.table];
        let digits = digits(line.metric);
        let null = |value: fn(MeanSd) -> f64| match line.null {
            Some(null) => Cell::number(value(null), digits),
            None => Cell::undefined("no closed form"),
        };
        let drawn = |value: fn(MeanSd) -> f64| Cell::number(line.drawn.clone().map(value), digits);
        let mut row = models(survey, pair.models).to_vec();
        row.push(Cell::text(table.key.role_name()));
        row.extend(layers(table, pair.models));
        row.extend([
            Cell::code(line.metric.name()),
            Cell::number(&line.value, digits),
            null(|null| null.mean),
            null(|null| null.sd),
            Cell::integer(Some(baselines.simulation.trials.into())),
            Cell::integer(Some(baselines.simulation.seed)),
            drawn(|drawn| drawn.mean),
            drawn(|drawn| drawn.sd),
            Cell::number(&line.z, Digits::Fixed(2)),
        ]);
        row.extend(names(survey, pair.models));
        row.push(Cell::text(table.key.title()));
        row
    };
    let rows =
        baselines.pairs.iter().flat_map(move |pair| lines(survey, pair).into_iter().map(move |line| row(pair, line)));
    Frame::new("baselines.csv", columns.split(','), rows).with_page_columns(&["label_a", "label_b", "where"])
}

fn table(survey: &Survey, baselines: &Baselines) -> Block {
    let total = baselines.pairs.iter().map(|pair| pair.figures.len()).sum();
    let columns = [
        ("label_a", Column::text("model a")),
        ("label_b", Column::text("model b")),
        ("where", Column::text("where")),
        ("metric", Column::text("metric")),
        ("value", Column::numeric("value")),
        ("null", Column::numeric("null")),
        ("null_sd", Column::numeric("null sd")),
        ("drawn_mean", Column::numeric("drawn mean")),
        ("drawn_sd", Column::numeric("drawn sd")),
        ("z_drawn", Column::numeric("z drawn")),
    ];
    let caption = format!("Values beside their baselines.{}", rest(total, "baselines.csv"));
    Block::Table(frame(survey, baselines).page(caption, columns, MOST_PAIRS))
}
