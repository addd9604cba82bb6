//! The shard index: which file of a sharded checkpoint holds which tensor.
//!
//! An index is untrusted input and names paths, so each path is checked before anything is asked for by it: one
//! that leads out of its folder would send the reader, and its token, somewhere else. What an index says is only a claim
//! until the shards' headers agree; [`ShardIndex::disagreements`] compares.

use std::{borrow::Cow, collections::BTreeMap};

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Number, value::RawValue};

use super::{
    CheckpointError, Header, IndexError, MAX_SHARDS, MAX_TENSORS,
    json::{self, Unique},
};
use crate::escaped;

/// Longest index that is read, in bytes. The largest seen has 60 MB; what is made of one takes up to four times its length.
pub const MAX_INDEX_BYTES: u64 = 64 * 1024 * 1024;

/// Which tensor lies in which file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardIndex {
    /// Bytes of all tensors, as the index claims. Often wrong; kept to be reported.
    pub total_size: Option<u64>,
    /// What the index states in the place of such a number.
    pub unclear_size: Option<String>,
    /// Tensors with the place of their shard, sorted by name.
    tensors: Vec<(Box<str>, u32)>,
    /// Shards, sorted by path.
    shards: Vec<Shard>,
}

/// A shard as an index names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shard {
    /// Its path in the repository.
    path: String,
    /// Places of its tensors.
    tensors: Vec<u32>,
}

impl ShardIndex {
    /// Reads an index that lies in the folder `folder_of_index` of the repository (empty for its root), to which the
    /// paths in it are relative.
    pub fn parse(bytes: &[u8], folder_of_index: &str) -> Result<Self, CheckpointError> {
        if bytes.len() as u64 > MAX_INDEX_BYTES {
            return Err(IndexError::TooLong { len: bytes.len() as u64, limit: MAX_INDEX_BYTES }.into());
        }
        let document: Document<'_> = json::object(bytes).map_err(IndexError::Json)?;
        let (total_size, unclear_size) = document.total_size();
        let placed = document.weight_map.entries().map_err(|twice| match twice {
            Some(tensor) => IndexError::DuplicateTensor { tensor },
            None => IndexError::TooManyTensors { limit: MAX_TENSORS },
        })?;
        let folder = folder_of_index.trim_matches('/');
        let paths = safe_paths(&placed)?;
        let joined = |path: &String| if folder.is_empty() { path.clone() } else { format!("{folder}/{path}") };
        let mut shards: Vec<Shard> =
            paths.iter().map(|path| Shard { path: joined(path), tensors: Vec::new() }).collect();
        let mut tensors = Vec::with_capacity(placed.len());
        for (at, (tensor, written)) in (0..).zip(placed) {
            let place = paths.partition_point(|path| path.as_str() < written.path());
            shards[place].tensors.push(at);
            tensors.push((tensor.into_boxed_str(), u32::try_from(place).unwrap_or(u32::MAX)));
        }
        Ok(Self { total_size, unclear_size, tensors, shards })
    }

    /// Paths of all shards, sorted.
    pub fn shards(&self) -> Vec<&str> {
        self.shards.iter().map(|shard| shard.path.as_str()).collect()
    }

