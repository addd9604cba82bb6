//! The passes over a pair, and what is made of them.

use super::{
    codes::{CODES, CodeRanks, Codes},
    column::Column,
    pass::{StreamError, Streams, totals},
    selector::{Counts, Selector},
    simd::Path,
    source::Source,
    wide_ranks::rank_sums,
};
use crate::metric::{
    PairMetrics, Undefined,
    moments::FirstPass,
    pair::{Centred, Differences, Pair, QUANTILES, Shares},
    sums::{self, BUFFER},
};

/// All metrics of two tensors of any size, as [`PairMetrics::compute`] gives them of the decoded elements.
///
/// Memory does not grow with the tensors beyond 1/16 byte an element: at most 300 MB for two tensors of 1 GB. The pair is
/// read two or three times if its elements have 16 bits or fewer, and more often where they have 32. Elements of 64 bits, and
/// types without exact values, leave nothing (`NotComparable`); so does a boolean that is neither 0 nor 1. Fails where a
/// source does.
pub fn compare<A: Source, B: Source>(a: &A, b: &B) -> Result<PairMetrics, StreamError<A::Error, B::Error>> {
    compare_on(Path::best(), a, b, None)
}

/// What the first pass keeps of a stripe.
struct First {
    sides: [Vec<[f64; 6]>; 2],
    pairs: Vec<[f64; 8]>,
    classes: [Vec<u32>; 2],
    selected: Selected,
}

/// Counts of |a−b|, |a| and |b|.
type Selected = [Counts; 3];

