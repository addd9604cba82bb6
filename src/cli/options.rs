//! Options that most commands share: what is asked before weights are read, what may move, how it is printed.

use std::{fmt::Display, str::FromStr};

use clap::ValueEnum;
use hub_audit::Hint;

use super::size::Size;

/// Reads a value, and gives the advice that its error has beside the message: clap prints the message alone.
pub(super) fn advised<T: FromStr<Err: Display + Hint>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

/// What is asked before weights are read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Proof {
    /// First find identical tensors by the Hub's hashes of chunks of files, without reading them.
    ///
    /// One request per file, and one token per model. `compare` then reads such a tensor from the first model only, with the same
    /// numbers; `lineage` counts such tensors. Tensors that are not shown to be identical may still be.
    #[arg(long)]
    pub(crate) chunks: bool,
    /// With --chunks: also request Merkle nodes within the bounds of tensors, which show equal content wherever it is stored.
    ///
    /// Two more requests per file. Not yet checked on the live Hub.
    #[arg(long, requires = "chunks")]
    pub(crate) fingerprints: bool,
}

/// What may move.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Maximum weight bytes to download; a larger plan is refused before the first byte.
    #[arg(long, value_name = "SIZE", default_value = "1GB")]
    pub(crate) max_bytes: Size,
    /// Print what would be downloaded, without downloading.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Compute threads [default: all cores]; results are identical for any value.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=4096))]
    pub(crate) threads: Option<u16>,
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StdoutFormat {
    /// Readable tables.
    Text,
    /// All tables as JSON.
    Json,
    /// The main table as CSV.
    Csv,
}
