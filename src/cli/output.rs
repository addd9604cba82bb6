//! Reports into a folder.

use std::path::Path;

use hub_audit::{
    Error,
    report::{self, Run},
};

use super::{gather::Cost, printer::Printer};

/// What only the running program knows, for the report's provenance.
pub(crate) fn run(seed: u64, cost: Cost) -> Run {
    Run {
        // Secrets are never arguments: a token comes from the environment or from a file.
        command_line: std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        seed,
        generated_at: Some(jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        requests: cost.traffic.requests,
        bytes: cost.traffic.bytes,
        cache_hits: cost.cached as u64,
    }
}

/// Writes all files, each whole or not at all, and says where they are.
pub(crate) fn write(dir: &Path, files: Vec<(String, Vec<u8>)>, printer: &Printer) -> anyhow::Result<()> {
    let written = report::write_reports(dir, files).map_err(Error::from)?;
    printer.talk(&format!("wrote {} files to {}", written.len(), dir.display()));
    Ok(())
}
