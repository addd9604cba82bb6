//! Pictures of the study. Every cosine is measured from its null or lies above it, and no colour hides a value.

use super::{Writer, group_pair};
use crate::{
    metric::{MeanSd, Metric, Undefined},
    question::critique::{Pair, RoleAnswer},
    report::{
        Datum,
        figure::{Bar, BarSeries, Bars, ColorScale, Heatmap, LinePanel, Lines, Panel, Picture, PictureKind, Series},
    },
    table::Matrix,
};

const WITHIN: &str =
    "How far each cosine lies from its permutation null, within each model. Bars: two standard deviations of the null.";
const MEANS: &str =
    "Mean over pairs of how far the cosine lies from its permutation null; bars of one standard deviation (ddof 0).";

fn picture(role: &RoleAnswer, id: &str, title: &str, subtitle: &str, kind: PictureKind) -> Picture {
    Picture {
        id: format!("{id}_{}", role.role),
        title: format!("{title}, {}", role.role),
        subtitle: subtitle.to_owned(),
        alt: format!("{title}. {subtitle}"),
        kind,
    }
}

/// A picture within another.
fn part(id: &str, title: &str, alt: String, kind: PictureKind) -> Picture {
    Picture { id: id.to_owned(), title: title.to_owned(), subtitle: String::new(), alt, kind }
}

/// Dots of how far cosines lie from their null: bars of both would be equally long.
fn dots(groups: Vec<String>, series: Vec<BarSeries>) -> Bars {
    Bars { are_dots: true, ..Bars::new("cos_sim − cos_null", groups, series) }
}

/// How far the cosine of a pair lies from its null, with two standard deviations of that.
fn excess(role: &RoleAnswer, &(a, b): &Pair) -> Bar {
    let of = |metric| role.table.get(a, b, metric);
    let excess = of(Metric::CosSim).and_then(|cosine| Ok((cosine - of(Metric::CosNull)?, of(Metric::CosNullSd)?)));
    match excess {
        Ok((excess, sd)) => Bar::with_error(excess, 2.0 * sd),
        Err(reason) => Bar::new(Datum::undefined(reason.to_string())),
    }
}

