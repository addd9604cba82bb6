//! The answer: how many tensors are byte-identical, which kinds are alike and which are not, the means of each group, and what
//! was not compared.

use std::{cmp::Reverse, fmt::Write as _};

use crate::{
    metric::Metric,
    question::{
        compare::{ComparedPair, Comparison, GroupFigures, Obstacle, Overall, Status, bands},
        hash::chunks::Method,
    },
    report::{Block, Cell, Column, Digits, number::counted},
};

/// Pearson's r from which two tensors are called alike.
const ALIKE: f64 = 0.5;

/// Reasons that the first sentence names.
const MOST_REASONS: usize = 4;

/// What is compared by its bytes alone.
const BROKEN: &str = "with elements that are not finite, but for their bytes";

/// The summary.
pub(crate) fn summary(comparison: &Comparison) -> Vec<Block> {
    let compared = comparison.coverage.count(0, Status::Compared) + comparison.coverage.count(0, Status::Trivial);
    let mut blocks = Vec::new();
    if compared == 0 {
        let why = nothing_compared(comparison);
        blocks.push(Block::note(format!("**No comparable tensors**: {why}.")));
    } else {
        blocks.extend(headline(comparison).into_iter().map(Block::prose));
    }
    if !comparison.groups.is_empty() {
        blocks.push(groups(comparison));
    }
    blocks.extend(published_readings(comparison));
    blocks.push(Block::prose(coverage(comparison)));
    blocks
}

/// What the pairs of tensors say: bytes first, then each kind of tensor that says something.
fn headline(comparison: &Comparison) -> Vec<String> {
    let pairs = || comparison.pairs.iter().filter(|pair| pair.is_compared());
    let (all, identical) = (pairs().count(), pairs().filter(|pair| pair.equal == Some(true)).count());
    let missing = not_compared(comparison);
    let of = if missing.is_empty() { counted(all, "tensor") } else { counted(all, "compared tensor") };
    let bytes = format!("**{identical} of {of} byte-identical**{missing}");
    if identical == all {
        return vec![format!("{bytes}.")];
    }
    let kind = |name: &str, is_of: fn(&ComparedPair) -> bool| {
        let of_kind: Vec<&ComparedPair> = pairs().filter(|pair| pair.is_evidence() && is_of(pair)).collect();
        let value = |pair: &ComparedPair, metric| pair.metrics.get(metric).as_ref().ok().copied();
        let both = |pair: &&ComparedPair| {
            let r = value(pair, Metric::Pearson)?;
            Some((r, value(pair, Metric::Spearman).unwrap_or(r)))
        };
        let r: Vec<(f64, f64)> = of_kind.iter().filter_map(both).collect();
        (!r.is_empty()).then(|| format!("{name}: {}", alike(&r)))
    };
    let kinds = [
        kind("embeddings", ComparedPair::is_embedding),
        kind("matrices of layers", |pair| !pair.is_norm_or_bias() && !pair.is_embedding()),
        kind("norms and biases", ComparedPair::is_norm_or_bias),
    ];
    let kinds: Vec<String> = kinds.into_iter().flatten().collect();
    let mut said = vec![format!("{bytes}. {}.", capitalised(&kinds.join("; ")))];
    said.push(format!(
        "Alike: Pearson's r and Spearman's ρ of at least {ALIKE} between corresponding elements; those of unrelated models scatter \
         around 0, the more the fewer elements there are. Copies whose units or hidden coordinates were permuted are not alike here: \
         `hub-audit lineage --disguised` looks for those, and nothing looks for rotated ones."
    ));
    said
}