fn compare_on<A: Source, B: Source>(
    path: Path,
    a: &A,
    b: &B,
    keys_at_once: Option<u64>,
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
    let streams = Streams { a, b, columns, numel };
    // What a side of few codes decides alone comes from their counts.
    let magnitudes = |column: &Column| Selector::new(if column.codes().is_some() { &[] } else { &[0.99] }, numel);
    let mut selectors = [
        Selector::new(&QUANTILES, numel),
        magnitudes(&streams.columns[0]),
        magnitudes(&streams.columns[1]),
    ];

    let stripes = first_pass(path, &streams, &selectors)?;
    let classes = [0, 1].map(|side| totals(stripes.iter().map(|stripe| &stripe.classes[side])));
    settle(&mut selectors, stripes.iter().map(|stripe| &stripe.selected));
    let codes = [0, 1].map(|side: usize| {
        let values = streams.columns[side].codes()?;
        let counts = &classes[side];
        Some(Codes { values, counts })
    });
    let [first_a, first_b] = [0, 1].map(|side| match codes[side] {
        Some(codes) => codes.first_pass(),
        None => {
            let blocks: Vec<[f64; 6]> = stripes.iter().flat_map(|stripe| &stripe.sides[side]).copied().collect();
            FirstPass::of(numel, &blocks)
        }
    });
    let differences = Differences::of(
        &stripes
            .iter()
            .flat_map(|stripe| &stripe.pairs)
            .copied()
            .collect::<Vec<_>>(),
    );
    drop(stripes);
    if let Some(reason) = not_values(&streams.columns, [a.dtype(), b.dtype()], &classes) {
        return Ok(PairMetrics::undefined(&reason));
    }
    if first_a.usable.is_err() || first_b.usable.is_err() {
        let counts = [&first_a, &first_b].map(|side| match &side.usable {
            Err(reason) => side.without_summary(reason.clone()),
            Ok(()) => side.moments(0.0, 0.0),
        });
        return Ok(PairMetrics::counts_only(&counts[0], &counts[1], &differences));
    }

    let rough = [first_a.rough_mean(), first_b.rough_mean()];
    let blocks: Vec<[f64; 2]> = if codes.iter().all(Option::is_some) {
        Vec::new()
    } else {
        let stripes = later_pass(
            path,
            &streams,
            &selectors,
            #[inline(always)]
            |_, [a, b]| [sums::sum(a, |x| x - rough[0]), sums::sum(b, |x| x - rough[1])],
        )?;
        settle(&mut selectors, stripes.iter().map(|(_, selected)| selected));
        stripes.into_iter().flat_map(|(blocks, _)| blocks).collect()
    };
    let [mean_a, mean_b] = [(0, &first_a), (1, &first_b)].map(|(side, first)| match codes[side] {
        Some(codes) => first.mean(&[[codes.sum(|x| x - rough[side])]], 0),
        None => first.mean(&blocks, side),
    });

    let about = Centred::about([mean_a, mean_b], [first_a.norm(), first_b.norm()]);
    let ranks = codes.map(|codes| codes.map(|codes| codes.ranks()));
    let stripes = later_pass(
        path,
        &streams,
        &selectors,
        #[inline(always)]
        |stored, [a, b]| {
            let [products, apart, together] = about.figures(a, b);
            let mut figures = [products, apart, together, 0.0, 0.0, 0.0];
            if let [Some(ranks_a), Some(ranks_b)] = &ranks {
                figures[5] = code_rank_products(&streams.columns, stored, [ranks_a, ranks_b]);
            }
            if codes[0].is_none() {
                figures[3] = sums::sum(a, |x| (x - mean_a) * (x - mean_a));
            }
            if codes[1].is_none() {
                figures[4] = sums::sum(b, |x| (x - mean_b) * (x - mean_b));
            }
            figures
        },
    )?;
    settle(&mut selectors, stripes.iter().map(|(_, selected)| selected));
    let blocks: Vec<[f64; 6]> = stripes.into_iter().flat_map(|(blocks, _)| blocks).collect();
    while selectors.iter().any(Selector::is_open) {
        let stripes = later_pass(path, &streams, &selectors, |_, _| [])?;
        settle(
            &mut selectors,
            stripes.iter().map(|(_, selected): &(Vec<[f64; 0]>, _)| selected),
        );
    }

    let rank_sums = match &ranks {
        [Some(of_a), Some(of_b)] => (sums::total(&blocks, 5), [of_a.squares, of_b.squares]),
        [of_a, of_b] => rank_sums(&streams, &classes, [of_a.as_ref(), of_b.as_ref()], keys_at_once)?,
    };
    let [centred_a, centred_b] = [(0, mean_a), (1, mean_b)].map(|(side, mean)| match codes[side] {
        Some(codes) => codes.sum(|x| (x - mean) * (x - mean)),
        None => sums::total(&blocks, 3 + side),
    });
    let (in_a, in_b) = (first_a.moments(mean_a, centred_a), first_b.moments(mean_b, centred_b));
    let (Ok(of_a), Ok(of_b)) = (&in_a.summary, &in_b.summary) else {
        return Ok(PairMetrics::counts_only(&in_a, &in_b, &differences));
    };
    let abs_q99 = [0, 1].map(|side| match codes[side] {
        Some(codes) => codes.abs_quantile(0.99),
        None => selectors[1 + side]
            .quantiles()
            .first()
            .copied()
            .ok_or(Undefined::TooFew),
    });
    Ok(PairMetrics::assemble(&Pair {
        n: numel,
        shares: Shares::of(&in_a, &in_b, &differences),
        a: of_a,
        b: of_b,
        differences: &differences,
        centred: Centred::of(&blocks, 0),
        spearman: spearman(rank_sums),
        abs_q99,
        quantiles: Ok(selectors[0].quantiles()),
    }))
}

fn spearman((products, [of_a, of_b]): (f64, [f64; 2])) -> Result<f64, Undefined> {
    if of_a == 0.0 || of_b == 0.0 {
        Err(Undefined::Constant)
    } else {
        Ok((products / (of_a * of_b).sqrt()).clamp(-1.0, 1.0))
    }
}

fn settle<'c>(selectors: &mut [Selector; 3], stripes: impl Iterator<Item = &'c Selected> + Clone) {
    for (index, selector) in selectors.iter_mut().enumerate() {
        selector.settle(stripes.clone().map(|selected| &selected[index]));
    }
}

