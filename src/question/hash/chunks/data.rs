//! The answer for programs: CSV and JSON with the same words.

use serde_json::{Value, json};

use super::{
    answer::{ChunkPair, ChunksAnswer},
    ask::ChunkModel,
    tensors::{ChunkTensor, Method, TensorRow, Verdict},
};
use crate::{
    question::inspect::shape_text,
    report::{csv, escape},
};

const TENSORS: [&str; 18] = [
    "model_a", "commit_a", "file_a", "tensor_a", "model_b", "commit_b", "file_b", "tensor_b", "dtype", "shape", "size",
    "same", "moved", "open", "verdict", "method", "trivial", "claim",
];

const PAIRS: [&str; 8] = [
    "model_a",
    "model_b",
    "shared_bytes",
    "share_a",
    "share_b",
    "distinct_chunks",
    "tensors_identical",
    "claimed_relation",
];

/// One row a tensor of each second model.
pub fn chunks_csv(answer: &ChunksAnswer) -> Vec<u8> {
    let models = &answer.corpus.models;
    let rows = answer.pairs.iter().flat_map(|pair| {
        let claim = escape::csv(&pair.claimed(models).unwrap_or_default()).into_owned();
        let [a, b] = [&models[pair.a], &models[pair.b]];
        pair.tensors.iter().map(move |row| {
            let tensor = &b.tensors[row.b];
            let other = row.a.map(|at| &a.tensors[at]);
            let bytes = [tensor.range.len(), row.same, row.moved, open(tensor, row)].map(|count| count.to_string());
            let [file_a, tensor_a] = other.map(|other| place(a, other)).unwrap_or_default();
            let [file_b, tensor_b] = place(b, tensor);
            let names = [
                escape::csv(&a.model).into_owned(),
                a.commit.clone(),
                file_a,
                tensor_a,
                escape::csv(&b.model).into_owned(),
                b.commit.clone(),
                file_b,
                tensor_b,
                escape::csv(&tensor.dtype.name()).into_owned(),
                shape_text(&tensor.shape),
            ];
            let words = [
                row.verdict.name(),
                row.method.map(Method::name).unwrap_or_default(),
                row.trivial.unwrap_or_default(),
                &claim,
            ];
            names.into_iter().chain(bytes).chain(words.map(str::to_owned)).collect::<Vec<String>>()
        })
    });
    csv::document(std::iter::once(TENSORS.map(str::to_owned).to_vec()).chain(rows))
}

/// One row a pair of models.
pub fn chunk_pairs_csv(answer: &ChunksAnswer) -> Vec<u8> {
    let models = &answer.corpus.models;
    let row = |pair: &ChunkPair| {
        let shared = pair.shared_bytes();
        let share = |model: &ChunkModel| match size(model) {
            0 => String::new(),
            size => csv::number(Some(shared as f64 / size as f64)),
        };
        let [a, b] = [&models[pair.a], &models[pair.b]];
        vec![
            escape::csv(&a.model).into_owned(),
            escape::csv(&b.model).into_owned(),
            shared.to_string(),
            share(a),
            share(b),
            pair.distinct_chunks.to_string(),
            pair.count(Verdict::Identical).to_string(),
            escape::csv(&pair.claimed(models).unwrap_or_default()).into_owned(),
        ]
    };
    csv::document(std::iter::once(PAIRS.map(str::to_owned).to_vec()).chain(answer.pairs.iter().map(row)))
}

/// All of it as JSON; without tensors where only pairs are wanted.
pub fn chunks_json(answer: &ChunksAnswer, only_pairs: bool) -> Value {
    let models = &answer.corpus.models;
    let model = |(at, model): (usize, &ChunkModel)| {
        let unexamined = answer.unexamined(at).into_iter();
        let unexamined: Vec<Value> = unexamined
            .map(|(state, (reason, files))| json!({ "state": state.name(), "files": files, "reason": reason }))
            .collect();
        let claim = model.claim.as_ref().map(|claim| json!({ "relation": claim.relation, "bases": claim.bases }));
        json!({
            "model": model.model, "commit": model.commit, "files": model.files.len(), "bytes": size(model), "claim": claim,
            "not_examined": unexamined,
        })
    };
    let pair = |pair: &ChunkPair| {
        let [a, b] = [&models[pair.a], &models[pair.b]];
        let mut value = json!({
            "model_a": a.model, "model_b": b.model, "shared_bytes": pair.shared_bytes(), "distinct_chunks": pair.distinct_chunks,
            "tensors_identical": pair.count(Verdict::Identical), "claim": pair.claimed(models), "is_cut": pair.is_cut,
        });
        if !only_pairs {
            value["tensors"] = pair.tensors.iter().map(|row| tensor([a, b], row)).collect();
        }
        value
    };
    let classes: Vec<Value> = answer
        .classes()
        .into_iter()
        .map(|(size, files)| {
            let files = files.into_iter().map(|(at, path)| json!({ "model": models[at].model, "file": path }));
            json!({ "size": size, "files": files.collect::<Vec<Value>>() })
        })
        .collect();
    let traffic = answer.corpus.traffic;
    json!({
        "models": models.iter().enumerate().map(model).collect::<Vec<Value>>(),
        "pairs": answer.pairs.iter().map(pair).collect::<Vec<Value>>(),
        "equal_files": classes,
        "cost": { "tokens": traffic.tokens, "cas_requests": traffic.requests, "cas_bytes": traffic.bytes, "weight_bytes": answer.bytes_read.unwrap_or(0) },
    })
}

fn tensor([a, b]: [&ChunkModel; 2], row: &TensorRow) -> Value {
    let tensor = &b.tensors[row.b];
    let other = row.a.map(|at| &a.tensors[at]);
    json!({
        "file_a": other.map(|other| &a.files[other.file].path), "tensor_a": other.map(|other| &other.name),
        "file_b": b.files[tensor.file].path, "tensor_b": tensor.name,
        "dtype": tensor.dtype.name(), "shape": tensor.shape, "size": tensor.range.len(),
        "same": row.same, "moved": row.moved, "open": open(tensor, row), "verdict": row.verdict.name(),
        "method": row.method.map(Method::name), "trivial": row.trivial,
    })
}

fn place(model: &ChunkModel, tensor: &ChunkTensor) -> [String; 2] {
    [&model.files[tensor.file].path, &tensor.name].map(|text| escape::csv(text).into_owned())
}

/// Bytes of which nothing is known.
fn open(tensor: &ChunkTensor, row: &TensorRow) -> u64 {
    tensor.range.len().saturating_sub(row.same + row.moved)
}

fn size(model: &ChunkModel) -> u64 {
    model.files.iter().map(|file| file.size).sum()
}
