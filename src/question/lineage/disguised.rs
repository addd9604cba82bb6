//! The tests of one pair that find copies whose units or hidden coordinates are in another order.

use super::{
    Choice, Group,
    choose::PairChoice,
    coordinates::Coordinates,
    group_answer::{Distance, GroupAnswer, Matches},
    rows::{Held, Sides},
};
use crate::metric::lineage::{
    choice,
    disguise::{Match, MatchedTest, UnitColumns, matched_coordinates, matched_units, split_matches},
    units::unit_test,
    untested::Untested,
};

/// Groups with what their tests tell.
type GroupAnswers = Vec<(Group, Result<GroupAnswer, Untested>)>;

/// What the rows of a first round tell, and hidden coordinates that were matched and whose units are to be read by a further one. Nothing
/// where it was not asked for.
pub(crate) fn disguised<T: Held>(
    choice: &Choice,
    pair: &PairChoice,
    sides: Sides<'_, T>,
) -> (GroupAnswers, Option<Coordinates>) {
    let Some(layers) = &pair.matched else { return (Vec::new(), None) };
    let reason = |why: &Untested| *why;
    let in_place = choice.models[pair.models[0]].as_ref().ok_or(Untested::NoTensor);
    let in_place = in_place.and_then(|model| model.sites.coordinate_rows(choice.ask.seed));
    let of_units = in_place.and_then(|rows| by_matched_units(choice, pair, sides, (&rows, true)));
    let matches = matched_by_tokens(sides, pair);
    let of_basis = matches.as_ref().map_err(reason).and_then(|matches| by_matched_basis(choice, pair, sides, matches));
    let layers = layers.as_ref().map_err(reason);
    let unread = layers.and(matches).and_then(|matches| split_matches(&matches, choice.ask.seed));
    // Until the units of the matched coordinates are read.
    let of_both = Err(unread.as_ref().map_or_else(reason, |_| Untested::NoTensor));
    let groups = vec![(Group::MatchedUnits, of_units), (Group::MatchedBasis, of_basis), (Group::MatchedBoth, of_both)];
    (groups, unread.ok().map(Coordinates::matched))
}

/// Units of some layers, matched by some hidden coordinates and tested by others; exactly, unless coordinates were matched before.
pub(crate) fn by_matched_units<T: Held>(
    choice: &Choice,
    pair: &PairChoice,
    sides: Sides<'_, T>,
    (coordinates, exact): (&Coordinates, bool),
) -> Result<GroupAnswer, Untested> {
    let layers = pair.matched.as_ref().map_or(Err(Untested::NoTensor), |layers| layers.as_ref().map_err(|why| *why))?;
    let columns = |layer: usize| {
        let rows =
            |of: &[Vec<u64>; 2]| Some([sides.a.coordinates(layer, &of[0])?, sides.b.coordinates(layer, &of[1])?]);
        let [matching, testing] = [rows(&coordinates.matching)?, rows(&coordinates.testing)?];
        let units = [0, 1].map(|side| matching[side].first().map_or(0, |row| row.len()));
        (!units.contains(&0)).then_some(UnitColumns { matching, testing, units })
    };
    let columns: Vec<UnitColumns<'_, T>> = layers.iter().filter_map(|&layer| columns(layer)).collect();
    let MatchedTest { evidence, mutual, same_index, .. } = matched_units(&columns, exact, choice.ask.seed)?;
    Ok(GroupAnswer {
        matches: Some(Matches { mutual, same_index }),
        ..GroupAnswer::joint(evidence, Distance::None, None)
    })
}

/// Hidden coordinates that the embeddings of shared tokens match.
fn matched_by_tokens<T: Held>(sides: Sides<'_, T>, pair: &PairChoice) -> Result<Vec<Match>, Untested> {
    let tokens = pair.tokens.as_ref().map_err(|why| *why)?;
    let [of_a, of_b] = [0, 1].map(|side| tokens.iter().map(|rows| rows[side]).collect::<Vec<u64>>());
    let (of_a, of_b) = (sides.a.tokens(&of_a)?, sides.b.tokens(&of_b)?);
    let widths = [&of_a, &of_b].map(|rows| rows.first().map_or(0, |row| row.len()));
    if widths.contains(&0) {
        return Err(Untested::TooFewTokens);
    }
    matched_coordinates([&of_a.concat(), &of_b.concat()], widths)
}

/// Units of MLPs whose columns, the hidden coordinates, are in the order that the embeddings of shared tokens suggest.
fn by_matched_basis<T: Held>(
    choice: &Choice,
    pair: &PairChoice,
    sides: Sides<'_, T>,
    matches: &[Match],
) -> Result<GroupAnswer, Untested> {
    pair.units[Group::Mlp as usize]?;
    let columns = [|matched: &Match| matched.a, |matched: &Match| matched.b]
        .map(|side| matches.iter().map(side).collect::<Vec<usize>>());
    let (a, b) = (sides.a.units(Group::Mlp)?, sides.b.units(Group::Mlp)?);
    if a.columns.is_some() || b.columns.is_some() {
        return Err(Untested::Packed);
    }
    let count = choice.ask.blocks_per_layer(sides.a.depth, pair.stage);
    let prepare = |layer: usize| {
        [(a, &columns[0]), (b, &columns[1])].map(|(side, columns)| side.prepare_columns(layer, count, columns))
    };
    let test = unit_test(&choice::layers(sides.a.depth), prepare, "matched basis mlp", choice.ask.seed)?;
    let same = matches.iter().filter(|matched| matched.a == matched.b).count();
    let hidden = choice.models[pair.models[0]].as_ref().and_then(|model| model.sites.hidden).unwrap_or(a.width);
    let found =
        Matches { mutual: matches.len() as f64 / hidden as f64, same_index: same as f64 / matches.len() as f64 };
    Ok(GroupAnswer {
        layers: test.layers,
        left_out: test.left_out,
        matches: Some(found),
        ..GroupAnswer::joint(test.evidence, Distance::None, None)
    })
}