/// `; not compared: 72 excluded by default (...), 2 of differing shape`: what is in no pair belongs into the first sentence.
fn not_compared(comparison: &Comparison) -> String {
    let coverage = &comparison.coverage;
    // Why, and how many tensors of either model.
    let mut reasons: Vec<(String, [usize; 2])> = Vec::new();
    let mut add = |why: String, [a, b]: [usize; 2]| match reasons.iter_mut().find(|(known, _)| *known == why) {
        Some((_, counts)) => *counts = [counts[0] + a, counts[1] + b],
        None => reasons.push((why, [a, b])),
    };
    for (pair, status) in comparison.pairs.iter().zip(&coverage.pairs) {
        match (status, status.told()) {
            (Status::Compared, _) if pair.is_broken() => add(BROKEN.to_owned(), [1, 1]),
            (Status::Skipped, _) => add("beyond --max-tensors".to_owned(), [1, 1]),
            (Status::Compared | Status::Trivial, _) | (_, None) => {}
            (_, Some(why)) => add(why.to_owned(), [1, 1]),
        }
    }
    for tensor in &coverage.uncompared {
        let why = if tensor.status == Status::Skipped { Some(tensor.reason.as_str()) } else { tensor.status.told() };
        let count = if tensor.side == 0 { [1, 0] } else { [0, 1] };
        if let Some(why) = why {
            add(why.to_owned(), count);
        }
    }
    if reasons.is_empty() {
        return String::new();
    }
    reasons.sort_by_key(|(_, [a, b])| Reverse(*a.max(b)));
    let told = |(why, [a, b]): &(String, [usize; 2])| match (*a, *b) {
        (a, b) if a == b || b == 0 => format!("{a} {why}"),
        (0, b) => format!("{b} {why}"),
        (a, b) => format!("{a} and {b} {why}"),
    };
    let mut told: Vec<String> = reasons.iter().take(MOST_REASONS).map(told).collect();
    let others: usize = reasons.iter().skip(MOST_REASONS).map(|(_, [a, b])| *a.max(b)).sum();
    if others > 0 {
        told.push(format!("{others} for other reasons"));
    }
    format!("; not compared: {}", told.join(", "))
}

/// `none of 36 alike (largest |r| 0.012)`, of r and ρ of each.
fn alike(values: &[(f64, f64)]) -> String {
    let number = |value: f64| Digits::Fixed(3).format(value);
    let found = |sign: f64, what: &str| {
        let alike = values.iter().filter(|(r, rho)| r * sign >= ALIKE && rho * sign >= ALIKE);
        let found: Vec<f64> = alike.map(|(r, _)| *r).collect();
        let least = found.iter().copied().reduce(f64::min)?;
        let most = found.iter().copied().fold(least, f64::max);
        let range =
            if number(least) == number(most) { number(most) } else { format!("{}–{}", number(least), number(most)) };
        let share = if found.len() == values.len() {
            format!("all {}", values.len())
        } else {
            format!("{} of {}", found.len(), values.len())
        };
        Some((found.len(), format!("{share} {what} (r {range})")))
    };
    let found = [found(1.0, "alike"), found(-1.0, "alike but for the sign")].into_iter().flatten();
    let (counts, told): (Vec<usize>, Vec<String>) = found.unzip();
    let large = values.iter().filter(|(r, _)| r.abs() >= ALIKE).count() - counts.iter().sum::<usize>();
    let carried =
        if large == 0 { String::new() } else { format!(", r of {large} at least {ALIKE} by few elements alone") };
    if told.is_empty() {
        let largest = values.iter().fold(0.0_f64, |largest, (r, _)| largest.max(r.abs()));
        return format!("none of {} alike (largest |r| {}{carried})", values.len(), number(largest));
    }
    told.join(", ") + &carried
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Why there is nothing to say: nothing corresponds, or what corresponds cannot be compared.
pub fn nothing_compared(comparison: &Comparison) -> String {
    let with = |status: Status| comparison.coverage.pairs.iter().filter(|&&found| found == status).count();
    let obstacles = [
        (Status::ShapeDiffers, "another shape on the other side"),
        (Status::Undecodable, "no exact values"),
        (Status::NoValue, "no value in any metric"),
        (Status::Failed, "not been read"),
    ];
    let obstacles = obstacles.map(|(status, why)| (with(status), why));
    let told: Vec<String> =
        obstacles.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} have {why}")).collect();
    if told.is_empty() {
        return "no selected tensor of the first model corresponds to one of the second; `inspect` shows the roles of each, and \
                --role all takes tensors that no family knows"
            .to_owned();
    }
    let pairs = counted(obstacles.iter().map(|(count, _)| count).sum(), "pair");
    let reason = comparison.pairs.iter().find_map(|pair| match &pair.obstacle {
        Some(Obstacle::Undecodable(reason)) => Some(format!(": {reason}")),
        _ => None,
    });
    format!("of {pairs} that correspond {}{}", told.join(", "), reason.unwrap_or_default())
}

