//! What tells without reading it that a file is still the one that it was.

use std::fs::Metadata;

use serde::{Deserialize, Serialize};

/// Length, times and place of a file at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    len: u64,
    /// When its content last changed: seconds and nanoseconds.
    modified: (i64, i64),
    /// Device and inode, where there are such.
    inode: (u64, u64),
    /// When anything of it last changed, its times and links among that. No program can set it.
    changed: (i64, i64),
}

impl Stamp {
    /// That of a file whose metadata these are.
    pub fn of(found: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Self {
                len: found.len(),
                modified: (found.mtime(), found.mtime_nsec()),
                inode: (found.dev(), found.ino()),
                changed: (found.ctime(), found.ctime_nsec()),
            }
        }
        #[cfg(not(unix))]
        {
            let since = found.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            let since = since.unwrap_or_default();
            let modified = (i64::try_from(since.as_secs()).unwrap_or(0), since.subsec_nanos().into());
            Self { len: found.len(), modified, inode: (0, 0), changed: (0, 0) }
        }
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.len
    }

    /// Whether both are of one file, written to last at one moment. A new link to it is no other content.
    pub fn is_same_content(&self, other: &Self) -> bool {
        (self.len, self.modified, self.inode) == (other.len, other.modified, other.inode)
    }
}
