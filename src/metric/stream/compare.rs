//! What is asked of each pass over a pair, and what is made of the answers.

use super::{
    codes::Codes,
    column::{Column, widened},
    conclude::conclude,
    narrow::Narrow,
    pass::{StreamError, Streams},
    sorted_ranks::sorted_spearman,
    source::Source,
    walk::{Walk, code_rank_products},
};
use crate::{
    dtype::{Dtype, decode},
    metric::{
        PairMetrics, Undefined,
        moments::FirstPass,
        pair::{Centred, Differences, Pair, Shares},
        simd::Path,
        sums,
    },
};

/// Up to this many elements a pair is compared in memory.
const SMALL: u64 = 1 << 14;

/// Sizes from which on a pair is worked on otherwise.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// How many pairs are sorted at once to rank elements of 32 bits; `None` leaves it to their number.
    pairs_at_once: Option<u64>,
    /// Up to this many elements, brackets of quantiles are made of all and not of a sample.
    counted: u64,
}

const LIMITS: Limits = Limits { pairs_at_once: None, counted: 1 << 19 };

/// All metrics of two tensors of any size, as [`PairMetrics::compute`] gives them of the decoded elements: equal to it
/// within 1e-12.
///
/// Memory stays below 300 MB for two tensors of 1 GB: fixed tables, differences near their quantiles (up to 64 MB), and for
/// elements of 32 bits eight bytes a pair of up to 16 million, or sixteen for 8 million at a time beyond. The pair is read twice
/// or three times; where elements have 32 bits and there are more than 16 million, ranks take one more reading for each 8
/// million, on each thread. Elements of 64 bits, and types without exact values, leave
/// nothing (`NotComparable`); so does a boolean that is neither 0 nor 1. Fails where a source does.
pub fn compare<A: Source, B: Source>(a: &A, b: &B) -> Result<PairMetrics, StreamError<A::Error, B::Error>> {
    match in_memory(a, b)? {
        Some(metrics) => Ok(metrics),
        None => compare_on(Path::best(), a, b, LIMITS),
    }
}

/// The metrics of a small pair, whose elements need less room than tables of codes; `None` of any other.
fn in_memory<A: Source, B: Source>(a: &A, b: &B) -> Result<Option<PairMetrics>, StreamError<A::Error, B::Error>> {
    let is_streamed = |dtype: &Dtype| dtype.bits().is_some_and(|bits| bits <= 32) && *dtype != Dtype::BOOL;
    let numel = a.numel();
    if numel != b.numel() || numel > SMALL || !is_streamed(a.dtype()) || !is_streamed(b.dtype()) {
        return Ok(None);
    }
    let values_a = values(a).map_err(StreamError::A)?;
    let values_b = values(b).map_err(StreamError::B)?;
    Ok(values_a.zip(values_b).map(|(a, b)| PairMetrics::compute(&a, &b)))
}

/// All elements of a source; `None` where its type has no exact values.
fn values<S: Source>(source: &S) -> Result<Option<Vec<f64>>, S::Error> {
    let bytes = source.dtype().bits().unwrap_or(0) * source.numel() / 8;
    let mut stored = vec![0; usize::try_from(bytes).unwrap_or(0)];
    source.read(0, &mut stored)?;
    Ok(decode(source.dtype(), &stored).ok().as_ref().and_then(widened))
}

fn compare_on<A: Source, B: Source>(
    path: Path,
    a: &A,
    b: &B,
    limits: Limits,
) -> Result<PairMetrics, StreamError<A::Error, B::Error>> {
    let numel = a.numel();
    if numel != b.numel() {
        return Ok(PairMetrics::undefined(&Undefined::Shape));
    }
    let columns = match (Column::new(a.dtype()), Column::new(b.dtype())) {
        (Ok(of_a), Ok(of_b)) => [of_a, of_b],
        (Err(reason), _) | (_, Err(reason)) => return Ok(PairMetrics::undefined(&reason)),
    };
    if numel == 0 {
        return Ok(PairMetrics::undefined(&Undefined::TooFew));
    }
    let is_narrow = columns.iter().all(Column::is_narrow);
    let streams = Streams { a, b, columns, numel };
    if is_narrow {
        return conclude(Narrow::new(path, streams, limits.counted), limits.pairs_at_once);
    }
    let mut walk = Walk::new(path, streams);
    let first = walk.first()?;
    let differences = Differences::of(&first.pairs);
    if let Some(reason) = not_values(&walk.streams.columns, [a.dtype(), b.dtype()], &first.classes) {
        return Ok(PairMetrics::undefined(&reason));
    }
    let sides = [0, 1].map(|side| match codes_of(&walk.streams.columns, &first.classes, side) {
        Some(codes) => codes.first_pass(),
        None => FirstPass::of(numel, &first.sides[side]),
    });
    if let Some(reason) = sides.iter().find_map(|side| side.usable.as_ref().err()) {
        let own = |side: &FirstPass| side.without_summary(side.usable.as_ref().err().unwrap_or(reason).clone());
        let [in_a, in_b] = sides.each_ref().map(own);
        return Ok(PairMetrics::counts_only(&in_a, &in_b, &differences));
    }
    finish(walk, &first.classes, &sides, &differences, limits)
}

