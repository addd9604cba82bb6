//! SHA-256 of several streams side by side, a lane of a vector register each.
//!
//! A digest is a chain: no block of one can begin before the last has ended, and without the processor's own SHA instructions
//! a chain leaves most of a core idle. Blocks of different chains have nothing to do with each other. The rounds are plain
//! loops over lanes, compiled for several instruction sets and chosen when the program runs. Eight lanes are as many as the
//! registers of AVX2 and AVX-512 hold with all variables.

use std::{array, fmt::Write};

use pulp::{Arch, Simd, WithSimd};

/// Streams that go side by side at most.
pub const ABREAST: usize = 8;

/// Bytes of a block.
pub const BLOCK_LENGTH: usize = 64;

type Lane<const N: usize> = [u32; N];

/// A digest in the making, between two blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Midstate([u32; 8]);

impl Default for Midstate {
    /// Of nothing yet.
    fn default() -> Self {
        Self([0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19])
    }
}

impl Midstate {
    /// The digest as 64 lower-case hexadecimal digits, once the last block, which ends in [`ending`], has gone in.
    pub fn finish(self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut hex, word| {
            let _ = write!(hex, "{word:08x}");
            hex
        })
    }
}

/// What follows the last byte of a stream of `length` bytes, so that it ends with a block.
pub fn ending(length: u64) -> Vec<u8> {
    let tail = usize::try_from(length % BLOCK_LENGTH as u64).unwrap_or(0);
    let zeros = (BLOCK_LENGTH + 55 - tail) % BLOCK_LENGTH;
    let mut ending = vec![0; 1 + zeros];
    ending[0] = 0x80;
    ending.extend((length.wrapping_mul(8)).to_be_bytes());
    ending
}

/// Whether going abreast is faster on this machine than one stream after the other: it has wide vectors, and no instructions
/// for SHA. Never in a build without optimisation, whose loops stay loops.
pub fn pays() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        !cfg!(debug_assertions) && is_x86_feature_detected!("avx2") && !is_x86_feature_detected!("sha")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Takes the same number of whole blocks of each stream in: as many as the shortest has. More than [`ABREAST`] streams go in
/// turns.
pub fn advance(streams: &mut [(Midstate, &[u8])]) {
    let shortest = streams.iter().map(|(_, bytes)| bytes.len()).min().unwrap_or(0);
    let blocks = shortest / BLOCK_LENGTH;
    for streams in streams.chunks_mut(ABREAST) {
        match streams.len() {
            0 => {}
            1 => together::<1>(streams, blocks),
            2..=4 => together::<4>(streams, blocks),
            _ => together::<ABREAST>(streams, blocks),
        }
    }
}

/// Lanes without a stream take the first one's blocks in, and nobody looks at what comes of it.
fn together<const N: usize>(streams: &mut [(Midstate, &[u8])], blocks: usize) {
    let of = |lane: usize| {
        if lane < streams.len() { streams[lane] } else { streams[0] }
    };
    let inputs: [&[[u8; BLOCK_LENGTH]]; N] = array::from_fn(|lane| of(lane).1.as_chunks().0);
    let mut state: [Lane<N>; 8] = array::from_fn(|word| array::from_fn(|lane| of(lane).0.0[word]));
    Arch::new().dispatch(Kernel { state: &mut state, inputs, blocks });
    for (lane, (midstate, _)) in streams.iter_mut().enumerate() {
        *midstate = Midstate(array::from_fn(|word| state[word][lane]));
    }
}

/// So many blocks of every lane.
struct Kernel<'a, const N: usize> {
    state: &'a mut [Lane<N>; 8],
    inputs: [&'a [[u8; BLOCK_LENGTH]]; N],
    blocks: usize,
}

impl<const N: usize> WithSimd for Kernel<'_, N> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
    fn with_simd<S: Simd>(self, _: S) {
        for at in 0..self.blocks {
            let mut words: [Lane<N>; 16] = [[0; N]; 16];
            for (lane, input) in self.inputs.iter().enumerate() {
                let (stored, _) = input[at].as_chunks::<4>();
                for (word, &bytes) in words.iter_mut().zip(stored) {
                    word[lane] = u32::from_be_bytes(bytes);
                }
            }
            take_in(self.state, words);
        }
    }
}

/// One block of every lane.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
#[expect(clippy::many_single_char_names, reason = "the standard's own names")]
fn take_in<const N: usize>(state: &mut [Lane<N>; 8], mut words: [Lane<N>; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    // The names move on instead of the values; eight rounds bring each back to its place. Written out, because only loops
    // over arrays that are known apart become vector instructions.
    macro_rules! eight {
        ($constants:expr, $from:literal) => {
            round([&a, &b, &c], &mut d, [&e, &f, &g], &mut h, $constants[$from], &words[$from]);
            round([&h, &a, &b], &mut c, [&d, &e, &f], &mut g, $constants[$from + 1], &words[$from + 1]);
            round([&g, &h, &a], &mut b, [&c, &d, &e], &mut f, $constants[$from + 2], &words[$from + 2]);
            round([&f, &g, &h], &mut a, [&b, &c, &d], &mut e, $constants[$from + 3], &words[$from + 3]);
            round([&e, &f, &g], &mut h, [&a, &b, &c], &mut d, $constants[$from + 4], &words[$from + 4]);
            round([&d, &e, &f], &mut g, [&h, &a, &b], &mut c, $constants[$from + 5], &words[$from + 5]);
            round([&c, &d, &e], &mut f, [&g, &h, &a], &mut b, $constants[$from + 6], &words[$from + 6]);
            round([&b, &c, &d], &mut e, [&f, &g, &h], &mut a, $constants[$from + 7], &words[$from + 7]);
        };
    }
    for (sixteen, constants) in ROUNDS.as_chunks::<16>().0.iter().enumerate() {
        if sixteen > 0 {
            words = later(words);
        }
        eight!(constants, 0);
        eight!(constants, 8);
    }
    for (sum, var) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        for lane in 0..N {
            sum[lane] = sum[lane].wrapping_add(var[lane]);
        }
    }
}

