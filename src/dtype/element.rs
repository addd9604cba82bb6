//! Element types, by the names that safetensors gives them.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value},
};

use crate::escaped::Escaped;

/// An element type. A name that the format does not define is kept as [`Dtype::Other`], so that a file with one exotic
/// tensor can still be read for the rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Dtype {
    /// A type of the format.
    Known(safetensors::Dtype),
    /// A name that safetensors 0.8 does not define.
    Other(Box<str>),
}

/// The format's types as constants, which stand in patterns as variants would.
macro_rules! known {
    ($($name:ident)+) => {
        #[expect(missing_docs, reason = "the format's own names")]
        impl Dtype {
            $(pub const $name: Self = Self::Known(safetensors::Dtype::$name);)+
        }
    };
}

known!(
    BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 U16 F16 BF16 I32 U32 F32 C64 F64
    I64 U64
);

impl Dtype {
    /// Bits per element; `None` for a name that the format does not define.
    pub fn bits(&self) -> Option<u64> {
        match self {
            Self::Known(dtype) => Some(dtype.bitsize() as u64),
            Self::Other(_) => None,
        }
    }

    /// The name as the format spells it.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Known(dtype) => dtype.to_string().into(),
            Self::Other(name) => name.as_ref().into(),
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
        let known = safetensors::Dtype::deserialize(IntoDeserializer::<value::Error>::into_deserializer(name));
        known.map_or_else(|_| Self::Other(name.into()), Self::Known)
    }
}

impl From<Dtype> for String {
    fn from(dtype: Dtype) -> Self {
        dtype.name().into_owned()
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(dtype) => dtype.fmt(f),
            // Untrusted input.
            Self::Other(name) => Escaped(name).fmt(f),
        }
    }
}
