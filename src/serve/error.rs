//! Why the embedded Hub cannot run.

use std::{io, path::PathBuf};

use crate::hint::Hint;

/// The embedded Hub cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The folder to be served cannot be read.
    #[error("cannot read the folder `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder holds nothing that could be a repository.
    #[error("no model below `{}`", path.display())]
    NoModels {
        /// The folder.
        path: PathBuf,
    },
    /// No socket at the wanted port.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port; 0 stands for any.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// A word that is no option of Xet storage.
    #[error("`{word}` is no option of Xet storage")]
    XetOption {
        /// The word.
        word: String,
    },
}

impl Hint for ServeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Folder { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("give a folder that holds checkpoints as OWNER/NAME/config.json".to_owned())
            }
            Self::NoModels { .. } => Some(
                "checkpoints lie at OWNER/NAME below the folder that is served; serve the folder above OWNER"
                    .to_owned(),
            ),
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program uses the port; give another one, or 0 for any that is free".to_owned())
            }
            Self::XetOption { .. } => Some(
                "write on, off, redacted or without=N; v1 or v2; shared or separate; token=SECONDS; \
                 fingerprints=on|off|short; fault=NAME, with commas between"
                    .to_owned(),
            ),
            Self::Folder { .. } | Self::Listen { .. } => None,
        }
    }
}
