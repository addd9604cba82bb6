//! One pair: every group's test, the distances, and what they come to.

use super::{
    Choice, Group,
    choose::{PairChoice, deep_places},
    coordinates::Coordinates,
    disguised::{by_matched_units, disguised},
    group_answer::{Distance, GroupAnswer},
    map::{MapAnswer, swap},
    rows::{GroupRows, Held, ModelRows, Sides},
    sites::NormPlace,
};
use crate::metric::lineage::{
    basis::AnchoredRows,
    block_test::Tail,
    choice,
    distance::{BlockSums, PairedRows, distances, equal_share, norm_distances},
    evidence::{Evidence, Z_LINK, Z_LOOK},
    relation::{Description, Kind, Read, is_rounded},
    units::unit_test,
    untested::Untested,
    verdict::{Decision, Sign, Strictness, Verdict},
};

/// What is known of one pair.
#[derive(Debug)]
pub(crate) struct PairAnswer {
    pub(crate) models: [usize; 2],
    pub(crate) stage: u32,
    pub(crate) groups: Vec<(Group, Result<GroupAnswer, Untested>)>,
    pub(crate) map: Option<Result<MapAnswer, Untested>>,
    /// Whether the weight files have equal digests.
    pub(crate) is_identical: bool,
    decision: Option<Decision>,
    pub(crate) relation: Option<Description>,
    /// Whether deep rows were read.
    pub(crate) is_deep: bool,
    /// Hidden coordinates that were matched and whose units were not read yet.
    pub(crate) unread: Option<Coordinates>,
    /// Rows of the embedding tables.
    pub(crate) vocabularies: [usize; 2],
    /// Which of both models have nothing that could be read of each group of units.
    lacking: [[bool; 2]; 3],
    /// Whether either has routed experts that are not read.
    pub(crate) has_unread_experts: bool,
}

impl PairAnswer {
    pub(crate) fn of<T: Held>(choice: &Choice, pair: &PairChoice, sides: Sides<'_, T>, is_identical: bool) -> Self {
        let map = pair.map.map(|map| MapAnswer::of(sides, map?, choice.ask.seed));
        let mapped = pair.map.and_then(Result::ok).map(|(group, _)| group);
        let is_deeper = sides.a.depth != sides.b.depth;
        let mut groups = Vec::new();
        for group in Group::IN_PLACE.into_iter().filter(|group| choice.ask.groups.contains(*group)) {
            let answer = match (group, &map) {
                (Group::Norms, _) => pair.norms.and_then(|()| norms(sides, choice.ask.seed)),
                (Group::Embeddings, _) => {
                    pair.tokens.as_ref().map_err(|why| *why).and_then(|rows| embeddings(sides, rows, choice.ask.seed))
                }
                (_, Some(Ok(map))) if is_deeper && map.group == group => Ok(by_map(sides, map)),
                (_, Some(Err(reason))) if is_deeper && mapped == Some(group) => Err(*reason),
                _ => pair.units[group as usize].and_then(|()| {
                    units(sides, group, choice.ask.blocks_per_layer(sides.a.depth, pair.stage), choice.ask.seed)
                }),
            };
            groups.push((group, answer));
        }
        let sites = pair.models.map(|model| choice.models[model].as_ref().map(|model| &model.sites));
        let lacks = |group: Group| sites.map(|sites| sites.is_none_or(|sites| sites.units(group).is_err()));
        let (disguised, unread) = disguised(choice, pair, sides);
        groups.extend(disguised);
        let answer = Self {
            models: pair.models,
            stage: pair.stage,
            groups,
            map,
            is_identical,
            decision: None,
            relation: None,
            is_deep: false,
            unread,
            vocabularies: pair.models.map(|model| choice.models[model].as_ref().map_or(0, |model| model.vocabulary)),
            lacking: Group::UNITS.map(lacks),
            has_unread_experts: sites.into_iter().flatten().any(|sites| sites.has_unread_experts),
        };
        answer.described(choice, pair, sides)
    }

