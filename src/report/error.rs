//! Why a report cannot be written.

use std::{io, path::PathBuf};

use crate::hint::Hint;

/// A report that cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The folder for the files cannot be made.
    #[error("cannot create the folder `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a file where the folder should be.
    #[error("`{}` is a file, and a report is a folder of files", path.display())]
    IsFile {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written; a former version of it is as it was.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file's name would leave the folder.
    #[error("`{name}` is not the name of a file")]
    Name {
        /// The name.
        name: String,
    },
    /// Two files of one report have the same name.
    #[error("two files of the report are named `{name}`")]
    Twice {
        /// The name.
        name: String,
    },
    /// A picture cannot be rasterised.
    #[error("cannot draw the picture `{picture}` as PNG: {reason}")]
    Raster {
        /// The picture's identifier.
        picture: String,
        /// Why.
        reason: String,
    },
    /// The binary was built without the feature `png`.
    #[error("this build cannot write PNG")]
    NoPng,
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
            Self::Raster { .. } => "leave `png` out of `--formats`; the SVG holds the same picture",
            Self::NoPng => "leave `png` out of `--formats`, or build with the feature `png`",
            Self::Name { .. } | Self::Twice { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
