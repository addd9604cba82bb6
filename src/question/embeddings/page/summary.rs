//! The answer in short: how the vocabularies meet, and what rows show on average.

use crate::{
    metric::{Figures, Stats, Undefined},
    question::embeddings::{Embeddings, RowPairs, TokenPair},
    report::{
        Block, Cell, Column, Digits, Table,
        number::{counted, z_in_prose},
    },
};

/// Named rows that are shown one by one; `tokens.csv` has all.
const MOST_NAMED: usize = 60;

/// |z| of the mean from which it is called beyond chance: two-sided p ≤ 0.01.
const BEYOND: f64 = 2.576;

/// The summary.
pub(crate) fn summary(embeddings: &Embeddings) -> Vec<Block> {
    let (models, shared) = (models(embeddings), shared(embeddings));
    if let Some(reason) = &embeddings.chosen.nothing {
        return vec![Block::note(format!("**No rows were compared**: {reason}.")), models, shared];
    }
    let mut blocks = vec![Block::prose(headline(embeddings)), rows(embeddings)];
    if embeddings.chosen.are_named {
        blocks.push(named_rows(embeddings));
    }
    blocks.extend([models, shared]);
    blocks
}

/// The mean over matched rows, beside that of random ones, and how unusual it is.
fn headline(embeddings: &Embeddings) -> String {
    let number = |of: &Stats| of.get(|f| f.mean).map_or_else(|_| "–".to_owned(), |mean| Digits::Fixed(4).format(mean));
    let matched = &embeddings.matched;
    let what = if embeddings.chosen.ask.same_id { "Rows of the same number" } else { "Rows of the same token" };
    let (verdict, test) = match &embeddings.test {
        Ok(test) => {
            let verdict = match &test.z {
                Ok(z) if z.abs() >= BEYOND => "correlated beyond chance",
                Ok(_) => "within chance",
                Err(_) => "not tested",
            };
            let z = test.z.as_ref().map_or_else(|reason| format!("z undefined: {reason}"), |&z| z_in_prose(z));
            let test = format!(
                " The mean over {} is {:.6}, {z} under one permutation of channels for all.",
                counted(test.layers.len(), "pair"),
                test.mean_r,
            );
            (verdict, test)
        }
        Err(_) => ("not tested", String::new()),
    };
    format!(
        "**{what}: mean r {}, {verdict}** (cos {}, null {}; rows of random tokens r {}).{test}",
        number(&matched.pearson),
        number(&matched.cos_sim),
        number(&matched.cos_null),
        number(&embeddings.random.pearson)
    )
}

fn models(embeddings: &Embeddings) -> Block {
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
    let columns = [
        Column::list(&["model"], &["rows", "width"]),
        Column::list(&["dtype", "vocabulary"], &["tokens", "padded rows"]),
    ];
    Block::table("", columns.concat(), (0..embeddings.models.len()).map(row))
}

fn shared(embeddings: &Embeddings) -> Block {
    let chosen = &embeddings.chosen;
    let drawn = format!("{} of {}", chosen.drawn.len(), chosen.candidates);
    let facts = match &chosen.shared {
        Some(shared) => vec![
            ("tokens in both", shared.in_both.to_string()),
            ("only in the first", shared.only[0].to_string()),
            ("only in the second", shared.only[1].to_string()),
            ("same number in both", shared.same_id.to_string()),
            ("compared", drawn),
        ],
        None => vec![("rows compared", drawn)],
    };
    Block::Table(Table::facts(facts))
}

/// Each row that was named.
fn named_rows(embeddings: &Embeddings) -> Block {
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
    let columns = Column::list(&["token"], &["row a", "row b", "cos_sim", "cos_null", "pearson", "same number"]);
    Block::table("", columns, embeddings.pairs.iter().take(MOST_NAMED).map(row))
}

fn rows(embeddings: &Embeddings) -> Block {
    let matched = if embeddings.chosen.ask.same_id { "same number" } else { "same token" };
    let mut kinds = vec![(matched, &embeddings.matched), ("random tokens", &embeddings.random)];
    kinds.extend(embeddings.same_id.as_ref().map(|same| ("same number", same)));
    let number = |of: &Stats, figure: fn(&Figures) -> f64| {
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
            number(&compared.pearson, |f| f.median),
            number(&compared.pearson, |f| f.max),
        ]
    };
    let columns = Column::list(&["rows of"], &["n", "cos_sim", "sd", "cos_null", "pearson", "median", "max"]);
    Block::table("Means over pairs of rows.", columns, kinds.into_iter().map(row))
}
