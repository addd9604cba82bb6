//! What is asked of each pass over a pair, and what is made of the answers.

use super::{
    codes::Codes,
    column::{Column, widened},
    conclude::conclude,
    pass::Streams,
    sorted_ranks::sorted_spearman,
    source::Source,
    walk::Walk,
};
use crate::{
    dtype::{Dtype, decode},
    metric::{
        PairMetrics, Undefined,
        formulas::Pair,
        moments::FirstPass,
        pair_sums::{Centred, Differences},
        simd::Path,
        sums,
    },
};

/// Up to this many elements a pair is compared in memory.
const SMALL: u64 = 1 << 14;

/// Up to this many elements, brackets of quantiles are made of all and not of a sample.
const COUNTED: u64 = 1 << 19;

/// All metrics of two tensors of any size, as [`PairMetrics::compute`] gives them of the decoded elements: equal to it
/// within 1e-12.
///
/// Memory stays below 300 MB for two tensors of 1 GB: fixed tables, differences near their quantiles (up to 64 MB), and for
/// elements of 32 bits eight bytes a pair of up to 16 million, or sixteen for 8 million at a time beyond. The pair is read twice
/// or three times, and once more for ranks where elements have 32 bits; above 16 million of these, ranks take sixteen bytes a
/// pair of temporary files, and Spearman's ρ is undefined where there is no room for them. Elements of 64 bits, and types without
/// exact values, leave nothing (`NotComparable`); so does a boolean that is neither 0 nor 1. Fails where a source does.
pub fn compare<S: Source>(a: &S, b: &S) -> Result<PairMetrics, S::Error> {
    match in_memory(a, b)? {
        Some(metrics) => Ok(metrics),
        None => compare_on(Path::best(), [a, b], None, COUNTED),
    }
}

/// The metrics of a small pair, whose elements need less room than tables of codes; `None` of any other.
fn in_memory<S: Source>(a: &S, b: &S) -> Result<Option<PairMetrics>, S::Error> {
    let is_streamed = |dtype: &Dtype| dtype.bits().is_some_and(|bits| bits <= 32) && *dtype != Dtype::BOOL;
    let numel = a.numel();
    if numel != b.numel() || numel > SMALL || !is_streamed(a.dtype()) || !is_streamed(b.dtype()) {
        return Ok(None);
    }
    Ok(values(a)?.zip(values(b)?).map(|(a, b)| PairMetrics::compute(&a, &b)))
}

/// All elements of a source; `None` where its type has no exact values.
fn values<S: Source>(source: &S) -> Result<Option<Vec<f64>>, S::Error> {
    let bytes = source.dtype().bits().unwrap_or(0) * source.numel() / 8;
    let mut stored = vec![0; usize::try_from(bytes).unwrap_or(0)];
    source.read(0, &mut stored)?;
    Ok(decode(source.dtype(), &stored).ok().as_ref().and_then(widened))
}

/// `pairs_at_once`: how many pairs are sorted at once to rank elements of 32 bits, the others waiting on disk; `None` leaves it to their
/// number.
fn compare_on<S: Source>(
    path: Path,
    sides: [&S; 2],
    pairs_at_once: Option<u64>,
    counted: u64,
) -> Result<PairMetrics, S::Error> {
    let numel = sides[0].numel();
    if numel != sides[1].numel() {
        return Ok(PairMetrics::undefined(&Undefined::Shape));
    }
    let columns = match sides.map(|side| Column::new(side.dtype())) {
        [Ok(of_a), Ok(of_b)] => [of_a, of_b],
        [Err(reason), _] | [_, Err(reason)] => return Ok(PairMetrics::undefined(&reason)),
    };
    if numel == 0 {
        return Ok(PairMetrics::undefined(&Undefined::TooFew));
    }
    let is_narrow = columns.iter().all(Column::is_narrow);
    let streams = Streams { sides, columns, numel, path };
    if is_narrow { conclude(&streams, numel <= counted, pairs_at_once) } else { compare_wide(&streams, pairs_at_once) }
}

