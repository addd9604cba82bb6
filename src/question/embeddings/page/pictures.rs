//! The pictures: cosines of matched rows, and beside them those of the contrasts.

use super::kinds;
use crate::{
    question::embeddings::Embeddings,
    report::{
        Datum,
        figure::{Histogram, LinePanel, Lines, Picture, PictureKind, Reference, Series},
    },
};

const BINS: usize = 50;

/// How many matched rows have which cosine, with their null.
pub(crate) fn matched(embeddings: &Embeddings, (low, high): (f64, f64)) -> Picture {
    let values = embeddings.matched.cosines.iter().filter_map(|value| value.as_ref().ok());
    let mut histogram = Histogram::count(values.copied(), low, high, BINS);
    "cos_sim".clone_into(&mut histogram.x_label);
    let references = [
        ("mean", embeddings.matched.cos_sim.get(|f| f.mean)),
        ("mean cos_null", embeddings.matched.cos_null.get(|f| f.mean)),
        ("random tokens", embeddings.random.cos_sim.get(|f| f.mean)),
    ];
    histogram.references =
        references.into_iter().filter_map(|(label, value)| Some(Reference::new(label, value.ok()?))).collect();
    Picture {
        id: "matched".to_owned(),
        title: format!("Cosine of rows of {}", kinds(embeddings)[0].0),
        subtitle: "Count of compared tokens by cosine.".to_owned(),
        alt: "Histogram of the cosines of matched embedding rows, with their null and the mean of random pairs"
            .to_owned(),
        kind: PictureKind::Histogram(histogram),
    }
}

/// The shares of all kinds of pairs over one axis.
pub(crate) fn contrast(embeddings: &Embeddings, (low, high): (f64, f64)) -> Picture {
    let series = |(name, compared): (&'static str, &crate::question::embeddings::RowPairs)| {
        let values: Vec<f64> = compared.cosines.iter().filter_map(|value| value.as_ref().ok()).copied().collect();
        let histogram = Histogram::count(values.iter().copied(), low, high, BINS);
        let share = |&count: &u64| match values.len() {
            0 => Datum::undefined("no pair"),
            n => Datum::new(count as f64 / n as f64),
        };
        Series::new(name, histogram.counts.iter().map(share).collect())
    };
    let width = (high - low) / BINS as f64;
    Picture {
        id: "contrast".to_owned(),
        title: "Cosines of matched rows beside those of the contrasts".to_owned(),
        subtitle: "Share of the pairs of each kind in bins of equal width, drawn at their middles.".to_owned(),
        alt: "Distribution of cosines of matched rows, of random pairs and of rows of the same number".to_owned(),
        kind: PictureKind::Lines(Lines {
            x_label: "cos_sim".to_owned(),
            x: (0..BINS).map(|bin| low + (bin as f64 + 0.5) * width).collect(),
            panels: vec![LinePanel {
                at_least: Some((0.0, 0.0)),
                ..LinePanel::new("share of pairs", kinds(embeddings).into_iter().map(series).collect())
            }],
        }),
    }
}

/// From the smallest to the largest cosine of any kind, to tenths; `None` without any.
pub(crate) fn extent(embeddings: &Embeddings) -> Option<(f64, f64)> {
    let all = kinds(embeddings)
        .into_iter()
        .flat_map(|(_, compared)| &compared.cosines)
        .filter_map(|value| value.as_ref().ok().copied());
    let (low, high) =
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    (low <= high).then(|| {
        let (low, high) = ((low * 10.0).floor() / 10.0, (high * 10.0).ceil() / 10.0);
        if low < high { (low, high) } else { (low - 0.1, high + 0.1) }
    })
}
