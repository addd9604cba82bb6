//! Bytes of a tensor at any offset, from a hash of (seed, element index): no state, no storage, no order.

use half::bf16;

use super::model::Moments;

/// Correlation of two relatives' norms at one layer.
const KINSHIP: f64 = 0.995;
/// Correlation of two relatives' matrices.
const RELATED: f64 = 0.8;
/// Parts of a norm's pattern, as weights of independent standard normals whose squares add up to one: common to all layers,
/// drifting with depth, and the layer's own. Layers next to each other then correlate at about 0.7, distant ones at 0.35.
const COMMON: f64 = 0.591_608;
const DRIFT: f64 = 0.591_608;
const OWN: f64 = 0.547_723;
/// Layers after which the drifting part has turned into another one.
const TURN: u64 = 16;
/// Weight of the common part in layer 0, which resembles no other layer.
const COMMON_IN_FIRST: f64 = 0.076;

/// How the elements of a tensor come about.
#[derive(Debug, Clone)]
pub(super) enum Values {
    /// Zero-mean noise.
    Noise {
        /// Seed of the tensor.
        seed: u64,
        /// Standard deviation.
        sd: f64,
    },
    /// What a relative's noise gives, `shift` elements further on, and some noise of its own.
    Related {
        /// Seed of the relative's tensor.
        relative: u64,
        /// Seed of this tensor.
        own: u64,
        /// Standard deviation.
        sd: f64,
        /// How much further the relative's element is.
        shift: u64,
    },
    /// The same noise, with rows in the other of two rotary layouts: row `(head, i, b)` here is row `(head, b, i)` there,
    /// for the halves `b` of each head.
    Interleaved {
        /// Seed of the tensor.
        seed: u64,
        /// Standard deviation.
        sd: f64,
        /// Rows per head.
        head_dim: u64,
        /// Elements per row.
        columns: u64,
    },
    /// Gamma of a norm.
    Norm {
        /// Seed shared by the lineage, for one kind of norm.
        lineage: u64,
        /// Seed of this tensor alone.
        own: u64,
        moments: Moments,
    },
}