/// What a side's counts say, where its elements are codes.
pub(super) fn codes_of(columns: &[Column; 2], classes: &[Vec<u64>; 2], side: usize) -> Option<Codes> {
    let values = columns[side].codes()?;
    Some(Codes::new(values, &classes[side]))
}

/// The passes that need to know the first one's answers.
fn finish<A: Source, B: Source>(
    mut walk: Walk<'_, A, B>,
    classes: &[Vec<u64>; 2],
    sides: &[FirstPass; 2],
    differences: &Differences,
    limits: Limits,
) -> Result<PairMetrics, StreamError<A::Error, B::Error>> {
    let means = means(&mut walk, classes, sides)?;
    let about = Centred::about(means, sides.each_ref().map(FirstPass::norm));
    let ranks = [0, 1].map(|side| codes_of(&walk.streams.columns, classes, side).map(|codes| codes.ranks()));
    let blocks = walk.later(
        #[inline(always)]
        |columns, stored, [a, b]| {
            let [products, apart, together] = about.figures(a, b);
            let mut figures = [products, apart, together, 0.0, 0.0, 0.0];
            if let [Some(ranks_a), Some(ranks_b)] = &ranks {
                figures[5] = code_rank_products(columns, stored, [ranks_a, ranks_b]);
            }
            for (side, values) in [a, b].into_iter().enumerate() {
                if ranks[side].is_none() {
                    figures[3 + side] = sums::sum(values, |x| (x - means[side]) * (x - means[side]));
                }
            }
            figures
        },
    )?;
    while walk.is_open() {
        walk.later(|_, _, _| [])?;
    }
    let spearman = match &ranks {
        [Some(of_a), Some(of_b)] => spearman(sums::total(&blocks, 5), [of_a.squares, of_b.squares]),
        [of_a, of_b] => {
            let ranks = [of_a.as_ref(), of_b.as_ref()];
            sorted_spearman(&walk.streams, ranks, limits.pairs_at_once)?
        }
    };
    let codes = [0, 1].map(|side| codes_of(&walk.streams.columns, classes, side));
    let [in_a, in_b] = [0, 1].map(|side: usize| {
        let mean = means[side];
        let centred_squares = match &codes[side] {
            Some(codes) => codes.sum(|x| (x - mean) * (x - mean)),
            None => sums::total(&blocks, 3 + side),
        };
        sides[side].moments(mean, centred_squares)
    });
    let (Ok(of_a), Ok(of_b)) = (&in_a.summary, &in_b.summary) else {
        return Ok(PairMetrics::counts_only(&in_a, &in_b, differences));
    };
    Ok(PairMetrics::assemble(&Pair {
        n: walk.streams.numel,
        shares: Shares::of(&in_a, &in_b, differences),
        a: of_a,
        b: of_b,
        differences,
        centred: Centred::of(&blocks, 0),
        spearman,
        abs_q99: [0, 1].map(|side| match &codes[side] {
            Some(codes) => codes.abs_quantile(0.99),
            None => walk.abs_q99(side).ok_or(Undefined::TooFew),
        }),
        quantiles: Ok(walk.quantiles()),
    }))
}