/// All metrics of a pair of which a side has elements that `f32` does not hold.
fn compare_wide<S: Source>(streams: &Streams<'_, S>, pairs_at_once: Option<u64>) -> Result<PairMetrics, S::Error> {
    let mut walk = Walk::new(streams);
    let first = walk.first()?;
    let differences = Differences::of(&first.pairs);
    if !differences.absolute.is_finite() {
        return Ok(first.without_sums(streams, &differences));
    }
    let codes = first.codes(&streams.columns);
    let sides = [0, 1].map(|side| first.side(side, codes[side].as_ref(), streams.numel));
    let means = means(&mut walk, &codes, &sides)?;
    let about = Centred::about(means, sides.each_ref().map(FirstPass::norm));
    let blocks = walk.later(
        #[inline(always)]
        |[a, b]| {
            let [products, apart, together] = about.figures(a, b);
            let mut figures = [products, apart, together, 0.0, 0.0];
            for (side, values) in [a, b].into_iter().enumerate() {
                if codes[side].is_none() {
                    figures[3 + side] = sums::sum(values, |x| (x - means[side]) * (x - means[side]));
                }
            }
            figures
        },
    )?;
    let quantiles = walk.quantiles()?;
    let ranks = codes.each_ref().map(|codes| codes.as_ref().map(Codes::ranks));
    let spearman = sorted_spearman(streams, ranks.each_ref().map(Option::as_ref), pairs_at_once)?;
    let moments = [0, 1].map(|side: usize| {
        let mean = means[side];
        let centred_squares = match &codes[side] {
            Some(codes) => codes.sum(|x| (x - mean) * (x - mean)),
            None => sums::total(&blocks, 3 + side),
        };
        sides[side].moments(mean, centred_squares)
    });
    let (Ok(of_a), Ok(of_b)) = (&moments[0].summary, &moments[1].summary) else {
        return Ok(PairMetrics::counts_only(moments.each_ref(), &differences));
    };
    Ok(PairMetrics::assemble(&Pair {
        moments: moments.each_ref(),
        sides: [of_a, of_b],
        differences: &differences,
        centred: Centred::of(&blocks, 0),
        spearman,
        abs_q99: [0, 1].map(|side: usize| match &codes[side] {
            Some(codes) => codes.abs_quantile(0.99),
            None => quantiles[1 + side].first().copied().ok_or(Undefined::TooFew),
        }),
        quantiles: Ok(quantiles[0].clone()),
    }))
}

/// The refined means.
fn means<S: Source>(
    walk: &mut Walk<'_, S>,
    codes: &[Option<Codes>; 2],
    sides: &[FirstPass; 2],
) -> Result<[f64; 2], S::Error> {
    let rough = sides.each_ref().map(FirstPass::rough_mean);
    let blocks = walk.later(
        #[inline(always)]
        |[a, b]| [sums::sum(a, |x| x - rough[0]), sums::sum(b, |x| x - rough[1])],
    )?;
    Ok([0, 1].map(|side: usize| match &codes[side] {
        Some(codes) => sides[side].mean(&[[codes.sum(|x| x - rough[side])]], 0),
        None => sides[side].mean(&blocks, side),
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

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
            for (pairs_at_once, counted) in [(None, COUNTED), (Some(1), 0)] {
                let found = compare_on(path, [&source_a, &source_b], pairs_at_once, counted).unwrap();
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

    /// A tensor in memory that says how many of its bytes were read.
    struct Counted<'a>(Memory<'a>, AtomicU64);

    impl Source for Counted<'_> {
        type Error = std::convert::Infallible;

        fn dtype(&self) -> &Dtype {
            self.0.dtype()
        }

        fn numel(&self) -> u64 {
            self.0.numel()
        }

        fn read(&self, start: u64, into: &mut [u8]) -> Result<(), Self::Error> {
            self.1.fetch_add(into.len() as u64, Ordering::Relaxed);
            self.0.read(start, into)
        }
    }

    #[test]
    fn ranks_take_one_reading_however_many_parts_there_are() {
        let n = 16 << 16;
        let (a, b) = (stored(&Dtype::F32, n, 7, 0xbf7f_ffff), stored(&Dtype::F32, n, 8, 0xbf7f_ffff));
        let readings = |pairs_at_once| {
            let source = |bytes| Counted(Memory { dtype: Dtype::F32, numel: n as u64, bytes }, AtomicU64::new(0));
            let sides = [source(&a), source(&b)];
            let metrics = compare_on(Path::best(), [&sides[0], &sides[1]], pairs_at_once, COUNTED).unwrap();
            let read = sides.map(|side| side.1.into_inner() as f64 / (4 * n) as f64);
            (metrics.get(Metric::Spearman).clone().unwrap(), read)
        };
        let (whole, read_whole) = readings(None);
        let (parts, read_parts) = readings(Some(1 << 16));
        assert!((whole - parts).abs() < 1e-15);
        // One reading more, that of the sample, which is at most 64 pieces.
        assert!(
            read_parts.iter().zip(&read_whole).all(|(parts, whole)| parts - whole <= 1.0),
            "{read_parts:?} {read_whole:?}"
        );
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
