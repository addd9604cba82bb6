//! The JSON of a safetensors header, read once and strictly.
//!
//! Parsers that read a header into a map cannot see what it said twice, and two of them may then see two different
//! files. This one looks at every entry as it passes. A structural fault is put aside with its figures, because an error
//! that goes through serde comes out as text.

use std::{collections::BTreeMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{
    Dtype,
    field_value::{FieldValue, MAX_AXES},
    header_error::HeaderError,
};

/// The key that holds metadata instead of a tensor.
const METADATA: &str = "__metadata__";

/// One entry as the header states it: offsets are relative to the data, and nothing has been checked against the rest.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<u64>,
    pub(super) begin: u64,
    pub(super) end: u64,
}

/// Reads `json`, which begins with `{` and has no padding: the metadata, and the entries in the order of the file.
pub(super) fn read(json: &str) -> Result<(BTreeMap<String, String>, Vec<Entry>), HeaderError> {
    let mut fault = None;
    let mut reader = serde_json::Deserializer::from_str(json);
    let read = Root { fault: &mut fault }.deserialize(&mut reader).and_then(|found| reader.end().map(|()| found));
    match (read, fault) {
        (_, Some(fault)) => Err(fault),
        (Err(error), None) => Err(HeaderError::Json(error)),
        (Ok((metadata, mut entries)), None) => {
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
                return Err(HeaderError::DuplicateTensor { tensor: pair[0].name.clone() });
            }
            Ok((metadata, entries))
        }
    }
}

/// Puts `fault` aside and gives the error that stops serde.
fn stop<E: serde::de::Error>(slot: &mut Option<HeaderError>, fault: HeaderError) -> E {
    *slot = Some(fault);
    E::custom("refused")
}

/// The visits of every JSON value that is no object: each is refused by name.
macro_rules! refuse_all_but_maps {
    () => {
        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            self.refuse("null")
        }

        fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
            self.refuse("a boolean")
        }

        fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
            self.refuse("a number")
        }

        fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
            self.refuse("a number")
        }

        fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
            self.refuse("a number")
        }

        fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
            self.refuse("a string")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            self.refuse("an array")
        }
    };
}

struct Root<'f> {
    fault: &'f mut Option<HeaderError>,
}

impl<'de> DeserializeSeed<'de> for Root<'_> {
    type Value = (BTreeMap<String, String>, Vec<Entry>);

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_> {
    type Value = (BTreeMap<String, String>, Vec<Entry>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut metadata = None;
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == METADATA {
                let found = map.next_value_seed(Metadata { fault: &mut *self.fault })?;
                if metadata.replace(found).is_some() {
                    return Err(stop(self.fault, HeaderError::DuplicateMetadata { key: name }));
                }
            } else {
                entries.push(map.next_value_seed(EntrySeed { name, fault: &mut *self.fault })?);
            }
        }
        Ok((metadata.unwrap_or_default(), entries))
    }
}

struct Metadata<'f> {
    fault: &'f mut Option<HeaderError>,
}

impl Metadata<'_> {
    fn refuse<T, E: serde::de::Error>(self, found: &'static str) -> Result<T, E> {
        let key = METADATA.to_owned();
        Err(stop(self.fault, HeaderError::Metadata { key, found }))
    }
}

impl<'de> DeserializeSeed<'de> for Metadata<'_> {
    type Value = BTreeMap<String, String>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Metadata<'_> {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut metadata = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, FieldValue>()? {
            let FieldValue::Text(value) = value else {
                let found = value.kind();
                return Err(stop(self.fault, HeaderError::Metadata { key, found }));
            };
            if metadata.contains_key(&key) {
                return Err(stop(self.fault, HeaderError::DuplicateMetadata { key }));
            }
            metadata.insert(key, value);
        }
        Ok(metadata)
    }

    refuse_all_but_maps!();
}

struct EntrySeed<'f> {
    name: String,
    fault: &'f mut Option<HeaderError>,
}

impl EntrySeed<'_> {
    fn refuse<T, E: serde::de::Error>(self, found: &'static str) -> Result<T, E> {
        let tensor = self.name;
        Err(stop(self.fault, HeaderError::EntryForm { tensor, found }))
    }
}

impl<'de> DeserializeSeed<'de> for EntrySeed<'_> {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Entry, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed<'_> {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `dtype`, `shape` and `data_offsets`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let Self { name, fault } = self;
        let mut fields = Fields::default();
        while let Some(field) = map.next_key::<String>()? {
            let value: FieldValue = map.next_value()?;
            if let Err(found) = fields.set(&name, field, value) {
                return Err(stop(fault, found));
            }
        }
        fields.complete(name).map_err(|found| stop(fault, found))
    }

    refuse_all_but_maps!();
}

#[derive(Default)]
struct Fields {
    dtype: Option<Dtype>,
    shape: Option<Vec<u64>>,
    offsets: Option<(u64, u64)>,
}

impl Fields {
    fn set(&mut self, tensor: &str, field: String, value: FieldValue) -> Result<(), HeaderError> {
        let wrong = |field: &'static str, expected: &'static str, value: &FieldValue| HeaderError::FieldType {
            tensor: tensor.to_owned(),
            field,
            expected,
            found: value.to_string(),
        };
        let twice = |field: &'static str| HeaderError::DuplicateField { tensor: tensor.to_owned(), field };
        match (field.as_str(), value) {
            ("dtype", FieldValue::Text(name)) => {
                let set = self.dtype.replace(Dtype::from(name));
                set.map_or(Ok(()), |_| Err(twice("dtype")))
            }
            ("dtype", value) => Err(wrong("dtype", "a string", &value)),
            ("shape", FieldValue::Counts(shape)) => {
                let set = self.shape.replace(shape);
                set.map_or(Ok(()), |_| Err(twice("shape")))
            }
            ("shape", FieldValue::Long) => Err(HeaderError::TooManyAxes { tensor: tensor.to_owned(), limit: MAX_AXES }),
            ("shape", value) => Err(wrong("shape", "an array of whole numbers", &value)),
            ("data_offsets", value) => {
                let Some(&[begin, end]) = value.counts() else {
                    return Err(wrong("data_offsets", "two whole numbers", &value));
                };
                let set = self.offsets.replace((begin, end));
                set.map_or(Ok(()), |_| Err(twice("data_offsets")))
            }
            _ => Err(HeaderError::UnknownField { tensor: tensor.to_owned(), field }),
        }
    }

    fn complete(self, name: String) -> Result<Entry, HeaderError> {
        let field = match &self {
            Self { dtype: None, .. } => "dtype",
            Self { shape: None, .. } => "shape",
            _ => "data_offsets",
        };
        match (self.dtype, self.shape, self.offsets) {
            (Some(dtype), Some(shape), Some((begin, end))) => Ok(Entry { name, dtype, shape, begin, end }),
            _ => Err(HeaderError::MissingField { tensor: name, field }),
        }
    }
}
