//! What a pair costs: a norm of 4,096 elements, and a projection of four million.

mod bell;

use std::hint::black_box;

use bell::bell;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use half::bf16;
use hub_audit::metric::{PairMetrics, Side};

/// BF16-like values around 1.
fn values(n: usize, seed: u64) -> Vec<f32> {
    bell(n, seed).map(|x| bf16::from_f32(1.0 + 0.1 * x).to_f32()).collect()
}

fn pair(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pair");
    for n in [4096_usize, 1 << 22] {
        let (a, b) = (values(n, 1), values(n, 2));
        group.throughput(Throughput::Elements(n as u64));
        group.sample_size(if n > 4096 { 10 } else { 100 });
        group.bench_with_input(BenchmarkId::new("compute", n), &n, |bencher, _| {
            bencher.iter(|| PairMetrics::compute(black_box(&a), black_box(&b)));
        });
        let (side_a, side_b) = (Side::new(&a), Side::new(&b));
        group.bench_with_input(BenchmarkId::new("of prepared sides", n), &n, |bencher, _| {
            bencher.iter(|| PairMetrics::of((black_box(&a), &side_a), (black_box(&b), &side_b)));
        });
    }
    group.finish();
}

criterion_group!(benches, pair);
criterion_main!(benches);
