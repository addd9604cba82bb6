//! A shard's header: 8 bytes of length, then JSON that says where each tensor lies.
//!
//! A header is the only thing read of most files, and it is untrusted input. Everything it claims is checked before
//! anything is asked for: tensors fill the data without holes and without overlaps, shapes agree with sizes, and header
//! and data together are exactly the file. Offsets become absolute here and nowhere else.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{
    CheckpointError, Foreign, HeaderError, MAX_TENSORS,
    json::Unique,
    tensor_info::{TensorInfo, check, tensor},
};
use crate::{escaped::Escaped, range::ByteRange};

/// Longest JSON header that is read unless a higher limit is asked for, in bytes: the Hub's own limit.
pub const MAX_HEADER_BYTES: u64 = 25_000_000;

/// Longest JSON header that is ever read, in bytes: the limit of the safetensors library.
pub const HARD_MAX_HEADER_BYTES: u64 = 100_000_000;

/// Bytes before the JSON.
const PREFIX: usize = 8;

/// The key that holds metadata instead of a tensor.
const METADATA: &str = "__metadata__";

/// A header that has passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Bytes before the data: 8 and the JSON with its padding.
    pub length: u64,
    /// The file's own notes (`__metadata__`).
    pub metadata: BTreeMap<String, String>,
    /// All tensors, in the order in which they lie in the file; tensors with no bytes by name among equals.
    pub tensors: Vec<TensorInfo>,
    /// Positions in `tensors`, by name.
    by_name: Vec<usize>,
}

impl Header {
    /// How many bytes from the start of the file hold the header: 8 and the length that `prefix` states.
    ///
    /// `prefix` is at least the first 8 bytes of a file of `file_len` bytes. With more of them, a file that is something
    /// else is named for what it is. The JSON may have up to [`MAX_HEADER_BYTES`].
    pub fn total_length(prefix: &[u8], file_len: u64) -> Result<u64, CheckpointError> {
        Self::total_length_within(prefix, file_len, MAX_HEADER_BYTES)
    }

    /// As [`Header::total_length`], with a limit of the caller's, which counts up to [`HARD_MAX_HEADER_BYTES`].
    pub fn total_length_within(prefix: &[u8], file_len: u64, limit: u64) -> Result<u64, CheckpointError> {
        let limit = limit.min(HARD_MAX_HEADER_BYTES);
        let foreign =
            |otherwise| Foreign::sniff(prefix).map_or(otherwise, |found| HeaderError::NotSafetensors { found });
        if file_len < PREFIX as u64 {
            let wrong = format!("the file has {file_len} bytes, and a safetensors file has at least {PREFIX}");
            return Err(foreign(HeaderError::claim(wrong)).into());
        }
        let Some(length) = prefix.first_chunk::<PREFIX>() else {
            return Err(HeaderError::Truncated { have: prefix.len() as u64, need: PREFIX as u64 }.into());
        };
        let header_len = u64::from_le_bytes(*length);
        if header_len > limit {
            let wrong = format!("the header claims {header_len} bytes, above the limit of {limit}");
            return Err(foreign(HeaderError::claim(wrong)).into());
        }
        if header_len > file_len - PREFIX as u64 {
            let wrong = format!("the header claims {header_len} bytes, but the file has {file_len} in all");
            return Err(foreign(HeaderError::claim(wrong)).into());
        }
        // gzip and some pickles state a length that could be one.
        match prefix.get(PREFIX) {
            Some(&found) if found != b'{' && header_len > 0 => Err(foreign(begins_with(found)).into()),
            _ => Ok(PREFIX as u64 + header_len),
        }
    }

    /// Reads and checks a header. `bytes` begin at the start of a file of `file_len` bytes and hold at least the header.
    ///
    /// Stricter than the safetensors library: names, fields and metadata keys said twice, fields that the format does not
    /// define, an entry in array form, and padding other than spaces are refused as well.
    /// More lenient in one thing: a tensor of an unknown type is kept as
    /// [`Dtype::Other`](crate::dtype::Dtype::Other), its size unchecked.
    pub fn parse(bytes: &[u8], file_len: u64) -> Result<Self, CheckpointError> {
        Self::from_json(Self::json(bytes, file_len)?, file_len)
    }

    /// The JSON text of a header, with its padding. Checks the length alone.
    pub fn json(bytes: &[u8], file_len: u64) -> Result<&str, CheckpointError> {
        let need = Self::total_length_within(bytes, file_len, HARD_MAX_HEADER_BYTES)?;
        let text = usize::try_from(need).ok().and_then(|end| bytes.get(PREFIX..end));
        let text = text.ok_or(HeaderError::Truncated { have: bytes.len() as u64, need })?;
        Ok(std::str::from_utf8(text).map_err(HeaderError::Utf8)?)
    }

