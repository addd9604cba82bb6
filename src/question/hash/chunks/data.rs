//! The answer for programs: its tables, with the words of the page.

use super::{
    answer::{ChunkPair, ChunksAnswer},
    ask::ChunkModel,
    row::{ChunkTensor, Method, TensorRow, Verdict},
};
use crate::{
    question::inspect::shape_text,
    report::{Cell, Digits, Frame, Frames},
};

const TENSORS: [&str; 18] = [
    "model_a", "commit_a", "file_a", "tensor_a", "model_b", "commit_b", "file_b", "tensor_b", "dtype", "shape", "size",
    "same", "moved", "open", "verdict", "method", "trivial", "claim",
];

const PAIRS: &str =
    "model_a model_b shared_bytes share_a share_b distinct_chunks tensors_identical claimed_relation is_cut";

/// A row a tensor of each second model, unless only pairs are wanted; a row a pair of models; what cards claim; which files several
/// models have; what was not examined, and why.
pub fn chunk_tables(answer: &ChunksAnswer, only_pairs: bool) -> Frames<'_> {
    let of_tensors = (!only_pairs).then(|| tensors(answer));
    Box::new(of_tensors.into_iter().chain([pairs(answer), claims(answer), equal_files(answer), not_examined(answer)]))
}

fn tensors(answer: &ChunksAnswer) -> Frame<'_> {
    let models = &answer.corpus.models;
    let rows = answer.pairs.iter().flat_map(|pair| {
        let claim = pair.claimed(models).unwrap_or_default();
        let [a, b] = [&models[pair.a], &models[pair.b]];
        pair.tensors.iter().map(move |row| {
            let tensor = &b.tensors[row.b];
            let other = row.a.map(|at| &a.tensors[at]);
            let [file_a, tensor_a] = other.map_or_else(|| [Cell::empty(), Cell::empty()], |other| place(a, other));
            let [file_b, tensor_b] = place(b, tensor);
            // Of what was not examined nothing is known, not even that nothing is the same.
            let is_known = row.verdict != Verdict::NotExamined;
            let [same, moved, open] =
                [row.same, row.moved, open(tensor, row)].map(|count| Cell::integer(is_known.then_some(count)));
            vec![
                Cell::text(&a.model),
                Cell::text(&a.commit),
                file_a,
                tensor_a,
                Cell::text(&b.model),
                Cell::text(&b.commit),
                file_b,
                tensor_b,
                Cell::text(tensor.dtype.name()),
                Cell::text(shape_text(&tensor.shape)),
                Cell::integer(Some(tensor.range.len())),
                same,
                moved,
                open,
                Cell::text(row.verdict.name()),
                Cell::optional(row.method.map(Method::name)),
                Cell::optional(row.trivial),
                Cell::text(&claim),
            ]
        })
    });
    Frame::new("chunk_tensors.csv", TENSORS, rows)
}

fn pairs(answer: &ChunksAnswer) -> Frame<'_> {
    let models = &answer.corpus.models;
    let row = |pair: &ChunkPair| {
        let known = |count: u64| answer.is_examined(pair).then_some(count);
        let shared = known(pair.shared_bytes());
        let share = |model: &ChunkModel| match (shared, model.size()) {
            (Some(shared), size @ 1..) => Cell::number(shared as f64 / size as f64, Digits::Exact),
            _ => Cell::empty(),
        };
        let [a, b] = [&models[pair.a], &models[pair.b]];
        vec![
            Cell::text(&a.model),
            Cell::text(&b.model),
            Cell::integer(shared),
            share(a),
            share(b),
            Cell::integer(known(pair.distinct_chunks)),
            Cell::integer(known(pair.count(Verdict::Identical) as u64)),
            Cell::optional(pair.claimed(models)),
            Cell::Flag(pair.is_cut),
        ]
    };
    Frame::new("chunk_pairs.csv", PAIRS.split(' '), answer.pairs.iter().map(row))
}

fn claims(answer: &ChunksAnswer) -> Frame<'_> {
    let rows = answer.corpus.models.iter().flat_map(|model| {
        let claim = model.claim.iter().flat_map(|claim| claim.bases.iter().map(move |base| (claim, base)));
        claim.map(|(claim, base)| {
            vec![Cell::text(&model.model), Cell::optional(claim.relation.as_ref()), Cell::text(base)]
        })
    });
    Frame::new("claims.csv", ["model", "relation", "base"], rows)
}

fn equal_files(answer: &ChunksAnswer) -> Frame<'_> {
    let models = &answer.corpus.models;
    let rows = answer.classes().into_iter().enumerate().flat_map(move |(number, (size, files))| {
        let row = move |(model, path): (usize, &str)| {
            vec![Cell::count(number + 1), Cell::integer(Some(size)), Cell::text(&models[model].model), Cell::code(path)]
        };
        files.into_iter().map(row).collect::<Vec<_>>()
    });
    Frame::new("chunk_files.csv", ["group", "size", "model", "file"], rows)
}

fn not_examined(answer: &ChunksAnswer) -> Frame<'_> {
    let rows = answer.corpus.models.iter().enumerate().flat_map(|(at, model)| {
        answer.unexamined(at).into_iter().map(|(state, (reason, files))| {
            let reason = if reason.is_empty() { state.reason() } else { reason };
            vec![Cell::text(&model.model), Cell::text(state.name()), Cell::count(files), Cell::text(reason)]
        })
    });
    Frame::new("not_examined.csv", ["model", "state", "files", "reason"], rows)
}

fn place(model: &ChunkModel, tensor: &ChunkTensor) -> [Cell; 2] {
    [&model.files[tensor.file].path, &tensor.name].map(Cell::code)
}

/// Bytes of which nothing is known.
fn open(tensor: &ChunkTensor, row: &TensorRow) -> u64 {
    tensor.range.len().saturating_sub(row.same + row.moved)
}
