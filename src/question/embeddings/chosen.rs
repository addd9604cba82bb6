//! From two vocabularies to the rows that are read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Table, TokenAsk};
use crate::{
    error::{Error, Result},
    fetch::{RowPlan, plan_companions, plan_rows},
    model::{AuditError, Model, Session, vocabulary},
    rows::RowSet,
    tokens::{Token, Vocabulary},
};

/// What is known of two models' tables and vocabularies, and which of their rows are compared.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// What was asked.
    pub ask: TokenAsk,
    /// The tables, or why there is none.
    pub tables: [Result<Table, String>; 2],
    /// The vocabularies; `None` where rows are matched by number.
    pub vocabularies: Option<[VocabularyFacts; 2]>,
    /// What they share; `None` likewise.
    pub shared: Option<SharedTokens>,
    /// Tokens, or numbers, that could be compared.
    pub candidates: usize,
    /// Those that are, by the first model's number.
    pub drawn: Vec<Drawn>,
    /// Whether they were named by their row in the first table, and not drawn.
    pub are_named: bool,
    /// Rows of the first table that were named and are not compared, with the reason.
    pub left_out: Vec<(u64, String)>,
    /// Why nothing is compared.
    pub nothing: Option<String>,
}

/// One token that is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// What it stands for; `None` where rows are matched by number.
    pub token: Option<Token>,
    /// Its row in each table.
    pub rows: [u64; 2],
}

/// What a report says of a vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VocabularyFacts {
    /// `BPE`, `WordPiece`, `Unigram`, `WordLevel`.
    pub kind: &'static str,
    /// How it spells texts.
    pub spelling: String,
    /// Numbers that have a token.
    pub numbers: usize,
    /// Tokens that differ.
    pub distinct: usize,
    /// Markers among the numbers.
    pub special: usize,
    /// Rows of the table after the last token's: padding. `None` without a table.
    pub padded: Option<u64>,
    /// Numbers that the table has no row for.
    pub beyond: Option<u64>,
}

/// What two vocabularies share, in tokens that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedTokens {
    /// Tokens in both.
    pub in_both: usize,
    /// Of those, with the same number in both.
    pub same_id: usize,
    /// Of those, markers, which are not compared: their names say nothing of what they are used for.
    pub special: usize,
    /// Of those, without a row in one of the tables.
    pub beyond: usize,
    /// Tokens in one only.
    pub only: [usize; 2],
}

impl Chosen {
    /// The rows that are read of each table: those of the drawn tokens and, of the second, those of the first's numbers.
    pub fn wanted(&self) -> [RowSet; 2] {
        let first: RowSet = self.drawn.iter().map(|drawn| drawn.rows[0]).collect();
        let second = self.drawn.iter().flat_map(|drawn| {
            let same = self.has_second(drawn.rows[0]).then_some(drawn.rows[0]);
            [Some(drawn.rows[1]), same].into_iter().flatten()
        });
        [first, second.collect()]
    }

    /// What must move for them, of each table that can be compared.
    pub fn plan(&self, session: &Session, models: [&Arc<Model>; 2]) -> Result<[Vec<RowPlan>; 2]> {
        let [first, second] = self.wanted();
        let plan = |side: usize, wanted: &RowSet| match &self.tables[side] {
            Ok(table) => Ok(vec![
                plan_rows(session, models[side], table.position, wanted)?,
                RowPlan::of_whole(plan_companions(session, models[side], [table.position])),
            ]),
            Err(_) => Ok::<_, Error>(Vec::new()),
        };
        Ok([plan(0, &first)?, plan(1, &second)?])
    }

    /// Whether the second table has a row of this number.
    pub(crate) fn has_second(&self, row: u64) -> bool {
        self.tables[1].as_ref().is_ok_and(|table| row < table.rows)
    }
}

