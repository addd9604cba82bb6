//! The answer: what correlates beyond chance, what is an outlier among the other pairs, the strongest pairs, and the groups.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    left_out, relations,
    strongest::{MOST, crossed_place, pair_name, pairs},
};
use crate::{
    family::RoleKind,
    metric::{Baseline, Metric},
    question::survey::Survey,
    report::{
        Block, Cell, Column, Datum, Digits, inline,
        number::{counted, z_in_prose},
    },
    table::{ChanceCell, GroupFigures, LEVEL, PairTable, Relation, pairs_of},
};

/// Pairs that a sentence names.
const MOST_NAMED: usize = 3;

/// The summary.
pub(crate) fn summary(survey: &Survey) -> Vec<Block> {
    if survey.models.len() == 1 {
        return vec![Block::prose(format!("1 model, {}: nothing to compare it with.", extent(survey)))];
    }
    let mut blocks = Vec::new();
    blocks.extend(
        chance(survey)
            .or_else(|| Some(untested(survey).trim().to_owned()).filter(|text| !text.is_empty()))
            .map(Block::prose),
    );
    blocks.extend(population(survey));
    blocks.push(Block::prose(format!("{}, {}.", counted(survey.models.len(), "model"), comparable(survey))));
    blocks.extend(pairs(survey));
    blocks.extend(survey.layer_tables.iter().map(best_layers));
    blocks.extend(groups(survey));
    if !survey.tables.is_empty() {
        blocks.push(Block::prose(relations::pointer(survey)));
    }
    blocks.extend(gaps(survey));
    blocks
}

/// The verdict from the permutation null; `None` where there is no test.
fn chance(survey: &Survey) -> Option<String> {
    let chance = &survey.chance;
    let strongest = chance.strongest?;
    let (compared, beyond) = (chance.compared(), chance.beyond());
    let (models, place) = located(survey, &strongest);
    let name = pair_name(survey, models);
    let [r, rho] = [strongest.r, strongest.rho].map(|value| Digits::Fixed(4).format(value));
    let r = format!("r = {r}, ρ = {rho}, {}", z_in_prose(strongest.z));
    let identical = survey.relations.iter().filter(Relation::is_identical).count();
    let tests = format!(
        "Spearman's ρ under permutation, p ≤ {LEVEL} by the normal approximation after Bonferroni over {}",
        counted(chance.tests, "test")
    );
    let untested = untested(survey);
    if beyond == 0 {
        let who = if compared == 1 { format!("{name} do not stand out") } else { "No pair stands out".to_owned() };
        let all = counted(chance.tests, "test");
        let of = if chance.tests == 1 { "the only test".to_owned() } else { format!("the strongest of {all}") };
        let same = match identical {
            0 => String::new(),
            count => format!(
                " Yet every compared tensor of {} holds the same numbers in both models, too few for this test.",
                counted(count, "pair")
            ),
        };
        return Some(format!("**{who}**: {of} has {r}, within chance ({name}, {place}).{same}{untested}"));
    }
    let copies = match (identical, compared) {
        (0, _) => String::new(),
        (1, 1) => format!(" Every compared tensor holds the same numbers in both{}.", only(survey)),
        (all, _) if all == compared => {
            format!(" In all of them every compared tensor holds the same numbers{}.", only(survey))
        }
        (some, _) => format!(" In {some} of them every compared tensor holds the same numbers{}.", only(survey)),
    };
    let caveat = if strongest.z.abs() < survey.relations.criterion.z {
        " Layers of independently trained networks have reached z 4.6: this alone is no sign of a relation."
    } else {
        ""
    };
    if compared == 1 {
        let tests_of = chance.of_pair(models);
        let share = if tests_of.count == 1 {
            String::new()
        } else {
            format!(" in {} of {} tests", tests_of.beyond, tests_of.count)
        };
        let most = if tests_of.count == 1 { "" } else { "most " };
        return Some(format!(
            "**{name} are correlated beyond chance{share}**: {most}{r}, {place} ({tests}).{copies}{caveat}{untested}"
        ));
    }
    let are = if beyond == 1 { "is" } else { "are" };
    let pairs = counted(compared, "pair");
    let who = if beyond == compared { format!("All {pairs}") } else { format!("{beyond} of {pairs}") };
    Some(format!(
        "**{who} of models {are} correlated beyond chance**, most {name}: {r}, {place} ({tests}).{copies}{caveat}{untested}"
    ))
}

