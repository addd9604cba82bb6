//! What a pair costs: a norm of 4,096 elements, and a projection of four million.

mod bell;

use bell::bell;
use divan::{Bencher, black_box, counter::ItemsCount};
use half::bf16;
use hub_audit::metric::{PairMetrics, Side};

const LENGTHS: [usize; 2] = [4096, 1 << 22];

fn main() {
    divan::main();
}

/// BF16-like values around 1.
fn values(n: usize, seed: u64) -> Vec<f32> {
    bell(n, seed).map(|x| bf16::from_f32(1.0 + 0.1 * x).to_f32()).collect()
}

#[divan::bench(args = LENGTHS)]
fn compute(bencher: Bencher<'_, '_>, n: usize) {
    let (a, b) = (values(n, 1), values(n, 2));
    bencher.counter(ItemsCount::new(n)).bench_local(|| PairMetrics::compute(black_box(&a), black_box(&b)));
}

#[divan::bench(args = LENGTHS)]
fn of_prepared_sides(bencher: Bencher<'_, '_>, n: usize) {
    let (a, b) = (values(n, 1), values(n, 2));
    let (side_a, side_b) = (Side::new(&a), Side::new(&b));
    bencher
        .counter(ItemsCount::new(n))
        .bench_local(|| PairMetrics::of((black_box(&a), &side_a), (black_box(&b), &side_b)));
}