    /// The same tests, which a former round made of the same rows, with what was read since: a layer map, the relation, and units of
    /// hidden coordinates that were matched before.
    pub(crate) fn described<T: Held>(mut self, choice: &Choice, pair: &PairChoice, sides: Sides<'_, T>) -> Self {
        if self.map.is_none() {
            self.map = pair.map.map(|map| MapAnswer::of(sides, map?, choice.ask.seed));
        }
        self.is_deep = !pair.deep.is_empty();
        self.relation = self.description(choice, pair, sides);
        if let Some(coordinates) = &pair.coordinates {
            self.groups.retain(|(group, _)| *group != Group::MatchedBoth);
            // Nothing is left that no matching used.
            let of_both = by_matched_units(choice, pair, sides, (coordinates, false));
            self.groups.push((Group::MatchedBoth, of_both));
            self.unread = None;
        }
        self
    }

    /// Gives signs, each z divided by what `divisor` says of its group.
    pub(crate) fn decide(&mut self, strictness: Strictness, divisor: impl Fn(Group) -> f64) {
        let (mut units, mut basis) = (Vec::new(), Vec::new());
        for (group, answer) in &mut self.groups {
            let Ok(answer) = answer else { continue };
            let scaled = Evidence { z: answer.evidence.z / divisor(*group), ..answer.evidence };
            answer.sign = scaled.sign(strictness);
            // What is not found after matching acquits nobody: a weak link matches nothing. What is found where nothing was left that no
            // matching used links nobody.
            if group.is_matched() && answer.sign == Sign::Minus || !answer.evidence.exact {
                continue;
            }
            if group.is_of_units() { &mut units } else { &mut basis }.push(scaled);
        }
        self.decision = Some(Decision::of(&units, &basis, strictness));
    }

    pub(crate) fn decision(&self) -> Decision {
        let nothing = Decision { units: Sign::NotTested, basis: Sign::NotTested, verdict: Verdict::NotComparable };
        self.decision.unwrap_or(nothing)
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match self.decision().verdict {
            _ if self.is_identical => Verdict::IdenticalBytes,
            Verdict::Independent if self.is_found_by_both() => Verdict::Inconclusive,
            verdict => verdict,
        }
    }

    /// Whether units are found again once hidden coordinates are matched as well, which is calibrated and not exact.
    pub(crate) fn is_found_by_both(&self) -> bool {
        self.group(Group::MatchedBoth).is_ok_and(|answer| answer.sign == Sign::Plus)
    }

    pub(crate) fn group(&self, group: Group) -> Result<&GroupAnswer, Untested> {
        let found = self.groups.iter().find(|(of, _)| *of == group);
        found.map_or(Err(Untested::NoTensor), |(_, answer)| answer.as_ref().map_err(|why| *why))
    }

    /// Whether a layer map would cost too much.
    pub(crate) fn has_refused_map(&self) -> bool {
        matches!(self.map, Some(Err(Untested::TooManyLayers)))
    }

    /// Groups that were tested.
    pub(crate) fn tested(&self) -> impl Iterator<Item = (Group, &GroupAnswer)> {
        self.groups.iter().filter_map(|(group, answer)| Some((*group, answer.as_ref().ok()?)))
    }

    /// Those of them that were tested index by index.
    pub(crate) fn tested_directly(&self) -> impl Iterator<Item = (Group, &GroupAnswer)> {
        self.tested().filter(|(group, _)| !group.is_matched())
    }

    /// Whether a link shows index by index; one that shows after matching alone has no distance in place.
    pub(crate) fn is_linked_in_place(&self) -> bool {
        self.is_identical || self.tested_directly().any(|(_, answer)| answer.sign == Sign::Plus)
    }

    /// Whether every element that was read is equal, of the deep rows too, which the relation knows.
    pub(crate) fn is_equal_where_read(&self) -> bool {
        let is_equal = |relation: &Description| matches!(relation.kind, Kind::Identical | Kind::VocabularyGrown);
        self.tested_directly().next().is_some()
            && self.tested_directly().all(|(_, group)| group.is_equal())
            && self.relation.as_ref().is_none_or(is_equal)
    }