/// A code that is none of its type's values, booleans of 2: the tensor is not what it says.
fn not_values(
    columns: &[Column; 2],
    dtypes: [&crate::checkpoint::Dtype; 2],
    classes: &[Vec<u64>; 2],
) -> Option<Undefined> {
    let side = (0..2).find(|&side| {
        *dtypes[side] == crate::checkpoint::Dtype::BOOL
            && columns[side].codes().is_some_and(|values| {
                let mut held = values.iter().zip(&classes[side]);
                held.any(|(value, &count)| value.is_nan() && count > 0)
            })
    })?;
    let reason = format!("a {} tensor holds bytes that are neither 0 nor 1", dtypes[side]);
    Some(Undefined::NotComparable(reason))
}

/// Counts, sums that need no mean, and the first bits of quantiles.
fn first_pass<A: Source, B: Source>(
    path: Path,
    streams: &Streams<'_, A, B>,
    selectors: &[Selector; 3],
) -> Result<Vec<First>, StreamError<A::Error, B::Error>> {
    let start = || First {
        sides: [Vec::new(), Vec::new()],
        pairs: Vec::new(),
        classes: [vec![0; CODES], vec![0; CODES]],
        selected: selectors.each_ref().map(Selector::counts),
    };
    streams.pass(start, |stripe, a, b| {
        path.run(
            #[inline(always)]
            || {
                let (mut buffer_a, mut buffer_b) = (BUFFER, BUFFER);
                for (stored_a, stored_b) in streams.blocks(a, b) {
                    let [column_a, column_b] = &streams.columns;
                    let (a, b) = (
                        column_a.widen(stored_a, &mut buffer_a),
                        column_b.widen(stored_b, &mut buffer_b),
                    );
                    for (side, values) in [a, b].into_iter().enumerate() {
                        if streams.columns[side].codes().is_none() {
                            stripe.sides[side].push(FirstPass::figures(values));
                        }
                    }
                    stripe.pairs.push(Differences::figures(a, b));
                    count_classes(column_a, stored_a, &mut stripe.classes[0]);
                    count_classes(column_b, stored_b, &mut stripe.classes[1]);
                    select(selectors, &mut stripe.selected, a, b);
                }
            },
        );
    })
}

/// Figures of every block, and the next bits of quantiles.
fn later_pass<const N: usize, A: Source, B: Source>(
    path: Path,
    streams: &Streams<'_, A, B>,
    selectors: &[Selector; 3],
    figures: impl Fn([&[u8]; 2], [&[f64]; 2]) -> [f64; N] + Sync,
) -> Result<Vec<(Vec<[f64; N]>, Selected)>, StreamError<A::Error, B::Error>> {
    let start = || (Vec::new(), selectors.each_ref().map(Selector::counts));
    streams.pass(start, |(blocks, selected), a, b| {
        path.run(
            #[inline(always)]
            || {
                let (mut buffer_a, mut buffer_b) = (BUFFER, BUFFER);
                for (stored_a, stored_b) in streams.blocks(a, b) {
                    let [column_a, column_b] = &streams.columns;
                    let (a, b) = (
                        column_a.widen(stored_a, &mut buffer_a),
                        column_b.widen(stored_b, &mut buffer_b),
                    );
                    blocks.push(figures([stored_a, stored_b], [a, b]));
                    select(selectors, selected, a, b);
                }
            },
        );
    })
}

