//! Objects of JSON from untrusted files, read strictly and in memory that is bounded by their own length.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

/// Most tensors that a header describes or an index places: twice those of the largest model known.
pub const MAX_TENSORS: usize = 1_000_000;

/// An object, each of whose keys may stand once: two readers that keep one of two equal keys may see two different files.
/// What is wrong is told by [`Unique::entries`], because an error that goes through serde comes out as text.
pub(super) struct Unique<V> {
    entries: BTreeMap<String, V>,
    twice: Option<String>,
}

impl<V> Unique<V> {
    /// The entries; else the key that stands twice, or `None` where there are more than [`MAX_TENSORS`].
    pub(super) fn entries(self) -> Result<BTreeMap<String, V>, Option<String>> {
        if self.twice.is_some() || self.entries.len() > MAX_TENSORS { Err(self.twice) } else { Ok(self.entries) }
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Unique<V> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(Self { entries: BTreeMap::new(), twice: None })
    }
}

impl<'de, V: Deserialize<'de>> Visitor<'de> for Unique<V> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((key, value)) = map.next_entry()? {
            // The rest is read and not kept: one above the limit is enough to be refused.
            if self.entries.len() > MAX_TENSORS {
                continue;
            }
            match self.entries.entry(key) {
                Entry::Vacant(entry) => drop(entry.insert(value)),
                Entry::Occupied(entry) => self.twice = self.twice.or_else(|| Some(entry.key().clone())),
            }
        }
        Ok(self)
    }
}

/// Reads a struct from an object; derived code alone would take an array of its fields as well.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    if json.trim_ascii_start().starts_with(b"[") {
        return Err(Error::invalid_type(Unexpected::Seq, &"an object"));
    }
    serde_json::from_slice(json)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn entries(json: &str) -> Result<Vec<String>, Option<String>> {
        let read: Unique<&RawValue> = serde_json::from_str(json).unwrap();
        Ok(read.entries()?.into_iter().map(|(key, value)| format!("{key}={value}")).collect())
    }

    #[test]
    fn a_key_stands_once_however_it_is_spelt() {
        assert_eq!(entries(r#"{"b":[1, 2],"a":null}"#).unwrap(), ["a=null", "b=[1, 2]"]);
        assert_eq!(entries(r#"{"a":1,"b":2,"\u0062":3,"a":4}"#), Err(Some("b".to_owned())));
    }

    #[test]
    fn an_array_is_no_object() {
        let read = |json: &str| object::<(u8, u8)>(json.as_bytes()).unwrap_err().to_string();
        assert_eq!(read(" [1,2]"), "invalid type: sequence, expected an object");
    }
}