    /// Groups whose rows are correlated negatively as strongly as those of a link are positively. Their tests are one-sided, so that no
    /// sign says it; of norms a sign does.
    pub(crate) fn negative(&self) -> Vec<(Group, f64)> {
        let tested = self.tested_directly().map(|(group, answer)| (group, answer.evidence));
        let negative = tested.filter(|(_, evidence)| evidence.tail == Tail::Upper && evidence.z <= -Z_LINK);
        negative.map(|(group, evidence)| (group, evidence.z)).collect()
    }

    /// Whether norms alone make the link.
    pub(crate) fn is_linked_by_norms_alone(&self) -> bool {
        let mut linked = self.tested().filter(|(_, answer)| answer.sign == Sign::Plus && answer.evidence.exact);
        self.verdict() == Verdict::Linked && linked.all(|(group, _)| group == Group::Norms)
    }

    /// Which of both models have nothing of a group that could be read.
    pub(crate) fn lacking(&self, group: Group) -> [bool; 2] {
        self.lacking.get(group as usize).copied().unwrap_or_default()
    }

    /// Whether some layers show units in place and others none: a layer map tells which.
    pub(crate) fn has_some_layers(&self) -> bool {
        let mut of_units = self.tested_directly().filter(|(group, _)| group.is_of_units());
        of_units.next().is_some_and(|(_, answer)| {
            let shows = answer.layers.iter().filter(|layer| layer.z >= Z_LOOK).count();
            shows > 0 && shows < answer.layers.len()
        })
    }

    /// An unclear sign, or units that are not tested sharply: more rows help. What cannot be tested stays so.
    pub(crate) fn is_worth_more_rows(&self) -> bool {
        let decision = self.decision();
        decision.verdict == Verdict::Inconclusive
            && !self.is_identical
            && ([decision.units, decision.basis].contains(&Sign::Unclear)
                || ![decision.units, decision.basis].contains(&Sign::NotTested))
    }

    pub(crate) fn needs_deep_rows(&self) -> bool {
        self.decision().units == Sign::Plus && !self.is_deep && !self.is_identical
    }

    /// Layers of both sides that meet.
    fn met(&self) -> Vec<[usize; 2]> {
        if let Some(Ok(map)) = &self.map
            && self.tested().any(|(_, group)| group.is_by_map)
        {
            return map.pairs();
        }
        let group = self.group(Group::Mlp).or_else(|_| self.group(Group::Heads));
        group.map_or_else(|_| Vec::new(), |group| group.layers.iter().map(|layer| [layer.layer; 2]).collect())
    }

    /// The layers at a third and at two thirds.
    pub(crate) fn deep_layers(&self) -> Vec<[usize; 2]> {
        let met = self.met();
        let mut places = vec![met.len() / 3, 2 * met.len() / 3];
        places.dedup();
        places.into_iter().filter_map(|place| met.get(place).copied()).collect()
    }

