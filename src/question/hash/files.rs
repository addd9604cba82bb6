//! Whole files that are the same, by the hashes that the Hub states: not a byte of weights is read.

use std::collections::BTreeMap;

use crate::snapshot::{RepoFile, Snapshot};

/// A file of one of the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMember<'a> {
    /// Position of the model in the list.
    pub model: usize,
    /// The file.
    pub file: &'a RepoFile,
}

/// Two or more files with the same content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileGroup<'a> {
    /// The files, by model, then path.
    pub members: Vec<FileMember<'a>>,
}

/// Files that are stored as large ones (LFS, Xet) and have the same SHA-256, or where none is stated the same Xet hash.
/// Files of the same repository count too. Sorted by first member. Small files and local folders have no such hash.
pub fn same_files<'a>(snapshots: impl IntoIterator<Item = (usize, &'a Snapshot)>) -> Vec<FileGroup<'a>> {
    let mut by_hash: BTreeMap<(&str, u64), Vec<FileMember<'a>>> = BTreeMap::new();
    for (model, snapshot) in snapshots {
        for file in &snapshot.files {
            if let Some(hash) = file.lfs_sha256.as_ref().or(file.xet_hash.as_ref()) {
                by_hash.entry((hash, file.size)).or_default().push(FileMember { model, file });
            }
        }
    }
    let mut groups: Vec<FileGroup<'a>> =
        by_hash.into_values().filter(|members| members.len() > 1).map(|members| FileGroup { members }).collect();
    groups.sort_by(|a, b| {
        let first = |group: &FileGroup<'a>| group.members.first().map(|member| (member.model, &member.file.path));
        first(a).cmp(&first(b))
    });
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, sha256: Option<&str>, xet: Option<&str>) -> RepoFile {
        RepoFile {
            path: path.to_owned(),
            size: 10,
            blob_id: None,
            lfs_sha256: sha256.map(str::to_owned),
            xet_hash: xet.map(str::to_owned),
        }
    }

    #[test]
    fn files_are_joined_by_their_stated_hashes_across_models_and_names() {
        let one = Snapshot {
            commit: None,
            files: vec![
                file("config.json", None, None),
                file("model-1.safetensors", Some("aa"), Some("x1")),
                file("model-2.safetensors", Some("bb"), None),
                file("only-xet.bin", None, Some("x2")),
            ],
        };
        let two = Snapshot {
            commit: None,
            files: vec![
                file("config.json", None, None),
                file("model.safetensors", Some("bb"), Some("x3")),
                file("weights.bin", None, Some("x2")),
            ],
        };
        let groups = same_files([(0, &one), (1, &two)]);
        let paths: Vec<Vec<_>> = groups
            .iter()
            .map(|group| group.members.iter().map(|member| (member.model, member.file.path.as_str())).collect())
            .collect();
        assert_eq!(
            paths,
            [[(0, "model-2.safetensors"), (1, "model.safetensors")], [(0, "only-xet.bin"), (1, "weights.bin")]]
        );
    }
}
