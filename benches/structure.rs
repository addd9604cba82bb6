//! What the structure of a model along depth costs a pair of layers: the raw test, the spectrum of a residual, and the
//! alignments, on matrices of the shapes of a model of four billion parameters. `structure_numpy.py` is the NumPy route.

mod bell;

use std::{
    hint::black_box,
    io::Write,
    time::{Duration, Instant},
};

use bell::bell;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
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

const HIDDEN: usize = 2560;
const UNITS: usize = 9728;
const WIDTH: usize = 128;

/// Stored bytes of BF16 values, nearly normal.
fn elements(count: usize, seed: u64) -> Vec<[u8; 2]> {
    bell(count, seed).map(|x| bf16::from_f32(0.02 * x).to_le_bytes()).collect()
}

fn matrix(rows: usize, columns: usize, seed: u64) -> Weights {
    Weights::bf16(rows, columns, elements(rows * columns, seed)).expect("the shape is that of the elements")
}

fn raw(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("raw test and scale, one core");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    let (a, b) = (matrix(HIDDEN, UNITS, 1), matrix(HIDDEN, UNITS, 2));
    group.throughput(Throughput::Bytes(2 * (a.numel() + b.numel()) as u64));
    group.sample_size(20);
    group.bench_function("five sums of two matrices in memory", |bencher| {
        pool.install(|| bencher.iter(|| Overlap::of(black_box(&a), black_box(&b))));
    });
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
    // Along depth each matrix is read once, and summed with the one before it.
    group.throughput(Throughput::Bytes(2 * b.numel() as u64));
    group.bench_function("one matrix read from the page cache and summed with the last", |bencher| {
        pool.install(|| bencher.iter(|| Overlap::of(black_box(&a), &read())));
    });
    group.finish();
}

/// A measurement of one run, for what takes a minute: criterion would ask for ten.
fn once(criterion: &mut Criterion, name: &str, run: impl FnOnce()) {
    let start = Instant::now();
    run();
    let taken = start.elapsed();
    let mut group = criterion.benchmark_group("measured once");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(10));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| taken.saturating_mul(u32::try_from(iterations).unwrap_or(u32::MAX)));
    });
    group.finish();
}

fn spectrum(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("effective rank");
    group.sample_size(10);
    let (a, b) = (matrix(HIDDEN, UNITS, 1), matrix(HIDDEN, UNITS, 2));
    group.bench_function("2560 × 9728", |bencher| {
        bencher.iter(|| Spectrum::of_residual(black_box(&a), &b));
    });
    group.finish();
}

fn attention(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("heads");
    group.sample_size(10);
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
    group.bench_function("32 heads of 128 × 2560", |bencher| bencher.iter(|| of(black_box(&b))));
    group.finish();
}

fn units(criterion: &mut Criterion) {
    let layer =
        |seed: u64| [matrix(UNITS, HIDDEN, seed), matrix(UNITS, HIDDEN, seed + 1), matrix(HIDDEN, UNITS, seed + 2)];
    let (a, b) = (layer(1), layer(11));
    once(criterion, "mlp-permutation of 9728 units", || {
        let pair = UnitPair { gate: [&a[0], &b[0]], up: [&a[1], &b[1]], down: [&a[2], &b[2]] };
        black_box(permutation(&pair)).expect("matrices that fit");
    });
}

criterion_group!(benches, raw, spectrum, attention, units);
criterion_main!(benches);
