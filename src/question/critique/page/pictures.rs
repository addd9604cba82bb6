//! Pictures of the study. Bars start at zero, every cosine stands beside its null, and no colour hides a value.

use super::{Writer, group_pair};
use crate::{
    metric::{MeanSd, Metric, Undefined},
    question::critique::{Pair, RoleAnswer},
    report::{
        Datum,
        figure::{Bar, BarSeries, Bars, ColorScale, Heatmap, LinePanel, Lines, Panel, Picture, PictureKind, Series},
    },
    table::{GroupFigures, Matrix},
};

fn picture(role: &RoleAnswer, id: &str, title: &str, subtitle: &str, kind: PictureKind) -> Picture {
    Picture {
        id: format!("{id}_{}", role.role),
        title: format!("{title}, {}", role.role),
        subtitle: subtitle.to_owned(),
        alt: format!("{title}. {subtitle}"),
        kind,
    }
}

fn bars(y_label: &str, groups: Vec<String>, series: Vec<BarSeries>) -> Bars {
    Bars { y_label: y_label.to_owned(), groups, series, references: Vec::new() }
}

/// `Solar 10 × GLM 10`.
pub(crate) fn pair_name(writer: &Writer<'_>, role: &RoleAnswer, (a, b): Pair) -> String {
    let (model_a, model_b) = (role.table.rows[a].model, role.table.rows[b].model);
    let (label_a, label_b) = (writer.label(model_a), writer.label(model_b));
    let (layer_a, layer_b) = (role.table.number(a), role.table.number(b));
    if model_a == model_b {
        format!("{label_a} {layer_a}–{layer_b}")
    } else if layer_a == layer_b {
        format!("{label_a} × {label_b}, {layer_a}")
    } else {
        format!("{label_a} {layer_a} × {label_b} {layer_b}")
    }
}

/// Cosine and null of layers of each model, one group of bars a pair of layers.
fn within(writer: &Writer<'_>, role: &RoleAnswer, within: &[Vec<Pair>]) -> Bars {
    let groups = within.first().map_or_else(Vec::new, |first| {
        let name = |&(a, b): &Pair| format!("{}–{}", role.table.number(a), role.table.number(b));
        first.iter().map(name).collect()
    });
    let series = within.iter().enumerate().flat_map(|(model, pairs)| {
        [Metric::CosSim, Metric::CosNull].map(|metric| BarSeries {
            label: format!("{} {}", writer.label(model), metric.name()),
            bars: pairs.iter().map(|&(a, b)| Bar::new(role.table.get(a, b, metric))).collect(),
        })
    });
    bars("cosine", groups, series.collect())
}

/// Experiment 1.
pub(crate) fn base(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let kind = PictureKind::Bars(within(writer, role, &role.lists.base));
    let title = format!("Experiment 1: layer {} against later layers", writer.critique.study.plan.base);
    picture(role, "exp1_base", &title, "Cosine and its permutation null, within each model.", kind)
}

/// Experiment 2.
pub(crate) fn apart(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let kind = PictureKind::Bars(within(writer, role, &role.lists.apart));
    let subtitle = "Cosine and its permutation null, within each model.";
    picture(role, "exp2_apart", "Experiment 2: two layers of one model", subtitle, kind)
}

/// A model × model heatmap.
fn heatmap(writer: &Writer<'_>, role: &RoleAnswer, models: &[usize], metric: Metric) -> Picture {
    let labels: Vec<String> = models.iter().map(|&model| writer.label(model).to_owned()).collect();
    let row_of = |model: usize| role.lists.all_models.rows[models[model]];
    let matrix =
        Matrix::from_fn(labels.clone(), labels, |row, column| role.table.get(row_of(row), row_of(column), metric));
    let scale = match metric {
        Metric::Pearson => ColorScale::correlation(),
        _ => ColorScale::cosine(&matrix),
    };
    Picture {
        id: metric.name().to_owned(),
        title: metric.name().to_owned(),
        subtitle: String::new(),
        alt: format!("{} of every pair of models", metric.name()),
        kind: PictureKind::Heatmap(Heatmap::new(matrix, scale, metric.name())),
    }
}

