//! The value of one field of a header, read in little memory whatever it is.
//!
//! A header may be full of one value: twelve million numbers fit in 25 MB, and a tree of JSON values would need forty times as much
//! for them. So only what a field may hold is kept, and the rest is passed over.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Escaped;

/// Most axes that a tensor may have: NumPy's limit, and far more than any model needs.
pub(super) const MAX_AXES: usize = 64;

/// Longest value that a message repeats, in characters.
const SHOWN: usize = 60;

/// A JSON value, as far as a header can use it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FieldValue {
    /// A string.
    Text(String),
    /// An array of whole, non-negative numbers: `1.0`, `1e2` and `-0` are none.
    Counts(Vec<u64>),
    /// An array of more of them than [`MAX_AXES`].
    Long,
    /// An array that holds something else, the first of which is said.
    Mixed(String),
    /// A number, as written or nearly so.
    Number(String),
    /// What is neither: its kind.
    Other(&'static str),
}

impl FieldValue {
    /// The numbers of an array of counts.
    pub(super) fn counts(&self) -> Option<&[u64]> {
        match self {
            Self::Counts(counts) => Some(counts),
            _ => None,
        }
    }

    /// What kind of value it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Counts(_) | Self::Long | Self::Mixed(_) => "an array",
            Self::Number(_) => "a number",
            Self::Other(kind) => kind,
        }
    }
}

/// A short rendering for a message.
impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if text.chars().nth(SHOWN).is_none() => write!(f, "`\"{}\"`", Escaped(text)),
            Self::Counts(counts) if counts.len() <= 3 => write!(f, "`{counts:?}`"),
            Self::Counts(counts) => write!(f, "an array of {} numbers", counts.len()),
            Self::Long => write!(f, "an array of more than {MAX_AXES} numbers"),
            Self::Mixed(first) => write!(f, "an array with {first}"),
            Self::Number(number) => write!(f, "`{number}`"),
            Self::Text(_) | Self::Other(_) => f.write_str(self.kind()),
        }
    }
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = FieldValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<FieldValue, E> {
        Ok(FieldValue::Other("null"))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<FieldValue, E> {
        Ok(FieldValue::Other("a boolean"))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<FieldValue, E> {
        Ok(FieldValue::Number(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<FieldValue, E> {
        Ok(FieldValue::Number(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<FieldValue, E> {
        Ok(FieldValue::Number(format!("{number:?}")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<FieldValue, E> {
        Ok(FieldValue::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FieldValue, A::Error> {
        let (mut counts, mut long) = (Vec::new(), false);
        while let Some(element) = list.next_element::<Element>()? {
            match element {
                Element::Count(count) if counts.len() < MAX_AXES => counts.push(count),
                Element::Count(_) => long = true,
                Element::Other(found) => {
                    while list.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(FieldValue::Mixed(found));
                }
            }
        }
        Ok(if long { FieldValue::Long } else { FieldValue::Counts(counts) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldValue, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(FieldValue::Other("an object"))
    }
}

/// One element of an array: a count, or how a message shows it.
enum Element {
    Count(u64),
    Other(String),
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(ElementReader)
    }
}

struct ElementReader;

impl<'de> Visitor<'de> for ElementReader {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Element, E> {
        Ok(Element::Count(count))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Element, E> {
        Reader.visit_i64(number).map(shown)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Element, E> {
        Reader.visit_f64(number).map(shown)
    }

    fn visit_unit<E: Error>(self) -> Result<Element, E> {
        Reader.visit_unit().map(shown)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Element, E> {
        Reader.visit_bool(value).map(shown)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Element, E> {
        Reader.visit_str(text).map(shown)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Element, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Element::Other("an array".to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
        Reader.visit_map(map).map(shown)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the end of a chain of values")]
fn shown(value: FieldValue) -> Element {
    Element::Other(value.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> FieldValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_value_is_shown_in_short() {
        for (json, expected) in [
            ("null", "null"),
            ("-1", "`-1`"),
            ("2.0", "`2.0`"),
            (r#""a\u001b""#, "`\"a\\u{1b}\"`"),
            ("[8]", "`[8]`"),
            ("[1,2,3,4]", "an array of 4 numbers"),
            ("[1,-0,[2]]", "an array with `-0.0`"),
            ("[[[2]],1]", "an array with an array"),
            (r#"[{"a":1}]"#, "an array with an object"),
            (r#"{"a":[1]}"#, "an object"),
        ] {
            assert_eq!(read(json).to_string(), expected, "{json}");
        }
        let long = format!("\"{}\"", "x".repeat(100));
        assert_eq!(read(&long).to_string(), "a string");
    }

    #[test]
    fn of_a_long_array_no_more_is_kept_than_a_shape_may_have() {
        let ones = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(read(&ones(MAX_AXES)), FieldValue::Counts(vec![1; MAX_AXES]));
        assert_eq!(read(&ones(MAX_AXES + 1)), FieldValue::Long);
    }

    proptest! {
        #[test]
        fn counts_come_back_and_messages_stay_short(counts in prop::collection::vec(any::<u64>(), 0..=MAX_AXES)) {
            let value = read(&serde_json::to_string(&counts).unwrap());
            prop_assert!(value.to_string().len() < 100);
            prop_assert_eq!(value, FieldValue::Counts(counts));
        }
    }
}
