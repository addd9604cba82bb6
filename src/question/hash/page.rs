//! The tables of digests and of equal files.

use super::{FileGroup, Group, Hashed, Kinship};
use crate::{
    digest::TrivialClass,
    model::{Opened, Repository},
    question::inspect::shape_text,
    report::{Cell, Frame},
    snapshot::RepoFile,
};

/// A row a tensor.
pub fn tensors(hashed: &[Hashed]) -> Frame<'_> {
    let columns = [
        "model",
        "commit",
        "tensor",
        "role",
        "layer",
        "dtype",
        "shape",
        "numel",
        "sha256",
        "canonical_sha256",
        "trivial",
    ];
    let row = |tensor: &Hashed| {
        vec![
            Cell::text(&tensor.model),
            Cell::text(&tensor.commit),
            Cell::code(&tensor.tensor),
            Cell::text(&tensor.role),
            Cell::integer(tensor.layer.map(u64::from)),
            Cell::text(tensor.dtype.name()),
            Cell::text(shape_text(&tensor.shape)),
            Cell::integer(Some(tensor.shape.iter().product())),
            Cell::text(&tensor.hash.sha256),
            Cell::optional(tensor.hash.canonical.as_ref()),
            trivial(tensor),
        ]
    };
    Frame::new("tensors.csv", columns, hashed.iter().map(row))
}

fn trivial(tensor: &Hashed) -> Cell {
    Cell::optional(tensor.hash.trivial.map(TrivialClass::name))
}

/// A row a tensor that has an equal.
pub fn matched(hashed: &[Hashed], groups: Vec<Group>) -> Frame<'_> {
    let columns = ["group", "kind", "sha256", "dtype", "shape", "trivial", "model", "commit", "tensor"];
    let rows = groups.into_iter().enumerate().flat_map(move |(number, group)| {
        group.members.into_iter().map(move |member| {
            let tensor = &hashed[member];
            let digest = match group.kinship {
                Kinship::Bytes => Some(&tensor.hash.sha256),
                Kinship::Rounded => tensor.hash.canonical.as_ref(),
            };
            vec![
                Cell::count(number + 1),
                Cell::text(group.kinship.name()),
                Cell::optional(digest),
                Cell::text(tensor.dtype.name()),
                Cell::text(shape_text(&tensor.shape)),
                trivial(tensor),
                Cell::text(&tensor.model),
                Cell::text(&tensor.commit),
                Cell::code(&tensor.tensor),
            ]
        })
    });
    Frame::new("matches.csv", columns, rows)
}

/// A row a file that has an equal, of models that were listed.
pub fn equal_files<'a>(listed: &'a [Opened<Repository>], groups: &'a [FileGroup<'a>]) -> Frame<'a> {
    let columns = ["group", "sha256", "xet_hash", "size", "model", "commit", "file"];
    let commit = |model: usize| listed[model].outcome.as_ref().ok().and_then(Repository::commit);
    let rows = groups.iter().enumerate().flat_map(move |(number, group)| {
        group.members.iter().map(move |member| {
            vec![
                Cell::count(number + 1),
                Cell::optional(member.file.lfs_sha256.as_ref()),
                Cell::optional(member.file.xet_hash.as_ref()),
                Cell::integer(Some(member.file.size)),
                Cell::text(listed[member.model].spec.to_string()),
                Cell::optional(commit(member.model)),
                Cell::code(&member.file.path),
            ]
        })
    });
    Frame::new("equal_files.csv", columns, rows)
}

/// Every file of a model that has no other to be compared with.
pub fn files_of_one(listed: &Opened<Repository>) -> Frame<'_> {
    let repository = listed.outcome.as_ref().ok();
    let (model, commit) = (listed.spec.to_string(), repository.and_then(Repository::commit));
    let row = move |file: &RepoFile| {
        vec![
            Cell::optional(file.lfs_sha256.as_ref()),
            Cell::optional(file.xet_hash.as_ref()),
            Cell::optional(file.blob_id.as_ref()),
            Cell::integer(Some(file.size)),
            Cell::text(&model),
            Cell::optional(commit),
            Cell::code(&file.path),
        ]
    };
    let columns = ["sha256", "xet_hash", "git_oid", "size", "model", "commit", "file"];
    let files = repository.into_iter().flat_map(|repository| &repository.snapshot().files);
    Frame::new("listed_files.csv", columns, files.map(row))
}
