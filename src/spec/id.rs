//! The parts of a model's name: a repository, a revision of it, and the commit that a revision is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::error::{SpecError, no_model};

/// A text that is checked when it is read, from the command line and from files alike.
macro_rules! checked {
    ($($type:ident)+) => { $(
        impl $type {
            /// As it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = SpecError;

            fn try_from(text: String) -> Result<Self, SpecError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(checked: $type) -> Self {
                checked.0
            }
        }
    )+ };
}

checked!(RepoId Revision Commit);

/// `owner/name`, or a bare legacy `name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoId(String);

impl RepoId {
    /// The owner; `None` for a bare legacy name.
    pub fn owner(&self) -> Option<&str> {
        self.0.split_once('/').map(|(owner, _)| owner)
    }

    /// The name without its owner.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }
}

impl FromStr for RepoId {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() > 2 {
            return Err(no_model(text, "an id has the form owner/name, with one `/`"));
        }
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        for part in parts {
            let is_open = part.starts_with(['-', '.']) || part.ends_with(['-', '.']);
            let rules = [
                (part.is_empty(), "owner and name must not be empty"),
                (part.len() > 96, "owner and name have at most 96 characters"),
                (!part.chars().all(is_allowed), "only letters, digits, `-`, `_` and `.` are allowed"),
                (is_open, "a part must not begin or end with `-` or `.`"),
                (part.contains("..") || part.contains("--"), "`..` and `--` are not allowed"),
            ];
            if let Some((_, reason)) = rules.into_iter().find(|(is_broken, _)| *is_broken) {
                return Err(no_model(text, reason));
            }
        }
        Ok(Self(text.to_owned()))
    }
}

/// A branch, tag, pull-request ref or commit. It may move.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Revision(String);

impl Revision {
    /// The commit, when the revision already is one (40 hexadecimal digits).
    pub fn as_commit(&self) -> Option<Commit> {
        self.0.parse().ok()
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl FromStr for Revision {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let bad = text.is_empty()
            || text.chars().any(|c| c.is_control() || c.is_whitespace())
            || text.contains("..")
            || text.starts_with('/');
        if bad {
            return Err(SpecError::Revision { text: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

/// A commit: 40 lower-case hexadecimal digits. It never moves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Commit(String);

impl Commit {
    /// The first 8 digits, for tables.
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

impl FromStr for Commit {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        if text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(SpecError::Commit { text: text.to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_forty_hex_digits_in_lower_case() {
        let text = "ABCDEF0123456789abcdef0123456789abcdef01";
        let commit: Commit = text.parse().unwrap();
        assert_eq!(commit.as_str(), text.to_ascii_lowercase());
        assert!("abc".parse::<Commit>().is_err());
    }
}
