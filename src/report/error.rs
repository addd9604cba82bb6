//! Why a report cannot be written.

use std::{io, path::PathBuf};

use crate::hint::Hint;

/// A report that cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ReportError {
    #[error("cannot create the folder `{}`", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("`{}` is a file, and a report is a folder of files", path.display())]
    IsFile { path: PathBuf },
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("`{name}` is not the name of a file")]
    Name { name: String },
    #[error("two files of the report are named `{name}`")]
    Twice { name: String },
    #[error("cannot draw the picture `{picture}` as {format}: {reason}")]
    Draw { picture: String, format: &'static str, reason: String },
    #[error("this build cannot write {format}")]
    NotBuilt { format: &'static str },
}

impl Hint for ReportError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Folder { .. } => "name a folder that can be created with `-o DIR`",
            Self::IsFile { .. } => "name a folder with `-o DIR`; it is made if it is not there",
            Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room on the disk and run again"
            }
            Self::Write { .. } => "check that the folder given with `-o` can be written to",
            Self::Draw { format, .. } => {
                return Some(format!("leave `{format}` out of `--formats`; the SVG holds the same picture"));
            }
            Self::NotBuilt { format } => {
                return Some(format!("leave `{format}` out of `--formats`, or build with the feature `png`"));
            }
            Self::Name { .. } | Self::Twice { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
