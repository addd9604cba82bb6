//! The answer on a terminal. What is not shown is never worded as a difference, nor its absence as independence.

use super::{
    answer::{ChunkPair, ChunksAnswer, FEW_CHUNKS},
    ask::ChunkModel,
    groups::{Line, lines},
    row::{Method, TensorRow, Verdict},
};
use crate::report::{Block, Cell, Column, Digits, escape::visible, number::counted};

/// Rows of a list that are printed; of more, their number.
const MOST_ROWS: usize = 40;

/// Models that are named where several have one file; of more, their number.
const MOST_NAMES: usize = 6;

const NO_DIFFERENCE: &str =
    "\"Not shown\" is no evidence of difference; --close reads the bytes in doubt, where they are few.";

const NOTHING: &str =
    "No shared storage was found. This says nothing: independent uploads of equal bytes are often stored twice.";

const TRUST: &str = "All of this rests on the Hub's word for its hashes; `hash --matches` reads the bytes themselves.";

const UNTRIED: &str =
    "Fingerprints were asked for as the published protocol has it; this was not yet checked on the live Hub.";

/// The answer: of two models by groups of tensors, of one its repeated tensors, of more a line a pair, as `only_pairs` has it of any.
pub fn chunks_page(answer: &ChunksAnswer, only_pairs: bool) -> Vec<Block> {
    let mut blocks = vec![heading(answer)];
    match answer.pairs.as_slice() {
        [pair] if pair.a == pair.b && !only_pairs => blocks.extend(repeated(answer, pair)),
        [pair] if answer.corpus.models.len() == 2 && !only_pairs => blocks.extend(of_pair(answer, pair)),
        pairs => blocks.extend(of_list(answer, pairs)),
    }
    let unknown: Vec<String> =
        (0..answer.corpus.models.len()).filter_map(|model| not_examined(answer, model)).collect();
    if !unknown.is_empty() {
        blocks.push(Block::note(unknown.join("\n")));
    }
    if answer.pairs.iter().any(|pair| pair.is_cut) {
        blocks.push(Block::note("More runs of chunks meet than were looked at: less is shown than there is."));
    }
    match &answer.corpus.fingerprints {
        Some(Ok(())) => blocks.push(Block::note(UNTRIED)),
        Some(Err(_)) => {
            blocks.push(Block::note("Fingerprints are not available for all files: what is shown is by terms there."));
        }
        None => {}
    }
    blocks.push(Block::note(TRUST));
    blocks
}

/// The models and what cards say of them.
fn heading(answer: &ChunksAnswer) -> Block {
    let models = &answer.corpus.models;
    let mut said: Vec<String> = models.iter().take(MOST_ROWS).map(described).collect();
    if models.len() > MOST_ROWS {
        said.push(format!("… and {} more", models.len() - MOST_ROWS));
    }
    if let [pair] = answer.pairs.as_slice()
        && pair.a != pair.b
    {
        said.push(claimed(pair, models));
    }
    Block::prose(said.join("\n"))
}

/// `owner/name@commit  4 files, 16.1 GB`.
fn described(model: &ChunkModel) -> String {
    let commit = model.commit.get(..8).map(|commit| format!("@{commit}")).unwrap_or_default();
    let size = bytes(model.size());
    format!("{}{commit}  {}, {size}", visible(&model.model), counted(model.files.len(), "file"))
}

fn claimed(pair: &ChunkPair, models: &[ChunkModel]) -> String {
    match pair.claimed(models) {
        Some(claim) => format!("claimed by the card of {}", visible(&claim)),
        None if [pair.a, pair.b].iter().any(|&model| models[model].claim.is_some()) => {
            "not claimed: neither card names the other model".to_owned()
        }
        None => "claims of the cards are not known".to_owned(),
    }
}

fn not_examined(answer: &ChunksAnswer, model: usize) -> Option<String> {
    let found = answer.unexamined(model);
    let unknown: usize = found.values().map(|(_, files)| files).sum();
    let all = answer.corpus.models[model].files.len();
    let reasons: Vec<String> = found.iter().map(|(state, (_, files))| format!("{files} {}", state.name())).collect();
    let label = &answer.corpus.models[model].label;
    (unknown > 0)
        .then(|| format!("{label}: {} of {} examined; {}", all - unknown, counted(all, "file"), reasons.join(", ")))
}