/// What the same numbers were found in, and nothing else.
fn only(survey: &Survey) -> &'static str {
    let mut roles = survey.tables.iter().map(|table| table.key.role);
    if roles.all(|role| role.is_some_and(|role| role.kind() == RoleKind::Norm)) {
        "; only norms were compared, no matrix"
    } else {
        "; tensors that were not compared may differ"
    }
}

/// Tests that r alone would have passed, and cells that were not tested.
fn untested(survey: &Survey) -> String {
    let mut text = String::new();
    let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (model, exclusion) in survey.excluded.iter().filter(|(_, exclusion)| exclusion.is_skipped) {
        skipped.entry(&exclusion.reason).or_default().push(&survey.models[*model].label);
    }
    for (reason, models) in skipped {
        let of = if models.len() > MOST_NAMED { counted(models.len(), "model") } else { models.join(", ") };
        let _ = write!(text, " Some tensors of {of} are {reason}.");
    }
    if survey.chance.carried > 0 {
        let tests = counted(survey.chance.carried, "test");
        let _ = write!(text, " In {tests} r lies beyond chance and ρ does not: a few channels carry it.");
    }
    if survey.chance.tied > 0 {
        let cells = counted(survey.chance.tied, "cell");
        let _ = write!(text, " Not tested: {cells} where more than half of the elements of a side are equal.");
    }
    text
}

/// The verdict from the other pairs, with a warning where they are no baseline.
fn population(survey: &Survey) -> Option<Block> {
    let (outliers, count) = survey.relations.flagged(MOST_NAMED);
    Some(match survey.relations.baseline? {
        Baseline::FewPairs(pairs) => {
            Block::prose(format!("Too few pairs to compare with each other ({}).", relations::few(survey, pairs)))
        }
        Baseline::MedianFar(median) => Block::note(format!(
            "**Most pairs are correlated far beyond chance (median {}): the other pairs are no baseline.** Each is judged against \
             chance alone.",
            z_in_prose(median)
        )),
        Baseline::Population if outliers.is_empty() => {
            Block::prose(format!("No pair stands out from the other pairs.{}", doubt(survey)))
        }
        Baseline::Population => {
            let named = outliers.iter().map(|pair| {
                let z = match pair.verdict.z {
                    Some(z) => format!("robust {}", z_in_prose(z)),
                    None if pair.is_identical() => "identical".to_owned(),
                    None => format!("r = {}", Digits::Fixed(4).format(pair.pearson)),
                };
                format!("{} ({z})", pair_name(survey, pair.models))
            });
            let named = named.collect::<Vec<_>>().join(", ");
            let more = match count - outliers.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Block::prose(format!("**Pairs that stand out from the other pairs**: {named}{more}.{}", doubt(survey)))
        }
    })
}

/// Where most pairs exceed chance and their median does not by far: the null may be too narrow, or the population related.
fn doubt(survey: &Survey) -> &'static str {
    if 2 * survey.chance.beyond() > survey.chance.compared() {
        " Most pairs exceed chance: either the null is too narrow for trained weights, or most are related and a poor baseline."
    } else {
        ""
    }
}

/// The models of a cell, and where it is.
fn located(survey: &Survey, cell: &ChanceCell) -> ((usize, usize), String) {
    let (row, column) = cell.place;
    match survey.layer_tables.get(cell.table) {
        Some(layers) => ((0, 1), crossed_place(layers, row, column)),
        None => ((row, column), survey.tables[cell.table].key.title()),
    }
}

/// Roles and layers.
fn extent(survey: &Survey) -> String {
    match (survey.tables.as_slice(), survey.layer_tables.as_slice()) {
        ([], []) => "no comparable tensors".to_owned(),
        ([one], _) => one.key.title(),
        ([], _) => "every layer with every layer".to_owned(),
        (several, _) => format!("{} roles and layers", several.len()),
    }
}