/// One round of every lane.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
#[expect(clippy::many_single_char_names, reason = "the standard's own names")]
fn round<const N: usize>(
    [a, b, c]: [&Lane<N>; 3],
    d: &mut Lane<N>,
    [e, f, g]: [&Lane<N>; 3],
    h: &mut Lane<N>,
    constant: u32,
    word: &Lane<N>,
) {
    for lane in 0..N {
        let (a, b, c, e, f, g) = (a[lane], b[lane], c[lane], e[lane], f[lane], g[lane]);
        let mix_e = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = g ^ (e & (f ^ g));
        let mix_a = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) | (c & (a | b));
        let first = h[lane].wrapping_add(mix_e).wrapping_add(choice).wrapping_add(constant).wrapping_add(word[lane]);
        d[lane] = d[lane].wrapping_add(first);
        h[lane] = first.wrapping_add(mix_a).wrapping_add(majority);
    }
}

/// The sixteen words that follow these.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn later<const N: usize>(words: [Lane<N>; 16]) -> [Lane<N>; 16] {
    let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15] = words;
    let v0 = next(&w0, &w1, &w9, &w14);
    let v1 = next(&w1, &w2, &w10, &w15);
    let v2 = next(&w2, &w3, &w11, &v0);
    let v3 = next(&w3, &w4, &w12, &v1);
    let v4 = next(&w4, &w5, &w13, &v2);
    let v5 = next(&w5, &w6, &w14, &v3);
    let v6 = next(&w6, &w7, &w15, &v4);
    let v7 = next(&w7, &w8, &v0, &v5);
    let v8 = next(&w8, &w9, &v1, &v6);
    let v9 = next(&w9, &w10, &v2, &v7);
    let v10 = next(&w10, &w11, &v3, &v8);
    let v11 = next(&w11, &w12, &v4, &v9);
    let v12 = next(&w12, &w13, &v5, &v10);
    let v13 = next(&w13, &w14, &v6, &v11);
    let v14 = next(&w14, &w15, &v7, &v12);
    let v15 = next(&w15, &v0, &v8, &v13);
    [v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15]
}

/// The word that comes sixteen after the first.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn next<const N: usize>(first: &Lane<N>, second: &Lane<N>, tenth: &Lane<N>, fifteenth: &Lane<N>) -> Lane<N> {
    let mut word = [0; N];
    for lane in 0..N {
        let (near, far) = (second[lane], fifteenth[lane]);
        let mix_near = near.rotate_right(7) ^ near.rotate_right(18) ^ (near >> 3);
        let mix_far = far.rotate_right(17) ^ far.rotate_right(19) ^ (far >> 10);
        word[lane] = first[lane].wrapping_add(mix_near).wrapping_add(tenth[lane]).wrapping_add(mix_far);
    }
    word
}

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
#[rustfmt::skip]
const ROUNDS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256_hex;

    /// The digests of all streams at once, cut so that blocks come in several calls.
    fn digests(streams: &[Vec<u8>]) -> Vec<String> {
        let whole: Vec<Vec<u8>> =
            streams.iter().map(|stream| [stream.as_slice(), &ending(stream.len() as u64)].concat()).collect();
        let mut states = vec![Midstate::default(); streams.len()];
        let mut taken = vec![0; streams.len()];
        loop {
            let open: Vec<usize> = (0..whole.len()).filter(|&i| taken[i] < whole[i].len()).collect();
            let Some(blocks) = open.iter().map(|&i| (whole[i].len() - taken[i]) / BLOCK_LENGTH).min() else {
                break;
            };
            let mut inputs: Vec<_> = open.iter().map(|&i| (states[i], &whole[i][taken[i]..])).collect();
            advance(&mut inputs);
            for (&i, (state, _)) in open.iter().zip(inputs) {
                states[i] = state;
                taken[i] += blocks * BLOCK_LENGTH;
            }
        }
        states.into_iter().map(Midstate::finish).collect()
    }

    #[test]
    fn streams_of_any_length_have_their_own_digests() {
        for count in [1, 2, 4, 5, 8, 9, 16, 17] {
            let streams: Vec<Vec<u8>> = (0..count)
                .map(|i: u64| (0..17 * i + i * i).map(|j| (31 * i + j * j).to_le_bytes()[0]).collect())
                .collect();
            let alone: Vec<String> = streams.iter().map(|stream| sha256_hex(stream)).collect();
            assert_eq!(digests(&streams), alone, "{count} streams");
        }
    }

    #[test]
    fn every_length_ends_with_a_block() {
        let streams: Vec<Vec<u8>> = (0..=130_u8).map(|length| vec![length; usize::from(length)]).collect();
        for stream in &streams {
            assert_eq!((stream.len() + ending(stream.len() as u64).len()) % BLOCK_LENGTH, 0);
            assert_eq!(digests(std::slice::from_ref(stream)), [sha256_hex(stream)]);
        }
    }
}
