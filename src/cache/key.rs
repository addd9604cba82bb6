//! Where an entry lies: `models/OWNER/NAME/COMMIT/TENSOR.npy`.
//!
//! A tensor's name is any string: it may hold slashes, be `..`, be longer than a file name may be, or be a device on some
//! systems. [`encode`] maps every string to a plain file name, and no two strings to the same one. On systems that do not
//! tell upper from lower case two names may still meet in one file; the sidecar states the exact name, and a reader that
//! finds another tensor's sidecar has a miss, never the other's values.

use std::path::{Path, PathBuf};

use percent_encoding::{percent_decode_str, percent_encode_byte};
use serde::{Deserialize, Serialize};

use crate::{
    digest::sha256_hex,
    spec::{Commit, RepoId, Revision},
};

/// One tensor of one repository at one commit: what an entry of the cache is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TensorKey {
    /// The repository.
    pub repo: RepoId,
    /// The commit.
    pub commit: Commit,
    /// The tensor's exact name.
    pub tensor: String,
}

impl TensorKey {
    /// The folder of its commit.
    pub(super) fn folder(&self, root: &Path) -> PathBuf {
        commit_folder(root, &self.repo, &self.commit)
    }

    /// The files of the tensor, or of some rows of it: values and sidecar.
    pub(super) fn files(&self, root: &Path, of_rows: bool) -> [PathBuf; 2] {
        let stem = format!("{}{}", encode(&self.tensor), if of_rows { ROWS } else { "" });
        ["npy", "json"].map(|end| self.folder(root).join(format!("{stem}.{end}")))
    }
}

/// The file in a commit's folder that holds its record; no tensor's sidecar has this name.
pub(super) const RECORD: &str = "headers.json";

/// The file in a commit's folder that is its tokenizer, as the repository has it; no tensor's sidecar has this name.
pub(super) const TOKENIZER: &str = "tokenizer.json";

/// Ends the names of the files that hold some rows of a tensor; no tensor's encoded name ends so.
const ROWS: &str = ".rows";

/// Whether a file of an entry is of some rows of a tensor.
pub(super) fn is_of_rows(path: &Path) -> bool {
    path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.ends_with(ROWS))
}

/// The folder under which all repositories lie.
pub(super) fn models_folder(root: &Path) -> PathBuf {
    root.join("models")
}

/// The folder of one commit. A bare name without an owner lies under `%`, which is how the empty name is encoded.
pub(super) fn commit_folder(root: &Path, repo: &RepoId, commit: &Commit) -> PathBuf {
    models_folder(root).join(encode(repo.owner().unwrap_or_default())).join(encode(repo.name())).join(commit.as_str())
}

/// The folder of what revisions of `repo` last named.
pub(super) fn revisions_folder(root: &Path, repo: &RepoId) -> PathBuf {
    root.join("revisions").join(encode(repo.owner().unwrap_or_default())).join(encode(repo.name()))
}

/// The file that tells which commit a revision of `repo` last named.
pub(super) fn revision_path(root: &Path, repo: &RepoId, revision: &Revision) -> PathBuf {
    revisions_folder(root, repo).join(format!("{}.json", encode(revision.as_str())))
}

/// The file that tells which file of another cache was found to have a hash.
pub(super) fn verified_path(root: &Path, hash: &str) -> PathBuf {
    root.join("verified").join(format!("{}.json", encode(hash)))
}

/// The repository whose folders are `owner` and `name`.
pub(super) fn repo_of(owner: &str, name: &str) -> Option<RepoId> {
    let (owner, name) = (decode(owner)?, decode(name)?);
    let id = if owner.is_empty() { name } else { format!("{owner}/{name}") };
    id.parse().ok()
}

/// Longest encoded name, in bytes, leaving room for an extension within the 255 that file systems allow.
const LONGEST: usize = 200;

/// How much of a longer name stays readable.
const READABLE: usize = 100;

/// Names that are devices on Windows, with any extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// A file name for any string, and for each string another.
///
/// Letters, digits, `-`, `_` and inner dots stay, but for the dot of a final `.rows`; all other bytes become `%XX`. The empty
/// string is `%`. The first byte of
/// a reserved name is encoded as well. What is longer than 200 bytes becomes its beginning, `~`, and the SHA-256 of the
/// string; `~` appears in no other encoded name.
pub(super) fn encode(name: &str) -> String {
    if name.is_empty() {
        return "%".to_owned();
    }
    let last = name.len() - 1;
    let before_rows = name.strip_suffix(ROWS).map(str::len);
    let mut encoded = String::with_capacity(name.len());
    for (index, &byte) in name.as_bytes().iter().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_')
            || (byte == b'.' && index != 0 && index != last && Some(index) != before_rows);
        if plain && !(index == 0 && is_reserved(name)) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(percent_encode_byte(byte));
        }
    }
    if encoded.len() <= LONGEST {
        return encoded;
    }
    let cut = (READABLE - 2..=READABLE).find(|&cut| encoded.as_bytes()[cut] == b'%').unwrap_or(READABLE);
    format!("{}~{}", &encoded[..cut], sha256_hex(name.as_bytes()))
}