/// How many cells can be compared, and of how many.
fn comparable(survey: &Survey) -> String {
    let tables = || survey.tables.iter().chain(&survey.layer_tables);
    let defined: usize = tables().map(|table| table.defined(Metric::ZPerm)).sum();
    let crossed: usize = survey.layer_tables.iter().map(|table| table.rows.len() * table.columns().len()).sum();
    let all = survey.tables.len() * pairs_of(survey.models.len()).count() + crossed;
    let cells = if survey.tables.len() == 1 { "pairs" } else { "cells" };
    let [defined, all] = [defined, all].map(|count| Digits::Integer.format(count as f64));
    format!("{}, {defined} of {all} {cells} comparable", extent(survey))
}

fn best_layers(layer_table: &PairTable) -> Block {
    let best = layer_table.best_layers();
    let difference = match layer_table.contrast(Metric::Pearson) {
        Some([(_, same), (_, other)]) => {
            let [same, other] = [same.mean, other.mean].map(|mean| Digits::Fixed(4).format(mean));
            format!("mean pearson {same} at the same index, {other} elsewhere")
        }
        None => "no pearson on or off the diagonal".to_owned(),
    };
    Block::prose(format!(
        "{}: {difference}; {} of {} layers are most like the layer of their own index (chance: {:.1}).",
        inline::code(&layer_table.key.role_name()),
        best.own,
        best.possible,
        best.by_chance
    ))
}

/// Named groups, where one look takes them in.
fn groups(survey: &Survey) -> Option<Block> {
    let named: Vec<&GroupFigures> = survey.groups.iter().filter(|figures| figures.groups.named).collect();
    if named.is_empty() {
        return None;
    }
    if named.len() > MOST {
        let count = survey.tables.len();
        return Some(Block::prose(format!("Group figures of {count} roles and layers: see groups.csv under -o.")));
    }
    let number = |value: Option<f64>| {
        Cell::number(value.map_or_else(|| Datum::undefined("no pair has one"), Datum::new), Digits::Fixed(4))
    };
    let row = |figures: &&GroupFigures| {
        let (all, unrelated) = (figures.all.as_ref().ok(), figures.unrelated.as_ref().ok());
        vec![
            Cell::text(format!("{} × {}", figures.groups.a, figures.groups.b)),
            Cell::text(figures.metric.name()),
            Cell::text(figures.n.to_string()),
            number(all.map(|all| all.mean)),
            number(figures.null),
            number(all.map(|all| all.sd)),
            Cell::text(figures.n_unrelated.to_string()),
            number(unrelated.map(|unrelated| unrelated.mean)),
            number(figures.null_unrelated),
        ]
    };
    let columns = Column::list(&["groups", "metric"], &["n", "mean", "null", "sd", "n", "mean", "null"]);
    let caption = "Groups; the last three columns without flagged pairs.";
    Some(Block::table(caption, columns, named.iter().map(row)))
}

/// Models that were not read, or lack a tensor, or have one that is in no number.
fn gaps(survey: &Survey) -> Option<Block> {
    let failed = survey.models.iter().enumerate();
    let failed = failed.filter_map(|(model, of)| Some((model, format!("skipped: {}", of.failure.as_ref()?))));
    let lacking = left_out::gaps(survey).into_iter().filter(|(model, _)| survey.models[*model].failure.is_none());
    let mut gaps: Vec<(usize, String)> = failed.chain(lacking).collect();
    gaps.sort_by_key(|(model, _)| *model);
    let more = gaps.len().saturating_sub(MOST);
    let row = |(model, why): &(usize, String)| vec![Cell::text(&survey.models[*model].label), Cell::text(why)];
    let mut rows: Vec<Vec<Cell>> = gaps.iter().take(MOST).map(row).collect();
    rows.extend(
        (more > 0).then(|| vec![Cell::text("…"), Cell::text(format!("{more} more lines: see REPORT.md under -o"))]),
    );
    let columns = ["model", "not compared (reason)"].map(Column::text).to_vec();
    (!rows.is_empty()).then(|| Block::table("", columns, rows))
}
