//! The tables of the document.

use super::files::tokens;
use crate::{
    question::embeddings::{Distribution, Embeddings, Figures, RowPairs, TokenPair},
    report::{Cell, Column, Digits, Table},
};

/// Tokens listed at each end.
const LISTED: usize = 12;

/// The two tables and what their rows stand for.
pub(crate) fn vocabularies(embeddings: &Embeddings) -> Table {
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
    let mut columns = ["model", "tensor", "dtype"].map(Column::text).to_vec();
    columns.extend(["rows", "width"].map(Column::numeric));
    columns.push(Column::text("tokenizer"));
    columns.extend(["numbers", "tokens", "markers", "padded rows", "without a row"].map(Column::numeric));
    Table {
        caption: "The tables and their vocabularies. Padded rows come after the last token's; several numbers may stand for one \
                  token; markers are tokens such as `<s>` that no text contains."
            .to_owned(),
        columns,
        rows: vec![row(0), row(1)],
    }
}

/// How the vocabularies meet, in counts of tokens; `None` where no tokenizer was read.
pub(crate) fn meeting(embeddings: &Embeddings) -> Option<Table> {
    let meeting = embeddings.chosen.meeting.as_ref()?;
    let [first, second] = &embeddings.models;
    let count = |what: String, count: usize| vec![Cell::text(what), Cell::count(count)];
    let rows = vec![
        count("in both".to_owned(), meeting.shared),
        count(format!("only in {}", first.label), meeting.only[0]),
        count(format!("only in {}", second.label), meeting.only[1]),
        count("in both, with the same number".to_owned(), meeting.same_id),
        count("in both, markers, not compared".to_owned(), meeting.special),
        count("in both, without a row in a table".to_owned(), meeting.beyond),
        count("could be compared".to_owned(), embeddings.chosen.candidates),
        count("compared".to_owned(), embeddings.chosen.drawn.len()),
    ];
    Some(Table {
        caption:
            "How the vocabularies meet. Two tokens are one where their bytes agree and whether a word begins with them."
                .to_owned(),
        columns: vec![Column::text("tokens"), Column::numeric("count")],
        rows,
    })
}

/// The kinds of pairs beside each other.
pub(crate) fn comparison(embeddings: &Embeddings) -> Table {
    let row = |(name, compared): (&str, &RowPairs)| {
        let number = |of: &Distribution, figure: fn(&Figures) -> f64| Cell::number(of.get(figure), Digits::Fixed(6));
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
    let mut columns = vec![Column::text("rows of")];
    let titles =
        ["n cos_sim", "mean cos_sim", "sd cos_sim", "mean cos_null", "n pearson", "mean pearson", "sd pearson"];
    columns.extend(titles.map(Column::numeric));
    Table {
        caption: "Means and standard deviations (ddof 0) over pairs of rows. `tokens.csv` has every pair.".to_owned(),
        columns,
        rows: kinds(embeddings).into_iter().map(row).collect(),
    }
}

/// How cosine and Pearson's r are spread, kind by kind.
pub(crate) fn spread(embeddings: &Embeddings) -> Table {
    let rows = kinds(embeddings).into_iter().flat_map(|(name, compared)| {
        let metrics = [
            ("cos_sim", &compared.cos_sim),
            ("cos_null", &compared.cos_null),
            ("cos_null_sd", &compared.cos_null_sd),
            ("pearson", &compared.pearson),
            ("z_perm", &compared.z_perm),
        ];
        metrics.map(|(metric, of)| {
            let number = |figure: fn(&Figures) -> f64| Cell::number(of.get(figure), Digits::Fixed(4));
            let figures: [fn(&Figures) -> f64; 7] =
                [|f| f.mean, |f| f.sd, |f| f.min, |f| f.q25, |f| f.q50, |f| f.q75, |f| f.max];
            let mut cells = vec![Cell::text(name), Cell::code(metric), Cell::count(of.n)];
            cells.extend(figures.map(number));
            cells
        })
    });
    let mut columns = vec![Column::text("rows of"), Column::text("metric")];
    columns.extend(["n", "mean", "sd", "min", "25 %", "50 %", "75 %", "max"].map(Column::numeric));
    Table {
        caption: "How the numbers are spread over pairs of rows; quantiles are interpolated linearly.".to_owned(),
        columns,
        rows: rows.collect(),
    }
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