fn of_pair(answer: &ChunksAnswer, pair: &ChunkPair) -> Vec<Block> {
    let models = &answer.corpus.models;
    let lines = lines(&models[pair.b], &pair.tensors);
    // What few answers have is shown where any tensor has it.
    let is_shown =
        |verdict: Verdict| !matches!(verdict, Verdict::Different | Verdict::NotExamined) || pair.count(verdict) > 0;
    let shown: Vec<Verdict> = Verdict::ALL.into_iter().filter(|verdict| is_shown(*verdict)).collect();
    let mut columns = Column::list(&[""], &["tensors"]);
    columns.extend(shown.iter().map(|verdict| Column::numeric(word(*verdict))));
    columns.push(Column::numeric("same bytes"));
    let row = |line: &Line| {
        let counts = shown.iter().map(|verdict| Cell::count(line.verdicts[*verdict as usize]));
        let share = match line.shared {
            Some(shared) => format!("{} of {}", bytes(shared), bytes(line.size)),
            None => "not examined".to_owned(),
        };
        let name = [Cell::text(line.name.clone()), Cell::count(line.tensors)];
        name.into_iter().chain(counts).chain([Cell::text(share)]).collect()
    };
    let mut blocks = vec![Block::table(caption(answer, "Same bytes"), columns, lines.iter().map(row))];
    let partly: Vec<&TensorRow> = pair.tensors.iter().filter(|row| row.verdict == Verdict::Partly).collect();
    if !partly.is_empty() {
        let size = |row: &&TensorRow| models[pair.b].tensors[row.b].range.len();
        let open: u64 = partly.iter().map(|row| size(row).saturating_sub(row.same + row.moved)).sum();
        let moved: u64 = partly.iter().map(|row| row.moved).sum();
        let elsewhere = match moved {
            0 => String::new(),
            moved => format!(
                "; of the same bytes {} are in {} at another place or at one that is not known",
                bytes(moved),
                visible(&models[pair.a].label)
            ),
        };
        let close = match answer.undecided_bytes() {
            0 => String::new(),
            read => format!("; --close would read {}", bytes(read)),
        };
        blocks.push(Block::prose(format!("partly: {} were not decided{elsewhere}{close}.", bytes(open))));
    }
    if pair.shared_bytes() == 0 {
        blocks.extend(nothing(answer));
        return blocks;
    }
    if pair.count(Verdict::NotShown) > 0 {
        blocks.push(Block::note(NO_DIFFERENCE));
    }
    let is_proven_otherwise = pair.tensors.iter().any(|row| {
        let is_by_chunks_alone = matches!(row.method, Some(Method::Chunks | Method::Fingerprints));
        row.verdict == Verdict::Identical && row.trivial.is_none() && !is_by_chunks_alone
    });
    if !is_proven_otherwise && pair.distinct_chunks < FEW_CHUNKS {
        blocks.push(Block::note(format!(
            "Fewer than {FEW_CHUNKS} distinct chunks are shared: too few to say anything of the two models."
        )));
    }
    if pair.claimed(models).is_none() {
        blocks.push(Block::note("Both may have what they share from a third model."));
    }
    blocks
}

/// That nothing was found, where it was looked for.
fn nothing(answer: &ChunksAnswer) -> Option<Block> {
    let is_looked_for = answer.corpus.contents.iter().any(|content| content.unexamined.is_none());
    is_looked_for.then(|| Block::note(NOTHING))
}

/// Tensors of one model that share bytes with others of it.
fn repeated(answer: &ChunksAnswer, pair: &ChunkPair) -> Vec<Block> {
    let model = &answer.corpus.models[pair.b];
    if pair.tensors.is_empty() {
        return vec![Block::note(
            "No tensor was found to share bytes with another of the model. This says nothing of the rest.",
        )];
    }
    let name = |at: usize| visible(&model.tensors[at].name).into_owned();
    let row = |row: &TensorRow| {
        let size = model.tensors[row.b].range.len();
        let cells = [name(row.b), row.a.map(name).unwrap_or_default(), word(row.verdict)];
        let numbers = [row.same, row.moved, size].map(|count| Cell::number(count as f64, Digits::Bytes));
        cells.map(Cell::text).into_iter().chain(numbers).collect()
    };
    let columns = Column::list(&["tensor", "beside", "bytes"], &["same", "elsewhere", "of"]);
    let caption = caption(answer, "Same bytes within the model");
    let mut blocks = vec![Block::table(caption, columns, pair.tensors.iter().take(MOST_ROWS).map(row))];
    blocks.extend(more(pair.tensors.len(), "tensor"));
    blocks
}