/// The refined means. Sides whose codes are counted need no pass for them.
fn means<A: Source, B: Source>(
    walk: &mut Walk<'_, A, B>,
    classes: &[Vec<u64>; 2],
    sides: &[FirstPass; 2],
) -> Result<[f64; 2], StreamError<A::Error, B::Error>> {
    let rough = sides.each_ref().map(FirstPass::rough_mean);
    let blocks: Vec<[f64; 2]> = if walk.streams.columns.iter().all(|column| column.codes().is_some()) {
        Vec::new()
    } else {
        walk.later(
            #[inline(always)]
            |_, _, [a, b]| [sums::sum(a, |x| x - rough[0]), sums::sum(b, |x| x - rough[1])],
        )?
    };
    Ok([0, 1].map(|side: usize| match codes_of(&walk.streams.columns, classes, side) {
        Some(codes) => sides[side].mean(&[[codes.sum(|x| x - rough[side])]], 0),
        None => sides[side].mean(&blocks, side),
    }))
}

pub(super) fn spearman(products: f64, [of_a, of_b]: [f64; 2]) -> Result<f64, Undefined> {
    if of_a == 0.0 || of_b == 0.0 {
        Err(Undefined::Constant)
    } else {
        Ok((products / (of_a * of_b).sqrt()).clamp(-1.0, 1.0))
    }
}

