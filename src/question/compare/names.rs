//! Names that mean the same and are not the same: by a person's table, by a pattern's groups, by how they end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use regex::Regex;

use super::NameMap;
use crate::family::{LayerIndex, bare};

/// Names of each model that are without a counterpart, with their positions.
pub(super) type Open<'n> = [Vec<(usize, &'n str)>; 2];

/// Positions that correspond, and what is to be said of others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) pairs: Vec<(usize, usize)>,
    pub(super) reasons: [Vec<(usize, String)>; 2],
}

/// By a table that turns names of either model into those of the other.
pub(super) fn by_map(map: &NameMap, open: &Open<'_>) -> Found {
    let mut found = Found::default();
    let mut wanted: BTreeMap<(usize, usize), BTreeSet<(usize, usize)>> = BTreeMap::new();
    for side in [0, 1] {
        let others: HashMap<&str, usize> = open[1 - side].iter().map(|&(at, name)| (name, at)).collect();
        for &(at, name) in &open[side] {
            let Some(made) = map.apply(name) else { continue };
            if let Some(&other) = others.get(made.as_str()) {
                wanted.entry((side, at)).or_default().insert((1 - side, other));
                wanted.entry((1 - side, other)).or_default().insert((side, at));
            } else {
                let made = made.escape_debug();
                let reason = format!("--map makes it `{made}`, which the other model does not have");
                found.reasons[side].push((at, reason));
            }
        }
    }
    for (&(side, at), partners) in &wanted {
        let one = partners.iter().next().filter(|_| partners.len() == 1);
        match one {
            Some(partner) if wanted[partner].len() == 1 => {
                if side == 0 {
                    found.pairs.push((at, partner.1));
                }
            }
            _ => found.reasons[side].push((at, "--map makes one name of several".to_owned())),
        }
    }
    let paired: [BTreeSet<usize>; 2] =
        [found.pairs.iter().map(|pair| pair.0).collect(), found.pairs.iter().map(|pair| pair.1).collect()];
    for (reasons, paired) in found.reasons.iter_mut().zip(&paired) {
        reasons.retain(|(at, _)| !paired.contains(at));
    }
    found
}

/// By what the groups of a pattern catch of the names: the layer, and whatever else tells tensors of one layer apart.
pub(super) fn by_pattern(pattern: &Regex, open: &Open<'_>) -> Found {
    let groups: Vec<&str> = pattern.capture_names().flatten().collect();
    let mut found = Found::default();
    if !groups.contains(&"layer") {
        return found;
    }
    let keyed = open.each_ref().map(|names| {
        let mut keyed: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
        for &(at, name) in names {
            let Some(captures) = pattern.captures(name) else { continue };
            let caught = |group: &&str| captures.name(group).map_or("", |caught| caught.as_str());
            let key = groups.iter().map(|group| match caught(group) {
                // As a number, so that 03 is layer 3.
                layer if *group == "layer" => {
                    layer.parse().map_or_else(|_| layer.to_owned(), |layer| LayerIndex(layer).to_string())
                }
                other => other.to_owned(),
            });
            keyed.entry(key.collect()).or_default().push(at);
        }
        keyed
    });
    for (key, of_a) in &keyed[0] {
        let Some(of_b) = keyed[1].get(key) else { continue };
        if let ([a], [b]) = (of_a.as_slice(), of_b.as_slice()) {
            found.pairs.push((*a, *b));
            continue;
        }
        let reason = format!(
            "--tensor finds {} and {} tensors with these groups; one more group (?<name>…) tells them apart",
            of_a.len(),
            of_b.len()
        );
        for (reasons, of) in found.reasons.iter_mut().zip([of_a, of_b]) {
            reasons.extend(of.iter().map(|&at| (at, reason.clone())));
        }
    }
    found
}

/// By the longest end that two names have in common and no other, wrappers off, where one becomes the other by leaving out words
/// before that end. Numbers are never left out: they count layers.
pub(super) fn by_suffix(open: &Open<'_>) -> Found {
    let sorted = open.each_ref().map(|names| {
        let mut names: Vec<(String, usize)> = names.iter().map(|&(at, name)| (bare(name), at)).collect();
        names.sort_by(|(a, _), (b, _)| a.rsplit('.').cmp(b.rsplit('.')));
        names
    });
    let mut found = Found::default();
    for (name, at) in &sorted[0] {
        match nearest(name, &sorted[1]) {
            Nearest::One(other) => {
                let (partner, b) = &sorted[1][other];
                let is_mutual = matches!(nearest(partner, &sorted[0]), Nearest::One(back) if sorted[0][back].1 == *at);
                if is_mutual && is_shortened(name, partner) {
                    found.pairs.push((*at, *b));
                }
            }
            Nearest::Several => {
                let reason = "several names of the other model end as it does; --map tells which is meant".to_owned();
                found.reasons[0].push((*at, reason));
            }
            Nearest::None => {}
        }
    }
    found
}