/// Mean and standard deviation over `pairs` of how far each cosine lies from its null.
fn mean_excess<'p>(role: &RoleAnswer, pairs: impl Iterator<Item = &'p Pair>) -> Bar {
    let excess: Vec<f64> = pairs.filter_map(|pair| excess(role, pair).value.value()).collect();
    match MeanSd::of(&excess) {
        Some(of) => Bar::with_error(of.mean, of.sd),
        None => Bar::new(Datum::undefined("no pair has a cosine and its null")),
    }
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

/// Layers of each model, one group of dots a pair of layers.
fn within(writer: &Writer<'_>, role: &RoleAnswer, within: &[Vec<Pair>]) -> Bars {
    let groups = within.first().map_or_else(Vec::new, |first| {
        let name = |&(a, b): &Pair| format!("{}–{}", role.table.number(a), role.table.number(b));
        first.iter().map(name).collect()
    });
    let series = within.iter().enumerate().map(|(model, pairs)| BarSeries {
        label: writer.label(model).to_owned(),
        bars: pairs.iter().map(|pair| excess(role, pair)).collect(),
    });
    dots(groups, series.collect())
}

/// Experiment 1.
pub(crate) fn base(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let kind = PictureKind::Bars(within(writer, role, &role.lists.base));
    let title = format!("Experiment 1: layer {} against later layers", writer.critique.study.plan.base);
    picture(role, "exp1_base", &title, WITHIN, kind)
}

/// Experiment 2.
pub(crate) fn apart(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let kind = PictureKind::Bars(within(writer, role, &role.lists.apart));
    picture(role, "exp2_apart", "Experiment 2: two layers of one model", WITHIN, kind)
}

/// A model × model heatmap.
fn heatmap(writer: &Writer<'_>, role: &RoleAnswer, models: &[usize], metric: Metric) -> Picture {
    let labels: Vec<String> = models.iter().map(|&model| writer.label(model).to_owned()).collect();
    let groups = models.iter().map(|&model| writer.critique.study.members[model].group.clone()).collect();
    let row_of = |model: usize| role.lists.all_models.rows[models[model]];
    let matrix =
        Matrix::from_fn(labels.clone(), labels, |row, column| role.table.get(row_of(row), row_of(column), metric));
    let scale = match metric {
        Metric::Pearson => ColorScale::correlation(),
        _ => ColorScale::cosine(&matrix),
    };
    let kind = PictureKind::Heatmap(Heatmap { groups, ..Heatmap::new(matrix, scale, metric.name()) });
    part(metric.name(), metric.name(), format!("{metric} of every pair of models"), kind)
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

fn depth_dots(role: &RoleAnswer) -> Bars {
    let depths = &role.lists.depths;
    let groups = depths.iter().map(|depth| format!("layer {}", depth.layer)).collect();
    let bars = depths.iter().map(|depth| mean_excess(role, depth.pairs.iter()));
    dots(groups, vec![BarSeries { label: "mean ± sd".to_owned(), bars: bars.collect() }])
}

/// Experiment 4: means by layer.
pub(crate) fn depth_means(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let title = format!("Experiment 4: {} models by layer", writer.first_group());
    picture(role, "exp4_means", &title, MEANS, PictureKind::Bars(depth_dots(role)))
}

/// Experiment 4: each pair by layer.
pub(crate) fn depth_pairs(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let depths = &role.lists.depths;
    let pairs = depths.first().map_or(0, |depth| depth.pairs.len());
    let lines = |metric: Metric| (0..pairs).filter_map(|pair| line(writer, role, pair, metric)).collect();
    let kind = PictureKind::Lines(Lines {
        x_label: "layer".to_owned(),
        x: depths.iter().map(|depth| f64::from(depth.layer.0)).collect(),
        panels: vec![
            LinePanel::new("cos_sim", lines(Metric::CosSim)),
            LinePanel::new("pearson", lines(Metric::Pearson))
                .with_elements(depths.iter().map(|depth| elements(role, &depth.pairs))),
        ],
    });
    let title = format!("Experiment 4: pairs of {} models by layer", writer.first_group());
    picture(role, "exp4_pairs", &title, "Cosine, its permutation null, and Pearson's r.", kind)
}

/// The fewest elements that tensors of these pairs have.
fn elements(role: &RoleAnswer, pairs: &[Pair]) -> Option<u64> {
    pairs.iter().filter_map(|&(a, b)| role.table.channels(a, b)).min()
}

/// A pair by layer; a cosine above its null.
fn line(writer: &Writer<'_>, role: &RoleAnswer, pair: usize, metric: Metric) -> Option<Series> {
    let &(a, b) = role.lists.depths.first()?.pairs.get(pair)?;
    let [a, b] = [a, b].map(|row| writer.label(role.table.rows[row].model));
    let label = format!("{a} × {b}");
    let value = |pairs: &[Pair], metric| match pairs.get(pair) {
        Some(&(a, b)) => Datum::from(role.table.get(a, b, metric)),
        None => Datum::undefined("TooFew"),
    };
    let values = |metric| role.lists.depths.iter().map(|depth| value(&depth.pairs, metric)).collect();
    let line = Series::new(label, values(metric));
    Some(if metric == Metric::CosSim { line.with_null(values(Metric::CosNull)) } else { line })
}

fn group_dots(role: &RoleAnswer) -> Bars {
    let is_related = role.is_related();
    let of_cosine = || role.groups.iter().filter(|group| group.metric == Metric::CosSim);
    let series = |label: &str, keep: &dyn Fn(&Pair) -> bool| BarSeries {
        label: label.to_owned(),
        bars: of_cosine().map(|group| mean_excess(role, group.groups.pairs.iter().filter(|pair| keep(pair)))).collect(),
    };
    let series = vec![series("all pairs", &|_| true), series("without related", &|pair| !is_related(*pair))];
    dots(of_cosine().map(group_pair).collect(), series)
}

/// Experiment 5: group means.
pub(crate) fn groups(_: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let title = format!("Experiment 5: groups at layer {}", role.lists.all_models.layer);
    picture(role, "exp5_groups", &title, MEANS, PictureKind::Bars(group_dots(role)))
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
        let name = study.metric.name();
        let kind = PictureKind::Bars(Bars::new(name, names.clone(), series));
        part(name, name, format!("{name} beside random vectors"), kind)
    });
    let kind = PictureKind::Panel(Panel { columns: 1, pictures: pictures.collect() });
    let subtitle = "Observed, and the mean ± sd of random vectors with the mean and spread of each side.";
    picture(role, "exp6_chance", "Experiment 6: beside random vectors", subtitle, kind)
}

/// The first two models at every layer that was read.
pub(crate) fn by_layer(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let pairs = &role.lists.by_layer;
    let values = |metric| pairs.iter().map(|&(a, b)| Datum::from(role.table.get(a, b, metric))).collect();
    let cosine = Series::new("cos_sim", values(Metric::CosSim)).with_null(values(Metric::CosNull));
    let pearson = Series::new("pearson", values(Metric::Pearson));
    let kind = PictureKind::Lines(Lines {
        x_label: "layer".to_owned(),
        x: pairs.iter().map(|pair| f64::from(role.table.number(pair.0))).collect(),
        panels: vec![
            LinePanel::new("cosine", vec![cosine]),
            LinePanel::new("pearson", vec![pearson])
                .with_elements(pairs.iter().map(|&(a, b)| role.table.channels(a, b))),
        ],
    });
    let title = format!("{} × {} by layer", writer.label(0), writer.label(1));
    let subtitle = "Cosine, its permutation null, and Pearson's r at every layer that was read of both.";
    picture(role, "by_layer", &title, subtitle, kind)
}

/// Four panels: experiments 1, 2, 4 and 5.
pub(crate) fn summary(writer: &Writer<'_>, role: &RoleAnswer) -> Picture {
    let part = |id: &str, title: String, bars: Bars| part(id, &title, title.clone(), PictureKind::Bars(bars));
    let plan = &writer.critique.study.plan;
    let pictures = vec![
        part("one", format!("1: layer {} against later", plan.base), within(writer, role, &role.lists.base)),
        part("two", "2: two layers of one model".to_owned(), within(writer, role, &role.lists.apart)),
        part("four", format!("4: {} models by layer", writer.first_group()), depth_dots(role)),
        part("five", format!("5: groups at layer {}", plan.across), group_dots(role)),
    ];
    let kind = PictureKind::Panel(Panel { columns: 2, pictures });
    let subtitle = "How far cosines lie from their permutation null. Bars of 1 and 2: two standard deviations of the null; of 4 and 5: \
                    one over pairs (ddof 0).";
    picture(role, "summary", "The study in four panels", subtitle, kind)
}