    /// All tensors with their shards, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tensors.iter().map(|placed| self.placed(placed))
    }

    /// Where the index says that a tensor is.
    pub fn shard_of(&self, tensor: &str) -> Option<&str> {
        let found = self.tensors.binary_search_by(|(name, _)| name.as_ref().cmp(tensor)).ok()?;
        Some(self.placed(&self.tensors[found]).1)
    }

    /// The tensors whose names begin so, with their shards, sorted by name.
    pub fn beginning_with(&self, stem: &str) -> impl Iterator<Item = (&str, &str)> {
        let first = self.tensors.partition_point(|(name, _)| name.as_ref() < stem);
        self.tensors[first..]
            .iter()
            .map(|placed| self.placed(placed))
            .take_while(move |(name, _)| name.starts_with(stem))
    }

    /// Tensors that the index places in `shard`, sorted.
    pub fn tensors_of(&self, shard: &str) -> impl Iterator<Item = &str> {
        let found = self.shards.binary_search_by(|known| known.path.as_str().cmp(shard)).ok();
        let places = found.map_or(&[][..], |found| &self.shards[found].tensors);
        places.iter().map(|&at| self.tensors[at as usize].0.as_ref())
    }

    fn placed<'i>(&'i self, (name, place): &'i (Box<str>, u32)) -> (&'i str, &'i str) {
        (name, &self.shards[*place as usize].path)
    }

    /// An estimate, meant to be enough, of the bytes before the data in `shard`: a first request of this length reads
    /// the whole header in most cases.
    ///
    /// An entry such as `"NAME":{"dtype":"BF16","shape":[4096,14336],"data_offsets":[1234567890,1234567890]},` has 84
    /// bytes around its name at most, for matrices in files of up to 10 GB; 8 hold the length, and 96 the metadata.
    pub fn predicted_header_length(&self, shard: &str) -> u64 {
        let entries: usize = self.tensors_of(shard).map(|name| name.len() + 84).sum();
        8 + 96 + entries as u64
    }

    /// The tensors that the index places in `shard` and its header does not have, and those that the header has and the index does
    /// not place there.
    pub fn disagreements<'i>(&'i self, shard: &str, header: &'i Header) -> [Vec<&'i str>; 2] {
        let missing = self.tensors_of(shard).filter(|name| header.get(name).is_none());
        let unknown = header.tensors.iter().map(|tensor| tensor.name.as_str());
        [missing.collect(), unknown.filter(|name| self.shard_of(name) != Some(shard)).collect()]
    }
}

/// The file as it is written. Other keys are passed over.
#[derive(Deserialize)]
#[serde(expecting = "an object with `weight_map`")]
struct Document<'a> {
    #[serde(borrow)]
    weight_map: Unique<Written<'a>>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

/// A path as it stands in the file, where nothing in it is escaped.
#[derive(Deserialize)]
struct Written<'a>(#[serde(borrow)] Cow<'a, str>);

impl Written<'_> {
    fn path(&self) -> &str {
        // Some writers begin in the index's own folder in so many words.
        self.0.trim_start_matches("./")
    }
}

/// The paths that are named, each once and sorted, if all of them may be asked for.
fn safe_paths(placed: &BTreeMap<String, Written<'_>>) -> Result<Vec<String>, IndexError> {
    let mut named: BTreeMap<&str, &str> = BTreeMap::new();
    for (tensor, written) in placed {
        named.entry(written.path()).or_insert(tensor);
        if named.len() > MAX_SHARDS {
            return Err(IndexError::TooManyShards { limit: MAX_SHARDS });
        }
    }
    for (path, tensor) in &named {
        if let Some(reason) = unsafe_because(path) {
            let (tensor, path) = ((*tensor).to_owned(), (*path).to_owned());
            return Err(IndexError::UnsafePath { tensor, path, reason });
        }
    }
    Ok(named.into_keys().map(str::to_owned).collect())
}

impl Document<'_> {
    /// `total_size`, where it is a whole number; else what is written in its place. Anything else under `metadata` is of no use.
    fn total_size(&self) -> (Option<u64>, Option<String>) {
        #[derive(Deserialize)]
        struct Metadata<'a> {
            #[serde(borrow)]
            total_size: &'a RawValue,
        }
        let metadata = self.metadata.and_then(|metadata| json::object::<Metadata<'_>>(metadata.get().as_bytes()).ok());
        let Some(Metadata { total_size }) = metadata else { return (None, None) };
        match whole(total_size.get()) {
            Some(size) => (Some(size), None),
            None => (None, Some(total_size.get().chars().take(escaped::SHOWN + 1).collect())),
        }
    }
}

/// A whole number of bytes.
fn whole(text: &str) -> Option<u64> {
    let size: Number = serde_json::from_str(text).ok()?;
    // Some writers state the size as a float.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within 2^53")]
    let whole = |size: f64| (size.fract() == 0.0 && (0.0..2.0_f64.powi(53)).contains(&size)).then_some(size as u64);
    size.as_u64().or_else(|| size.as_f64().and_then(whole))
}

