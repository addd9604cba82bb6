//! `tokens.csv`: one row a compared token, in full digits; and `summary.csv`, how they are spread. What a token is, a stranger has written: it is shown with what cannot
//! be seen escaped, harmless in a spreadsheet, and its bytes stand beside it in hexadecimal.

use std::fmt::Write;

use crate::{
    metric::{Figures, RowPair, Stats, Undefined},
    question::embeddings::{Embeddings, TokenPair},
    report::{Cell, Digits, Frame, Frames, each_reason},
};

const COLUMNS: &str = "token bytes begins_word row_a row_b cos_sim cos_null cos_null_sd pearson z_perm same_id_cos_sim \
                       same_id_cos_null same_id_pearson random_row_b random_cos_sim random_cos_null random_pearson undefined";

/// The columns before the first metric.
const WHAT: usize = 5;

/// Characters of a token that a page shows.
const LONGEST: usize = 60;

/// `tokens.csv` and `summary.csv`.
pub fn embeddings_tables(embeddings: &Embeddings) -> Frames<'_> {
    Box::new([tokens(embeddings.pairs.iter()), summary(embeddings)].into_iter())
}

/// How each metric is spread over the rows of one token, of one number, and drawn at random.
fn summary(embeddings: &Embeddings) -> Frame<'_> {
    let head = ["rows", "metric", "n", "n_undefined", "mean", "sd", "min", "q25", "q50", "q75", "max", "undefined"];
    let same = embeddings.same_id.as_ref().map(|pairs| ("same_id", pairs));
    let lists = [("matched", &embeddings.matched), ("random", &embeddings.random)].into_iter().chain(same);
    let rows = lists.flat_map(|(rows, pairs)| {
        pairs.metrics().map(|(metric, of)| {
            let start = [Cell::text(rows), Cell::code(metric.name()), Cell::count(of.n), Cell::count(of.missing())];
            let reason = Cell::optional(of.figures.is_none().then_some(Undefined::TooFew));
            start.into_iter().chain(figures(of, Digits::Exact)).chain([reason]).collect()
        })
    });
    Frame::new("summary.csv", head, rows)
}

/// Mean, deviation and quartiles.
pub(crate) fn figures(of: &Stats, digits: Digits) -> [Cell; 7] {
    let figures: [fn(&Figures) -> f64; 7] =
        [|f| f.mean, |f| f.sd, |f| f.min, |f| f.q25, |f| f.median, |f| f.q75, |f| f.max];
    figures.map(|figure| Cell::number(of.get(figure), digits))
}

/// The numbers of `pairs`; pages show a token's beginning as `shown`.
pub(crate) fn tokens<'a>(pairs: impl Iterator<Item = &'a TokenPair> + 'a) -> Frame<'a> {
    Frame::new("tokens.csv", COLUMNS.split(' '), pairs.map(row)).with_page_columns(&["shown"])
}

fn row(pair: &TokenPair) -> Vec<Cell> {
    let token = pair.drawn.token.as_ref();
    let mut row = vec![
        Cell::optional(token),
        Cell::optional(token.map(|token| hexadecimal(&token.bytes))),
        token.map_or_else(Cell::empty, |token| Cell::Flag(token.begins_word)),
    ];
    row.extend(pair.drawn.rows.map(|row| Cell::number(row as f64, Digits::Integer)));
    let RowPair { cos_sim, cos_null, cos_null_sd, pearson, z_perm } = &pair.matched;
    row.extend([cos_sim, cos_null, cos_null_sd, pearson].map(|value| Cell::number(value, Digits::Fixed(6))));
    row.push(Cell::number(z_perm, Digits::Fixed(2)));
    row.extend(contrast(pair.same_id.as_ref()));
    row.push(Cell::integer(pair.random.as_ref().map(|(row, _)| *row)));
    row.extend(contrast(pair.random.as_ref().map(|(_, numbers)| numbers)));
    let values: Vec<&str> = COLUMNS.split(' ').skip(WHAT).collect();
    row.push(each_reason(&values, &row[WHAT..]));
    row.push(token.map_or_else(|| Cell::text("–"), |token| Cell::code(shortened(&token.to_string()))));
    row
}

fn contrast(pair: Option<&RowPair>) -> [Cell; 3] {
    match pair {
        Some(RowPair { cos_sim, cos_null, pearson, .. }) => {
            [cos_sim, cos_null, pearson].map(|value| Cell::number(value, Digits::Fixed(6)))
        }
        None => std::array::from_fn(|_| Cell::empty()),
    }
}

/// The beginning of a long token.
fn shortened(token: &str) -> String {
    match token.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &token[..end]),
        None => token.to_owned(),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
