//! The tables of the document.

use super::files::{figures, tokens};
use crate::{
    metric::{Figures, Stats},
    question::embeddings::{Embeddings, RowPairs, TokenPair},
    report::{Block, Cell, Column, Digits, Table},
};

/// Tokens listed at each end.
const LISTED: usize = 12;

/// The two tables and what their rows stand for.
pub(crate) fn vocabularies(embeddings: &Embeddings) -> Block {
    let none = |reason: &str| Cell::undefined(reason.to_owned());
    let row = |side: usize| {
        let mut cells = vec![Cell::text(&embeddings.models[side].label)];
        match &embeddings.chosen.tables[side] {
            Ok(table) => cells.extend([
                Cell::code(&table.tensor),
                Cell::text(table.dtype.to_string()),
                Cell::number(table.rows as f64, Digits::Integer),
                Cell::number(table.width as f64, Digits::Integer),
            ]),
            Err(reason) => {
                cells.extend([Cell::text("–"), Cell::text("–")]);
                cells.extend([none(reason), none(reason)]);
            }
        }
        if let Some(facts) = embeddings.chosen.vocabularies.as_ref().map(|both| &both[side]) {
            let rows = |count: Option<u64>| match count {
                Some(count) => Cell::number(count as f64, Digits::Integer),
                None => none("no table"),
            };
            cells.extend([
                Cell::text(format!("{}, {}", facts.kind, facts.spelling.replace('`', ""))),
                Cell::count(facts.numbers),
                Cell::count(facts.distinct),
                Cell::count(facts.special),
                rows(facts.padded),
                rows(facts.beyond),
            ]);
        } else {
            cells.push(Cell::text("not read"));
            cells.extend((0..5).map(|_| none("the tokenizer was not read")));
        }
        cells
    };
    let columns = [
        Column::list(&["model", "tensor", "dtype"], &["rows", "width"]),
        Column::list(&["tokenizer"], &["numbers", "tokens", "markers", "padded rows", "without a row"]),
    ];
    Block::table(
        "The tables and their vocabularies. Padded rows come after the last token's; several numbers may stand for one token; markers \
         are tokens such as `<s>` that no text contains.",
        columns.concat(),
        [row(0), row(1)],
    )
}

/// What the vocabularies share, in counts of tokens; `None` where no tokenizer was read.
pub(crate) fn shared(embeddings: &Embeddings) -> Option<Block> {
    let shared = embeddings.chosen.shared.as_ref()?;
    let [first, second] = &embeddings.models;
    let rows = [
        ("in both".to_owned(), shared.in_both),
        (format!("only in {}", first.label), shared.only[0]),
        (format!("only in {}", second.label), shared.only[1]),
        ("in both, with the same number".to_owned(), shared.same_id),
        ("in both, markers, not compared".to_owned(), shared.special),
        ("in both, without a row in a table".to_owned(), shared.beyond),
        ("could be compared".to_owned(), embeddings.chosen.candidates),
        ("compared".to_owned(), embeddings.chosen.drawn.len()),
    ];
    Some(Block::table(
        "How the vocabularies meet. Two tokens are one where their bytes agree and whether a word begins with them.",
        Column::list(&["tokens"], &["count"]),
        rows.into_iter().map(|(what, count)| vec![Cell::text(what), Cell::count(count)]),
    ))
}

/// The kinds of pairs beside each other.
pub(crate) fn comparison(embeddings: &Embeddings) -> Block {
    let row = |(name, compared): (&str, &RowPairs)| {
        let number = |of: &Stats, figure: fn(&Figures) -> f64| Cell::number(of.get(figure), Digits::Fixed(6));
        vec![
            Cell::text(name),
            Cell::count(compared.cos_sim.n),
            number(&compared.cos_sim, |f| f.mean),
            number(&compared.cos_sim, |f| f.sd),
            number(&compared.cos_null, |f| f.mean),
            Cell::count(compared.pearson.n),
            number(&compared.pearson, |f| f.mean),
            number(&compared.pearson, |f| f.sd),
        ]
    };
    let titles =
        ["n cos_sim", "mean cos_sim", "sd cos_sim", "mean cos_null", "n pearson", "mean pearson", "sd pearson"];
    Block::table(
        "Means and standard deviations (ddof 0) over pairs of rows. `tokens.csv` has every pair.",
        Column::list(&["rows of"], &titles),
        kinds(embeddings).into_iter().map(row),
    )
}

/// How cosine and Pearson's r are spread, kind by kind.
pub(crate) fn spread(embeddings: &Embeddings) -> Block {
    let rows = kinds(embeddings).into_iter().flat_map(|(name, compared)| {
        compared.metrics().map(|(metric, of)| {
            let mut cells = vec![Cell::text(name), Cell::code(metric.name()), Cell::count(of.n)];
            cells.extend(figures(of, Digits::Fixed(4)));
            cells
        })
    });
    Block::table(
        "How the numbers are spread over pairs of rows; quantiles are interpolated linearly.",
        Column::list(&["rows of", "metric"], &["n", "mean", "sd", "min", "25 %", "50 %", "75 %", "max"]),
        rows,
    )
}

/// The tokens whose rows are most alike, or least.
pub(crate) fn ends(embeddings: &Embeddings, most: bool) -> Table {
    let mut pairs: Vec<(f64, &TokenPair)> =
        embeddings.pairs.iter().filter_map(|pair| Some((*pair.matched.pearson.as_ref().ok()?, pair))).collect();
    // Sorting is stable: equal values stay in the order of rows.
    pairs.sort_by(|(a, _), (b, _)| if most { b.total_cmp(a) } else { a.total_cmp(b) });
    let caption = format!(
        "The {} compared pairs whose rows are {} alike by `pearson`. `▁` begins a word.",
        pairs.len().min(LISTED),
        if most { "most" } else { "least" }
    );
    let columns = [
        ("shown", Column::text("token")),
        ("row_a", Column::numeric("row a")),
        ("row_b", Column::numeric("row b")),
        ("cos_sim", Column::numeric("cos_sim")),
        ("cos_null", Column::numeric("cos_null")),
        ("pearson", Column::numeric("pearson")),
        ("z_perm", Column::numeric("z_perm")),
    ];
    tokens(pairs.into_iter().map(|(_, pair)| pair)).page(caption, columns, LISTED)
}

/// The kinds of pairs with their names.
pub(crate) fn kinds(embeddings: &Embeddings) -> Vec<(&'static str, &RowPairs)> {
    let matched = if embeddings.chosen.ask.same_id { "the same number" } else { "the same token" };
    let mut kinds = vec![(matched, &embeddings.matched), ("a token and another at random", &embeddings.random)];
    kinds.extend(embeddings.same_id.as_ref().map(|same| ("the same number", same)));
    kinds
}
