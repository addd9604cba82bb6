//! Reports into a folder.

use hub_audit::{
    error::Error,
    fetch::Cost,
    question::{
        lineage::{Lineage, page::lineage_text},
        page::Run,
    },
    report::{self, Format, Report},
};

use super::{
    args::Command,
    exit::ExitStatus,
    options::{Output, StdoutFormat},
    printer::Printer,
    table,
};

/// What only the running program knows, for the report's provenance.
pub(crate) fn run(seed: u64, cost: Cost) -> Run {
    Run {
        // Secrets are never arguments: a token comes from the environment or from a file.
        command_line: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        seed,
        generated_at: Some(jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        requests: cost.traffic.requests,
        bytes: cost.traffic.bytes,
        cache_hits: cost.cached as u64,
        shared_hits: cost.from_hf_cache as u64,
    }
}

/// Writes the report's files where `-o` asks for them, each whole or not at all, and says where they are. `csv` gives the
/// tables that are not part of the document.
pub(crate) fn write(
    output: &Output,
    document: &Report,
    csv: impl FnOnce() -> Vec<(String, Vec<u8>)>,
    printer: &Printer,
) -> anyhow::Result<()> {
    let Some(dir) = &output.dir else { return Ok(()) };
    let mut files = report::files(document, &output.formats).map_err(Error::from)?;
    if output.formats.contains(&Format::Csv) {
        files.extend(csv());
    }
    let written = hub_audit::report::write_reports(dir, files).map_err(Error::from)?;
    printer.talk(&format!("wrote {} files to {}", written.len(), dir.display()));
    Ok(())
}

/// Prints the result, last of all. A reader that has seen enough (`| head`) does not change how the command ended.
pub(crate) fn print(
    output: &Output,
    document: &Report,
    status: ExitStatus,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    print_text(output, document, || report::text::render(document, table::width()), status, printer)
}

/// As [`print`], with the answer of `lineage` below where it was asked beside.
pub(crate) fn print_beside(
    output: &Output,
    document: &Report,
    lineage: Option<&Lineage>,
    status: ExitStatus,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let beside = || lineage.map_or_else(String::new, |lineage| format!("\n{}", lineage_text(lineage)));
    print_text(output, document, || report::text::render(document, table::width()) + &beside(), status, printer)
}

/// As [`print`], with a text of its own.
pub(crate) fn print_text(
    output: &Output,
    document: &Report,
    text: impl FnOnce() -> String,
    status: ExitStatus,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let text = match output.format {
        StdoutFormat::Json => {
            String::from_utf8_lossy(&hub_audit::report::json::render(document).map_err(Error::from)?).into_owned()
        }
        StdoutFormat::Text => text(),
    };
    match printer.data(&text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(status),
    }
}

impl Command {
    /// What the command is told about reports, if it writes any.
    pub(crate) fn output(&mut self) -> Option<&mut Output> {
        match self {
            Self::Lineage(args) => Some(&mut args.output),
            Self::Survey(args) => Some(&mut args.output),
            Self::Compare(args) => Some(&mut args.output),
            Self::Layers(args) => Some(&mut args.output),
            Self::Critique(args) => Some(&mut args.output),
            Self::Embeddings(args) => Some(&mut args.output),
            _ => None,
        }
    }
}

impl Output {
    /// Refuses a folder that cannot be one, before anything is fetched for it.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let folder = self.dir.as_deref();
        Ok(folder.map_or(Ok(()), hub_audit::report::check_folder).map_err(Error::from)?)
    }

    /// What is named twice is meant once.
    pub(crate) fn dedup(&mut self) {
        keep_first(&mut self.metric);
        keep_first(&mut self.formats);
    }
}

fn keep_first<T: PartialEq + Copy>(list: &mut Vec<T>) {
    let mut seen = Vec::with_capacity(list.len());
    list.retain(|item| {
        let new = !seen.contains(item);
        seen.push(*item);
        new
    });
}