/// The string that is encoded as `encoded`; `None` where the encoding cannot be undone.
pub(super) fn decode(encoded: &str) -> Option<String> {
    if encoded == "%" {
        return Some(String::new());
    }
    let name = percent_decode_str(encoded).decode_utf8().ok()?;
    (encode(&name) == encoded).then(|| name.into_owned())
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let device = DEVICES.contains(&stem.as_str())
        || (["com", "lpt"]
            .iter()
            .any(|port| stem.strip_prefix(port).is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())));
    device || ["headers", "tokenizer"].iter().any(|taken| name.eq_ignore_ascii_case(taken))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn key(repo: &str, tensor: &str) -> TensorKey {
        TensorKey {
            repo: repo.parse().unwrap(),
            commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
            tensor: tensor.to_owned(),
        }
    }

    #[test]
    fn usual_names_stay_readable() {
        assert_eq!(
            key("owner/name", "model.layers.0.input_layernorm.weight").files(Path::new("c"), false)[0],
            Path::new(
                "c/models/owner/name/0123456789abcdef0123456789abcdef01234567/model.layers.0.input_layernorm.weight.npy"
            )
        );
    }

    #[test]
    fn names_that_would_meet_lie_apart() {
        let names = [
            "",
            "%",
            "a/b_c",
            "a_b/c",
            "a%2Fb_c",
            "a%252Fb_c",
            "a~b",
            ".",
            "..",
            "%2E",
            "%2E.",
            "...",
            "headers",
            "Headers",
            "%68eaders",
            "tokenizer",
            "Tokenizer",
            "%74okenizer",
            "con",
            "con.x",
            "CON",
            "com1",
            "com",
            "nul.weight",
            "a b",
            "a+b",
            "ä",
            "a\\b",
            "a\nb",
            "a.",
            "a.rows",
            "a%2Erows",
            "a.rows.rows",
            ".rows",
            ".a",
            "~",
        ];
        let encoded: HashSet<_> = names.iter().map(|name| encode(name)).collect();
        assert_eq!(encoded.len(), names.len());
        assert_eq!(encode("headers"), "%68eaders");
        assert_eq!(encode(".."), "%2E%2E");
        assert_eq!(encode("con.x"), "%63on.x");
    }

    #[test]
    fn rows_of_a_tensor_lie_where_no_tensor_does() {
        let files = |name: &str| {
            let key = key("o/n", name);
            [false, true].map(|of_rows| key.files(Path::new(""), of_rows))
        };
        let all: Vec<PathBuf> =
            ["a", "a.rows", "a.rows.rows", "a%2Erows", ".rows", "rows"].into_iter().flat_map(files).flatten().collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(files("a")[1][0].ends_with("a.rows.npy"));
    }

    #[test]
    fn a_bare_name_has_a_folder_that_no_owner_has() {
        let bare = key("gpt2", "w").folder(Path::new(""));
        assert!(bare.starts_with("models/%/gpt2"));
        assert_eq!(repo_of("%", "gpt2").unwrap().as_str(), "gpt2");
        assert_eq!(repo_of("_", "gpt2").unwrap().as_str(), "_/gpt2");
        assert!(repo_of("a%2Fb", "c").is_none());
    }

    #[test]
    fn long_names_keep_their_beginning_and_stay_apart() {
        let long = "x/".repeat(500);
        let other = format!("{long}y");
        let encoded = encode(&long);
        assert!(encoded.len() <= LONGEST && encoded.starts_with("x%2Fx%2F"));
        assert_ne!(encoded, encode(&other));
        assert_eq!(decode(&encoded), None);
        assert!(!encoded.split('~').next().unwrap().ends_with("%2"));
    }

    proptest! {
        #[test]
        fn every_name_is_a_plain_file_name_and_comes_back(name in "\\PC{0,60}|[.%~/a-c]{0,6}|(?s).{0,6}|[.a]{0,3}(\\.rows){0,3}") {
            let encoded = encode(&name);
            prop_assert!(!encoded.is_empty() && encoded.len() <= LONGEST);
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.%~".contains(&b)));
            prop_assert!(!encoded.starts_with('.') && !encoded.ends_with('.') && !encoded.ends_with(ROWS));
            if !encoded.contains('~') {
                prop_assert_eq!(decode(&encoded), Some(name));
            }
        }
    }
}
