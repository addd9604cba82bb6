//! The section on pairs that stand apart from the population of pairs.

use super::names;
use crate::{
    question::survey::Survey,
    report::{Block, Cell, Column, Digits, Section, Table},
    table::Relation,
};

/// The section; it is there also when nothing stands apart, because that is an answer.
pub(crate) fn section(survey: &Survey) -> Section {
    Section { id: "apart".to_owned(), title: "Pairs that stand apart".to_owned(), blocks: blocks(survey) }
}

fn blocks(survey: &Survey) -> Vec<Block> {
    let relations = &survey.relations;
    let Some(criterion) = relations.criterion else {
        let reason = relations.undefined.as_deref().unwrap_or("nothing was compared");
        return vec![Block::note(format!(
            "**No verdict.** Whether a pair stands apart is judged against the other pairs of the survey: {reason}."
        ))];
    };
    let explained = format!(
        "A pair is judged against the other pairs of this survey, over all {} comparable cells (pairs × layers × roles): its \
         robust z is the distance of its Fisher-transformed `pearson` from their median, in deviations estimated by their \
         median absolute deviation. It is set apart where robust z is at least {} and the false discovery rate over the whole \
         grid (Benjamini–Hochberg) at most 10^{}.",
        relations.cells, criterion.robust_z, criterion.log10_q
    );
    let apart = relations.apart();
    if apart.is_empty() {
        return vec![
            Block::prose("No pair departs from what the other pairs of this survey show."),
            Block::prose(explained),
        ];
    }
    let count = if apart.len() == 1 { "One pair departs".to_owned() } else { format!("{} pairs depart", apart.len()) };
    vec![
        Block::prose(format!(
            "**{count} from what the other pairs of this survey show.** Group figures are given with and without them. That two \
             norms resemble each other does not say how they came to: it can be shared initialisation, shared training or \
             copying, and this survey does not tell these apart."
        )),
        table(survey, &apart),
        Block::prose(explained),
    ]
}

fn table(survey: &Survey, apart: &[&Relation]) -> Block {
    let row = |relation: &&Relation| {
        let mut row = names(survey, relation.models);
        row.extend([
            Cell::text(format!("{} of {}", relation.apart, relation.cells)),
            Cell::number(relation.mean_r, Digits::Fixed(4)),
            Cell::text(survey.panels[relation.panel].key.title()),
            Cell::number(relation.pearson, Digits::Fixed(4)),
            Cell::number(relation.verdict.robust_z, Digits::Fixed(1)),
            Cell::number(relation.verdict.log10_q, Digits::Fixed(1)),
        ]);
        row
    };
    Block::Table(Table {
        caption: "Pairs set apart, strongest first; `related.csv` has every pair. The last three columns are of the layer in which \
                  the pair departs most."
            .to_owned(),
        csv: None,
        columns: vec![
            Column::text("model a"),
            Column::text("model b"),
            Column::text("cells set apart"),
            Column::numeric("mean pearson"),
            Column::text("where most"),
            Column::numeric("pearson"),
            Column::numeric("robust z"),
            Column::numeric("log10 q"),
        ],
        rows: apart.iter().map(row).collect(),
    })
}
