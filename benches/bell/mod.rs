//! Numbers that are nearly normal, the same on every machine, for benches.

/// Sums of four uniforms from 0 to 1, less 2, from a linear congruential generator.
pub(crate) fn bell(n: usize, seed: u64) -> impl Iterator<Item = f32> {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(state >> 48).unwrap_or(u16::MAX)) / 65536.0
    };
    (0..n).map(move |_| uniform() + uniform() + uniform() + uniform() - 2.0)
}
