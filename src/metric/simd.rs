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
    /// All ways that this machine has. NEON is part of what programs for 64-bit Arm are compiled for.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        let mut paths = vec![Self::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            paths.extend(V3::try_new().map(Self::V3));
            paths.extend(V4::try_new().map(Self::V4));
        }
        paths
    }

    /// The best way that this machine has.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(set) = V4::try_new() {
            return Self::V4(set);
        } else if let Some(set) = V3::try_new() {
            return Self::V3(set);
        }
        Self::Plain
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

/// Declares `Terms`, what elements add up to, and `Lanes`, which has the terms of every column: arrays that vector instructions
/// of any width load and store. The expression is what a column begins with.
macro_rules! lanes {
    ($columns:expr; $($(#[$doc:meta])* $term:ident: $number:ty = $start:expr;)+) => {
        #[derive(Debug, Clone, Copy)]
        struct Terms { $($(#[$doc])* $term: $number,)+ }

        #[derive(Debug)]
        #[repr(align(64))]
        struct Lanes { $($term: [$number; $columns],)+ }

        impl Lanes {
            #[inline(always)]
            fn new() -> Self {
                Self { $($term: [$start; $columns],)+ }
            }

            #[inline(always)]
            fn at(&self, column: usize) -> Terms {
                Terms { $($term: self.$term[column],)+ }
            }

            #[inline(always)]
            fn set(&mut self, column: usize, terms: Terms) {
                $(self.$term[column] = terms.$term;)+
            }
        }
    };
}
pub(super) use lanes;

/// Joins the lanes of a sum, halves with halves, in an order that does not depend on the set.
#[inline(always)]
pub(super) fn fold<const N: usize>(lanes: &[f64; N], join: impl Fn(f64, f64) -> f64) -> f64 {
    const { assert!(N.is_power_of_two()) };
    let mut lanes = *lanes;
    let mut width = N / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}
