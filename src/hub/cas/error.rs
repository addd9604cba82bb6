//! Why a file could not be examined.

use std::{error::Error, fmt, sync::Arc};

use crate::hub::error::HubError;

/// Why nothing is known of the chunks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unexamined {
    /// Neither the Hub nor a folder states its Xet hash.
    NoHash,
    /// The Hub states something in the hash's place.
    Withheld,
    /// It was not to be asked.
    Off,
    /// The Hub gives no token for the store.
    TokenRefused,
    /// The store is not reached.
    Unreachable,
    /// The store does not know the file, or does not tell.
    Unknown,
    /// What the store says cannot be.
    Inconsistent,
    /// It could not be asked for another reason.
    Failed,
}

impl Unexamined {
    /// In tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoHash => "no Xet hash",
            Self::Withheld => "withheld (gated)",
            Self::Off => "Xet off",
            Self::TokenRefused => "token refused",
            Self::Unreachable => "CAS unreachable",
            Self::Unknown => "unknown to CAS",
            Self::Inconsistent => "inconsistent answer",
            Self::Failed => "failed",
        }
    }

    /// In a sentence, where no error tells more.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoHash => {
                "no listing states its Xet hash, as none does of a folder or of a file outside of the content store"
            }
            Self::Withheld => "asterisks stand in the place of its hash, as in a gated repository without access",
            Self::Off => "the content store was not to be asked: --offline, or HF_HUB_DISABLE_XET",
            other => other.name(),
        }
    }
}

/// Why a file could not be examined.
#[derive(Debug, Clone)]
pub struct CasError {
    /// In short.
    pub state: Unexamined,
    pub(super) source: Arc<HubError>,
}

impl fmt::Display for CasError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Error for CasError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

impl CasError {
    pub(super) fn new(state: Unexamined, source: HubError) -> Self {
        Self { state, source: Arc::new(source) }
    }
}