/// Σ of the products of the centred ranks of one block of pairs.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn code_rank_products(columns: &[Column; 2], stored: [&[u8]; 2], ranks: [&CodeRanks; 2]) -> f64 {
    let mut buffers = [BUFFER, BUFFER];
    let mut held = 0;
    for (side, buffer) in buffers.iter_mut().enumerate() {
        let Ok(centred) = <&[f64; CODES]>::try_from(ranks[side].centred.as_slice()) else {
            return 0.0;
        };
        let mut slots = buffer.iter_mut();
        columns[side].classes(stored[side], |code| {
            if let Some(slot) = slots.next() {
                *slot = centred[usize::from(code)];
            }
        });
        held = sums::BLOCK - slots.len();
    }
    let [a, b] = &buffers;
    sums::pair_sum(&a[..held], &b[..held], |x, y| x * y)
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn count_classes(column: &Column, stored: &[u8], classes: &mut [u32]) {
    if let Ok(classes) = <&mut [u32; CODES]>::try_from(classes) {
        column.classes(stored, |class| classes[usize::from(class)] += 1);
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn select(selectors: &[Selector; 3], selected: &mut Selected, a: &[f64], b: &[f64]) {
    let [of_gaps, of_a, of_b] = selected;
    let mut buffer = BUFFER;
    selectors[0].count(of_gaps, sums::map(a, b, |x, y| (x - y).abs(), &mut buffer));
    selectors[1].count(of_a, sums::map(a, a, |x, _| x.abs(), &mut buffer));
    selectors[2].count(of_b, sums::map(b, b, |y, _| y.abs(), &mut buffer));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        checkpoint::{Dtype, decode},
        metric::{Element, Metric, stream::Memory},
        values::Values,
    };

    fn floats(dtype: &Dtype, stored: &[u8]) -> Vec<f64> {
        fn wide<T: Element>(elements: &[T]) -> Vec<f64> {
            elements.iter().map(|element| element.to_f64()).collect()
        }
        match decode(dtype, stored).unwrap() {
            Values::F32(elements) => wide(&elements),
            Values::I8(elements) => wide(&elements),
            Values::I16(elements) => wide(&elements),
            Values::I32(elements) => wide(&elements),
            Values::U8(elements) => wide(&elements),
            Values::U16(elements) => wide(&elements),
            Values::U32(elements) => wide(&elements),
            Values::Bool(elements) => wide(&elements),
            other => panic!("{} is not streamed", other.npy_descr()),
        }
    }

    /// Every path and every size of group agrees with the metrics in memory.
    fn holds(a: (&Dtype, &[u8]), b: (&Dtype, &[u8])) {
        let [values_a, values_b] = [a, b].map(|(dtype, stored)| floats(dtype, stored));
        let expected = PairMetrics::compute(&values_a, &values_b);
        let memory = |(dtype, bytes): (&Dtype, _), numel: usize| Memory {
            dtype: dtype.clone(),
            numel: numel as u64,
            bytes,
        };
        let (source_a, source_b) = (memory(a, values_a.len()), memory(b, values_b.len()));
        for path in Path::all() {
            // All keys at once, a few groups, and each upper half by itself where that is not too many passes.
            let few = values_a.len() as u64 / 2;
            let sizes = [None, Some(few), Some(1)];
            for keys in sizes.into_iter().take(if few < 20 { 3 } else { 2 }) {
                let found = compare_on(path, &source_a, &source_b, keys).unwrap();
                for ((metric, found), (_, expected)) in found.iter().zip(expected.iter()) {
                    let same = match (found, expected) {
                        (Ok(found), Ok(expected)) => (found - expected).abs() <= 1e-12 * expected.abs().max(1e-3),
                        (found, expected) => found == expected,
                    };
                    assert!(
                        same,
                        "{metric} of {} and {} on {path:?}: {found:?}, {expected:?}",
                        a.0, b.0
                    );
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
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let bits = (state >> 24) & mask;
            let bits = if *dtype == Dtype::BOOL { bits & 1 } else { bits };
            bytes.extend_from_slice(&bits.to_le_bytes()[..width(dtype)]);
        }
        bytes
    }

    /// Masks of the low bits of every type that leave NaN and infinity out.
    fn finite(dtype: &Dtype) -> u64 {
        match dtype {
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
            for (n, mask) in [
                (70_000, finite(dtype)),
                (3000, finite(dtype) & 0x4343_4343),
                (500, u64::MAX),
            ] {
                holds((dtype, &stored(dtype, n, 1, mask)), (dtype, &stored(dtype, n, 2, mask)));
            }
        }
    }

    #[test]
    fn types_may_differ_between_the_sides() {
        for (of_a, of_b) in [
            (Dtype::BF16, Dtype::F32),
            (Dtype::I32, Dtype::F16),
            (Dtype::U8, Dtype::U32),
        ] {
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
        let (a, b) = (
            stored(&Dtype::BF16, 300_000, 5, 0xbf7f),
            stored(&Dtype::BF16, 300_000, 6, 0xbf7f),
        );
        let memory = |bytes| Memory {
            dtype: Dtype::BF16,
            numel: 300_000,
            bytes,
        };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| compare(&memory(&a), &memory(&b)).unwrap())
        };
        assert_eq!(on(1), on(5));
    }

    proptest! {
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