    /// What kind of relation it looks like, where units are linked and the rows that tell were read.
    fn description<T: Held>(&self, choice: &Choice, pair: &PairChoice, sides: Sides<'_, T>) -> Option<Description> {
        let is_linked =
            self.tested_directly().any(|(group, answer)| group.is_of_units() && answer.evidence.z >= Z_LINK);
        if !is_linked || (choice.ask.deep && pair.deep.is_empty() && !self.is_identical) {
            return None;
        }
        let units = Group::UNITS.map(|group| sides.units(group));
        let of_group = |group: Group| {
            let both = units[group as usize].as_ref().map_err(|why| *why);
            both.and_then(|[a, b]| self.strata([a, b], group, choice, sides.a.depth)).unwrap_or_default()
        };
        let mlp = of_group(Group::Mlp);
        let other_units = [Group::Heads, Group::Experts].map(of_group).concat();
        let [a, b] = pair.models.map(|model| choice.models[model].as_ref());
        let deep = deep_places(a, b, &pair.deep).into_iter().filter_map(|[of_a, of_b]| {
            let ((a, width), (b, other)) = (sides.a.deep.get(&of_a)?, sides.b.deep.get(&of_b)?);
            (width == other && a.len() == b.len()).then_some(PairedRows { a, b, width: *width })
        });
        let deep: Vec<PairedRows<'_, T>> = deep.collect();
        let basis = [Group::Norms, Group::Embeddings];
        let read = Read {
            mlp: &mlp,
            other_units: &other_units,
            basis_equal: basis.into_iter().all(|group| self.group(group).map_or(true, GroupAnswer::is_equal)),
            basis_rounded: basis.into_iter().all(|group| self.group(group).map_or(true, |answer| answer.is_rounded)),
            deep: &deep,
            precisions: sides.precisions()?,
            vocabularies: self.vocabularies,
        };
        read.describe()
    }

    /// The rows of a group that correspond, layer by layer and tensor by tensor.
    fn strata<'a, T: Held>(
        &self,
        [a, b]: [&'a GroupRows<T>; 2],
        group: Group,
        choice: &Choice,
        depth: usize,
    ) -> Result<Vec<PairedRows<'a, T>>, Untested> {
        let answer = self.group(group)?;
        let rows = match &self.map {
            Some(Ok(map)) if answer.is_by_map => paired(a, b, map.pairs(), map.count),
            _ => {
                let layers = answer.layers.iter().map(|layer| [layer.layer; 2]);
                paired(a, b, layers, choice.ask.blocks_per_layer(depth, self.stage))
            }
        };
        Ok(rows.into_iter().map(|rows| PairedRows { width: rows.width / a.tensors, ..rows }).collect())
    }
}

fn paired<'a, T: Held>(
    a: &'a GroupRows<T>,
    b: &'a GroupRows<T>,
    layers: impl IntoIterator<Item = [usize; 2]>,
    count: usize,
) -> Vec<PairedRows<'a, T>> {
    let pair = |[of_a, of_b]: [usize; 2]| {
        Some(PairedRows { a: a.layer(of_a, count)?, b: b.layer(of_b, count)?, width: a.width })
    };
    layers.into_iter().filter_map(pair).collect()
}

fn units<T: Held>(sides: Sides<'_, T>, group: Group, count: usize, seed: u64) -> Result<GroupAnswer, Untested> {
    let [a, b] = sides.units(group)?;
    let prepare = |layer: usize| [&a, &b].map(|side| side.prepare(&[layer], count, false));
    let test = unit_test(&choice::layers(sides.a.depth), prepare, group.name(), seed)?;
    let layers: Vec<usize> = test.layers.iter().map(|layer| layer.layer).collect();
    let strata = paired(&a, &b, layers.iter().map(|&layer| [layer; 2]), count);
    let sizes = a.sizes(count);
    let sums: Vec<BlockSums> = strata.iter().map(|rows| BlockSums::of(rows, &sizes)).collect();
    let by_layer = layers.iter().zip(sums.chunks(1)).map(|(&layer, sums)| (layer, distances(sums)));
    let distance = Distance::Sampled(distances(&sums));
    Ok(GroupAnswer {
        layers: test.layers,
        left_out: test.left_out,
        by_layer: by_layer.collect(),
        ..GroupAnswer::joint(test.evidence, distance, equal_share(&strata))
    })
}

/// The path test of a layer map, and distances of the layers that match.
fn by_map<T: Held>(sides: Sides<'_, T>, map: &MapAnswer) -> GroupAnswer {
    let both = sides.units(map.group);
    let strata = both.as_ref().map_or_else(|_| Vec::new(), |[a, b]| paired(a, b, map.pairs(), map.count));
    let sizes = both.as_ref().map_or_else(|_| Vec::new(), |[a, _]| a.sizes(map.count));
    let sums: Vec<BlockSums> = strata.iter().map(|rows| BlockSums::of(rows, &sizes)).collect();
    let distance = Distance::Sampled(if sums.is_empty() { Err(Untested::TooFew) } else { distances(&sums) });
    GroupAnswer { is_by_map: true, ..GroupAnswer::joint(map.map.path, distance, equal_share(&strata)) }
}

