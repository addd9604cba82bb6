//! The section on outliers: pairs that stand out from the other pairs, or from the permutation null where those are no baseline.

use super::{MOST_PAIRS, layers, models, names, rest};
use crate::{
    metric::{Baseline, FEWEST},
    question::survey::Survey,
    report::{Block, Cell, Column, Digits, Frame, Section, number::z_in_prose},
    table::Relation,
};

/// What becomes of cells without a z.
const PERFECT: &str = "Where `pearson` is 1 or −1 there is no such z: the cell is flagged, and in no median.";

/// The section; it is there also when no pair stands out, because that is an answer.
pub(crate) fn section(survey: &Survey) -> Section {
    Section::new("outliers", "Pairs that stand out", blocks(survey))
}

/// What decides whether models are related, since these figures do not.
pub(crate) fn pointer(survey: &Survey) -> String {
    let flagged = survey.relations.flagged(1).0.first().map(|relation| relation.models);
    let only = || (survey.models.len() == 2).then_some((0, 1));
    let pair = flagged
        .or_else(only)
        .map_or_else(|| "A B".to_owned(), |(a, b)| [a, b].map(|model| survey.models[model].model.clone()).join(" "));
    format!("These numbers do not decide whether two models are related; `hub-audit lineage {pair}` tests it.")
}

/// `1; at least 4 needed`, of pairs that could be a population.
pub(crate) fn few(survey: &Survey, pairs: usize) -> String {
    let has_none = survey.relations.iter().any(|pair| pair.verdict.z.is_none());
    let kind = if has_none { " with |r| below 1" } else { "" };
    format!("{pairs}{kind}; at least {FEWEST} needed")
}

/// Why pairs are judged against the permutation null; `None` where they are judged against each other.
fn no_population(survey: &Survey, baseline: Baseline) -> Option<String> {
    match baseline {
        Baseline::Population => None,
        Baseline::FewPairs(pairs) => Some(format!(
            "**Too few pairs to compare with each other** ({}): each is judged against the permutation null.",
            few(survey, pairs)
        )),
        Baseline::MedianFar(median) => Some(format!(
            "**The other pairs are no baseline**: the median pair is itself far from the permutation null ({}). Each is judged \
             against that null.",
            z_in_prose(median)
        )),
    }
}

fn blocks(survey: &Survey) -> Vec<Block> {
    let relations = &survey.relations;
    let Some(baseline) = relations.baseline else {
        return vec![Block::note("**No verdict.** No pair of models can be compared.")];
    };
    let criterion = relations.criterion;
    let explained = match baseline {
        Baseline::Population => format!(
            "A pair is judged against the other pairs of this survey, over all {} comparable cells (pairs × layers × roles): its \
             robust z is the distance of its Fisher-transformed `pearson` from their median, in deviations estimated by their \
             median absolute deviation. It is flagged where robust z, of either sign, is at least {} in size, the false discovery \
             rate over the whole grid (Benjamini–Hochberg, normal tails) at most 10^{}, and its ranks agree as well. The rate that is \
             shown is never below one in the number of pairs plus one: so few pairs cannot show a smaller one. {PERFECT}",
            relations.cells, criterion.z, criterion.log10_q
        ),
        Baseline::FewPairs(_) | Baseline::MedianFar(_) => format!(
            "Each of {} comparable cells (pairs × layers × roles) is judged by z = artanh(`pearson`)·√(n−3), which has deviation 1 \
             where the channels of one side are permuted. It is flagged where z, of either sign, is at least {} in size, and that of \
             its ranks: channels of trained models are not quite exchangeable, and layers of independently trained small networks \
             reached 4.6. No rate of false discoveries is given, as there are no unrelated pairs here to estimate it from. {PERFECT}",
            relations.cells, criterion.z
        ),
    };
    let (flagged, count) = relations.flagged(MOST_PAIRS);
    let mut blocks: Vec<Block> = no_population(survey, baseline).map(Block::note).into_iter().collect();
    let against = if baseline == Baseline::Population { "the other pairs" } else { "the permutation null" };
    if flagged.is_empty() {
        blocks.extend([Block::prose(format!("No pair stands out from {against}.")), Block::prose(explained)]);
        return blocks;
    }
    blocks.extend([
        Block::prose(format!(
            "**{} from {against}.** Group figures are given with and without them. That two norms are alike does not say \
             how they came to be: it can be shared initialisation, shared training or copying, and this survey does not tell these \
             apart.",
            match count {
                1 => "1 pair stands out".to_owned(),
                pairs => format!("{pairs} pairs stand out"),
            }
        )),
        table(survey, baseline, flagged, count),
        Block::prose(explained),
    ]);
    blocks
}

