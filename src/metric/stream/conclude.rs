//! What is asked of each pass over a narrow pair, and what is made of the answers.

use super::{
    brackets::Brackets,
    codes::Codes,
    compare::{codes_of, not_values},
    cross::{Crossed, Ranked},
    narrow::{First, MAGNITUDES, Narrow, Second, Wanted},
    pass::StreamError,
    sorted_ranks::sorted_spearman,
    source::Source,
    walk::Walk,
};
use crate::metric::{
    Moments, PairMetrics, Summary, Undefined,
    moments::FirstPass,
    pair::{Centred, Differences, Pair, QUANTILES, Shares},
    sums,
};

/// The probability at which quantiles of |a| and |b| are asked for.
const ABS_QUANTILE: [f64; 1] = [0.99];

/// A sum of products is taken from other sums where these are at most so many times as large.
const WELL_CONDITIONED: f64 = 16.0;

type Outcome<T, A, B> = Result<T, StreamError<<A as Source>::Error, <B as Source>::Error>>;

/// All metrics of a narrow pair that is not empty.
pub(super) fn conclude<A: Source, B: Source>(
    narrow: Narrow<'_, A, B>,
    pairs_at_once: Option<u64>,
) -> Outcome<PairMetrics, A, B> {
    let first = narrow.first()?;
    let (columns, numel) = (&narrow.streams.columns, narrow.streams.numel);
    let differences = Differences::of(&first.pairs);
    let is_crossed = narrow.is_crossed();
    if !differences.absolute.is_finite() {
        return without_values(&narrow, &first, &differences);
    }
    let mut classes = first.classes.clone();
    let ranks_a = codes_of(columns, &classes, 0).as_ref().map(Codes::ranks);
    let ranked = ranks_a.as_ref().filter(|_| is_crossed).and_then(|ranks| Ranked::new(ranks, numel));
    let of_elements = |side: usize| FirstPass::of(numel, &first.sides[side]);
    let sides = [0, 1].map(|side: usize| columns[side].codes().is_none().then(|| of_elements(side)));
    let brackets = |of: usize, probabilities: &[f64], zeros: u64| {
        Brackets::new(probabilities, narrow.sample(), &first.samples[of], numel, zeros)
    };
    let of_side = |side: usize| {
        let zeros = sides[side].as_ref()?.zeros;
        Some(brackets(1 + side, &ABS_QUANTILE, zeros))
    };
    let brackets = [Some(brackets(0, &QUANTILES, numel - differences.changed)), of_side(0), of_side(1)];
    let second = narrow.second(&Wanted {
        ranked: ranked.as_ref(),
        brackets: brackets.each_ref().map(Option::as_ref),
        centres: sides.each_ref().map(|side| side.as_ref().map_or(0.0, FirstPass::rough_mean)),
    })?;
    let Second { crosses, inside, sides: blocks } = second;
    let crossed = ranked.as_ref().map(|ranked| Crossed::of(crosses, ranked));
    if let Some(crossed) = &crossed {
        classes[1].clone_from(&crossed.counts);
    } else if is_crossed {
        classes[1] = narrow.count_b()?;
    }
    let codes = [0, 1].map(|side| codes_of(columns, &classes, side));
    let ranks_b = codes[1].as_ref().map(Codes::ranks);
    let spearman = match (&crossed, &ranks_a, &ranks_b) {
        (Some(crossed), Some(of_a), Some(of_b)) => crossed.spearman(of_a, of_b, numel),
        (None, Some(_), Some(_)) => Err(Undefined::NotComparable("more than 2^35 elements to rank".to_owned())),
        (_, of_a, of_b) => {
            let ranks = [of_a.as_ref(), of_b.as_ref()];
            sorted_spearman(&narrow.streams, ranks, pairs_at_once)?
        }
    };
    let firsts: [FirstPass; 2] = std::array::from_fn(|index| match &codes[index] {
        Some(codes) => codes.first_pass(),
        None => of_elements(index),
    });
    let moments = [0, 1].map(|side: usize| moments(&firsts[side], codes[side].as_ref(), &blocks[side], numel));
    let (Ok(of_a), Ok(of_b)) = (&moments[0].summary, &moments[1].summary) else {
        return Ok(PairMetrics::counts_only(&moments[0], &moments[1], &differences));
    };
    let derived = match &codes {
        [Some(in_a), Some(in_b)] => derived([in_a, in_b], [of_a, of_b], &differences, numel),
        _ => None,
    };
    let centred = match derived {
        Some(centred) => centred,
        None => Centred::of(&narrow.centred(Centred::about([of_a.mean, of_b.mean], [of_a.norm, of_b.norm]))?, 0),
    };
    let abs_of_codes = codes.each_ref().map(|codes| codes.as_ref().map(|codes| codes.abs_quantile(ABS_QUANTILE[0])));
    let [gaps, abs_a, abs_b] = quantiles(narrow, &brackets, inside)?;
    let mut abs = [abs_a, abs_b]
        .into_iter()
        .zip(abs_of_codes)
        .map(|(found, of_codes)| of_codes.unwrap_or_else(|| found.first().copied().ok_or(Undefined::TooFew)));
    let abs_q99 = std::array::from_fn(|_| abs.next().unwrap_or(Err(Undefined::TooFew)));
    Ok(PairMetrics::assemble(&Pair {
        n: numel,
        shares: Shares::of(&moments[0], &moments[1], &differences),
        a: of_a,
        b: of_b,
        differences: &differences,
        centred,
        spearman,
        abs_q99,
        quantiles: Ok(gaps),
    }))
}