fn side_by_side(writer: &Writer<'_>, role: &RoleAnswer, models: &[usize]) -> PictureKind {
    let pictures = [Metric::CosSim, Metric::Pearson].map(|metric| heatmap(writer, role, models, metric));
    PictureKind::Panel(Panel {
        // Wide matrices stand below each other, or they could not be read on a page.
        columns: if models.len() > 16 { 1 } else { 2 },
        pictures: pictures.to_vec(),
    })
}

/// Experiment 3.
pub(crate) fn across(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let kind = side_by_side(writer, role, &writer.critique.study.first_group());
    let layer = role.lists.across.layer;
    let title = format!("Experiment 3: {} models at layer {layer}", writer.first_group());
    picture(role, "exp3_across", &title, "Model × model, cosine and Pearson's r.", kind)
}

/// Experiment 5: all models.
pub(crate) fn square(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let all: Vec<usize> = (0..writer.labels.len()).collect();
    let kind = side_by_side(writer, role, &all);
    let title = format!("Experiment 5: all models at layer {}", role.lists.all_models.layer);
    picture(role, "exp5_models", &title, "Model × model, cosine and Pearson's r.", kind)
}

fn mean_bar(of: &Result<MeanSd, Undefined>) -> Bar {
    match of {
        Ok(of) => Bar::with_error(of.mean, of.sd),
        Err(reason) => Bar::new(Datum::undefined(reason.to_string())),
    }
}

fn depth_bars(role: &RoleAnswer) -> Bars {
    let depths = &role.lists.depths;
    let groups = depths.iter().map(|depth| format!("layer {}", depth.layer)).collect();
    let series = [Metric::CosSim, Metric::CosNull].map(|metric| BarSeries {
        label: format!("mean {}", metric.name()),
        bars: depths.iter().map(|depth| mean_bar(&role.mean_sd(metric, &depth.pairs))).collect(),
    });
    bars("mean cosine ± sd", groups, series.to_vec())
}

/// Experiment 4: means by layer.
pub(crate) fn depth_means(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let title = format!("Experiment 4: {} models by layer", writer.first_group());
    let subtitle =
        "Mean over pairs of the cosine and of its permutation null; bars of one standard deviation (ddof 0).";
    picture(role, "exp4_means", &title, subtitle, PictureKind::Bars(depth_bars(role)))
}

/// Experiment 4: each pair by layer.
pub(crate) fn depth_pairs(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let depths = &role.lists.depths;
    let pairs = depths.first().map_or(0, |depth| depth.pairs.len());
    let panel = |metric: Metric| LinePanel {
        y_label: metric.name().to_owned(),
        series: (0..pairs).filter_map(|pair| line(writer, role, pair, metric)).collect(),
        references: Vec::new(),
        at_least: None,
    };
    let kind = PictureKind::Lines(Lines {
        x_label: "layer".to_owned(),
        x: depths.iter().map(|depth| f64::from(depth.layer.0)).collect(),
        panels: [Metric::CosSim, Metric::CosNull, Metric::Pearson].map(panel).to_vec(),
    });
    let title = format!("Experiment 4: pairs of {} models by layer", writer.first_group());
    picture(role, "exp4_pairs", &title, "Cosine, its permutation null, and Pearson's r.", kind)
}

fn line(writer: &Writer<'_>, role: &RoleAnswer, pair: usize, metric: Metric) -> Option<Series> {
    let &(a, b) = role.lists.depths.first()?.pairs.get(pair)?;
    let [a, b] = [a, b].map(|row| writer.label(role.table.rows[row].model));
    let label = format!("{a} × {b}");
    let values = role.lists.depths.iter().map(|depth| match depth.pairs.get(pair) {
        Some(&(a, b)) => Datum::from(role.table.get(a, b, metric)),
        None => Datum::undefined("TooFew"),
    });
    Some(Series::new(label, values.collect()))
}

fn group_bars(role: &RoleAnswer) -> Bars {
    let of = |metric: Metric| role.groups.iter().filter(move |group| group.metric == metric);
    let groups = of(Metric::CosSim).map(group_pair).collect();
    let series = |label: &str, metric: Metric, mean: fn(&GroupFigures) -> &Result<MeanSd, Undefined>| BarSeries {
        label: label.to_owned(),
        bars: of(metric).map(|group| mean_bar(mean(group))).collect(),
    };
    let series = vec![
        series("cos_sim, all pairs", Metric::CosSim, |group| &group.all),
        series("cos_sim, without related", Metric::CosSim, |group| &group.unrelated),
        series("cos_null, all pairs", Metric::CosNull, |group| &group.all),
    ];
    bars("mean cosine ± sd", groups, series)
}