/// A seed from words.
pub(super) fn seed_of(words: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for word in words {
        for &byte in word.as_bytes().iter().chain(b"/") {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    scramble(hash)
}

/// The finaliser of `SplitMix64`.
fn scramble(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn hash(seed: u64, index: u64) -> u64 {
    scramble(seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// The sum of the four 16-bit parts of a hash, centred: nearly normal, with variance `4 · (2¹⁶)² / 12`.
fn centred(hash: u64) -> f64 {
    let pairs = (hash & 0x0000_ffff_0000_ffff) + ((hash >> 16) & 0x0000_ffff_0000_ffff);
    ((pairs >> 32) + (pairs & 0xffff_ffff)) as f64 - 131_070.0
}

/// Standard deviation of [`centred`].
const SPREAD: f64 = 37_837.227;

/// A standard normal, nearly: eight uniforms.
fn normal(seed: u64, index: u64) -> f64 {
    let sum = centred(hash(seed, 2 * index)) + centred(hash(seed, 2 * index + 1));
    sum / (SPREAD * std::f64::consts::SQRT_2)
}

/// The pattern of a lineage at one layer: standard normal in `index`, correlated over layers.
fn pattern(seed: u64, layer: u64, index: u64) -> f64 {
    let part = |number: u64| normal(hash(seed, number), index);
    let own = part(1_000_000 + layer);
    if layer == 0 {
        return COMMON_IN_FIRST * part(0) + (1.0 - COMMON_IN_FIRST * COMMON_IN_FIRST).sqrt() * own;
    }
    let turn = layer / TURN;
    let angle = (layer % TURN) as f64 / TURN as f64 * std::f64::consts::FRAC_PI_2;
    let drift = angle.cos() * part(1 + turn) + angle.sin() * part(2 + turn);
    COMMON * part(0) + DRIFT * drift + OWN * own
}

impl Values {
    /// Element `index` of the tensor, before it is rounded to its type.
    fn at(&self, index: u64) -> f64 {
        match *self {
            Self::Noise { seed, sd } => centred(hash(seed, index)) * (sd / SPREAD),
            Self::Related { relative, own, sd, shift } => {
                let [shared, new] = [centred(hash(relative, index + shift)), centred(hash(own, index))];
                (RELATED * shared + (1.0 - RELATED * RELATED).sqrt() * new) * (sd / SPREAD)
            }
            Self::Interleaved { seed, sd, head_dim, columns } => {
                let (row, column) = (index / columns, index % columns);
                let (head, within) = (row / head_dim, row % head_dim);
                let row = head * head_dim + (within % 2) * (head_dim / 2) + within / 2;
                centred(hash(seed, row * columns + column)) * (sd / SPREAD)
            }
            Self::Norm { lineage, own, moments } => {
                let shape = pattern(lineage, moments.layer, index);
                let z = KINSHIP.sqrt() * shape + (1.0 - KINSHIP).sqrt() * normal(own, index);
                moments.mean * (1.0 + moments.cv * z)
            }
        }
    }

    /// Fills `out` with the bytes from `offset` on, as BF16 rounded to nearest even (`width` 2) or F32 (`width` 4),
    /// little-endian.
    pub(super) fn fill(&self, width: u64, offset: u64, out: &mut [u8]) {
        let mut index = offset / width;
        let mut skip = usize::try_from(offset % width).unwrap_or_default();
        let mut rest = out;
        while !rest.is_empty() {
            #[expect(clippy::cast_possible_truncation, reason = "rounding to the stored type is the point")]
            let value = self.at(index) as f32;
            let (wide, narrow) = (value.to_le_bytes(), bf16::from_f32(value).to_le_bytes());
            let bytes: &[u8] = if width == 4 { &wide } else { &narrow };
            let bytes = &bytes[skip..];
            let taken = bytes.len().min(rest.len());
            let (now, later) = std::mem::take(&mut rest).split_at_mut(taken);
            now.copy_from_slice(&bytes[..taken]);
            rest = later;
            skip = 0;
            index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some() -> [Values; 4] {
        [
            Values::Related { relative: 7, own: 8, sd: 0.02, shift: 5 },
            Values::Noise { seed: 7, sd: 0.02 },
            Values::Interleaved { seed: 7, sd: 0.02, head_dim: 8, columns: 16 },
            Values::Norm { lineage: 1, own: 2, moments: Moments { layer: 3, mean: 0.5, cv: 0.1 } },
        ]
    }

    #[test]
    fn noise_has_the_spread_that_was_asked_for() {
        let noise = Values::Noise { seed: 7, sd: 0.02 };
        let values: Vec<f64> = (0..100_000).map(|index| noise.at(index)).collect();
        let mean = values.iter().sum::<f64>() / 1e5;
        let sd = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 1e5).sqrt();
        assert!(mean.abs() < 3e-4, "{mean}");
        assert!((sd / 0.02 - 1.0).abs() < 0.01, "{sd}");
    }

    #[test]
    fn the_other_rotary_layout_holds_the_same_rows() {
        let [_, plain, interleaved, _] = some();
        let row = |values: &Values, row: u64| (0..16).map(|c| values.at(row * 16 + c)).collect::<Vec<_>>();
        for head in 0..2 {
            for i in 0..4 {
                for b in 0..2 {
                    assert_eq!(row(&interleaved, head * 8 + 2 * i + b), row(&plain, head * 8 + b * 4 + i));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_slice_equals_the_sequential_read(which in 0_usize..4, width in prop::sample::select(vec![2_u64, 4]), start in 0_usize..200, len in 0_usize..100) {
            let values = &some()[which];
            let mut whole = vec![0; 300];
            values.fill(width, 0, &mut whole);
            let mut part = vec![0; len];
            values.fill(width, start as u64, &mut part);
            prop_assert_eq!(&part[..], &whole[start..start + len]);
        }
    }
}