/// How rare such a pair is among unrelated ones, or that all its cells are identical.
pub(crate) fn rate(relation: &Relation) -> Cell {
    match relation.verdict.log10_q {
        _ if relation.is_identical() => Cell::text("identical"),
        Some(log10_q) => Cell::number(log10_q, Digits::Fixed(1)),
        None => Cell::undefined("there is no population to estimate it from"),
    }
}

const COLUMNS: [&str; 17] = [
    "model_a",
    "commit_a",
    "model_b",
    "commit_b",
    "set_apart",
    "cells",
    "cells_set_apart",
    "mean_pearson",
    "role",
    "layer_a",
    "layer_b",
    "pearson",
    "robust_z",
    "log10_q",
    "judged_against",
    "z_null",
    "cells_identical",
];

/// `related.csv`: every pair that has a verdict.
pub(crate) fn frame(survey: &Survey) -> Frame<'_> {
    Frame::of_many("related.csv", COLUMNS, survey.relations.iter(), |relation| row(survey, relation))
}

fn row(survey: &Survey, relation: &Relation) -> Vec<Cell> {
    let is_population = survey.relations.baseline == Some(Baseline::Population);
    let table = &survey.tables[relation.table as usize];
    let z = |has_one: bool| {
        if has_one {
            Cell::number(relation.verdict.value(), Digits::Fixed(1))
        } else {
            Cell::undefined("judged otherwise")
        }
    };
    let log10_q = relation.verdict.log10_q;
    let mut row = models(survey, relation.models).to_vec();
    row.extend([
        Cell::Flag(relation.flagged > 0),
        Cell::integer(Some(relation.cells.into())),
        Cell::integer(Some(relation.flagged.into())),
        Cell::number(relation.mean_r, Digits::Fixed(4)),
        Cell::text(table.key.role_name()),
    ]);
    row.extend(layers(table, relation.models));
    row.extend([
        Cell::number(relation.pearson, Digits::Fixed(4)),
        z(is_population),
        log10_q.map_or_else(Cell::empty, |log10_q| Cell::number(log10_q, Digits::Fixed(1))),
        Cell::text(if is_population { "population" } else { "permutation_null" }),
        z(!is_population),
        Cell::integer(Some(relation.identical.into())),
    ]);
    row
}

/// The row with labels, a share of cells, and where the pair is strongest.
fn row_on_page(survey: &Survey, relation: &Relation) -> Vec<Cell> {
    let mut row = row(survey, relation);
    row.extend(names(survey, relation.models));
    row.push(Cell::text(format!("{} of {}", relation.flagged, relation.cells)));
    row.push(Cell::text(survey.tables[relation.table as usize].key.title()));
    row.push(Cell::text(format!("{} of {}", relation.identical, relation.met)));
    row.push(rate(relation));
    row
}

fn table(survey: &Survey, baseline: Baseline, flagged: Vec<Relation>, count: usize) -> Block {
    let caption = format!(
        "Flagged pairs, strongest first; `related.csv` has every pair. The last columns, from `strongest in` on, are of the layer in \
         which the pair is strongest.{}",
        rest(count, "related.csv")
    );
    let [z, last] = match baseline {
        Baseline::Population => [("robust_z", Column::numeric("robust z")), ("rate", Column::numeric("log10 q"))],
        Baseline::FewPairs(_) | Baseline::MedianFar(_) => {
            [("z_null", Column::numeric("z")), ("identical", Column::text("cells identical"))]
        }
    };
    let columns = [
        ("label_a", Column::text("model a")),
        ("label_b", Column::text("model b")),
        ("share", Column::text("cells flagged")),
        ("mean_pearson", Column::numeric("mean pearson")),
        ("where", Column::text("strongest in")),
        ("pearson", Column::numeric("pearson")),
        z,
        last,
    ];
    let rows = flagged.into_iter().map(|relation| row_on_page(survey, &relation));
    let on_page = ["label_a", "label_b", "share", "where", "identical", "rate"];
    let frame = Frame::new("related.csv", COLUMNS, rows).with_page_columns(&on_page);
    Block::Table(frame.page(caption, columns, MOST_PAIRS))
}
