//! The formats of a report, as `--formats` names them.

use std::str::FromStr;

use crate::named::named;

named! {
    /// One format of a report.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Format {
        /// One file a table and a matrix, for other programs.
        Csv = "csv",
        /// `report.json`: everything.
        Json = "json",
        /// `REPORT.md`: reads on GitHub.
        Md = "md",
        /// `report.html`: one self-contained file.
        Html = "html",
        /// One file a picture.
        Svg = "svg",
        /// One file a picture, in pixels.
        Png = "png",
        /// One file a picture, as a page for print.
        Pdf = "pdf",
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::named(name).ok_or_else(|| format!("`{name}` is not a format: csv, json, md, html, svg, png, pdf"))
    }
}