fn word(verdict: Verdict) -> String {
    verdict.name().replace('_', " ")
}

fn of_list(answer: &ChunksAnswer, pairs: &[ChunkPair]) -> Vec<Block> {
    let models = &answer.corpus.models;
    let mut blocks = Vec::new();
    let shown: Vec<&ChunkPair> = pairs.iter().filter(|pair| pair.shared_bytes() > 0).collect();
    if shown.is_empty() {
        blocks.extend(nothing(answer));
    } else {
        let row = |pair: &&ChunkPair| {
            let numbers =
                [pair.shared_bytes(), models[pair.b].size()].map(|count| Cell::number(count as f64, Digits::Bytes));
            let identical = format!("{} of {}", pair.count(Verdict::Identical), pair.tensors.len());
            let claim = pair.claimed(models).map_or_else(|| "no".to_owned(), |claim| visible(&claim).into_owned());
            let names = [pair.b, pair.a].map(|model| Cell::text(&models[model].label));
            names.into_iter().chain(numbers).chain([Cell::text(identical), Cell::text(claim)]).collect()
        };
        let columns =
            [Column::list(&["model", "shares with"], &["bytes", "of", "identical"]), Column::list(&["claimed"], &[])];
        let caption = caption(answer, "Same bytes of each model and those before it that have a file or chunk first");
        blocks.push(Block::table(caption, columns.concat(), shown.iter().take(MOST_ROWS).map(row)));
        blocks.extend(more(shown.len(), "pair"));
        blocks.push(Block::note("Both of a pair may have what they share from a third model."));
    }
    blocks.extend(classes(answer));
    let met: Vec<usize> = shown.iter().flat_map(|pair| [pair.a, pair.b]).collect();
    let alone: Vec<&str> =
        (0..models.len()).filter(|model| !met.contains(model)).map(|model| models[model].label.as_str()).collect();
    if !alone.is_empty() && !shown.is_empty() {
        blocks.push(Block::note(format!("Nothing was found of {}, which says nothing of them.", named(&alone))));
    }
    blocks
}

/// Files that several models have.
fn classes(answer: &ChunksAnswer) -> Vec<Block> {
    let classes = answer.classes();
    if classes.is_empty() {
        return Vec::new();
    }
    let row = |(size, files): &(u64, Vec<(usize, &str)>)| {
        let mut labels: Vec<&str> =
            files.iter().map(|(model, _)| answer.corpus.models[*model].label.as_str()).collect();
        labels.dedup();
        vec![
            Cell::number(*size as f64, Digits::Bytes),
            Cell::text(visible(files[0].1)),
            Cell::count(labels.len()),
            Cell::text(named(&labels)),
        ]
    };
    let columns = [Column::list(&[], &["size"]), Column::list(&["file"], &["models"]), Column::list(&["which"], &[])];
    let caption = "Files that several models have, byte for byte";
    let mut blocks = vec![Block::table(caption, columns.concat(), classes.iter().take(MOST_ROWS).map(row))];
    blocks.extend(more(classes.len(), "file"));
    blocks
}

fn more(all: usize, noun: &str) -> Option<Block> {
    let more = all.checked_sub(MOST_ROWS).filter(|&more| more > 0)?;
    Some(Block::prose(format!("… and {} more; --format csv has all", counted(more, noun))))
}

fn named(labels: &[&str]) -> String {
    let names = labels.iter().take(MOST_NAMES).map(|label| visible(label)).collect::<Vec<_>>().join(", ");
    match labels.len().saturating_sub(MOST_NAMES) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// What a table shows, and what it cost.
fn caption(answer: &ChunksAnswer, what: &str) -> String {
    let hashes = if answer.corpus.traffic.requests == 0 { "file hashes" } else { "chunk hashes" };
    match answer.bytes_read {
        None => format!("{what}, by the Hub's {hashes} (no weight byte was read)"),
        Some(read) => format!("{what}, by the Hub's {hashes} and {} of weights that were read", bytes(read)),
    }
}

fn bytes(count: u64) -> String {
    Digits::Bytes.format(count as f64)
}
