//! What is asked of two embedding tables.

use std::str::FromStr;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{family::Role, model::AuditError};

/// Which rows are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenAsk {
    /// The table: `embed_tokens` or `lm_head`.
    pub role: Role,
    /// How many tokens.
    pub sample: Sample,
    /// Seed of the sample and of the random pairs.
    pub seed: u64,
    /// Whether the models were asked for a tensor by name: then that is the table, whatever its role.
    pub by_name: bool,
    /// Whether rows are matched by number alone, and no tokenizer is read.
    pub same_id: bool,
}

/// How many of the tokens that could be compared are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// Every one.
    All,
    /// So many, drawn at random without replacement; all where there are fewer.
    Of(u64),
}

impl FromStr for Sample {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        match text.parse() {
            _ if text == "all" => Ok(Self::All),
            Ok(count) if count > 0 => Ok(Self::Of(count)),
            _ => Err(AuditError::Sample { text: text.to_owned() }),
        }
    }
}

/// Streams of the generator, so that the sample does not shift where the pairs are drawn otherwise.
const SAMPLE_STREAM: u64 = 0;
const PAIRS_STREAM: u64 = 1;

impl Sample {
    /// Draws from `items` without replacement, and keeps their order. The same seed gives the same draw on every machine.
    pub(crate) fn draw<T>(self, items: Vec<T>, seed: u64) -> Vec<T> {
        let Self::Of(wanted) = self else { return items };
        let mut random = generator(seed, SAMPLE_STREAM);
        let mut left = items.len() as u64;
        let mut wanted = wanted.min(left);
        // Each item is taken with the chance that is left for it: exactly as many as wanted are, each set as likely.
        let take = |_: &T| {
            let taken = random.random_range(0..left) < wanted;
            wanted -= u64::from(taken);
            left -= 1;
            taken
        };
        items.into_iter().filter(take).collect()
    }
}

/// A random arrangement of `0..n` in which nothing stays in its place: one cycle through all, by Sattolo's algorithm. Empty for
/// fewer than two.
pub(crate) fn derangement(n: usize, seed: u64) -> Vec<usize> {
    if n < 2 {
        return Vec::new();
    }
    let mut random = generator(seed, PAIRS_STREAM);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        // As u64, which draws the same on machines of any width.
        let other = random.random_range(0..last as u64);
        order.swap(last, usize::try_from(other).unwrap_or(0));
    }
    order
}

fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    random
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_of_tokens_is_read() {
        assert_eq!("all".parse::<Sample>().unwrap(), Sample::All);
        assert_eq!("2000".parse::<Sample>().unwrap(), Sample::Of(2000));
        for wrong in ["0", "-1", "", "some", "1e3"] {
            assert!(wrong.parse::<Sample>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_item_is_drawn_as_often_as_any_other() {
        let mut counts = [0_u32; 10];
        for seed in 0..2000 {
            for item in Sample::Of(3).draw((0..10).collect::<Vec<usize>>(), seed) {
                counts[item] += 1;
            }
        }
        // Mean 600, standard deviation 20.
        assert!(counts.iter().all(|&count| (500..700).contains(&count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn a_sample_is_in_order_of_the_right_size_and_the_same_again(n in 0_usize..50, wanted in 1_u64..60, seed: u64) {
            let items: Vec<usize> = (0..n).collect();
            let drawn = Sample::Of(wanted).draw(items.clone(), seed);
            prop_assert_eq!(drawn.len() as u64, wanted.min(n as u64));
            prop_assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(&drawn, &Sample::Of(wanted).draw(items.clone(), seed));
            prop_assert_eq!(Sample::All.draw(items.clone(), seed), items);
        }

        #[test]
        fn nothing_stays_in_its_place(n in 2_usize..60, seed: u64) {
            let order = derangement(n, seed);
            prop_assert!(order.iter().enumerate().all(|(at, &other)| at != other));
            let mut sorted = order;
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..n).collect::<Vec<_>>());
        }
    }
}