/// Why `path` may not be asked for; `None` where it stays within its folder however often a server decodes it.
fn unsafe_because(path: &str) -> Option<&'static str> {
    let mut decoded = path.to_owned();
    for _ in 0..8 {
        if let Some(reason) = unsafe_as_written(&decoded) {
            return Some(reason);
        }
        let Ok(next) = percent_decode_str(&decoded).decode_utf8() else {
            return Some("its percent-encoding does not decode to text");
        };
        if next == decoded {
            return None;
        }
        decoded = next.into_owned();
    }
    Some("it is percent-encoded over and over")
}

fn unsafe_as_written(path: &str) -> Option<&'static str> {
    let rules = [
        (path.is_empty(), "the path is empty"),
        (path.starts_with('/'), "the path is absolute"),
        (path.contains('\\'), "the path holds a backslash"),
        (path.chars().any(char::is_control), "the path holds a control character"),
        (path.split('/').next().is_some_and(|first| first.contains(':')), "the path begins like an address"),
        (path.split('/').any(|part| matches!(part, "" | "." | "..")), "the path has an empty, `.` or `..` segment"),
    ];
    rules.into_iter().find(|(is_broken, _)| *is_broken).map(|(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(json: &str) -> Result<ShardIndex, IndexError> {
        ShardIndex::parse(json.as_bytes(), "").map_err(|error| match error {
            CheckpointError::Index(error) => error,
            other => panic!("{other:?}"),
        })
    }

    fn placed_in(path: &str) -> Result<ShardIndex, IndexError> {
        index(&serde_json::json!({ "weight_map": { "a": path } }).to_string())
    }

    #[test]
    fn an_index_maps_tensors_to_paths_in_the_repository() {
        let json =
            r#"{"metadata":{"total_size":16.0,"x":[]},"weight_map":{"b":"s1","a":"s2","c":"s1"},"dtype":"BF16"}"#;
        let index = ShardIndex::parse(json.as_bytes(), "transformer/").unwrap();
        assert_eq!(index.shards(), ["transformer/s1", "transformer/s2"]);
        assert_eq!(index.tensors_of("transformer/s1").collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(index.tensors_of("s1").count(), 0);
        assert_eq!((index.shard_of("a"), index.shard_of("d")), (Some("transformer/s2"), None));
        assert_eq!(index.beginning_with("b").collect::<Vec<_>>(), [("b", "transformer/s1")]);
        assert_eq!(index.total_size, Some(16));
    }

    #[test]
    fn a_size_that_is_no_number_of_bytes_is_none() {
        for metadata in [r#"{"total_size":-1}"#, r#"{"total_size":"5"}"#, r#"{"total_size":1.5}"#, "null", "[]", "[5]"]
        {
            let json = format!(r#"{{"metadata":{metadata},"weight_map":{{}}}}"#);
            let index = index(&json).unwrap();
            assert_eq!(index.total_size, None, "{metadata}");
            assert_eq!(index.unclear_size.is_some(), metadata.contains("total_size"), "{metadata}");
        }
    }

    #[test]
    fn paths_that_leave_the_repository_are_refused() {
        let refused = [
            "",
            "/a",
            "a\\b",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            "a//b",
            "a/",
            "a\nb",
            "%2e%2e/a",
            "%252e%252e/a",
            "a%2f..%2fb",
            "%2Fa",
            "a%5cb",
            "a%00b",
            "https://host/a",
            "file:a",
            "a%ff",
            "%25252525252525252e./a",
            "a%0ab",
        ];
        for path in refused {
            assert!(matches!(placed_in(path), Err(IndexError::UnsafePath { .. })), "{path}");
        }
        for path in ["model-00001-of-00002.safetensors", "sub/a.safetensors", "a..b", "...", "a b", "100%", "a%20b"] {
            assert!(placed_in(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn a_path_may_begin_in_its_own_folder_in_so_many_words() {
        assert_eq!(placed_in("././a/b").unwrap().shards(), ["a/b"]);
        for path in ["./", ".//a", "./../a"] {
            assert!(matches!(placed_in(path), Err(IndexError::UnsafePath { .. })), "{path}");
        }
    }

    #[test]
    fn what_an_index_says_twice_is_refused() {
        assert!(matches!(
            index(r#"{"weight_map":{"a":"s","\u0061":"t"}}"#),
            Err(IndexError::DuplicateTensor { tensor }) if tensor == "a"
        ));
        for json in [
            r#"{"weight_map":{},"weight_map":{}}"#,
            r#"{"metadata":{}}"#,
            "",
            "[]",
            r#"[{"a":"s"},null]"#,
            r#"{"weight_map":[]}"#,
            r#"{"weight_map":{"a":1}}"#,
            r#"{"weight_map":{}}x"#,
        ] {
            assert!(matches!(index(json), Err(IndexError::Json(_))), "{json}");
        }
    }

    #[test]
    fn more_shards_than_any_model_has_are_refused() {
        let map: BTreeMap<_, _> = (0..=MAX_SHARDS).map(|i| (format!("t{i}"), format!("s{i}"))).collect();
        let json = serde_json::json!({ "weight_map": map }).to_string();
        assert!(matches!(index(&json), Err(IndexError::TooManyShards { .. })));
    }

    #[test]
    fn index_and_header_are_compared_both_ways() {
        let json = r#"{"b":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"mtp":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#;
        let header = Header::from_json(json, 8 + json.len() as u64).unwrap();
        let index = index(r#"{"weight_map":{"a":"s1","b":"s1","c":"s2"}}"#).unwrap();
        assert_eq!(index.disagreements("s1", &header), [["a"], ["mtp"]]);
    }

    #[test]
    fn the_predicted_length_holds_a_header_of_large_matrices() {
        let names: Vec<String> = (0..200).map(|i| format!("model.layers.{i}.mlp.gate_proj.weight")).collect();
        let map: BTreeMap<_, _> = names.iter().map(|name| (name.clone(), "s")).collect();
        let index = index(&serde_json::json!({ "weight_map": map }).to_string()).unwrap();
        let entry = |name| {
            format!(r#""{name}":{{"dtype":"BF16","shape":[14336,14336],"data_offsets":[4999999999,4999999999]}}"#)
        };
        let entries: Vec<String> = names.iter().map(entry).collect();
        let json = format!(r#"{{"__metadata__":{{"format":"pt"}},{}}}"#, entries.join(","));
        assert!(index.predicted_header_length("s") >= 8 + json.len() as u64);
    }
    proptest! {
        #[test]
        fn any_index_is_read_or_refused_and_no_path_climbs(
            bytes: Vec<u8>,
            path in r"[a%2eEfF./\\:]{0,12}",
        ) {
            let _ = ShardIndex::parse(&bytes, "");
            if let Ok(index) = placed_in(&path) {
                let decoded = percent_decode_str(index.shard_of("a").unwrap()).decode_utf8_lossy().into_owned();
                prop_assert!(!decoded.split('/').any(|segment| matches!(segment, "" | "." | "..")), "{}", path);
            }
        }

        #[test]
        fn what_an_index_places_is_found_where_it_says(
            placed in prop::collection::btree_map("\\PC{0,8}", "[a-z]{1,3}", 0..8),
            size in prop::option::of(any::<u64>()),
        ) {
            let json = serde_json::json!({ "metadata": { "total_size": size, "x": [1] }, "weight_map": placed });
            let index = index(&json.to_string()).unwrap();
            let found: Vec<(&str, &str)> = index.tensors().collect();
            prop_assert_eq!(found, placed.iter().map(|(name, shard)| (name.as_str(), shard.as_str())).collect::<Vec<_>>());
            prop_assert_eq!((index.tensors.len(), index.total_size), (placed.len(), size));
            for (tensor, shard) in &placed {
                prop_assert_eq!(index.shard_of(tensor), Some(shard.as_str()));
                prop_assert!(index.tensors_of(shard).any(|name| name == tensor));
            }
        }
    }
}
