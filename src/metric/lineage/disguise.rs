//! Copies whose units or hidden coordinates were relabelled: matched on one part of the data, tested exactly on another.

use std::ops::Range;

use faer::MatRef;

use super::{
    basis::AnchoredRows,
    block_test::Tail,
    choice::{BLOCK, coordinate_order},
    draws::draw_key,
    evidence::Evidence,
    products::{centre, centre_columns, column_products, column_sums},
    untested::Untested,
};
use crate::{
    metric::{Element, median},
    parallel,
};

/// Hidden coordinates that match units; twice as many test them.
const MATCHING: usize = 64;

/// The best matches of a layer are anchors of the test.
const ANCHORS: usize = 256;

const FEWEST_TOKENS: usize = 64;
const FEWEST_COORDINATES: usize = 32;

/// Rows of a score matrix that are worked out at a time.
const TILE: usize = 256;

/// Two columns, each the best for the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Match {
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) score: f64,
}

/// A layer's down projections of both models, a row of units for each hidden coordinate; units may differ in number.
#[derive(Debug, Clone)]
pub(crate) struct UnitColumns<'a, T> {
    /// Coordinates that match.
    pub(crate) matching: [Vec<&'a [T]>; 2],
    /// Other coordinates, which test.
    pub(crate) testing: [Vec<&'a [T]>; 2],
    pub(crate) units: [usize; 2],
}

/// A test of what was matched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MatchedTest {
    pub(crate) evidence: Evidence,
    /// Share of the matches that have one number on both sides.
    pub(crate) same_index: f64,
    /// Median score of the matches.
    pub(crate) score: f64,
    /// Share of the units of the side with fewer of them that are each other's nearest, over all layers.
    pub(crate) mutual: f64,
}

/// How many blocks of hidden coordinates to choose.
pub(crate) const COORDINATE_BLOCKS: usize = 3 * MATCHING / BLOCK;

/// The first third of blocks of hidden coordinates, which matches units, and the rest, which tests them.
pub(crate) fn split_blocks(blocks: &[Range<usize>]) -> (&[Range<usize>], &[Range<usize>]) {
    let third = blocks.len() / 3;
    blocks[..3 * third].split_at(third)
}

/// The same of hidden coordinates that were matched themselves. `TooFew` below 24 of them.
pub(crate) fn split_matches(matches: &[Match], seed: u64) -> Result<(Vec<Match>, Vec<Match>), Untested> {
    let third = matches.len().min(3 * MATCHING) / 3 / BLOCK * BLOCK;
    if third == 0 {
        return Err(Untested::TooFew);
    }
    let numbers: Vec<usize> = matches.iter().map(|matched| matched.a).collect();
    let order = coordinate_order(&numbers, seed);
    let pick = |range: Range<usize>| order[range].iter().map(|&k| matches[k]).collect();
    Ok((pick(0..third), pick(third..3 * third)))
}

