//! The pictures of one model and role.

use super::{Named, deviation, mean};
use crate::{
    metric::Metric,
    question::page::{WITHOUT_FIRST, later_cosines},
    report::{
        Datum,
        figure::{ColorScale, Heatmap, LinePanel, Lines, Panel, Picture, PictureKind, Series},
    },
};

/// Two layer × layer matrices with more rows than this stand below each other.
const MOST_BESIDE: usize = 16;

/// Mean ± standard deviation of the elements, by layer.
pub(crate) fn norms(named: &Named<'_>) -> Picture {
    let of = |get: fn(&crate::metric::Summary) -> f64| -> Vec<Datum> {
        let summaries = named.table.layers().map(|row| named.table.rows[row].summary.as_ref());
        summaries.map(|summary| Datum::from(summary.map(get).map_err(Clone::clone))).collect()
    };
    let elements = Series::new("mean ± sd", of(|summary| summary.mean)).with_spread(of(|summary| summary.sd));
    Picture {
        id: format!("norm_{}", named.stem),
        title: format!("{}: mean ± sd by layer", named.title()),
        subtitle: "Bars reach one standard deviation of the elements (ddof 0) to each side.".to_owned(),
        alt: format!("Mean and standard deviation of the elements of {} by layer", named.title()),
        kind: PictureKind::Lines(Lines {
            x_label: "layer".to_owned(),
            x: named.table.layers().map(|row| f64::from(named.table.number(row))).collect(),
            panels: vec![LinePanel { at_least: Some((0.0, 0.0)), ..LinePanel::new("elements", vec![elements]) }],
        }),
    }
}

/// Cosine above its null, and Pearson with what chance gives, over `pairs`; each stands at the layer of its side `at`.
pub(crate) fn pair_lines(
    named: &Named<'_>,
    pairs: &[(usize, usize)],
    [id, title, x_label]: [&str; 3],
    at: fn(&(usize, usize)) -> usize,
) -> Picture {
    let table = named.table;
    let values = |metric| pairs.iter().map(|&(a, b)| Datum::from(table.get(a, b, metric))).collect();
    let cosine = Series::new("cos_sim", values(Metric::CosSim)).with_null(values(Metric::CosNull));
    let pearson = LinePanel::new("pearson", vec![Series::new("pearson", values(Metric::Pearson))])
        .with_elements(pairs.iter().map(|&(a, b)| table.channels(a, b)));
    Picture {
        id: format!("{id}_{}", named.stem),
        title: format!("{}: {title}", named.title()),
        subtitle: "Where the cosine lies on its null, mean and spread alone explain it; r within the band is what chance gives."
            .to_owned(),
        alt: format!("Cosine, its permutation null and Pearson's r: {title}, {}", named.title()),
        kind: PictureKind::Lines(Lines {
            x_label: x_label.to_owned(),
            x: pairs.iter().map(|pair| f64::from(table.number(at(pair)))).collect(),
            panels: vec![LinePanel::new("cosine", vec![cosine]), pearson],
        }),
    }
}

/// Mean ± standard deviation over the pairs of each distance, and what is left of the mean without layer 0.
pub(crate) fn distances(named: &Named<'_>) -> Picture {
    let by_distance = named.table.by_distance();
    let first = |at: usize| named.table.number(at) == 0;
    let has_first = by_distance.values().flatten().any(|&(a, _)| first(a));
    let profile = |metric: Metric, keep: &dyn Fn(usize) -> bool| -> (Vec<Datum>, Vec<Datum>) {
        let statistics = by_distance.values().map(|pairs| {
            let kept: Vec<_> = pairs.iter().copied().filter(|&(a, _)| keep(a)).collect();
            named.table.stats(metric, &kept)
        });
        statistics.map(|of| (mean(&of), deviation(&of))).unzip()
    };
    let with_spread = |metric: Metric| {
        let (means, deviations) = profile(metric, &|_| true);
        Series::new(format!("{metric}, mean ± sd"), means).with_spread(deviations)
    };
    let later = |metric: Metric| {
        let means = profile(metric, &|at| !first(at)).0;
        has_first.then(|| Series::new(format!("{metric}, mean without layer 0"), means))
    };
    let cosine = with_spread(Metric::CosSim).with_null(profile(Metric::CosNull, &|_| true).0);
    // Of one pair: the pairs of a distance are not independent, so that no root of their number narrows it.
    let elements =
        by_distance.values().map(|pairs| pairs.iter().filter_map(|&(a, b)| named.table.channels(a, b)).min());
    Picture {
        id: format!("distance_{}", named.stem),
        title: format!("{}: by distance between layers", named.title()),
        subtitle: "Mean and standard deviation (ddof 0) over the pairs of one distance; the largest distances have few pairs. A \
                   deviation is no range: its bar may reach past 1. The band of chance is that of one pair."
            .to_owned(),
        alt: format!(
            "Cosine, its null and Pearson's r by distance between layers, {}",
            named.title()
        ),
        kind: PictureKind::Lines(Lines {
            x_label: "distance d between layers k and k + d".to_owned(),
            x: by_distance.keys().copied().map(f64::from).collect(),
            panels: vec![
                LinePanel::new("cosine", std::iter::once(cosine).chain(later(Metric::CosSim)).collect()),
                LinePanel::new(
                    "pearson",
                    std::iter::once(with_spread(Metric::Pearson)).chain(later(Metric::Pearson)).collect(),
                )
                .with_elements(elements),
            ],
        }),
    }
}

/// Layer × layer, one matrix a metric. `None` without metrics.
pub(crate) fn matrices(named: &Named<'_>, metrics: &[Metric]) -> Option<Picture> {
    let id = format!("layers_{}", named.stem);
    let title = format!("{}: layer × layer", named.title());
    let mut pictures: Vec<Picture> = metrics
        .iter()
        .map(|&metric| {
            let matrix = named.table.layer_matrix(metric);
            let first = named.table.baseline().first().map(|&(first, _)| first);
            let is_cosine = matches!(metric, Metric::CosSim | Metric::CosNull);
            let without_first = is_cosine.then(|| later_cosines(&[&matrix], [first; 2])).flatten();
            let scale = match metric {
                Metric::CosSim | Metric::CosNull => {
                    without_first.clone().unwrap_or_else(|| ColorScale::cosine(&matrix))
                }
                Metric::Pearson | Metric::Spearman => ColorScale::correlation(),
                Metric::ZPerm | Metric::MeanRatio => ColorScale::fit_signed(&matrix),
                _ => ColorScale::fit(&matrix),
            };
            let heatmap = Heatmap {
                row_title: "layer".to_owned(),
                column_title: "layer".to_owned(),
                diagonal: true,
                ..Heatmap::new(matrix, scale, metric.name())
            };
            Picture {
                id: format!("{id}_{metric}"),
                title: metric.name().to_owned(),
                subtitle: if without_first.is_some() { WITHOUT_FIRST.to_owned() } else { String::new() },
                alt: format!("{metric} of every pair of layers, {}", named.title()),
                kind: PictureKind::Heatmap(heatmap),
            }
        })
        .collect();
    if pictures.len() > 1 {
        let columns = if named.table.rows.len() > MOST_BESIDE { 1 } else { 2 };
        return Some(Picture {
            alt: format!("Heatmaps of every pair of layers, {}", named.title()),
            id,
            title,
            subtitle: String::new(),
            kind: PictureKind::Panel(Panel { columns, pictures }),
        });
    }
    let only = pictures.pop()?;
    Some(Picture { id, title: format!("{title}, {}", only.title), ..only })
}
