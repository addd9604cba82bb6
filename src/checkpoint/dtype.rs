//! Element types of safetensors, by the names the format uses.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Escaped;

/// An element type. A name that the format does not define is kept as [`Dtype::Other`], so that a file with one exotic
/// tensor can still be read for the rest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the variants are the format's own names")]
#[expect(non_camel_case_types, reason = "the variants are the format's own names")]
pub enum Dtype {
    BOOL,
    F4,
    F6_E2M3,
    F6_E3M2,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    F8_E8M0,
    F8_E4M3FNUZ,
    F8_E5M2FNUZ,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    C64,
    F64,
    I64,
    U64,
    /// A name that safetensors 0.8 does not define.
    Other(Box<str>),
}

const NAMED: [(Dtype, &str, u64); 22] = [
    (Dtype::BOOL, "BOOL", 8),
    (Dtype::F4, "F4", 4),
    (Dtype::F6_E2M3, "F6_E2M3", 6),
    (Dtype::F6_E3M2, "F6_E3M2", 6),
    (Dtype::U8, "U8", 8),
    (Dtype::I8, "I8", 8),
    (Dtype::F8_E5M2, "F8_E5M2", 8),
    (Dtype::F8_E4M3, "F8_E4M3", 8),
    (Dtype::F8_E8M0, "F8_E8M0", 8),
    (Dtype::F8_E4M3FNUZ, "F8_E4M3FNUZ", 8),
    (Dtype::F8_E5M2FNUZ, "F8_E5M2FNUZ", 8),
    (Dtype::I16, "I16", 16),
    (Dtype::U16, "U16", 16),
    (Dtype::F16, "F16", 16),
    (Dtype::BF16, "BF16", 16),
    (Dtype::I32, "I32", 32),
    (Dtype::U32, "U32", 32),
    (Dtype::F32, "F32", 32),
    (Dtype::C64, "C64", 64),
    (Dtype::F64, "F64", 64),
    (Dtype::I64, "I64", 64),
    (Dtype::U64, "U64", 64),
];

impl Dtype {
    /// Bits per element; `None` for a name that the format does not define.
    pub fn bits(&self) -> Option<u64> {
        NAMED.iter().find(|(dtype, ..)| dtype == self).map(|&(.., bits)| bits)
    }

    /// The name as the format spells it.
    pub fn name(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => NAMED.iter().find(|(dtype, ..)| dtype == known).map_or("", |&(_, name, _)| name),
        }
    }
}

impl From<String> for Dtype {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<&str> for Dtype {
    fn from(name: &str) -> Self {
        NAMED
            .iter()
            .find(|&&(_, known, _)| known == name)
            .map_or_else(|| Self::Other(name.into()), |(dtype, ..)| dtype.clone())
    }
}

impl From<Dtype> for String {
    fn from(dtype: Dtype) -> Self {
        dtype.name().to_owned()
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name that the format does not define is a stranger's text.
        write!(f, "{}", Escaped(self.name()))
    }
}
