//! The formats of a report, as `--formats` names them.

use std::{fmt, str::FromStr};

/// One format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// One file a table and a matrix, for other programs.
    Csv,
    /// `report.json`: everything.
    Json,
    /// `REPORT.md`: reads on GitHub.
    Md,
    /// `report.html`: one self-contained file.
    Html,
    /// One file a picture.
    Svg,
    /// One file a picture, in pixels.
    Png,
}

impl Format {
    /// Every format, in the order in which files are written.
    pub const ALL: &'static [Self] = &[Self::Csv, Self::Json, Self::Md, Self::Html, Self::Svg, Self::Png];

    /// The format's name, and the extension of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Md => "md",
            Self::Html => "html",
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }

    /// Reads a list such as `csv,json,png`: names apart by commas, spaces and repetitions ignored, in the order of
    /// [`Format::ALL`]. `all` stands for every format.
    pub fn list(text: &str) -> Result<Vec<Self>, UnknownFormat> {
        let mut formats = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name == "all" {
                formats.extend_from_slice(Self::ALL);
            } else {
                formats.push(name.parse()?);
            }
        }
        if formats.is_empty() {
            return Err(UnknownFormat { name: text.to_owned() });
        }
        formats.sort_unstable();
        formats.dedup();
        Ok(formats)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .iter()
            .copied()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

/// A format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a format: csv, json, md, html, svg, png")]
pub struct UnknownFormat {
    /// What was written.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_formats_is_sorted_and_without_repetition() {
        assert_eq!(Format::list("png, csv,png,,md").unwrap(), [Format::Csv, Format::Md, Format::Png]);
        assert_eq!(Format::list("all").unwrap(), Format::ALL);
    }

    #[test]
    fn an_unknown_or_empty_list_is_refused_by_name() {
        assert_eq!(Format::list("csv,pdf").unwrap_err().name, "pdf");
        assert!(Format::list(" , ").is_err());
    }
}
