//! The section on pairs that stand apart from the population of pairs.

use super::{layers, models, names};
use crate::{
    question::survey::Survey,
    report::{Block, Cell, Column, Digits, Frame, Section},
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
        table(survey, apart),
        Block::prose(explained),
    ]
}

/// `related.csv`; pages show labels, a share of cells, and where the pair departs most.
pub(crate) fn frame<'a>(
    survey: &'a Survey,
    relations: impl IntoIterator<Item = &'a Relation, IntoIter: 'a>,
) -> Frame<'a> {
    let columns = "model_a,commit_a,model_b,commit_b,set_apart,cells,cells_set_apart,mean_pearson,role,layer_a,layer_b,\
                   pearson,robust_z,log10_q";
    let row = move |relation: &Relation| {
        let panel = &survey.panels[relation.panel];
        let mut row = models(survey, relation.models).to_vec();
        row.extend([
            Cell::text(relation.related.to_string()),
            Cell::count(relation.cells),
            Cell::count(relation.apart),
            Cell::number(relation.mean_r, Digits::Fixed(4)),
            Cell::text(panel.key.role_name()),
        ]);
        row.extend(layers(panel, relation.models));
        row.extend([
            Cell::number(relation.pearson, Digits::Fixed(4)),
            Cell::number(relation.verdict.robust_z, Digits::Fixed(1)),
            Cell::number(relation.verdict.log10_q, Digits::Fixed(1)),
        ]);
        row.extend(names(survey, relation.models));
        row.push(Cell::text(format!("{} of {}", relation.apart, relation.cells)));
        row.push(Cell::text(panel.key.title()));
        row
    };
    let rows = relations.into_iter().map(row);
    Frame::new("related.csv", columns.split(','), rows).with_page_columns(&["label_a", "label_b", "share", "where"])
}

fn table(survey: &Survey, apart: Vec<&Relation>) -> Block {
    let caption = "Pairs set apart, strongest first; `related.csv` has every pair. The last three columns are of the layer in which \
                   the pair departs most.";
    let columns = [
        ("label_a", Column::text("model a")),
        ("label_b", Column::text("model b")),
        ("share", Column::text("cells set apart")),
        ("mean_pearson", Column::numeric("mean pearson")),
        ("where", Column::text("where most")),
        ("pearson", Column::numeric("pearson")),
        ("robust_z", Column::numeric("robust z")),
        ("log10_q", Column::numeric("log10 q")),
    ];
    let first = apart.len();
    Block::Table(frame(survey, apart).page(caption, columns, first))
}
