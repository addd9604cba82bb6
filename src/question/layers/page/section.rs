//! One model and role as a section: its numbers and pictures, each with a sentence on what it shows and what it does not.

use std::fmt::Write as _;

use super::{Named, listed, pictures, tables};
use crate::{
    metric::Metric,
    report::{Block, Section},
    table::Entry,
};

/// The section of one model and role, with matrices of `metrics` as pictures.
pub(crate) fn section(named: &Named<'_>, metrics: &[Metric]) -> Section {
    let table = named.table;
    let mut blocks = vec![
        Block::prose(opening(named)),
        Block::picture(pictures::norms(named)),
        Block::prose(
            "This shows the level of the elements in each layer and how much they vary. It does not show whether two layers vary \
             in the same channels.",
        ),
        tables::per_layer(named),
    ];
    baseline(named, &mut blocks);
    adjacent(named, &mut blocks);
    if !table.by_distance().is_empty() {
        blocks.push(Block::picture(pictures::distances(named)));
        blocks.push(Block::prose(
            "This shows how likeness changes with the distance between layers. It does not show that depth alone explains it: \
             pairs at a large distance always hold the first or the last layers. The mean without layer 0 tells how much of \
             the fall is that layer's.",
        ));
        blocks.push(tables::by_distance(named));
    }
    match pictures::matrices(named, metrics) {
        Some(picture) => {
            blocks.push(Block::picture(picture));
            blocks.push(Block::prose(
                "This shows every pair of layers, and blocks of neighbours that are alike. It does not show what made them \
                 alike: `cos_sim` is high wherever both layers vary little, whichever channels vary.",
            ));
        }
        None => blocks.push(Block::prose("The layer × layer matrices are in CSV files and not drawn here.")),
    }
    Section::new(named.anchor(), named.title(), blocks)
}

/// What there is.
fn opening(named: &Named<'_>) -> String {
    let table = named.table;
    let layers = table.layers().filter(|&at| table.rows[at].side.is_ok()).count();
    let mut text = if layers == 1 { "1 layer.".to_owned() } else { format!("{layers} layers.") };
    let missing: Vec<String> =
        table.missing().filter(|(place, _)| !place.mtp).map(|(place, _)| place.to_string()).collect();
    if !missing.is_empty() {
        let _ = write!(
            text,
            " There is no tensor of {}; their places stay empty and the others keep their number.",
            listed(&missing)
        );
    }
    let blocks: Vec<String> = table.rows.iter().filter(|row| row.is_mtp()).map(Entry::place_name).collect();
    if !blocks.is_empty() {
        let is_past = table.rows.iter().any(|row| row.place.is_some_and(|place| place.is_past));
        let what = if is_past {
            "past the last layer that the configuration states"
        } else {
            "no layer but a multi-token-prediction block"
        };
        let _ = write!(
            text,
            " {} is {what}: it stands in the table of elements and in the matrices, and in no line, mean or deviation.",
            blocks.join(", ")
        );
    }
    text
}

fn baseline(named: &Named<'_>, blocks: &mut Vec<Block>) {
    let pairs = named.table.baseline();
    if pairs.is_empty() {
        blocks.push(Block::prose(
            "There is no layer 0 with a later one among the chosen layers, hence no layer-0 baseline.",
        ));
        return;
    }
    let words = ["layer0", "layer 0 against each later layer", "layer k, compared with layer 0"];
    blocks.push(Block::picture(pictures::pair_lines(named, &pairs, words, |pair| pair.1)));
    blocks.push(Block::prose(
        "This shows how far the first layer stands from the others. Layer 0 is usually an outlier in level and spread, so a value \
         between two models that lies above this baseline says nothing about those models.",
    ));
    blocks.push(tables::pairs(named, &pairs, "Layer 0 (a) against each later layer (b)."));
}

fn adjacent(named: &Named<'_>, blocks: &mut Vec<Block>) {
    let pairs = named.table.adjacent();
    if pairs.is_empty() {
        blocks.push(Block::prose("No two of the chosen layers are adjacent."));
        return;
    }
    let words = ["adjacent", "each layer against the next", "layer k, compared with layer k + 1"];
    blocks.push(Block::picture(pictures::pair_lines(named, &pairs, words, |pair| pair.0)));
    blocks.push(Block::prose(
        "Neighbours show how alike layers of one model are that share one residual stream and one training. They do not show how \
         alike layers of another model would be, related or not.",
    ));
    blocks.push(tables::pairs(named, &pairs, "Each layer (a) against the next (b)."));
}
