//! The answer on a terminal, in lines of at most eighty columns.

use std::fmt::Write as _;

use super::{combinations::combinations, refusals, verdict, words};
use crate::{
    metric::lineage::{
        untested::Untested,
        verdict::{Sign, Verdict},
    },
    question::lineage::{Group, Lineage, pair::PairAnswer},
};

const COLUMNS: usize = 80;

/// Pairs of a list that are printed; of more, their number.
const MOST_PAIRS: usize = 40;

/// The answer. Of two models the whole of it, of more a line a pair.
pub fn lineage_text(lineage: &Lineage) -> String {
    match lineage.pairs.as_slice() {
        [] => "No pair of models could be read.\n".to_owned(),
        [pair] => of_pair(lineage, pair),
        pairs => of_list(lineage, pairs),
    }
}

fn of_pair(lineage: &Lineage, pair: &PairAnswer) -> String {
    let mut text = wrapped(&verdict::headline(pair), "");
    text.push('\n');
    match pair.verdict() {
        Verdict::Independent => text += &compact(pair),
        _ => text += &table(pair),
    }
    text += &not_tested(lineage, pair);
    text.push('\n');
    match pair.verdict() {
        Verdict::NotComparable => {
            let proven = words::proven_of(lineage, pair);
            text += &proven.map_or_else(String::new, |proven| wrapped(&proven, "by chunk hashes    "));
            text += &wrapped(refusals::remedy(pair), "");
        }
        Verdict::Independent | Verdict::Inconclusive => {
            text += &facts(lineage, pair);
            text += &wrapped(words::NOT_EXCLUDED, "");
        }
        Verdict::Linked | Verdict::IdenticalBytes => {
            text += &facts(lineage, pair);
            text.push('\n');
            text += &wrapped(words::ALTERNATIVES, "");
        }
    }
    text
}

/// Signs with their reading, layers, distance and relation.
fn facts(lineage: &Lineage, pair: &PairAnswer) -> String {
    let decision = pair.decision();
    let mut text = String::new();
    if let Some(reading) = verdict::reading(pair).filter(|_| pair.verdict() != Verdict::Independent) {
        text += &wrapped(&reading, &format!("units {}  basis {}   ", decision.units, decision.basis));
    }
    let equal = pair.is_equal_where_read().then(|| "in every byte read".to_owned());
    let lines = [
        ("layers", words::layers(pair)),
        ("matched", words::matched(pair)),
        ("equal", equal),
        ("distance", words::distance(pair).filter(|_| pair.is_linked_in_place())),
        ("relation", words::relation(pair)),
        ("by chunk hashes", words::proven_of(lineage, pair)),
    ];
    for (name, line) in lines {
        if let Some(line) = line {
            text += &wrapped(&line, &format!("{name:19}"));
        }
    }
    text
}

fn table(pair: &PairAnswer) -> String {
    if pair.tested().next().is_none() {
        return String::new();
    }
    let wide = widest(pair);
    let mut text = format!(
        "  {:<wide$} {:>6} {:>8} {:>7} {:>12} {:>13} {:>12}\n",
        "group", "rows", "layers", "z", "bound on p", "correlation", "detectable"
    );
    for (group, answer) in pair.tested() {
        let evidence = &answer.evidence;
        let by_map = |value: Option<f64>| value.map_or_else(|| "by map".to_owned(), words::effect);
        let _ = writeln!(
            text,
            "  {:<wide$} {:>6} {:>8} {:>+7.1} {:>12} {:>13} {:>12}",
            group.name(),
            evidence.rows,
            words::tested_layers(group, answer),
            evidence.z,
            if evidence.exact { words::bound(evidence.significance.log10_bound) } else { "calibrated".to_owned() },
            by_map(evidence.rho),
            if answer.is_by_map { "by map".to_owned() } else { words::effect(evidence.rho_detectable) },
        );
    }
    text
}

/// Columns of the longest name of a group.
fn widest(pair: &PairAnswer) -> usize {
    pair.tested().map(|(group, _)| group.name().len()).fold(10, usize::max)
}

/// Two groups a line, or one.
fn compact(pair: &PairAnswer) -> String {
    let wide = widest(pair);
    let cells: Vec<String> = pair
        .tested()
        .map(|(group, answer)| {
            let evidence = &answer.evidence;
            let p = || format!("p {}", words::fraction(evidence.significance.p, 4));
            format!(
                "{:<wide$} {:>4} rows  z {:>+4.1}  {}",
                group.name(),
                evidence.rows,
                evidence.z,
                if evidence.exact { p() } else { "calibrated, not exact".to_owned() }
            )
        })
        .collect();
    // Two long ones are wider than a terminal.
    cells.chunks(if wide > 10 { 1 } else { 2 }).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "  {}", format!("{:<40}{}", line[0], line.get(1).map_or("", |cell| cell)).trim_end());
        text
    })
}

fn not_tested(lineage: &Lineage, pair: &PairAnswer) -> String {
    let mut text = String::new();
    let wide = pair.groups.iter().map(|(group, _)| group.name().len()).fold(10, usize::max);
    for (group, answer) in &pair.groups {
        let Err(reason) = answer else { continue };
        // A model without experts misses nothing.
        let is_missed = *group != Group::Experts || pair.has_unread_experts;
        if *reason == Untested::NoTensor && !is_missed && pair.tested().next().is_some() {
            continue;
        }
        let first = format!("  {:<wide$} ", group.name());
        text += &wrapped(&format!("not tested: {}", refusals::why(lineage, pair, *group, *reason)), &first);
    }
    text
}

