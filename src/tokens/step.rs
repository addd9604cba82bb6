//! A normalizer, pre-tokenizer or decoder, as far as it tells how pieces are spelt.
//!
//! These parts of a `tokenizer.json` may hold anything: tables of half a megabyte in real files, anything in hostile ones.
//! Only the few fields that are looked at are kept, and there may be [`MOST`] of them, so that memory has a bound of its own.

use std::{borrow::Cow, cell::Cell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// What is kept of an object. Steps of a sequence, what a step is, and what it replaces by what.
const FIELDS: [&str; 8] =
    ["normalizers", "pretokenizers", "decoders", "type", "replacement", "pattern", "String", "content"];

/// Most values that are kept: real files have a few dozen.
const MOST: usize = 4096;

/// Reads one, keeping what may matter; anything else is `null`.
pub(super) fn step<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Kept { left: &Cell::new(MOST) }.deserialize(deserializer)
}

/// A value of which the rest is passed over.
#[derive(Clone, Copy)]
struct Kept<'c> {
    /// How many more there may be.
    left: &'c Cell<usize>,
}

impl Kept<'_> {
    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| E::custom(format_args!("more than {MOST} steps and fields of steps")))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Kept<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Kept<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a normalizer, pre-tokenizer or decoder")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            self.count()?;
            kept.push(value);
        }
        Ok(Value::Array(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if FIELDS.contains(&name.as_ref()) {
                self.count()?;
                kept.insert(name.into_owned(), map.next_value_seed(self)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(kept))
    }
}