/// Experiment 5: group means.
pub(crate) fn groups(_: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let title = format!("Experiment 5: groups at layer {}", role.lists.all_models.layer);
    let subtitle = "Mean over pairs; bars of one standard deviation (ddof 0).";
    picture(role, "exp5_groups", &title, subtitle, PictureKind::Bars(group_bars(role)))
}

/// Experiment 6.
pub(crate) fn chance(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let chance = &role.chance;
    let names: Vec<String> = chance.pairs.iter().map(|&(pair, _)| pair_name(writer, role, pair)).collect();
    let pictures = chance.study.iter().enumerate().map(|(index, study)| {
        let observed = chance.pairs.iter().map(|&((a, b), _)| Bar::new(role.table.get(a, b, study.metric))).collect();
        let random = chance.pairs.iter().filter_map(|(_, lines)| Some(mean_bar(&lines.get(index)?.drawn)));
        // A bar a pair and not a line across all: a line would cross the numbers at the bars' ends.
        let own = chance.pairs.iter().map(|_| mean_bar(&study.drawn));
        let vectors = writer.critique.study.random;
        let series = |label: String, bars: Vec<Bar>| BarSeries { label, bars };
        let series = vec![
            series("observed".to_owned(), observed),
            series("random, own mean and sd".to_owned(), random.collect()),
            series(format!("random N({}, {}²)", vectors.mean, vectors.sd), own.collect()),
        ];
        let bars = bars(study.metric.name(), names.clone(), series);
        Picture {
            id: study.metric.name().to_owned(),
            title: study.metric.name().to_owned(),
            subtitle: String::new(),
            alt: format!("{} beside random vectors", study.metric.name()),
            kind: PictureKind::Bars(bars),
        }
    });
    let kind = PictureKind::Panel(Panel { columns: 1, pictures: pictures.collect() });
    let subtitle = "Observed, and the mean ± sd of random vectors with the mean and spread of each side.";
    picture(role, "exp6_chance", "Experiment 6: beside random vectors", subtitle, kind)
}

/// The first two models at every layer that was read.
pub(crate) fn by_layer(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let pairs = &role.lists.by_layer;
    let series = |metric: Metric| {
        let values = pairs.iter().map(|&(a, b)| Datum::from(role.table.get(a, b, metric)));
        Series::new(metric.name(), values.collect())
    };
    let panel = |metric: Metric| LinePanel {
        y_label: metric.name().to_owned(),
        series: vec![series(metric)],
        references: Vec::new(),
        at_least: None,
    };
    let kind = PictureKind::Lines(Lines {
        x_label: "layer".to_owned(),
        x: pairs.iter().map(|pair| f64::from(role.table.number(pair.0))).collect(),
        panels: vec![
            // Apart, because the two lines often are one.
            panel(Metric::CosSim),
            panel(Metric::CosNull),
            panel(Metric::Pearson),
        ],
    });
    let title = format!("{} × {} by layer", writer.label(0), writer.label(1));
    let subtitle = "Cosine, its permutation null, and Pearson's r at every layer that was read of both.";
    picture(role, "by_layer", &title, subtitle, kind)
}

/// Four panels: experiments 1, 2, 4 and 5.
pub(crate) fn summary(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let part = |id: &str, title: String, bars: Bars| Picture {
        id: id.to_owned(),
        alt: title.clone(),
        title,
        subtitle: String::new(),
        kind: PictureKind::Bars(bars),
    };
    let plan = &writer.critique.study.plan;
    let pictures = vec![
        part("one", format!("1: layer {} against later", plan.base), within(writer, role, &role.lists.base)),
        part("two", "2: two layers of one model".to_owned(), within(writer, role, &role.lists.apart)),
        part("four", format!("4: {} models by layer", writer.first_group()), depth_bars(role)),
        part("five", format!("5: groups at layer {}", plan.across), group_bars(role)),
    ];
    let kind = PictureKind::Panel(Panel { columns: 2, pictures });
    let subtitle = "Every cosine beside its permutation null; error bars of one standard deviation (ddof 0).";
    picture(role, "summary", "The study in four panels", subtitle, kind)
}
