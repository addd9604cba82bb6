//! The tables by which one published page reads similarities: bands of the mean cosine, and patterns over the layers. They are
//! set beside what they leave out, and are nobody's verdict here.

use std::collections::BTreeMap;

use super::ComparedPair;
use crate::{family::LayerIndex, metric::Metric};

/// One band of the mean cosine by which a published page tells how a model came about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// Lower bound of the cosine; the upper one is the band's before.
    pub above: f64,
    /// What that page says of it.
    pub reading: &'static str,
    /// Matrices in it.
    pub count: usize,
    /// Of those, with a Pearson correlation that shuffling could hardly give: `log10_p_perm` ≤ log10(0.01 / matrices).
    pub beyond_null: usize,
}

const BANDS: [(f64, &str); 4] = [
    (0.95, "almost certainly fine-tuned"),
    (0.8, "fine-tune or continued pretraining"),
    (0.5, "partial reuse"),
    (f64::NEG_INFINITY, "from scratch"),
];

/// The mean cosine over tensors, each counted once whatever its size, as that page takes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overall {
    /// Tensors that have a cosine.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Mean of what permuted channels would give.
    pub null: f64,
    /// What that page says of such a mean.
    pub reading: &'static str,
}

/// Layers of which a mean cosine counts as high, and below which as low: that page has the first for early layers, and the second
/// for models.
pub const HIGH_AND_LOW: [f64; 2] = [0.9, 0.5];

/// A third of the layers, by depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Third {
    /// `early`, `middle` or `late`.
    pub name: &'static str,
    /// Its first and last layer.
    pub layers: [LayerIndex; 2],
    /// How many layers it has.
    pub count: usize,
    /// Mean over its layers of the mean cosine of their matrices.
    pub mean: f64,
    /// Layers whose mean is high, and those whose mean is low.
    pub high_and_low: [usize; 2],
}

/// A pattern over the layers, as that page reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    /// Which layers are alike.
    pub pattern: &'static str,
    /// What that page says of it.
    pub reading: &'static str,
    /// Whether it is what these layers show.
    pub holds: bool,
}

/// The published page's bands of the cosine, over matrices only.
pub(crate) fn bands(pairs: &[ComparedPair]) -> [Band; 4] {
    let matrices: Vec<&ComparedPair> =
        pairs.iter().filter(|pair| pair.is_evidence() && !pair.is_norm_or_bias()).collect();
    let cosines: Vec<(f64, bool)> = matrices
        .iter()
        .filter_map(|pair| {
            let cosine = *pair.metrics.get(Metric::CosSim).as_ref().ok()?;
            let bound = (0.01 / matrices.len() as f64).log10();
            let p = pair.metrics.get(Metric::Log10PPerm);
            Some((cosine, p.as_ref().is_ok_and(|p| *p <= bound)))
        })
        .collect();
    let mut below = f64::INFINITY;
    BANDS.map(|(above, reading)| {
        // A cosine of exactly 0.95 is not above it.
        let inside = cosines.iter().filter(|(cosine, _)| *cosine > above && *cosine <= below);
        let (count, beyond_null) =
            inside.fold((0, 0), |(n, beyond), (_, is_beyond)| (n + 1, beyond + usize::from(*is_beyond)));
        below = above;
        Band { above, reading, count, beyond_null }
    })
}

/// The mean over all tensors, and over matrices alone; `None` where no such tensor has a cosine.
pub(crate) fn overall(pairs: &[ComparedPair]) -> [Option<Overall>; 2] {
    let over = |is_wanted: fn(&ComparedPair) -> bool| {
        let held = pairs.iter().filter(|pair| pair.is_evidence() && is_wanted(pair));
        let values: Vec<(f64, f64)> = held.filter_map(cosine_and_null).collect();
        let count = values.len();
        let mean = |of: fn(&(f64, f64)) -> f64| values.iter().map(of).sum::<f64>() / count as f64;
        let (mean, null) = (mean(|of| of.0), mean(|of| of.1));
        let reading = BANDS.iter().find(|(above, _)| mean > *above)?.1;
        Some(Overall { count, mean, null, reading })
    };
    [over(|_| true), over(|pair| !pair.is_norm_or_bias())]
}

