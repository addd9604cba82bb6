//! The pictures of a comparison: by layer and role, cosine against relative error, and how many pairs have which cosine.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    family::LayerIndex,
    metric::{MeanSd, Metric},
    question::compare::{ComparedPair, Comparison, Group, GroupFigures},
    report::{
        Datum,
        figure::{Histogram, LinePanel, Lines, Picture, PictureKind, Point, Reference, Scatter, Series},
    },
};

/// Lines of a picture that can still be told apart; more roles make more pictures.
const MOST_LINES: usize = 8;

/// Bins of the histograms.
const BINS: usize = 50;

/// All pictures; fewer where there is nothing to draw.
pub(crate) fn pictures(comparison: &Comparison, groups: &[GroupFigures]) -> Vec<Picture> {
    let mut pictures = Vec::new();
    for (id, title, vectors) in [("layers_matrices", "matrices", false), ("layers_norms", "norms and biases", true)] {
        let is_of = |figures: &&GroupFigures| match &figures.group {
            Group::Role(role) => {
                comparison.pairs.iter().any(|pair| pair.role_name() == *role && pair.is_norm_or_bias() == vectors)
            }
            Group::NormsAndBiases | Group::Embeddings | Group::Rest => false,
        };
        let mut roles: Vec<&GroupFigures> = groups.iter().filter(is_of).collect();
        if roles.is_empty() {
            let whole = if vectors { Group::NormsAndBiases } else { Group::Rest };
            roles.extend(groups.iter().filter(|figures| figures.group == whole));
        }
        roles.retain(|figures| figures.layers.len() > 1);
        let parts = roles.len().div_ceil(MOST_LINES);
        for (part, roles) in roles.chunks(MOST_LINES).enumerate() {
            let (id, title) = match (part, parts) {
                (0, 1) => (id.to_owned(), title.to_owned()),
                (0, parts) => (id.to_owned(), format!("{title}, 1 of {parts}")),
                (part, parts) => (format!("{id}_{}", part + 1), format!("{title}, {} of {parts}", part + 1)),
            };
            pictures.extend(by_layer(comparison, &id, &title, roles));
        }
    }
    let compared: Vec<&ComparedPair> = comparison.pairs.iter().filter(|pair| pair.is_evidence()).collect();
    pictures.extend(scatter(&compared));
    for (id, title, vectors) in [("cosines_matrices", "matrices", false), ("cosines_norms", "norms and biases", true)] {
        let of = |metric: Metric| -> Vec<f64> {
            let alike = compared.iter().filter(|pair| pair.is_norm_or_bias() == vectors);
            alike.filter_map(|pair| value(pair, metric)).collect()
        };
        pictures.extend(histogram(id, title, &of(Metric::CosSim), &of(Metric::CosNull)));
    }
    pictures
}

fn value(pair: &ComparedPair, metric: Metric) -> Option<f64> {
    pair.metrics.get(metric).as_ref().ok().copied()
}

fn by_layer(comparison: &Comparison, id: &str, title: &str, roles: &[&GroupFigures]) -> Option<Picture> {
    let layers: BTreeSet<LayerIndex> = roles.iter().flat_map(|figures| figures.layers.keys().copied()).collect();
    let mut elements: BTreeMap<LayerIndex, u64> = BTreeMap::new();
    for pair in comparison.pairs.iter().filter(|pair| pair.is_evidence()) {
        let Some(layer) = pair.a.layer.filter(|_| roles.iter().any(|figures| figures.group.holds(pair))) else {
            continue;
        };
        let size: u64 = pair.a.shape.iter().product();
        elements.entry(layer).and_modify(|least| *least = size.min(*least)).or_insert(size);
    }
    let means = |figures: &GroupFigures, metric: Metric| -> Vec<Datum> {
        let mean =
            |layer| figures.layers.get(layer)?.iter().find(|(known, _)| *known == metric).map(|found| found.1.mean);
        let datum = |layer| mean(layer).map_or_else(|| Datum::undefined("no pair has a value"), Datum::new);
        layers.iter().map(datum).collect()
    };
    let cosine = |figures: &&GroupFigures| {
        let null = means(figures, Metric::CosNull);
        Series::new(figures.group.name(), means(figures, Metric::CosSim)).with_null(null)
    };
    let pearson = |figures: &&GroupFigures| Series::new(figures.group.name(), means(figures, Metric::Pearson));
    (!roles.is_empty()).then(|| Picture {
        id: id.to_owned(),
        title: format!("By layer: {title}"),
        subtitle: "Mean over the pairs of one role and layer; the null is what unrelated models would give. \
                   Below, r is free of mean and spread; the band is that of the smallest tensors drawn."
            .to_owned(),
        alt: format!("Cosine, its null and Pearson's r by layer and role, {title}"),
        kind: PictureKind::Lines(Lines {
            x_label: "layer".to_owned(),
            x: layers.iter().map(|layer| f64::from(layer.0)).collect(),
            panels: vec![
                LinePanel::new("cos_sim", roles.iter().map(cosine).collect()),
                LinePanel::new("pearson", roles.iter().map(pearson).collect())
                    .with_elements(layers.iter().map(|layer| elements.get(layer).copied())),
            ],
        }),
    })
}

fn scatter(pairs: &[&ComparedPair]) -> Option<Picture> {
    let has_matrices = pairs.iter().any(|pair| !pair.is_norm_or_bias());
    let groups = ["matrices", "norms and biases"].into_iter().skip(usize::from(!has_matrices));
    let points: Vec<Point> = pairs
        .iter()
        .filter_map(|pair| {
            Some(Point {
                label: pair.a.tensor.clone(),
                group: usize::from(has_matrices && pair.is_norm_or_bias()),
                x: value(pair, Metric::CosSim)?,
                y: value(pair, Metric::RelL2Err)?,
            })
        })
        .collect();
    (!points.is_empty()).then(|| Picture {
        id: "cosine_error".to_owned(),
        title: "Cosine against relative error".to_owned(),
        subtitle:
            "One point a pair. A cosine near 1 may stand beside a large error: the cosine knows nothing of scale."
                .to_owned(),
        alt: "Relative L2 error against cosine, one point a pair of tensors".to_owned(),
        kind: PictureKind::Scatter(Scatter {
            x_label: Metric::CosSim.name().to_owned(),
            y_label: Metric::RelL2Err.name().to_owned(),
            groups: groups.map(str::to_owned).collect(),
            points,
        }),
    })
}

/// `nulls` are what unrelated models would give.
fn histogram(id: &str, title: &str, cosines: &[f64], nulls: &[f64]) -> Option<Picture> {
    let means = [("mean", cosines), ("mean null", nulls)];
    let reference = |(name, of): (&str, &[f64])| Some(Reference::new(name, MeanSd::of(of)?.mean));
    let low = cosines.iter().copied().fold(f64::INFINITY, f64::min);
    // Cosines of unrelated matrices lie around 0, those of relatives near 1: each needs a scale of its own.
    let low = [0.99, 0.9, 0.5, -0.1, -1.0].into_iter().find(|&bound| low >= bound).unwrap_or(-1.0);
    (!cosines.is_empty()).then(|| Picture {
        id: id.to_owned(),
        title: format!("How many pairs have which cosine: {title}"),
        subtitle: String::new(),
        alt: format!("Histogram of the cosine, {title}"),
        kind: PictureKind::Histogram(Histogram {
            x_label: Metric::CosSim.name().to_owned(),
            references: means.into_iter().filter_map(reference).collect(),
            ..Histogram::count(cosines.iter().copied(), low, 1.0, BINS)
        }),
    })
}
