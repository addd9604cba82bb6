//! How the embedded Hub serves Xet storage.

use std::{num::NonZeroUsize, str::FromStr, time::Duration};

use crate::{
    named::named,
    serve::{
        error::ServeError,
        repo::{Entry, Repo},
    },
};

/// Which large files are in the storage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum XetFiles {
    /// None: listings state no Xet hash, and there is no read token.
    None,
    /// All that are stored on disk; a synthetic shard is too large to be hashed.
    #[default]
    All,
    /// All but every n-th of a repository, as while a repository is moved there.
    Without(NonZeroUsize),
    /// All, and listings hold their hashes back from everybody, as the Hub does where a repository is gated.
    Redacted,
}

named! {
    /// Which files share chunks.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub enum Packing {
        /// All: a chunk is stored once.
        #[default]
        Shared = "shared",
        /// Those of a repository, and of an earlier one from the first chunk on that the index of all uploads tells of: it is asked of the
        /// chunk that begins a file, and of one in about a thousand others. So most of what two people upload is stored once.
        Indexed = "indexed",
        /// Those of a repository: what two of them have in common is stored twice, as where two people upload the same.
        Separate = "separate",
    }
}

named! {
    /// What is answered to who asks for Merkle nodes between dirty ranges of a file.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub enum Fingerprints {
        /// Nothing is served there.
        Off = "off",
        /// The nodes; a window reaches behind its dirty bytes until chunks are sure to be the same again.
        #[default]
        On = "on",
        /// The nodes; a window ends with its last dirty chunk.
        Short = "short",
        /// The nodes, and beside more than two dirty ranges another size than the file's.
        Odd = "odd",
    }
}

named! {
    /// What the storage's origin gets wrong.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum XetFault {
        /// The first request is told that its token has expired.
        ExpiredOnce = "expired-once",
        /// Every file is outside the token's scope.
        Forbidden = "forbidden",
        /// No file is known.
        Unknown = "unknown",
        /// Too many requests; come back in a second.
        TooMany = "too-many",
        /// The service is down, and says so.
        Unavailable = "unavailable",
        /// The origin does not listen.
        Down = "down",
        /// The JSON of an answer ends in its midst.
        Truncated = "truncated",
        /// The terms of a file are a byte longer than the file.
        WrongSum = "wrong-sum",
        /// Every other answer moves a byte from the first term of a file to the last, so that lengths contradict each other.
        Conflict = "conflict",
    }
}

/// Options of Xet storage.
///
/// As text, comma-separated: `on`, `off`, `redacted` or `without=N`; `v1` or `v2`; `shared`, `indexed` or `separate`; `token=SECONDS`;
/// `fingerprints=on|off|short|odd`; `fault=expired-once|forbidden|unknown|too-many|unavailable|down|truncated|wrong-sum|conflict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XetOptions {
    /// Which large files are there.
    pub files: XetFiles,
    /// Whether the first version of reconstructions alone is served; else the first and the second.
    pub v1_only: bool,
    /// Which files share chunks.
    pub packing: Packing,
    /// How long a read token is valid; counted in whole seconds.
    pub token_ttl: Duration,
    /// Whether Merkle nodes are served.
    pub fingerprints: Fingerprints,
    /// What goes wrong.
    pub fault: Option<XetFault>,
}

impl Default for XetOptions {
    fn default() -> Self {
        Self {
            files: XetFiles::default(),
            v1_only: false,
            packing: Packing::default(),
            token_ttl: Duration::from_mins(15),
            fingerprints: Fingerprints::default(),
            fault: None,
        }
    }
}

impl FromStr for XetOptions {
    type Err = ServeError;

    fn from_str(text: &str) -> Result<Self, ServeError> {
        let mut options = Self::default();
        for word in text.split(',').map(str::trim) {
            options.set(word).ok_or_else(|| ServeError::XetOption { word: word.to_owned() })?;
        }
        Ok(options)
    }
}

impl XetOptions {
    /// The files of a repository that are in the storage.
    pub(in crate::serve) fn stored(self, repo: &Repo) -> impl Iterator<Item = &Entry> {
        let large = repo.entries.iter().filter(|entry| entry.is_large());
        let is_stored = move |number: usize| match self.files {
            XetFiles::None => false,
            XetFiles::All | XetFiles::Redacted => true,
            XetFiles::Without(each) => !number.is_multiple_of(each.get()),
        };
        (1..).zip(large).filter(move |&(number, _)| is_stored(number)).map(|(_, entry)| entry)
    }

    /// `None` for a word that says nothing.
    fn set(&mut self, word: &str) -> Option<()> {
        match word.split_once('=').unwrap_or((word, "")) {
            ("on", "") => self.files = XetFiles::All,
            ("off", "") => self.files = XetFiles::None,
            ("redacted", "") => self.files = XetFiles::Redacted,
            ("without", number) => self.files = XetFiles::Without(number.parse().ok()?),
            ("v1", "") => self.v1_only = true,
            ("v2", "") => self.v1_only = false,
            ("token", seconds) => self.token_ttl = Duration::from_secs(seconds.parse().ok()?),
            ("fingerprints", mode) => self.fingerprints = Fingerprints::named(mode)?,
            ("fault", name) => self.fault = Some(XetFault::named(name)?),
            (packing, "") => self.packing = Packing::named(packing)?,
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_from_words() {
        let read = |text: &str| text.parse::<XetOptions>().ok();
        assert_eq!(read("on"), Some(XetOptions::default()));
        let expected = XetOptions {
            files: XetFiles::Without(NonZeroUsize::new(3).unwrap()),
            v1_only: true,
            packing: Packing::Separate,
            token_ttl: Duration::from_secs(5),
            fingerprints: Fingerprints::Short,
            fault: Some(XetFault::TooMany),
        };
        assert_eq!(read("without=3, v1,separate,token=5,fingerprints=short,fault=too-many"), Some(expected));
        for wrong in ["", "on,", "without=0", "v3", "token=-1", "token", "fault=none", "off=1", "fingerprints"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