/// Reads the tokenizers, as far as they are needed, and draws the tokens to compare; or takes those whose rows in the first
/// table have the numbers `ids`, where any are named.
///
/// Fails where a tokenizer is missing or cannot be read. Tables that cannot be compared are no failure: the vocabularies still
/// are, and [`Chosen::nothing`] says why nothing else is.
pub async fn choose_tokens(session: &Session, models: [&Arc<Model>; 2], ask: TokenAsk, ids: &[u64]) -> Result<Chosen> {
    let tables = models.map(|model| Table::of(model, ask));
    let vocabularies = if ask.same_id {
        None
    } else {
        let [first, second] = models;
        Some(tokio::try_join!(stated(session, first), stated(session, second))?)
    };
    let nothing = incomparable(&tables);
    let mut chosen = Chosen {
        ask,
        tables,
        vocabularies: None,
        shared: None,
        candidates: 0,
        drawn: Vec::new(),
        are_named: !ids.is_empty(),
        left_out: Vec::new(),
        nothing,
    };
    let mut obstacles = BTreeMap::new();
    let rows = chosen.tables.each_ref().map(|table| table.as_ref().map_or(0, |table| table.rows));
    let candidates = match &vocabularies {
        Some((first, second)) => {
            let (shared, candidates, unfit) = share([first, second], rows);
            obstacles = unfit;
            chosen.vocabularies = Some([facts(first, rows[0]), facts(second, rows[1])]);
            chosen.shared = Some(shared);
            candidates
        }
        None => (0..rows[0].min(rows[1])).map(|row| Drawn { token: None, rows: [row, row] }).collect(),
    };
    if chosen.nothing.is_none() {
        chosen.candidates = candidates.len();
        if ids.is_empty() {
            chosen.drawn = ask.sample.draw(candidates, ask.seed);
        } else {
            chosen.drawn = candidates.into_iter().filter(|drawn| ids.contains(&drawn.rows[0])).collect();
            let is_left = |id: &&u64| chosen.drawn.iter().all(|drawn| drawn.rows[0] != **id);
            let left: BTreeSet<u64> = ids.iter().filter(is_left).copied().collect();
            chosen.left_out = left.into_iter().map(|id| (id, why_not(id, rows, ask.same_id, &obstacles))).collect();
        }
        if chosen.drawn.is_empty() {
            chosen.nothing = Some(match chosen.left_out.as_slice() {
                [] => "the vocabularies share no token of text that both tables have a row for".to_owned(),
                _ => "none of the named rows can be compared".to_owned(),
            });
        }
    }
    Ok(chosen)
}

/// The vocabulary, without which nothing tells what a row stands for.
async fn stated(session: &Session, model: &Model) -> Result<Vocabulary> {
    let read = vocabulary(&session.access, model).await?;
    read.ok_or_else(|| AuditError::NoTokenizer { model: model.repository.place() }.into())
}

fn incomparable(tables: &[Result<Table, String>; 2]) -> Option<String> {
    match tables {
        [Ok(a), Ok(b)] if a.width != b.width => Some(format!(
            "rows of the first table have {} elements and those of the second {}: a row of one cannot be compared with a row of the \
             other",
            a.width, b.width
        )),
        [Ok(_), Ok(_)] => None,
        [Err(first), Err(second)] => Some(format!("the first model: {first}; the second: {second}")),
        [Err(reason), _] => Some(format!("the first model: {reason}")),
        [_, Err(reason)] => Some(format!("the second model: {reason}")),
    }
}

/// What is shared; what of it can be compared: texts, not markers, that both tables have a row for; and why the rest cannot, by its row
/// in the first table.
fn share([first, second]: [&Vocabulary; 2], rows: [u64; 2]) -> (SharedTokens, Vec<Drawn>, BTreeMap<u64, &'static str>) {
    let all = first.shared(second);
    let mut shared = SharedTokens {
        in_both: all.len(),
        same_id: all.iter().filter(|(_, a, b)| a == b).count(),
        special: 0,
        beyond: 0,
        only: [first, second].map(|vocabulary| vocabulary.distinct() - all.len()),
    };
    let (mut candidates, mut obstacles) = (Vec::with_capacity(all.len()), BTreeMap::new());
    for (token, a, b) in all {
        let ids = [a, b].map(u64::from);
        if token.special {
            shared.special += 1;
            obstacles.insert(ids[0], "its token is a marker, whose name says nothing of what it is used for");
        } else if ids.iter().zip(rows).any(|(&id, rows)| id >= rows) {
            shared.beyond += 1;
            obstacles.insert(ids[0], "the second table has no row for its token");
        } else {
            candidates.push(Drawn { token: Some(token), rows: ids });
        }
    }
    (shared, candidates, obstacles)
}

/// Why a row that was named is not compared.
fn why_not(id: u64, rows: [u64; 2], same_id: bool, obstacles: &BTreeMap<u64, &'static str>) -> String {
    match obstacles.get(&id) {
        _ if id >= rows[0] => format!("the first table has {} rows", rows[0]),
        Some(obstacle) => (*obstacle).to_owned(),
        None if same_id => format!("the second table has {} rows", rows[1]),
        None => "it has no token that the second vocabulary has as well".to_owned(),
    }
}

fn facts(vocabulary: &Vocabulary, rows: u64) -> VocabularyFacts {
    let with_table = |count: u64| (rows > 0).then_some(count);
    let beyond = vocabulary.entries.iter().filter(|(id, _)| u64::from(*id) >= rows).count();
    VocabularyFacts {
        kind: vocabulary.kind,
        // A stranger's text, of any length.
        spelling: vocabulary.spelling.to_string().chars().take(40).collect(),
        numbers: vocabulary.entries.len(),
        distinct: vocabulary.distinct(),
        special: vocabulary.special(),
        padded: with_table(rows.saturating_sub(vocabulary.end())),
        beyond: with_table(beyond as u64),
    }
}
