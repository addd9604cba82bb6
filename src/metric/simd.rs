//! The instruction sets that kernels are compiled for, chosen when the program runs.
//!
//! Kernels are plain loops over fixed lanes, and no compiler may reorder or fuse their sums: each set gives the same sums of the
//! same terms. Quotients alone are made differently, and correctly rounded on each.

#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};

/// A way to run kernels on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path {
    /// What the program as a whole was compiled for.
    Plain,
    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    V3(V3),
    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    V4(V4),
}

impl Path {
    /// All ways that this machine has, the best one last. NEON is part of what programs for 64-bit Arm are compiled for.
    pub(super) fn all() -> Vec<Self> {
        let mut paths = vec![Self::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            paths.extend(V3::try_new().map(Self::V3));
            paths.extend(V4::try_new().map(Self::V4));
        }
        paths
    }

    pub(super) fn best() -> Self {
        Self::all().pop().unwrap_or(Self::Plain)
    }

    /// Runs `kernel`, compiled for this set as far as its parts are inlined into it.
    pub(super) fn run<R, K: FnOnce() -> R>(self, kernel: K) -> R {
        match self {
            Self::Plain => kernel(),
            #[cfg(target_arch = "x86_64")]
            Self::V3(set) => set.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::V4(set) => set.vectorize(kernel),
        }
    }

    /// Runs a kernel that wants to know whether the set multiplies and adds at once.
    pub(super) fn kernel<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Plain => kernel.run::<{ cfg!(any(target_arch = "aarch64", target_feature = "fma")) }>(),
            #[cfg(target_arch = "x86_64")]
            Self::V3(set) => set.vectorize(
                #[inline(always)]
                || kernel.run::<true>(),
            ),
            #[cfg(target_arch = "x86_64")]
            Self::V4(set) => set.vectorize(
                #[inline(always)]
                || kernel.run::<true>(),
            ),
        }
    }
}

/// Something to compute, compiled for each set. `run` must be inlined always.
pub(super) trait Kernel {
    /// Its result.
    type Output;

    /// `FUSED`: `mul_add` is one instruction.
    fn run<const FUSED: bool>(self) -> Self::Output;
}
