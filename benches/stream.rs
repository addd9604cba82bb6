//! What a pair costs when it streams past: bytes of both sides per second, all metrics included.

mod bell;

use std::hint::black_box;

use bell::bell;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use half::bf16;
use hub_audit::{
    digest::TensorDigest,
    dtype::Dtype,
    metric::stream::{Memory, compare},
};

/// Weights as a projection has them.
fn weights(n: usize, seed: u64) -> Vec<f32> {
    bell(n, seed).map(|x| 0.03 * x).collect()
}

fn stored(dtype: &Dtype, n: usize, seed: u64) -> Vec<u8> {
    let weights = weights(n, seed);
    if *dtype == Dtype::BF16 {
        weights.iter().flat_map(|&weight| bf16::from_f32(weight).to_le_bytes()).collect()
    } else {
        weights.iter().flat_map(|weight| weight.to_le_bytes()).collect()
    }
}

fn pair(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream");
    group.sample_size(10);
    for (dtype, n) in [(Dtype::BF16, 1_usize << 25), (Dtype::F32, 1 << 22)] {
        let (a, b) = (stored(&dtype, n, 1), stored(&dtype, n, 2));
        let memory = |bytes| Memory { dtype: dtype.clone(), numel: n as u64, bytes };
        group.throughput(Throughput::Bytes((a.len() + b.len()) as u64));
        group.bench_with_input(BenchmarkId::new("compare", &dtype), &n, |bencher, _| {
            bencher.iter(|| compare(black_box(&memory(&a)), black_box(&memory(&b))));
        });
        group.throughput(Throughput::Bytes(a.len() as u64));
        group.bench_with_input(BenchmarkId::new("hash", &dtype), &n, |bencher, _| {
            bencher.iter(|| {
                let mut digest = TensorDigest::new(&dtype, &[n as u64]);
                digest.update(black_box(&a)).map(|()| digest.finish())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pair);
criterion_main!(benches);