enum Nearest {
    None,
    /// Place of the one name.
    One(usize),
    /// More than one name ends in the whole of this one.
    Several,
}

/// The name of a sorted list that has the longest end in common with `name`. Those with a longer one stand nearer.
fn nearest(name: &str, sorted: &[(String, usize)]) -> Nearest {
    let at = sorted.partition_point(|(other, _)| other.rsplit('.').lt(name.rsplit('.')));
    let around = at.saturating_sub(2)..(at + 2).min(sorted.len());
    let shared: Vec<(usize, usize)> = around.map(|place| (common(name, &sorted[place].0), place)).collect();
    let Some(&(most, place)) = shared.iter().max_by_key(|(length, _)| *length).filter(|(length, _)| *length > 0) else {
        return Nearest::None;
    };
    match shared.iter().filter(|(length, _)| *length == most).count() {
        1 => Nearest::One(place),
        _ if most == name.split('.').count() => Nearest::Several,
        _ => Nearest::None,
    }
}

/// How many segments the ends of two names have in common.
fn common(a: &str, b: &str) -> usize {
    a.rsplit('.').zip(b.rsplit('.')).take_while(|(a, b)| a == b).count()
}

/// Whether the shorter of two names is the longer without some words before their common end, which is the whole of the shorter,
/// or more than the name of a parameter.
fn is_shortened(a: &str, b: &str) -> bool {
    let [mut short, mut long] = [a, b].map(|name| name.split('.').collect::<Vec<_>>());
    if short.len() > long.len() {
        std::mem::swap(&mut short, &mut long);
    }
    let end = common(a, b);
    if end < short.len() && end < 2 {
        return false;
    }
    let (short, long) = (&short[..short.len() - end], &long[..long.len() - end]);
    let mut kept = short.iter().peekable();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let are_left_out = long.iter().all(|word| kept.next_if_eq(&word).is_some() || !is_number(word));
    are_left_out && kept.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open<'n>(a: &[&'n str], b: &[&'n str]) -> Open<'n> {
        [a, b].map(|names| names.iter().copied().enumerate().collect())
    }

    fn pairs(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
        by_suffix(&open(a, b)).pairs
    }

    #[test]
    fn names_meet_by_the_longest_end_that_is_theirs_alone() {
        assert_eq!(pairs(&["visual.blocks.0.w", "visual.blocks.1.w"], &["model.visual.blocks.1.w"]), [(1, 0)]);
        assert_eq!(pairs(&["actor.scale"], &["scale"]), [(0, 0)]);
        assert_eq!(
            pairs(&["vision_tower.layers.0.q.weight"], &["model.vision_tower.vision_model.layers.0.q.weight"]),
            [(0, 0)]
        );
        assert_eq!(pairs(&["a.parametrizations.weight.original0"], &["x.a.weight_g"]), [(0, 0)]);
    }

    #[test]
    fn what_may_be_another_tensor_is_not_met() {
        // Two ends alike, other words, a number left out, nothing but the parameter's name in common.
        assert!(pairs(&["layers.0.w.weight"], &["a.layers.0.w.weight", "b.layers.0.w.weight"]).is_empty());
        assert!(pairs(&["vision.layers.0.q.weight"], &["audio.layers.0.q.weight"]).is_empty());
        assert!(pairs(&["q.weight"], &["layers.3.q.weight"]).is_empty());
        assert!(pairs(&["a.b.weight"], &["a.c.weight"]).is_empty());
        let found = by_suffix(&open(&["w.weight"], &["a.w.weight", "b.w.weight"]));
        assert!(found.pairs.is_empty() && found.reasons[0].len() == 1);
    }

    #[test]
    fn a_table_pairs_in_either_direction_and_never_two_with_one() {
        let map = NameMap::from_csv("^blocks,layers\n^x\\.\\d,y\n^gone,nowhere").unwrap();
        let found = by_map(&map, &open(&["blocks.0", "gone", "x.1", "x.2"], &["layers.0", "y"]));
        assert_eq!(found.pairs, [(0, 0)]);
        assert_eq!(found.reasons.each_ref().map(Vec::len), [3, 1]);
        assert_eq!(by_map(&map, &open(&["layers.0"], &["blocks.0"])).pairs, [(0, 0)]);
    }

    #[test]
    fn groups_of_a_pattern_tell_which_tensors_correspond() {
        let pattern = Regex::new(r"(?:block|stage)_?(?<layer>\d+)\.(?<what>[qk])").unwrap();
        let found = by_pattern(&pattern, &open(&["block1.q", "block1.k", "block2.q"], &["stage_01.k", "stage_01.q"]));
        assert_eq!(found.pairs, [(1, 0), (0, 1)]);
        let pattern = Regex::new(r"(?<layer>\d+)").unwrap();
        assert_eq!(by_pattern(&pattern, &open(&["a.1", "b.1"], &["c.1"])).reasons.each_ref().map(Vec::len), [2, 1]);
        assert_eq!(by_pattern(&Regex::new("a").unwrap(), &open(&["a"], &["a.b"])), Found::default());
    }
}
