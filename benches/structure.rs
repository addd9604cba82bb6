//! What the structure of a model along depth costs a pair of layers: the raw test, the spectrum of a residual, and the
//! alignments, on matrices of the shapes of a model of four billion parameters. `structure_numpy.py` is the NumPy route.

mod bell;

use std::io::Write;

use bell::bell;
use divan::{Bencher, black_box, counter::BytesCount};
use half::bf16;
use hub_audit::{
    checkpoint::{CheckpointError, FolderFile},
    metric::{
        Overlap, Weights,
        align::{HeadLayout, Projections, UnitPair, heads, permutation},
        spectrum::Spectrum,
    },
    range::ByteRange,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

const HIDDEN: usize = 2560;
const UNITS: usize = 9728;
const WIDTH: usize = 128;

fn main() {
    divan::main();
}

/// Stored bytes of BF16 values, nearly normal.
fn elements(count: usize, seed: u64) -> Vec<[u8; 2]> {
    bell(count, seed).map(|x| bf16::from_f32(0.02 * x).to_le_bytes()).collect()
}

fn matrix(rows: usize, columns: usize, seed: u64) -> Weights {
    Weights::bf16(rows, columns, elements(rows * columns, seed)).expect("the shape is that of the elements")
}

/// The raw test and the scale are measured on one core.
fn one_core() -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread")
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn five_sums_of_two_matrices_in_memory(bencher: Bencher<'_, '_>) {
    let (a, b) = (matrix(HIDDEN, UNITS, 1), matrix(HIDDEN, UNITS, 2));
    let bytes = BytesCount::new(2 * (a.numel() + b.numel()));
    let pool = one_core();
    bencher.counter(bytes).bench_local(|| pool.install(|| Overlap::of(black_box(&a), black_box(&b))));
}

/// Along depth each matrix is read once, here from the page cache, and summed with the one before it.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn one_matrix_read_and_summed_with_the_last(bencher: Bencher<'_, '_>) {
    let a = matrix(HIDDEN, UNITS, 1);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stored");
    let mut file = std::fs::File::create(&path).expect("a file");
    file.write_all(elements(HIDDEN * UNITS, 3).as_flattened()).expect("room on the disk");
    drop(file);
    let range = ByteRange::new(0, (2 * HIDDEN * UNITS) as u64);
    let read = || {
        let file = FolderFile::open(&path).expect("the file");
        let mut elements = Vec::with_capacity(HIDDEN * UNITS);
        file.read_blocks(range, 256 * 1024, |block| {
            elements.extend_from_slice(block.as_chunks::<2>().0);
            Ok::<(), CheckpointError>(())
        })
        .expect("the file's bytes");
        Weights::bf16(HIDDEN, UNITS, elements).expect("the shape is that of the elements")
    };
    let bytes = BytesCount::new(2 * HIDDEN * UNITS);
    let pool = one_core();
    bencher.counter(bytes).bench_local(|| pool.install(|| Overlap::of(black_box(&a), &read())));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn effective_rank_of_2560_by_9728(bencher: Bencher<'_, '_>) {
    let (a, b) = (matrix(HIDDEN, UNITS, 1), matrix(HIDDEN, UNITS, 2));
    bencher.bench_local(|| Spectrum::of_residual(black_box(&a), &b));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn heads_32_of_128_by_2560(bencher: Bencher<'_, '_>) {
    let layout = HeadLayout { heads: 32, groups: 8, width: WIDTH };
    let layer = |seed: u64| {
        [
            matrix(32 * WIDTH, HIDDEN, seed),
            matrix(8 * WIDTH, HIDDEN, seed + 1),
            matrix(8 * WIDTH, HIDDEN, seed + 2),
            matrix(HIDDEN, 32 * WIDTH, seed + 3),
        ]
    };
    let (a, b) = (layer(1), layer(11));
    let of = |[q, k, v, o]: &[Weights; 4]| {
        heads(&layout, &Projections { q: &a[0], k: &a[1], v: &a[2], o: &a[3] }, &Projections { q, k, v, o })
    };
    bencher.bench_local(|| of(black_box(&b)));
}

/// Once: it takes a minute.
#[divan::bench(sample_count = 1, sample_size = 1)]
fn mlp_permutation_of_9728_units(bencher: Bencher<'_, '_>) {
    let layer =
        |seed: u64| [matrix(UNITS, HIDDEN, seed), matrix(UNITS, HIDDEN, seed + 1), matrix(HIDDEN, UNITS, seed + 2)];
    let (a, b) = (layer(1), layer(11));
    bencher.bench_local(|| {
        let pair = UnitPair { gate: [&a[0], &b[0]], up: [&a[1], &b[1]], down: [&a[2], &b[2]] };
        black_box(permutation(&pair)).expect("matrices that fit");
    });
}