fn of_list(lineage: &Lineage, pairs: &[PairAnswer]) -> String {
    let count = |standing: &str| pairs.iter().filter(|pair| verdict::standing(pair) == standing).count();
    let counted = verdict::STANDINGS.into_iter().map(|standing| (count(standing), standing));
    let counts: Vec<String> =
        counted.filter(|(count, _)| *count > 0).map(|(count, standing)| format!("{count} {standing}")).collect();
    let mut text =
        wrapped(&format!("{} models, {} pairs: {}.", lineage.models.len(), pairs.len(), counts.join(", ")), "");
    let _ = writeln!(text, "\n  {:<26} {:<26} {:>5} {:>5} {:>12}", "model", "model", "units", "basis", "bound on p");
    let mut left = MOST_PAIRS;
    for standing in verdict::STANDINGS {
        let standing_so: Vec<&PairAnswer> = pairs.iter().filter(|pair| verdict::standing(pair) == standing).collect();
        if standing_so.is_empty() || left == 0 {
            continue;
        }
        let _ = writeln!(text, "{}", heading(standing, &standing_so));
        for pair in standing_so.iter().take(left) {
            let [a, b] = pair.models.map(|model| cut(&lineage.models[model].label));
            let decision = pair.decision();
            let linked = pair.tested().filter(|(_, answer)| answer.sign == Sign::Plus && answer.evidence.exact);
            let bound = linked.map(|(_, answer)| answer.evidence.significance.log10_bound).reduce(f64::min);
            let bound = bound.map_or_else(String::new, words::bound);
            let line = format!("  {a:<26} {b:<26} {:>5} {:>5} {bound:>12}", decision.units, decision.basis);
            let _ = writeln!(text, "{}", line.trim_end());
        }
        left = left.saturating_sub(standing_so.len());
    }
    if pairs.len() > MOST_PAIRS {
        let _ = writeln!(text, "  and {} more pairs: -o DIR writes all", pairs.len() - MOST_PAIRS);
    }
    text.push('\n');
    for cluster in lineage.clusters() {
        let labels: Vec<&str> = cluster.iter().map(|&model| lineage.models[model].label.as_str()).collect();
        text += &wrapped(&labels.join(", "), "linked with each other, directly or through others: ");
    }
    for combination in combinations(lineage) {
        text += &wrapped(&combination, "");
    }
    for ([a, b], proven) in words::proven(lineage).take(MOST_PAIRS) {
        text += &wrapped(&format!("{}, {}: {proven}.", cut(a), cut(b)), "by chunk hashes: ");
    }
    let broken = lineage.self_check.iter().filter(|check| check.is_broken());
    for check in broken {
        let group = check.group;
        text += &wrapped(
            &format!(
                "an index of {group} is not exchangeable in these models; its z are divided by {:.2}",
                check.divisor()
            ),
            "self-check: ",
        );
    }
    if pairs.iter().any(|pair| matches!(pair.verdict(), Verdict::Linked | Verdict::IdenticalBytes)) {
        text += &wrapped(words::ALTERNATIVES, "");
    }
    if let Some(weakest) = weakest(pairs) {
        text += &wrapped(&format!("{weakest} {}", words::NOT_EXCLUDED), "Consistent with independence: ");
    }
    text
}

/// A verdict, and why it is one where all its pairs have one reason.
fn heading(standing: &str, pairs: &[&PairAnswer]) -> String {
    let first = verdict::unclear(pairs[0]);
    let is_common = pairs.iter().all(|pair| verdict::unclear(pair) == first);
    if standing == verdict::INCONCLUSIVE && is_common { format!("{standing}: {first}") } else { standing.to_owned() }
}

/// What every pair without a link would have shown.
fn weakest(pairs: &[PairAnswer]) -> Option<String> {
    let sharpest = |pair: &PairAnswer| {
        let units = pair.tested_directly().filter(|(group, _)| group.is_of_units());
        units.map(|(_, answer)| answer.evidence.rho_detectable).reduce(f64::min)
    };
    let is_independent = |pair: &&PairAnswer| pair.verdict() == Verdict::Independent && pair.negative().is_empty();
    let independent = pairs.iter().filter(is_independent);
    let experts = independent.clone().any(|pair| pair.has_unread_experts);
    let most = independent.filter_map(sharpest).reduce(f64::max)?;
    Some(format!(
        "a positive mean row correlation of {} in the units would have been seen (power .9) in every such pair{}.",
        words::effect(most),
        if experts { ", routed experts not read" } else { "" }
    ))
}

/// A label in at most 26 columns.
fn cut(label: &str) -> String {
    let safe: String = label.escape_debug().to_string();
    if safe.chars().count() <= 26 { safe } else { safe.chars().take(25).chain(['…']).collect() }
}

/// Prose after a first word, its further lines indented like the first.
fn wrapped(prose: &str, first: &str) -> String {
    let indent = first.chars().count();
    let indent = if indent > 30 { 2 } else { indent };
    let (mut text, mut length) = (first.to_owned(), first.chars().count());
    let mut is_first = true;
    for word in prose.split_whitespace() {
        let width = word.chars().count();
        if !is_first && length + 1 + width > COLUMNS {
            let _ = write!(text, "\n{:indent$}", "");
            length = indent;
            is_first = true;
        }
        if !is_first {
            text.push(' ');
            length += 1;
        }
        text.push_str(word);
        length += width;
        is_first = false;
    }
    text.push('\n');
    text
}