/// A code that is none of its type's values, booleans of 2: the tensor is not what it says.
pub(super) fn not_values(columns: &[Column; 2], dtypes: [&Dtype; 2], classes: &[Vec<u64>; 2]) -> Option<Undefined> {
    let side = (0..2).find(|&side| {
        *dtypes[side] == Dtype::BOOL && codes_of(columns, classes, side).is_some_and(|codes| codes.has_nan())
    })?;
    let reason = format!("a {} tensor holds bytes that are neither 0 nor 1", dtypes[side]);
    Some(Undefined::NotComparable(reason))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::{Metric, stream::Memory};

    fn floats(dtype: &Dtype, stored: &[u8]) -> Vec<f64> {
        widened(&decode(dtype, stored).unwrap()).unwrap()
    }

    /// Every path and every size of group agrees with the metrics in memory.
    fn holds(a: (&Dtype, &[u8]), b: (&Dtype, &[u8])) {
        let [values_a, values_b] = [a, b].map(|(dtype, stored)| floats(dtype, stored));
        let expected = PairMetrics::compute(&values_a, &values_b);
        let memory =
            |(dtype, bytes): (&Dtype, _), numel: usize| Memory { dtype: dtype.clone(), numel: numel as u64, bytes };
        let (source_a, source_b) = (memory(a, values_a.len()), memory(b, values_b.len()));
        for path in Path::all() {
            // All pairs at once, and in parts, as small as a piece.
            let sizes = [(None, LIMITS.counted), (Some(1), 0)];
            for (pairs_at_once, counted) in sizes {
                let limits = Limits { pairs_at_once, counted };
                let found = compare_on(path, &source_a, &source_b, limits).unwrap();
                for ((metric, found), (_, expected)) in found.iter().zip(expected.iter()) {
                    let same = match (found, expected) {
                        (Ok(found), Ok(expected)) => (found - expected).abs() <= 1e-12 * expected.abs().max(1e-3),
                        (found, expected) => found == expected,
                    };
                    assert!(same, "{metric} of {} and {} on {path:?}: {found:?}, {expected:?}", a.0, b.0);
                }
            }
        }
    }

    const DTYPES: [Dtype; 15] = [
        Dtype::BF16,
        Dtype::F16,
        Dtype::F32,
        Dtype::F8_E4M3,
        Dtype::F8_E5M2,
        Dtype::F8_E4M3FNUZ,
        Dtype::F8_E5M2FNUZ,
        Dtype::F8_E8M0,
        Dtype::I8,
        Dtype::I16,
        Dtype::I32,
        Dtype::U8,
        Dtype::U16,
        Dtype::U32,
        Dtype::BOOL,
    ];

    fn width(dtype: &Dtype) -> usize {
        usize::try_from(dtype.bits().unwrap() / 8).unwrap()
    }

    /// `n` elements of a type from a generator: `mask` clears bits, to make ties and to keep floats finite.
    fn stored(dtype: &Dtype, n: usize, seed: u64, mask: u64) -> Vec<u8> {
        let mut state = seed;
        let mut bytes = Vec::new();
        for _ in 0..n {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bits = (state >> 24) & mask;
            let bits = if *dtype == Dtype::BOOL { bits & 1 } else { bits };
            bytes.extend_from_slice(&bits.to_le_bytes()[..width(dtype)]);
        }
        bytes
    }

    /// Masks of the low bits of every type that leave NaN and infinity out.
    fn finite(dtype: &Dtype) -> u64 {
        match *dtype {
            Dtype::BF16 => 0xbf7f,
            Dtype::F16 => 0xbbff,
            Dtype::F32 => 0xbf7f_ffff,
            Dtype::F8_E4M3 | Dtype::F8_E8M0 => 0xbe,
            Dtype::F8_E5M2 => 0xbb,
            Dtype::F8_E4M3FNUZ | Dtype::F8_E5M2FNUZ => 0x7f,
            _ => u64::MAX,
        }
    }

    #[test]
    fn random_tied_and_non_finite_elements_of_every_type_have_the_metrics_of_memory() {
        for dtype in &DTYPES {
            for (n, mask) in [(70_000, finite(dtype)), (3000, finite(dtype) & 0x4343_4343), (500, u64::MAX)] {
                holds((dtype, &stored(dtype, n, 1, mask)), (dtype, &stored(dtype, n, 2, mask)));
            }
        }
    }

    #[test]
    fn types_may_differ_between_the_sides() {
        for (of_a, of_b) in [(Dtype::BF16, Dtype::F32), (Dtype::I32, Dtype::F16), (Dtype::U8, Dtype::U32)] {
            let a = stored(&of_a, 5000, 3, finite(&of_a));
            let b = stored(&of_b, 5000, 4, finite(&of_b));
            holds((&of_a, &a), (&of_b, &b));
        }
    }

    #[test]
    fn constants_zeros_denormals_and_few_elements_have_the_metrics_of_memory() {
        let f32s = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|value| value.to_le_bytes()).collect() };
        let tiny = f32::from_bits(1);
        let lists: [&[f32]; 8] = [
            &[],
            &[1.5],
            &[-0.0],
            &[0.0, -0.0, 0.0, -0.0],
            &[1.0; 2000],
            &[tiny, -tiny, 3.0 * tiny, 0.0],
            &[1.0, f32::NAN, f32::INFINITY, -0.0],
            &[f32::MAX, f32::MIN, tiny, 1.0],
        ];
        for a in lists {
            for b in lists.iter().filter(|b| b.len() == a.len()) {
                holds((&Dtype::F32, &f32s(a)), (&Dtype::F32, &f32s(b)));
            }
        }
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        let memory = |dtype, bytes, numel| Memory { dtype, numel, bytes };
        let none = |a: &Memory<'_>, b: &Memory<'_>| compare(a, b).unwrap().get(Metric::CosSim).clone().unwrap_err();
        let bools = memory(Dtype::BOOL, &[0, 2][..], 2);
        assert!(matches!(none(&bools, &bools), Undefined::NotComparable(_)));
        let doubles = memory(Dtype::F64, &[0; 16][..], 2);
        assert!(matches!(none(&doubles, &doubles), Undefined::NotComparable(_)));
        let one = memory(Dtype::U8, &[1][..], 1);
        assert_eq!(none(&one, &bools), Undefined::Shape);
    }

    #[test]
    fn the_metrics_do_not_depend_on_the_number_of_threads() {
        let (a, b) = (stored(&Dtype::BF16, 300_000, 5, 0xbf7f), stored(&Dtype::BF16, 300_000, 6, 0xbf7f));
        let memory = |bytes| Memory { dtype: Dtype::BF16, numel: 300_000, bytes };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| compare(&memory(&a), &memory(&b)).unwrap())
        };
        assert_eq!(on(1), on(5));
    }

    proptest! {
        // Each case walks tables of 65,536 codes: what is enough for chance is slow without optimisation.
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_bits_have_the_metrics_of_memory(
            bits in prop::collection::vec(any::<(u32, u32)>(), 1..300),
            which in 0..3_usize,
        ) {
            let dtype = [Dtype::BF16, Dtype::F16, Dtype::F32][which].clone();
            let side = |pick: fn(&(u32, u32)) -> u32| -> Vec<u8> {
                bits.iter().flat_map(|pair| pick(pair).to_le_bytes()[..width(&dtype)].to_vec()).collect()
            };
            holds((&dtype, &side(|pair| pair.0)), (&dtype, &side(|pair| pair.1)));
        }
    }
}
