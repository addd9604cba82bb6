//! `tokens.csv`: one row a compared token, in full digits. What a token is, a stranger has written: it is shown with what cannot
//! be seen escaped, harmless in a spreadsheet, and its bytes stand beside it in hexadecimal.

use std::fmt::Write;

use crate::{
    metric::{RowPair, Undefined},
    question::embeddings::{Embeddings, TokenPair},
    report::{csv, escape},
};

const HEAD: [&str; 18] = [
    "token",
    "bytes",
    "begins_word",
    "row_a",
    "row_b",
    "cos_sim",
    "cos_null",
    "cos_null_sd",
    "pearson",
    "z_perm",
    "same_id_cos_sim",
    "same_id_cos_null",
    "same_id_pearson",
    "random_row_b",
    "random_cos_sim",
    "random_cos_null",
    "random_pearson",
    "undefined",
];

/// `tokens.csv`.
pub fn embeddings_csv(embeddings: &Embeddings) -> Vec<(String, Vec<u8>)> {
    let head = HEAD.map(str::to_owned).to_vec();
    let rows = std::iter::once(head).chain(embeddings.pairs.iter().map(row));
    vec![("tokens.csv".to_owned(), csv::document(rows))]
}

fn row(pair: &TokenPair) -> Vec<String> {
    let mut cells = match &pair.drawn.token {
        Some(token) => {
            vec![escape::csv(&token.to_string()).into_owned(), hexadecimal(&token.bytes), token.begins_word.to_string()]
        }
        None => vec![String::new(); 3],
    };
    cells.extend(pair.drawn.rows.map(|row| row.to_string()));
    let mut reasons = Vec::new();
    for (name, value) in figures(&pair.matched) {
        cells.push(number(name, value, &mut reasons));
    }
    let mut contrast = |pair: Option<&RowPair>, names: [&'static str; 3]| {
        let values = pair.map(|pair| [&pair.cos_sim, &pair.cos_null, &pair.pearson]);
        std::array::from_fn::<String, 3, _>(|at| {
            values.map_or_else(String::new, |values| number(names[at], values[at], &mut reasons))
        })
    };
    cells.extend(contrast(pair.same_id.as_ref(), ["same_id_cos_sim", "same_id_cos_null", "same_id_pearson"]));
    cells.push(pair.random.as_ref().map_or_else(String::new, |(row, _)| row.to_string()));
    cells.extend(contrast(
        pair.random.as_ref().map(|(_, numbers)| numbers),
        ["random_cos_sim", "random_cos_null", "random_pearson"],
    ));
    cells.push(reasons.join(";"));
    cells
}

fn figures(pair: &RowPair) -> [(&'static str, &Result<f64, Undefined>); 5] {
    [
        ("cos_sim", &pair.cos_sim),
        ("cos_null", &pair.cos_null),
        ("cos_null_sd", &pair.cos_null_sd),
        ("pearson", &pair.pearson),
        ("z_perm", &pair.z_perm),
    ]
}

fn number(name: &str, value: &Result<f64, Undefined>, reasons: &mut Vec<String>) -> String {
    match value {
        Ok(value) => csv::number(Some(*value)),
        Err(reason) => {
            reasons.push(format!("{name}:{reason}"));
            String::new()
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