fn cosine_and_null(pair: &ComparedPair) -> Option<(f64, f64)> {
    let value = |metric| pair.metrics.get(metric).as_ref().ok().copied();
    Some((value(Metric::CosSim)?, value(Metric::CosNull)?))
}

/// The layers of the first model in thirds by depth, by the mean cosine of their matrices; empty with fewer than three layers. Of
/// layers that three does not divide, the middle takes the rest.
pub(crate) fn thirds(pairs: &[ComparedPair]) -> Vec<Third> {
    let mut layers: BTreeMap<LayerIndex, Vec<f64>> = BTreeMap::new();
    let is_wanted = |pair: &&ComparedPair| {
        let is_block = pair.slot.is_some_and(|slot| slot.mtp);
        pair.is_evidence() && !pair.is_norm_or_bias() && !pair.is_embedding() && !is_block
    };
    for pair in pairs.iter().filter(is_wanted) {
        if let (Some(layer), Some((cosine, _))) = (pair.a.layer, cosine_and_null(pair)) {
            layers.entry(layer).or_default().push(cosine);
        }
    }
    let means: Vec<(LayerIndex, f64)> =
        layers.into_iter().map(|(layer, of)| (layer, of.iter().sum::<f64>() / of.len() as f64)).collect();
    let third = means.len() / 3;
    let Some(rest) = means.len().checked_sub(2 * third).filter(|_| third > 0) else { return Vec::new() };
    let (early, later) = means.split_at(third);
    let (middle, late) = later.split_at(rest);
    let [high, low] = HIGH_AND_LOW;
    [("early", early), ("middle", middle), ("late", late)]
        .into_iter()
        .filter_map(|(name, part)| {
            let count = part.len();
            Some(Third {
                name,
                layers: [part.first()?.0, part.last()?.0],
                count,
                mean: part.iter().map(|(_, mean)| mean).sum::<f64>() / count as f64,
                high_and_low: [
                    part.iter().filter(|(_, mean)| *mean >= high).count(),
                    part.iter().filter(|(_, mean)| *mean < low).count(),
                ],
            })
        })
        .collect()
}

/// That page's patterns, and which of them the thirds of the layers show.
pub(crate) fn patterns(thirds: &[Third]) -> [Pattern; 3] {
    let is_all = |which: usize, third: &Third| third.high_and_low[which] == third.count;
    let high: usize = thirds.iter().map(|third| third.high_and_low[0]).sum();
    let count: usize = thirds.iter().map(|third| third.count).sum();
    let is_falling = match thirds {
        [early, .., late] => is_all(0, early) && is_all(1, late),
        _ => false,
    };
    let are_low = !thirds.is_empty() && thirds.iter().all(|third| is_all(1, third));
    let pattern = |pattern, reading, holds| Pattern { pattern, reading, holds };
    [
        pattern("early layers high, late ones low", "typical of fine-tuning", is_falling),
        pattern("all layers low", "evidence of training from scratch", are_low),
        pattern("only some layers high", "weights initialised in part", !is_falling && high > 0 && high < count),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn third(name: &'static str, count: usize, high: usize, low: usize) -> Third {
        let layers = [LayerIndex(0), LayerIndex(1)];
        Third { name, layers, count, mean: 0.0, high_and_low: [high, low] }
    }

    #[test]
    fn one_pattern_at_most_is_what_the_layers_show() {
        let shown = |early: [usize; 2], middle: [usize; 2], late: [usize; 2]| {
            let thirds = [("early", early), ("middle", middle), ("late", late)];
            let thirds = thirds.map(|(name, [high, low])| third(name, 4, high, low));
            patterns(&thirds).map(|pattern| pattern.holds)
        };
        assert_eq!(shown([4, 0], [1, 1], [0, 4]), [true, false, false]);
        assert_eq!(shown([0, 4], [0, 4], [0, 4]), [false, true, false]);
        assert_eq!(shown([0, 4], [3, 1], [0, 4]), [false, false, true]);
        assert_eq!(shown([4, 0], [4, 0], [4, 0]), [false; 3], "all high: the page has no pattern for it");
        assert_eq!(patterns(&[]).map(|pattern| pattern.holds), [false; 3]);
    }
}