/// Matches units layer by layer and tests the best matches on other coordinates, whose permutation is exact whatever the
/// matching did. Where coordinates were matched as well (`exact` is false), nothing is left that no matching used: calibrated against
/// unrelated pairs, never exact. `TooFew` where nothing matches.
pub(crate) fn matched_units<T: Element>(
    layers: &[UnitColumns<'_, T>],
    exact: bool,
    seed: u64,
) -> Result<MatchedTest, Untested> {
    let first = layers.first().ok_or(Untested::NoTensor)?;
    let coordinates = first.testing[0].len();
    let (mut anchors, mut scores, mut same, mut mutual_units, mut all) = ([vec![], vec![]], vec![], 0, 0, 0);
    for layer in layers {
        let features = |of: &[Vec<&[T]>; 2], side: usize| {
            let mut values: Vec<f64> = of[side].iter().copied().flatten().map(|x| x.to_f64()).collect();
            standardise_rows(&mut values, layer.units[side]);
            values
        };
        let [a, b] = [0, 1].map(|side| features(&layer.matching, side));
        let mut matches = mutual(a, b, layer.units);
        mutual_units += matches.len();
        all += layer.units[0].min(layer.units[1]);
        matches.truncate(ANCHORS);
        for (side, anchors) in anchors.iter_mut().enumerate() {
            let units = layer.units[side];
            let values = features(&layer.testing, side);
            for matched in &matches {
                let unit = if side == 0 { matched.a } else { matched.b };
                anchors.extend(values.iter().skip(unit).step_by(units));
            }
        }
        same += matches.iter().filter(|matched| matched.a == matched.b).count();
        scores.extend(matches.iter().map(|matched| matched.score));
    }
    let found = scores.len() as f64;
    let score = median(&mut scores).map_err(|_| Untested::TooFew)?;
    let [a, b] = anchors.map(|anchors| AnchoredRows::centred(coordinates, anchors));
    let name = if exact { "matched units" } else { "matched both" };
    let evidence = a.test(&b, BLOCK, draw_key(seed, name), Tail::Upper)?;
    Ok(MatchedTest {
        evidence: Evidence { exact, ..evidence },
        same_index: same as f64 / found,
        score,
        mutual: mutual_units as f64 / all as f64,
    })
}

/// Matches hidden coordinates by the embeddings of the same tokens, one row a token, the best matches first. `TooFewTokens` below
/// 64, `TooFew` below 32 matches.
pub(crate) fn matched_coordinates<T: Element>(rows: [&[T]; 2], widths: [usize; 2]) -> Result<Vec<Match>, Untested> {
    if rows[0].len() / widths[0] < FEWEST_TOKENS {
        return Err(Untested::TooFewTokens);
    }
    let [a, b] = [0, 1].map(|side| {
        let mut values: Vec<f64> = rows[side].iter().map(|x| x.to_f64()).collect();
        centre_columns(&mut values, widths[side]);
        values
    });
    let matches = mutual(a, b, widths);
    if matches.len() < FEWEST_COORDINATES { Err(Untested::TooFew) } else { Ok(matches) }
}

/// Rows with these columns only, in this order.
pub(crate) fn take_columns<T: Copy>(rows: &[T], width: usize, columns: &[usize]) -> Vec<T> {
    rows.chunks_exact(width).flat_map(|row| columns.iter().map(|&column| row[column])).collect()
}

/// Each row centred and divided by its rms.
fn standardise_rows(values: &mut [f64], width: usize) {
    for row in values.chunks_exact_mut(width) {
        centre(row);
        let rms = (row.iter().map(|x| x * x).sum::<f64>() / width as f64).sqrt();
        if rms > 0.0 {
            for x in row.iter_mut() {
                *x /= rms;
            }
        }
    }
}

/// Each column of length 1; zeros stay zeros.
fn to_unit_columns(values: &mut [f64], width: usize) {
    let squares = column_sums(values, width, |x| x * x).into_iter();
    let lengths: Vec<f64> = squares.map(|squares| if squares > 0.0 { squares.sqrt() } else { 1.0 }).collect();
    for row in values.chunks_exact_mut(width) {
        row.iter_mut().zip(&lengths).for_each(|(x, length)| *x /= length);
    }
}

/// Mutual nearest neighbours by cosine of the columns of two matrices with equal rows, by falling cosine.
fn mutual(mut a: Vec<f64>, mut b: Vec<f64>, columns: [usize; 2]) -> Vec<Match> {
    to_unit_columns(&mut a, columns[0]);
    to_unit_columns(&mut b, columns[1]);
    let rows = a.len() / columns[0];
    let [of_a, of_b] = [(&a, columns[0]), (&b, columns[1])]
        .map(|(values, columns)| MatRef::from_row_major_slice(values.as_slice(), rows, columns));
    let firsts: Vec<usize> = (0..columns[0]).step_by(TILE).collect();
    // The whole matrix of cosines may be larger than the memory.
    let tiles: Vec<(Vec<Best>, Vec<Best>)> = parallel::map(&firsts, |&first| {
        let count = TILE.min(columns[0] - first);
        let cosines = column_products(of_a.subcols(first, count), of_b);
        let mut best_rows = vec![Best::NONE; columns[1]];
        let best_columns = cosines
            .chunks_exact(columns[1])
            .enumerate()
            .map(|(row, cosines)| {
                let mut best = Best::NONE;
                for (column, &cosine) in cosines.iter().enumerate() {
                    best.meet(column, cosine);
                    best_rows[column].meet(first + row, cosine);
                }
                best
            })
            .collect();
        (best_columns, best_rows)
    });
    let mut best_rows = vec![Best::NONE; columns[1]];
    for best in tiles.iter().flat_map(|(_, of_tile)| of_tile.iter().zip(0..)) {
        let (best, column): (&Best, usize) = best;
        best_rows[column].meet(best.place, best.score);
    }
    let best_columns = tiles.iter().flat_map(|(best_columns, _)| best_columns);
    let mut matches: Vec<Match> = best_columns
        .enumerate()
        .filter(|(row, best)| best_rows[best.place].place == *row)
        .map(|(row, best)| Match { a: row, b: best.place, score: best.score })
        .collect();
    matches.sort_by(|left, right| right.score.total_cmp(&left.score));
    matches
}

/// The largest score so far and where; the first of equals.
#[derive(Clone, Copy)]
struct Best {
    place: usize,
    score: f64,
}

impl Best {
    const NONE: Self = Self { place: 0, score: f64::NEG_INFINITY };

    fn meet(&mut self, place: usize, score: f64) {
        if score > self.score {
            *self = Self { place, score };
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::metric::lineage::{
        choice,
        goldens::{Array, Arrays, as_blocks, check_significance, goldens, integers, near, text},
        units::{UnitRows, unit_test},
    };

    fn check(test: &MatchedTest, golden: &Value) {
        near(test.evidence.z, &golden["z"]);
        near(test.evidence.rho.unwrap(), &golden["rho"]);
        near(test.score, &golden["score"]);
        near(test.same_index, &golden["same_index"]);
        let counts = [test.evidence.rows, test.evidence.width];
        assert_eq!(counts, ["rows", "width"].map(|name| integers(&golden[name])[0]));
        assert_eq!(golden["exact"], test.evidence.exact);
        check_significance(test.evidence.significance, golden);
    }

    /// Rows of 96 units of both sides.
    fn rows(of: &[Vec<f64>; 2]) -> [Vec<&[f64]>; 2] {
        of.each_ref().map(|values| values.chunks_exact(96).collect())
    }

    fn test_units(
        of: &dyn Fn(usize, usize) -> Array,
        matching: &[Vec<usize>; 2],
        testing: &[Vec<usize>; 2],
        exact: bool,
    ) -> MatchedTest {
        let pick = |rows: &[Vec<usize>; 2], layer| [0, 1].map(|side| of(side, layer).rows(rows[side].iter().copied()));
        let read: Vec<_> = [1, 2].iter().map(|&layer| (pick(matching, layer), pick(testing, layer))).collect();
        let layers: Vec<UnitColumns<'_, f64>> = read
            .iter()
            .map(|(matching, testing)| UnitColumns { matching: rows(matching), testing: rows(testing), units: [96; 2] })
            .collect();
        matched_units(&layers, exact, 0).unwrap()
    }

    #[test]
    fn disguised_copies_are_found_as_the_reference_does() {
        let arrays = Arrays::of("hid.");
        for case in goldens()["disguises"].as_array().unwrap() {
            let of = |role: &str, side: usize, layer: &str| {
                arrays.get(text(&case[["a", "b"][side]][format!("{role}.{layer}")])).clone()
            };
            let down = |side: usize, layer: usize| of("down", side, &layer.to_string());
            let blocks = choice::blocks("residual", &as_blocks(&[256]), COORDINATE_BLOCKS, 0).unwrap();
            let (matching, testing) = split_blocks(&blocks);
            let rows = |blocks: &[Range<usize>]| -> Vec<usize> { blocks.iter().cloned().flatten().collect() };
            assert_eq!(rows(matching), integers(&case["coordinates"][0]));
            assert_eq!(rows(testing), integers(&case["coordinates"][1]));
            let both = |rows: Vec<usize>| [rows.clone(), rows];
            check(&test_units(&down, &both(rows(matching)), &both(rows(testing)), true), &case["units"]);

            // Tokens in the seeded order, as rows of both tables.
            let words: Vec<&str> = case["words"].as_array().unwrap().iter().map(text).collect();
            let ordered = choice::ordered_tokens(words.iter().map(|word| (word.as_bytes(), true)), 0);
            let tokens = choice::shared_tokens(&ordered, &ordered, 256).unwrap();
            let row = |token: &choice::KeyedToken<'_>| words.iter().position(|word| word.as_bytes() == token.bytes);
            let rows: Vec<usize> = tokens.iter().map(|token| row(token).unwrap()).collect();
            let tables = [0, 1].map(|side| of("embed", side, "None").rows(rows.iter().copied()));
            let matches = matched_coordinates(tables.each_ref().map(Vec::as_slice), [256; 2]).unwrap();
            assert_eq!(matches.len(), integers(&case["basis"]["coordinates"])[0]);

            let sides = |matches: &[Match]| {
                let side = |of: fn(&Match) -> usize| matches.iter().map(of).collect::<Vec<_>>();
                [side(|matched| matched.a), side(|matched| matched.b)]
            };
            let columns = sides(&matches);
            let blocks = choice::blocks("mlp", &as_blocks(&[96]), choice::blocks_per_layer(3, 0), 0).unwrap();
            let prepare = |layer: usize| {
                [0, 1].map(|side| {
                    let mut units = UnitRows::new(matches.len(), &blocks);
                    let rows = of("mlp", side, &layer.to_string()).rows(blocks.iter().cloned().flatten());
                    units.push(layer, &take_columns(&rows, 256, &columns[side]));
                    units
                })
            };
            let test = unit_test(&[0, 1, 2], prepare, "matched basis mlp", 0).unwrap();
            crate::metric::lineage::goldens::check_evidence(&test.evidence, &case["basis"]);

            let (matching, testing) = split_matches(&matches, 0).unwrap();
            check(&test_units(&down, &sides(&matching), &sides(&testing), false), &case["both"]);
        }
    }

    #[test]
    fn what_cannot_be_matched_has_its_reason() {
        let none: [UnitColumns<'_, f32>; 0] = [];
        assert_eq!(matched_units(&none, true, 0), Err(Untested::NoTensor));
        let few = vec![0.0_f32; 63 * 4];
        assert_eq!(matched_coordinates([&few, &few], [4; 2]), Err(Untested::TooFewTokens));
        let flat = vec![1.0_f32; 64 * 4];
        assert_eq!(matched_coordinates([&flat, &flat], [4; 2]), Err(Untested::TooFew));
        assert_eq!(split_matches(&[], 0), Err(Untested::TooFew));
    }
}