/// What is left of a pair with elements that are NaN or infinite, or no values of their type.
fn without_values<A: Source, B: Source>(
    narrow: &Narrow<'_, A, B>,
    first: &First,
    differences: &Differences,
) -> Outcome<PairMetrics, A, B> {
    let columns = &narrow.streams.columns;
    let mut classes = first.classes.clone();
    if narrow.is_crossed() {
        classes[1] = narrow.count_b()?;
    }
    let dtypes = [narrow.streams.a.dtype(), narrow.streams.b.dtype()];
    if let Some(reason) = not_values(columns, dtypes, &classes) {
        return Ok(PairMetrics::undefined(&reason));
    }
    let [in_a, in_b] = [0, 1].map(|side: usize| {
        let side = match codes_of(columns, &classes, side) {
            Some(codes) => codes.first_pass(),
            None => FirstPass::of(narrow.streams.numel, &first.sides[side]),
        };
        side.without_summary(side.usable.clone().err().unwrap_or(Undefined::TooFew))
    });
    Ok(PairMetrics::counts_only(&in_a, &in_b, differences))
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

/// The quantiles that brackets were asked for; by counting alone where a bracket failed.
fn quantiles<A: Source, B: Source>(
    narrow: Narrow<'_, A, B>,
    brackets: &[Option<Brackets>; MAGNITUDES],
    inside: [Vec<super::brackets::Inside>; MAGNITUDES],
) -> Outcome<[Vec<f64>; MAGNITUDES], A, B> {
    let mut inside = inside.into_iter();
    let found = brackets.each_ref().map(|brackets| {
        let inside = inside.next().unwrap_or_default();
        brackets.as_ref().map_or(Some(Vec::new()), |brackets| brackets.quantiles(inside))
    });
    if let [Some(gaps), Some(of_a), Some(of_b)] = found {
        return Ok([gaps, of_a, of_b]);
    }
    let mut walk = Walk::new(narrow.path, narrow.streams);
    while walk.is_open() {
        walk.later(|_, _, _| [])?;
    }
    Ok([walk.quantiles(), walk.abs_q99(0).into_iter().collect(), walk.abs_q99(1).into_iter().collect()])
}

/// Sums about the means and over the norms, from sums that are there, where no digits cancel: what a side alone decides is
/// known to the last bit when its codes are counted.
fn derived(codes: [&Codes; 2], sides: [&Summary; 2], differences: &Differences, numel: u64) -> Option<Centred> {
    let [a, b] = sides;
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