    /// Reads and checks a header whose JSON was kept, with the same checks as [`Header::parse`].
    pub fn from_json(json: &str, file_len: u64) -> Result<Self, CheckpointError> {
        let length = PREFIX as u64 + json.len() as u64;
        let (metadata, mut tensors) = read(without_padding(json)?)?;
        // By end as well, so that a tensor with no bytes comes before the one that begins at the same place.
        tensors.sort_by_key(|tensor| tensor.range);
        let mut data_len = 0;
        for tensor in &tensors {
            data_len = check(tensor, data_len)?;
        }
        if length.checked_add(data_len) != Some(file_len) {
            return Err(HeaderError::FileLength { described: length.saturating_add(data_len), file_len }.into());
        }
        for TensorInfo { range, .. } in &mut tensors {
            *range = ByteRange::new(length + range.start, length + range.end);
        }
        tensors.sort_by(|a, b| (a.range.start, &a.name).cmp(&(b.range.start, &b.name)));
        let mut by_name: Vec<usize> = (0..tensors.len()).collect();
        by_name.sort_by(|&a, &b| tensors[a].name.cmp(&tensors[b].name));
        Ok(Self { length, metadata, tensors, by_name })
    }

    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        let found = self.by_name.binary_search_by(|&at| self.tensors[at].name.as_str().cmp(name)).ok()?;
        self.tensors.get(self.by_name[found])
    }
}

fn begins_with(found: u8) -> HeaderError {
    HeaderError::claim(format!("the header begins with byte 0x{found:02x} instead of `{{`"))
}

/// The JSON, which begins with `{`, without the spaces that fill it up.
fn without_padding(json: &str) -> Result<&str, HeaderError> {
    let trimmed = json.trim_end_matches(' ');
    match (trimmed.as_bytes().first(), trimmed.as_bytes().last()) {
        (None, _) if json.is_empty() => Err(HeaderError::claim("the header claims 0 bytes, and not even `{}` fits")),
        (None, _) => Err(begins_with(b' ')),
        (Some(&found), _) if found != b'{' => Err(begins_with(found)),
        (_, Some(&found)) if found.is_ascii_whitespace() || found == 0 => Err(HeaderError::claim(format!(
            "the header ends in byte 0x{found:02x}; only `}}` and padding spaces may end it"
        ))),
        // Cut or garbled JSON among them: the parser says where.
        _ => Ok(trimmed),
    }
}

/// The metadata, and the tensors by name, their ranges relative to the data. Nothing is checked against the rest.
fn read(json: &str) -> Result<(BTreeMap<String, String>, Vec<TensorInfo>), HeaderError> {
    let root: Unique<&RawValue> = serde_json::from_str(json).map_err(HeaderError::Json)?;
    let mut root = root.entries().map_err(|twice| match twice {
        Some(tensor) if tensor != METADATA => HeaderError::tensor(&tensor, "is described twice"),
        twice => twice_or_too_many(twice),
    })?;
    let metadata = root.remove(METADATA).map(metadata).transpose()?.unwrap_or_default();
    // In one piece: grown step by step, a list of a million takes up to three times its own room.
    let mut tensors = Vec::with_capacity(root.len());
    for (name, entry) in root {
        tensors.push(tensor(name, entry)?);
    }
    Ok((metadata, tensors))
}

/// A key of metadata that stands twice, or more entries than any model has tensors.
fn twice_or_too_many(twice: Option<String>) -> HeaderError {
    HeaderError::claim(match twice {
        Some(key) => format!("`{}` appears twice in the metadata", Escaped(&key)),
        None => format!("the header has more than {MAX_TENSORS} entries"),
    })
}

fn metadata(json: &RawValue) -> Result<BTreeMap<String, String>, HeaderError> {
    if json.get() == "null" {
        return Ok(BTreeMap::new());
    }
    let wrong = |key: &str, found: &RawValue| {
        let (key, found) = (Escaped(key), Escaped(found.get()));
        HeaderError::claim(format!("`{key}` in the metadata is `{found}`; metadata maps strings to strings"))
    };
    let notes: Unique<&RawValue> = serde_json::from_str(json.get()).map_err(|_| wrong(METADATA, json))?;
    let notes = notes.entries().map_err(twice_or_too_many)?;
    let text = |(key, note): (String, &RawValue)| match serde_json::from_str(note.get()) {
        Ok(text) => Ok((key, text)),
        Err(_) => Err(wrong(&key, note)),
    };
    notes.into_iter().map(text).collect()
}