fn groups(comparison: &Comparison) -> Block {
    let row = |figures: &GroupFigures| {
        let with_cosine = figures.closeness.with_cosine;
        let mean = |metric: Metric| match figures.of(metric) {
            Some(of) if of.count == with_cosine => Cell::number(of.mean, Digits::Fixed(4)),
            Some(of) => Cell::text(format!("{} ({})", Digits::Fixed(4).format(of.mean), of.count)),
            None => Cell::undefined("no pair has a value"),
        };
        let pairs = if with_cosine == figures.pairs {
            Cell::count(with_cosine)
        } else {
            Cell::text(format!("{with_cosine} of {}", figures.pairs))
        };
        let mut row = vec![Cell::code(figures.group.name()), pairs];
        row.extend([Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::RelL2Err].map(mean));
        row.push(Cell::count(figures.closeness.equal_bytes));
        row
    };
    Block::table(
        "Means over pairs of tensors that have a cosine, or over (n) of them; identical: pairs with the same bytes.",
        Column::list(&["group"], &["pairs", "cos_sim", "null", "pearson", "rel_l2", "identical"]),
        comparison.groups.iter().map(row),
    )
}

/// The mean over all tensors as a published page takes it, with its reading, and the same of matrices.
fn published_readings(comparison: &Comparison) -> Option<Block> {
    let [all, matrices] = bands::overall(&comparison.pairs);
    let mut lines = Vec::new();
    for (what, of) in [("all tensors", all), ("matrices alone", matrices)] {
        let Some(Overall { count, mean, null, reading }) = of else { continue };
        let [mean, null] = [mean, null].map(|value| Digits::Fixed(4).format(value));
        lines.push(format!(
            "Mean cos_sim of {what} ({count}): {mean}, null {null}; a published page reads such a mean as “{reading}”."
        ));
    }
    (!lines.is_empty()).then(|| Block::prose(lines.join("\n")))
}

/// How many tensors of either model became what, and by which rules pairs were found.
fn coverage(comparison: &Comparison) -> String {
    let mut parts = Vec::new();
    for status in Status::ALL {
        let [a, b] = [0, 1].map(|side| comparison.coverage.count(side, status));
        if [a, b] != [0, 0] {
            parts.push(format!("{} {a} and {b}", status.name().replace('_', " ")));
        }
    }
    let mut text = format!("Tensors of a and b: {}.", parts.join(", "));
    let matched: Vec<String> =
        comparison.matched().into_iter().map(|(how, count)| format!("{} {count}", how.name())).collect();
    if !matched.is_empty() {
        let _ = write!(text, " Pairs matched by: {}.", matched.join(", "));
    }
    let by_chunks = comparison.pairs.iter().filter(|pair| pair.proven.is_some_and(|by| by != Method::File));
    let by_chunks = by_chunks.count();
    if by_chunks > 0 {
        let pairs = counted(by_chunks, "pair");
        let _ = write!(text, " Of {pairs} the Hub's chunk hashes prove equal bytes: those of a were read for both.");
    }
    if comparison.coverage.count(0, Status::Trivial) > 0 {
        text += " Trivial: constant or a fixed buffer on both sides, similar by construction, excluded above.";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_has_its_range_and_what_is_not_its_largest() {
        let told = |values: &[f64]| alike(&values.iter().map(|&r| (r, r)).collect::<Vec<_>>());
        assert_eq!(told(&[0.876, 0.978]), "all 2 alike (r 0.876–0.978)");
        assert_eq!(told(&[0.01, -0.02, 0.6]), "1 of 3 alike (r 0.600)");
        assert_eq!(told(&[0.01, -0.2]), "none of 2 alike (largest |r| 0.200)");
        assert_eq!(told(&[-1.0, -1.0]), "all 2 alike but for the sign (r -1.000)");
        assert_eq!(told(&[0.9, -0.7, 0.0]), "1 of 3 alike (r 0.900), 1 of 3 alike but for the sign (r -0.700)");
    }

    #[test]
    fn a_large_r_whose_ranks_do_not_agree_is_not_alike() {
        let told = alike(&[(0.999, -0.048), (0.01, 0.02)]);
        assert_eq!(told, "none of 2 alike (largest |r| 0.999, r of 1 at least 0.5 by few elements alone)");
    }
}
