//! What is asked of each pass over a narrow pair, and what is made of the answers.

use super::{
    brackets::{Brackets, Inside, MAGNITUDES},
    codes::Codes,
    cross::{self, Ranked},
    kernels::{SecondStripe, Wanted},
    pass::Streams,
    sorted_ranks::sorted_spearman,
    source::Source,
    walk::Walk,
};
use crate::metric::{
    Moments, PairMetrics, Summary, Undefined,
    formulas::{Pair, QUANTILES},
    moments::FirstPass,
    pair_sums::{Centred, Differences},
    sums,
};

/// The probability at which quantiles of |a| and |b| are asked for.
const ABS_QUANTILE: [f64; 1] = [0.99];

/// A sum of products is taken from other sums where these are at most so many times as large.
const WELL_CONDITIONED: f64 = 16.0;

/// All metrics of a narrow pair that is not empty. `is_all`: brackets of quantiles are made of all elements and not of a sample.
pub(super) fn conclude<S: Source>(
    streams: &Streams<'_, S>,
    is_all: bool,
    pairs_at_once: Option<u64>,
) -> Result<PairMetrics, S::Error> {
    let (columns, numel) = (&streams.columns, streams.numel);
    let mut first = streams.first(is_all)?;
    let differences = Differences::of(&first.pairs);
    let are_codes = streams.are_codes();
    if !differences.absolute.is_finite() {
        if are_codes {
            first.classes[1] = streams.count_b()?;
        }
        return Ok(first.without_sums(streams, &differences));
    }
    let [codes_a, _] = first.codes(columns);
    let ranks_a = codes_a.as_ref().map(Codes::ranks);
    let ranked = ranks_a.as_ref().filter(|_| are_codes).and_then(|ranks| Ranked::new(ranks, numel));
    let sides =
        [0, 1].map(|side: usize| columns[side].codes().is_none().then(|| FirstPass::of(numel, &first.sides[side])));
    let of_side = |side: usize| {
        let zeros = sides[side].as_ref()?.zeros;
        Some(Brackets::new(&ABS_QUANTILE, is_all, &first.samples[1 + side], numel, zeros))
    };
    let of_gaps = Brackets::new(&QUANTILES, is_all, &first.samples[0], numel, numel - differences.changed);
    let brackets = [Some(of_gaps), of_side(0), of_side(1)];
    let mut stripes = streams.second(&Wanted {
        ranked: ranked.as_ref(),
        brackets: brackets.each_ref().map(Option::as_ref),
        centres: sides.each_ref().map(|side| side.as_ref().map_or(0.0, FirstPass::rough_mean)),
    })?;
    let crossed = ranked.as_ref().map(|ranked| {
        let crosses = stripes.iter_mut().filter_map(|stripe| stripe.cross.take());
        cross::total(crosses.collect(), ranked)
    });
    if let Some((counts, _)) = &crossed {
        first.classes[1].clone_from(counts);
    } else if are_codes {
        first.classes[1] = streams.count_b()?;
    }
    let codes = first.codes(columns);
    let ranks_b = codes[1].as_ref().map(Codes::ranks);
    let spearman = match (&crossed, &ranks_a, &ranks_b) {
        (Some((_, sums)), Some(of_a), Some(of_b)) => cross::spearman(sums, of_a, of_b, numel),
        (None, Some(_), Some(_)) => Err(Undefined::NotComparable("more than 2^35 elements to rank".to_owned())),
        (_, of_a, of_b) => sorted_spearman(streams, [of_a, of_b].map(Option::as_ref), pairs_at_once)?,
    };
    let moments = [0, 1].map(|side: usize| {
        let first = first.side(side, codes[side].as_ref(), numel);
        let blocks: Vec<[f64; 2]> = stripes.iter().flat_map(|stripe| &stripe.sides[side]).copied().collect();
        moments(&first, codes[side].as_ref(), &blocks, numel)
    });
    let (Ok(of_a), Ok(of_b)) = (&moments[0].summary, &moments[1].summary) else {
        return Ok(PairMetrics::counts_only(moments.each_ref(), &differences));
    };
    let derived = match &codes {
        [Some(in_a), Some(in_b)] => derived([in_a, in_b], [of_a, of_b], &differences, numel),
        _ => None,
    };
    let centred = match derived {
        Some(centred) => centred,
        None => Centred::of(&streams.centred(Centred::about([of_a.mean, of_b.mean], [of_a.norm, of_b.norm]))?, 0),
    };
    let quantiles = match from_brackets(&brackets, &mut stripes) {
        Some(quantiles) => quantiles,
        None => Walk::new(streams).quantiles()?,
    };
    Ok(PairMetrics::assemble(&Pair {
        moments: moments.each_ref(),
        sides: [of_a, of_b],
        differences: &differences,
        centred,
        spearman,
        abs_q99: [0, 1].map(|side: usize| match &codes[side] {
            Some(codes) => codes.abs_quantile(ABS_QUANTILE[0]),
            None => quantiles[1 + side].first().copied().ok_or(Undefined::TooFew),
        }),
        quantiles: Ok(quantiles[0].clone()),
    }))
}

