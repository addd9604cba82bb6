//! Whole files that are the same, by the hashes that the Hub states: not a byte of weights is read.

use std::collections::{BTreeMap, HashMap};

use crate::snapshot::{RepoFile, Snapshot, hash_of_32_bytes};

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

/// Files that are stored as large ones (LFS, Xet) and have the same SHA-256 or the same Xet hash, of whichever both state one.
/// Files of the same repository count too. Sorted by first member. Small files and local folders have no such hash.
pub fn same_files<'a>(snapshots: impl IntoIterator<Item = (usize, &'a Snapshot)>) -> Vec<FileGroup<'a>> {
    let files = snapshots
        .into_iter()
        .flat_map(|(model, snapshot)| snapshot.files.iter().map(move |file| FileMember { model, file }));
    let members: Vec<FileMember<'a>> = files.collect();
    let mut groups: Vec<usize> = (0..members.len()).collect();
    let mut first: HashMap<(bool, &str, u64), usize> = HashMap::new();
    for (at, FileMember { file, .. }) in members.iter().enumerate() {
        for (is_xet, hash) in [(false, &file.lfs_sha256), (true, &file.xet_hash)] {
            let Some(hash) = hash.as_deref().and_then(hash_of_32_bytes) else { continue };
            let other = *first.entry((is_xet, hash, file.size)).or_insert(at);
            let [a, b] = [root(&mut groups, at), root(&mut groups, other)];
            groups[a.max(b)] = a.min(b);
        }
    }
    let mut by_root: BTreeMap<usize, Vec<FileMember<'a>>> = BTreeMap::new();
    for (at, member) in members.into_iter().enumerate() {
        by_root.entry(root(&mut groups, at)).or_default().push(member);
    }
    by_root.into_values().filter(|members| members.len() > 1).map(|members| FileGroup { members }).collect()
}

/// The first file of the group that a file is in.
fn root(groups: &mut [usize], mut at: usize) -> usize {
    while groups[at] != at {
        groups[at] = groups[groups[at]];
        at = groups[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, sha256: Option<&str>, xet: Option<&str>) -> RepoFile {
        RepoFile {
            path: path.to_owned(),
            size: 10,
            blob_id: None,
            lfs_sha256: sha256.map(|hash| hash.repeat(32)),
            xet_hash: xet.map(|hash| hash.repeat(32)),
            withheld: false,
        }
    }

    #[test]
    fn files_are_joined_by_their_stated_hashes_across_models_and_names() {
        let one = Snapshot {
            commit: None,
            files: vec![
                file("config.json", None, None),
                file("model-1.safetensors", Some("aa"), Some("e1")),
                file("model-2.safetensors", Some("bb"), None),
                file("only-xet.bin", None, Some("e2")),
            ],
        };
        let two = Snapshot {
            commit: None,
            files: vec![
                file("config.json", None, None),
                file("model.safetensors", Some("bb"), Some("e3")),
                file("weights.bin", None, Some("e2")),
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

    #[test]
    fn what_is_no_hash_joins_nothing_and_either_hash_joins() {
        let withheld = || file("gated.safetensors", None, Some("**"));
        let one = Snapshot {
            commit: None,
            files: vec![withheld(), file("a", Some("aa"), Some("e1")), file("b", None, Some("e1"))],
        };
        let two = Snapshot { commit: None, files: vec![withheld(), file("c", Some("aa"), None)] };
        let groups = same_files([(0, &one), (1, &two)]);
        let paths: Vec<&str> =
            groups.iter().flat_map(|group| &group.members).map(|member| member.file.path.as_str()).collect();
        assert_eq!((groups.len(), paths), (1, vec!["a", "b", "c"]));
    }
}
