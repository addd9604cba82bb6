//! What a pair costs when it streams past: bytes of both sides per second, all metrics included.

mod bell;

use std::fmt;

use bell::bell;
use divan::{Bencher, black_box, counter::BytesCount};
use half::bf16;
use hub_audit::{
    digest::TensorDigest,
    dtype::Dtype,
    metric::stream::{Memory, compare},
};

fn main() {
    divan::main();
}

/// A tensor's element type and number of elements.
struct Kind(Dtype, usize);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.1, self.0)
    }
}

fn kinds() -> [Kind; 2] {
    [Kind(Dtype::BF16, 1 << 25), Kind(Dtype::F32, 1 << 22)]
}

/// Stored bytes of weights as a projection has them.
fn stored(Kind(dtype, n): &Kind, seed: u64) -> Vec<u8> {
    let weights = bell(*n, seed).map(|x| 0.03 * x);
    if *dtype == Dtype::BF16 {
        weights.flat_map(|weight| bf16::from_f32(weight).to_le_bytes()).collect()
    } else {
        weights.flat_map(f32::to_le_bytes).collect()
    }
}

#[divan::bench(args = kinds(), sample_count = 10, sample_size = 1)]
fn pair(bencher: Bencher<'_, '_>, kind: &Kind) {
    let (a, b) = (stored(kind, 1), stored(kind, 2));
    let memory = |bytes| Memory { dtype: kind.0.clone(), numel: kind.1 as u64, bytes };
    let bytes = BytesCount::new(a.len() + b.len());
    bencher.counter(bytes).bench_local(|| compare(black_box(&memory(&a)), black_box(&memory(&b))));
}

#[divan::bench(args = kinds(), sample_count = 10, sample_size = 1)]
fn hash(bencher: Bencher<'_, '_>, kind: &Kind) {
    let bytes = stored(kind, 1);
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        let mut digest = TensorDigest::new(&kind.0, &[kind.1 as u64]);
        digest.update(black_box(&bytes)).map(|()| digest.finish())
    });
}
