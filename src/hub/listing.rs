//! The files of a commit, as the Hub lists them.

use serde::Deserialize;

use super::error::{HubError, Place};
use crate::snapshot::{RepoFile, Snapshot};

/// A file, as a listing or the answer about a model names it.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "type", default = "file")]
    kind: String,
    #[serde(alias = "rfilename")]
    path: String,
    pub(super) size: Option<u64>,
    #[serde(alias = "blobId")]
    oid: Option<String>,
    lfs: Option<Lfs>,
    #[serde(rename = "xetHash")]
    xet_hash: Option<String>,
}

fn file() -> String {
    "file".to_owned()
}

#[derive(Deserialize)]
struct Lfs {
    #[serde(alias = "sha256")]
    oid: Option<String>,
    size: Option<u64>,
}

/// The files among `entries`, sorted by path.
pub(super) fn listing(entries: Vec<Entry>, place: &Place) -> Result<Snapshot, HubError> {
    let unreasonable = |reason: String| HubError::Listing { place: place.clone(), reason };
    let mut files: Vec<RepoFile> = entries.into_iter().filter(|entry| entry.kind == "file").map(repo_file).collect();
    // An address with such a segment in it would lead elsewhere, and the token with it.
    let is_outside = |file: &&RepoFile| file.path.split('/').any(|segment| matches!(segment, "" | "." | ".."));
    if let Some(file) = files.iter().find(is_outside) {
        let path = file.path.escape_debug();
        return Err(unreasonable(format!("names `{path}`, which is no file of a repository")));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(twice) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(unreasonable(format!("names `{}` twice", twice[0].path.escape_debug())));
    }
    Ok(Snapshot { commit: place.commit().cloned(), files })
}

fn repo_file(entry: Entry) -> RepoFile {
    // Of a file that is large the entry's own hash is that of its pointer.
    let is_large = entry.lfs.is_some();
    let (lfs_oid, lfs_size) = entry.lfs.map_or((None, None), |lfs| (lfs.oid, lfs.size));
    let is_withheld = |stated: &Option<String>| stated.as_ref().is_some_and(|text| hash(text, 64).is_none());
    RepoFile {
        withheld: is_withheld(&lfs_oid) || is_withheld(&entry.xet_hash),
        path: entry.path,
        size: lfs_size.or(entry.size).unwrap_or(0),
        lfs_sha256: lfs_oid.and_then(|text| hash(&text, 64)),
        blob_id: entry.oid.and_then(|text| hash(&text, 40)).filter(|_| !is_large),
        xet_hash: entry.xet_hash.and_then(|text| hash(&text, 64)),
    }
}

/// A hash of so many hexadecimal digits. Of gated repositories asterisks are listed in its place.
fn hash(text: &str, digits: usize) -> Option<String> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_an_lfs_file_is_its_contents() {
        let file = |lfs: &str, xet: &str| {
            let [oid, lfs, xet] = ["a".repeat(40), lfs.repeat(64), xet.repeat(64)];
            let entry = serde_json::json!({
                "type": "file", "oid": oid, "size": 134, "path": "m", "xetHash": xet,
                "lfs": { "oid": lfs, "size": 99, "pointerSize": 134 },
            });
            repo_file(serde_json::from_value(entry).unwrap())
        };
        let open = file("B", "c");
        assert_eq!((open.size, open.lfs_sha256, open.xet_hash), (99, Some("b".repeat(64)), Some("c".repeat(64))));
        let withheld = file("*", "*");
        assert!(withheld.withheld && !open.withheld);
        assert_eq!((withheld.blob_id, withheld.lfs_sha256, withheld.xet_hash), (None, None, None));
    }
}