fn embeddings<T: Held>(sides: Sides<'_, T>, tokens: &[[u64; 2]], seed: u64) -> Result<GroupAnswer, Untested> {
    let side = |side: usize, model: &'_ ModelRows<T>| {
        let rows: Vec<u64> = tokens.iter().map(|rows| rows[side]).collect();
        let values = model.tokens(&rows)?;
        let flat = values.concat();
        Ok((model.prepared_tokens.of(rows, || AnchoredRows::tokens(&values))?, flat))
    };
    let ((of_a, a), (of_b, b)) = (side(0, sides.a)?, side(1, sides.b)?);
    let evidence = of_a.test_tokens(&of_b, seed)?;
    let rows = PairedRows { a: &a, b: &b, width: evidence.width };
    let distance = distances(&[BlockSums::of(&rows, &vec![1; tokens.len()])]);
    let answer = GroupAnswer::joint(evidence, Distance::Sampled(distance), equal_share(&[rows]));
    Ok(GroupAnswer { is_rounded: sides.precisions().is_some_and(|types| is_rounded(&rows, types)), ..answer })
}

/// Norms of the same role: of layers of equal number, or, where the depths differ, of each layer l of the shallower and layer
/// round-half-up(l(L'−1)/(L−1)) of the deeper.
fn norms<T: Held>(sides: Sides<'_, T>, seed: u64) -> Result<GroupAnswer, Untested> {
    let swapped = sides.a.depth > sides.b.depth;
    let [shallower, deeper] = swap([sides.a, sides.b], swapped);
    let [of_shallower, of_deeper] = [&shallower.norms, &deeper.norms].map(|norms| norms.as_ref().map_err(|why| *why));
    let (of_shallower, of_deeper) = (of_shallower?, of_deeper?);
    let (own, other) = (shallower.depth.saturating_sub(1), deeper.depth.saturating_sub(1));
    let counterpart = |layer: usize| (2 * layer * other + own).checked_div(2 * own).unwrap_or(0);
    let met = of_shallower.iter().filter_map(|(&(role, layer), gain)| {
        let place = (role, layer.map(counterpart));
        (gain.len() == of_deeper.get(&place)?.len()).then_some(((role, layer), place))
    });
    let (x, y): (Vec<NormPlace>, Vec<NormPlace>) = met.unzip();
    let [x, y] = swap([x, y], swapped);
    let side = |model: &'_ ModelRows<T>, places: Vec<NormPlace>| {
        let gains = model.norms.as_ref().map_err(|why| *why)?;
        let values: Vec<&[f64]> = places.iter().map(|place| gains[place].as_slice()).collect();
        let flat = values.concat();
        Ok((model.prepared_norms.of(places, || AnchoredRows::norms(&values))?, flat))
    };
    let ((of_a, a), (of_b, b)) = (side(sides.a, x)?, side(sides.b, y)?);
    let evidence = of_a.test_norms(&of_b, seed)?;
    let rows = PairedRows { a: &a, b: &b, width: evidence.width };
    let answer = GroupAnswer::joint(evidence, Distance::Norms(norm_distances(&rows)), equal_share(&[rows]));
    // A zero-centred gain is stored, and so rounded, less one.
    let [less_a, less_b] = [&a, &b].map(|gains| gains.iter().map(|gain| gain - 1.0).collect::<Vec<f64>>());
    let stored = PairedRows { a: &less_a, b: &less_b, width: evidence.width };
    let is_cast = |types| is_rounded(&rows, types) || is_rounded(&stored, types);
    Ok(GroupAnswer { is_rounded: sides.precisions().is_some_and(is_cast), ..answer })
}
