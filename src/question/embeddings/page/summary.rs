//! The answer in short: how the vocabularies meet, and what rows show on average.

use crate::{
    metric::Undefined,
    question::embeddings::{Distribution, Embeddings, Figures, RowPairs, TokenPair},
    report::{Block, Cell, Column, Digits, Table},
};

/// Named rows that are shown one by one; `tokens.csv` has all.
const MOST_NAMED: usize = 60;

/// The summary.
pub(crate) fn summary(embeddings: &Embeddings) -> Vec<Block> {
    let mut blocks = vec![Block::Table(models(embeddings)), Block::Table(meeting(embeddings))];
    if embeddings.chosen.nothing.is_some() {
        return blocks;
    }
    if embeddings.chosen.are_named {
        blocks.push(Block::Table(named_rows(embeddings)));
    }
    blocks.push(Block::prose("Mean over pairs of rows:"));
    blocks.push(Block::Table(rows(embeddings)));
    if let Ok(test) = &embeddings.test {
        let z = test.z.as_ref().map_or_else(ToString::to_string, |z| format!("{z:.2}"));
        let plural = if test.n == 1 { "" } else { "s" };
        blocks.push(Block::prose(format!(
            "Mean Pearson's r over {} pair{plural}: {:.6}, z = {z} under one permutation of\nchannels for all ({:.2} if rows were \
             independent).",
            test.n, test.mean_r, test.naive_z,
        )));
    }
    blocks
}

fn models(embeddings: &Embeddings) -> Table {
    let chosen = &embeddings.chosen;
    let row = |side: usize| {
        let table = chosen.tables[side].as_ref().ok();
        let facts = chosen.vocabularies.as_ref().map(|both| &both[side]);
        let of = |text: Option<String>| Cell::text(text.unwrap_or_else(|| "–".to_owned()));
        vec![
            Cell::text(&embeddings.models[side].label),
            of(table.map(|table| table.rows.to_string())),
            of(table.map(|table| table.width.to_string())),
            of(table.map(|table| table.dtype.to_string())),
            of(facts.map(|facts| facts.kind.to_owned())),
            of(facts.map(|facts| facts.numbers.to_string())),
            of(facts.and_then(|facts| facts.padded).map(|padded| padded.to_string())),
        ]
    };
    Table {
        caption: String::new(),
        columns: vec![
            Column::text("model"),
            Column::numeric("rows"),
            Column::numeric("width"),
            Column::text("dtype"),
            Column::text("vocabulary"),
            Column::numeric("tokens"),
            Column::numeric("padded rows"),
        ],
        rows: (0..embeddings.models.len()).map(row).collect(),
    }
}

fn meeting(embeddings: &Embeddings) -> Table {
    let chosen = &embeddings.chosen;
    let drawn = format!("{} of {}", chosen.drawn.len(), chosen.candidates);
    let facts = match &chosen.meeting {
        Some(meeting) => vec![
            ("tokens in both", meeting.shared.to_string()),
            ("only in the first", meeting.only[0].to_string()),
            ("only in the second", meeting.only[1].to_string()),
            ("same number in both", meeting.same_id.to_string()),
            ("compared", drawn),
        ],
        None => vec![("rows compared", drawn)],
    };
    Table::facts(facts)
}

/// Each row that was named.
fn named_rows(embeddings: &Embeddings) -> Table {
    let number = |value: Option<&Result<f64, Undefined>>| match value {
        Some(Ok(value)) => Cell::number(*value, Digits::Fixed(4)),
        Some(Err(reason)) => Cell::undefined(reason.to_string()),
        None => Cell::text("–"),
    };
    let row = |pair: &TokenPair| {
        let mut row = vec![Cell::text(pair.drawn.token.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string))];
        row.extend(pair.drawn.rows.map(|row| Cell::text(row.to_string())));
        let matched = &pair.matched;
        row.extend([&matched.cos_sim, &matched.cos_null, &matched.pearson].map(|value| number(Some(value))));
        row.push(number(pair.same_id.as_ref().map(|same| &same.cos_sim)));
        row
    };
    let mut columns = vec![Column::text("token")];
    let titles = ["row a", "row b", "cos_sim", "cos_null", "pearson", "same number"];
    columns.extend(titles.map(Column::numeric));
    Table { caption: String::new(), columns, rows: embeddings.pairs.iter().take(MOST_NAMED).map(row).collect() }
}

fn rows(embeddings: &Embeddings) -> Table {
    let matched = if embeddings.chosen.ask.same_id { "same number" } else { "same token" };
    let mut kinds = vec![(matched, &embeddings.matched), ("random tokens", &embeddings.random)];
    kinds.extend(embeddings.same_id.as_ref().map(|same| ("same number", same)));
    let number = |of: &Distribution, figure: fn(&Figures) -> f64| {
        let text = of.get(figure).map(|value| Digits::Fixed(4).format(value));
        Cell::text(text.unwrap_or_else(|reason: Undefined| reason.to_string()))
    };
    let row = |(name, compared): (&str, &RowPairs)| {
        vec![
            Cell::text(name),
            Cell::text(compared.cos_sim.n.to_string()),
            number(&compared.cos_sim, |f| f.mean),
            number(&compared.cos_sim, |f| f.sd),
            number(&compared.cos_null, |f| f.mean),
            number(&compared.pearson, |f| f.mean),
            number(&compared.pearson, |f| f.q50),
            number(&compared.pearson, |f| f.max),
        ]
    };
    let mut columns = vec![Column::text("rows of")];
    columns.extend(["n", "cos_sim", "sd", "cos_null", "pearson", "median", "max"].map(Column::numeric));
    Table { caption: String::new(), columns, rows: kinds.into_iter().map(row).collect() }
}