/// The moments of a side: from its codes, else from Σ(x−c) and Σ(x−c)² of its blocks about the rough mean.
fn moments(first: &FirstPass, codes: Option<&Codes>, blocks: &[[f64; 2]], numel: u64) -> Moments {
    let rough = first.rough_mean();
    if let Some(codes) = codes {
        let mean = first.mean(&[[codes.sum(|x| x - rough)]], 0);
        return first.moments(mean, codes.sum(|x| (x - mean) * (x - mean)));
    }
    let (sum, squares) = (sums::total(blocks, 0), sums::total(blocks, 1));
    first.moments(first.mean(blocks, 0), (squares - sum * sum / numel as f64).max(0.0))
}

/// The quantiles that brackets were asked for; `None` where a bracket failed.
fn from_brackets(
    brackets: &[Option<Brackets>; MAGNITUDES],
    stripes: &mut [SecondStripe],
) -> Option<[Vec<f64>; MAGNITUDES]> {
    let mut quantiles = [const { Vec::new() }; MAGNITUDES];
    for (of, (quantiles, brackets)) in quantiles.iter_mut().zip(brackets).enumerate() {
        if let Some(brackets) = brackets {
            let mut inside: Vec<&mut Inside> = stripes.iter_mut().map(|stripe| &mut stripe.inside[of]).collect();
            *quantiles = brackets.quantiles(&mut inside)?;
        }
    }
    Some(quantiles)
}

/// Sums about the means and over the norms, from sums that are there, where no digits cancel: what a side alone decides is
/// known to the last bit when its codes are counted.
fn derived(codes: [&Codes; 2], [a, b]: [&Summary; 2], differences: &Differences, numel: u64) -> Option<Centred> {
    let spread = (a.centred_squares * b.centred_squares).sqrt();
    let size = (a.squares * b.squares).sqrt();
    // Both give Σ(a−μa)(b−μb): Σab − nμaμb, and half of Σ(a−μa)² + Σ(b−μb)² − Σ(a−b−μa+μb)².
    let products = if spread == 0.0 {
        0.0
    } else if size <= WELL_CONDITIONED * spread {
        differences.dot - numel as f64 * a.mean * b.mean
    } else if a.centred_squares + b.centred_squares + differences.squares <= WELL_CONDITIONED * spread {
        let mean = difference(codes, |x| x) / numel as f64;
        let of_differences = differences.squares - numel as f64 * mean * mean;
        (a.centred_squares + b.centred_squares - of_differences) / 2.0
    } else {
        return None;
    };
    if size == 0.0 {
        return Some(Centred { products, apart: 0.0, together: 0.0 });
    }
    // ‖â−b̂‖² = (‖a−b‖² − (‖a‖−‖b‖)²)/(‖a‖‖b‖).
    let norms = difference(codes, |x| x * x) / (a.norm + b.norm);
    let rest = differences.squares - norms * norms;
    let apart = rest / size;
    ((differences.squares == 0.0 || 2.0 * rest >= differences.squares) && apart <= 3.9).then(|| Centred {
        products,
        apart: apart.max(0.0).sqrt(),
        together: (4.0 - apart).sqrt(),
    })
}

/// Σ f(a) − Σ f(b), exact but for its last bit however small it is beside the sums.
fn difference([a, b]: [&Codes; 2], f: impl Fn(f64) -> f64) -> f64 {
    let of_a = a.held().map(|(value, count)| count as f64 * f(value));
    let of_b = b.held().map(|(value, count)| -(count as f64) * f(value));
    sums::compensated(of_a.chain(of_b))
}