/// What is refused, and with which words, is in `fixtures/malformed`; a story walks that table.
#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use safetensors::{SafeTensors, tensor::TensorView};

    use super::*;
    use crate::dtype::Dtype;

    /// A file of `json` and `data` zero bytes.
    fn file(json: impl AsRef<[u8]>, data: usize) -> Vec<u8> {
        let json = json.as_ref();
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend(json);
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    /// A header with one entry called `a`.
    fn one(fields: &str) -> String {
        format!(r#"{{"a":{fields}}}"#)
    }

    fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
        Header::parse(bytes, bytes.len() as u64).map_err(|error| match error {
            CheckpointError::Header(error) => error,
            other => panic!("{other:?}"),
        })
    }

    fn reference_accepts(bytes: &[u8]) -> bool {
        SafeTensors::read_metadata(bytes).is_ok()
    }

    const GOOD: &str = r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;

    #[test]
    fn an_unknown_type_does_not_hide_the_other_tensors() {
        let json = r#"{"a":{"dtype":"F2","shape":[9],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}"#;
        let bytes = file(json, 4);
        let header = parse(&bytes).unwrap();
        assert_eq!(header.get("a").unwrap().dtype, Dtype::Other("F2".into()));
        assert_eq!(header.get("b").unwrap().range, ByteRange::new(header.length + 3, header.length + 4));
        assert!(!reference_accepts(&bytes));
        let hole = parse(&file(json.replace("[3,4]", "[4,5]"), 5)).unwrap_err().to_string();
        assert!(hole.contains("leaving a hole"), "{hole}");
    }

    #[test]
    fn a_header_that_is_not_all_there_is_told_from_a_bad_one() {
        let bytes = file(one(GOOD), 8);
        let len = bytes.len() as u64;
        assert_eq!(Header::total_length(&bytes[..8], len).unwrap(), len - 8);
        for cut in [0, 7, 8, bytes.len() - 9] {
            let error = Header::parse(&bytes[..cut], len).unwrap_err();
            assert!(matches!(error, CheckpointError::Header(HeaderError::Truncated { .. })), "{cut}: {error}");
        }
        let json = Header::json(&bytes, len).unwrap();
        assert_eq!(json, one(GOOD));
        assert_eq!(Header::from_json(json, len).unwrap(), parse(&bytes).unwrap());
        assert!(Header::from_json(json, len + 1).is_err());
    }

    #[test]
    fn the_limit_can_be_raised_to_the_hard_one_and_no_further() {
        let prefix = 30_000_000_u64.to_le_bytes();
        assert!(Header::total_length(&prefix, u64::MAX).is_err());
        assert_eq!(Header::total_length_within(&prefix, u64::MAX, 100_000_000).unwrap(), 30_000_008);
        assert!(Header::total_length_within(&200_000_000_u64.to_le_bytes(), u64::MAX, u64::MAX).is_err());
    }

    #[test]
    fn more_entries_than_any_model_has_tensors_are_refused() {
        let entries: Vec<String> = (0..MAX_TENSORS + 2).map(|name| format!("\"{name}\":0")).collect();
        let error = parse(&file(format!("{{{}}}", entries.join(",")), 0)).unwrap_err();
        assert_eq!(error.to_string(), "the header has more than 1000000 entries");
    }

    #[test]
    fn messages_name_the_tensor_and_the_figures_and_no_control_character() {
        let bytes = file(format!("{{\"a\\u001b\":{}}}", GOOD.replace("[2]", "[3]")), 8);
        assert_eq!(parse(&bytes).unwrap_err().to_string(), "tensor `a\\u{1b}` of F32 [3] needs 12 bytes and has 8");
    }

    proptest! {
        #[test]
        fn what_the_library_writes_is_read_the_same(
            tensors in prop::collection::btree_map(
                "\\PC{0,12}",
                (prop::sample::select(vec!["F32", "BF16", "U8", "I64", "F8_E4M3", "BOOL"]), prop::collection::vec(0_usize..5, 0..4)),
                0..8,
            ),
        ) {
            prop_assume!(!tensors.contains_key("__metadata__"));
            let data: Vec<u8> = vec![0; 64 * 8];
            let views: Vec<_> = tensors
                .iter()
                .map(|(name, (dtype, shape))| {
                    let dtype: safetensors::Dtype = serde_json::from_str(&format!("{dtype:?}")).unwrap();
                    let size = shape.iter().product::<usize>() * dtype.bitsize() / 8;
                    (name, TensorView::new(dtype, shape.clone(), &data[..size]).unwrap())
                })
                .collect();
            let bytes = safetensors::serialize(views, None).unwrap();
            let header = Header::parse(&bytes, bytes.len() as u64).unwrap();
            let (n, reference) = SafeTensors::read_metadata(&bytes).unwrap();
            prop_assert_eq!(header.length, 8 + n as u64);
            prop_assert_eq!(header.tensors.len(), tensors.len());
            for (name, info) in reference.tensors() {
                let ours = header.get(&name).unwrap();
                prop_assert_eq!(ours.dtype.name(), info.dtype.to_string());
                let extents: Vec<u64> = info.shape.iter().map(|&extent| extent as u64).collect();
                prop_assert_eq!(&ours.shape, &extents);
                let (begin, end) = info.data_offsets;
                prop_assert_eq!(ours.range, ByteRange::new(header.length + begin as u64, header.length + end as u64));
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(mut json in prop::collection::vec(any::<u8>(), 0..200), data in 0_usize..20) {
            let _ = parse(&json);
            json.insert(0, b'{');
            let _ = parse(&file(json, data));
        }

        #[test]
        fn a_changed_byte_is_refused_or_read_by_the_library_too(at in 0_usize..60, to in any::<u8>()) {
            let mut bytes = file(one(GOOD), 8);
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(header) = parse(&bytes) {
                let known = header.tensors.iter().all(|tensor| tensor.dtype.bits().is_some());
                prop_assert!(!known || reference_accepts(&bytes));
            }
        }
    }
}
