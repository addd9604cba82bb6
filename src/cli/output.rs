//! Reports into a folder, and answers to standard output.

use std::{
    fmt::Write as _,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use hub_audit::{
    error::Error,
    fetch::Cost,
    metric::Metric,
    model::ModelSummary,
    question::lineage::{Lineage, page::lineage_text},
    report::{self, Format, Frames, Provenance, Report, Written, json},
};

use super::{
    args::Command, options::StdoutFormat, printer::Printer, progress_bars::Meanwhile, settings::HubArgs, table, words,
};

/// What is written, and where.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Write the report to this folder: report.json, CSV tables, REPORT.md, report.html and pictures.
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Formats to write under -o.
    #[arg(long, value_name = "F,...", value_delimiter = ',', default_value = "csv,json,md,html,svg,png", value_parser = words::formats())]
    pub(crate) formats: Vec<Format>,
    /// Omit title and subtitle from picture files (for figures that have a caption).
    #[arg(long)]
    pub(crate) no_title: bool,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: StdoutFormat,
    /// Metrics for matrices and pictures.
    #[arg(
        long,
        value_name = "M,...",
        value_delimiter = ',',
        default_value = "cos_sim,pearson",
        value_parser = words::metrics(),
        hide_possible_values = true,
        long_help = words::metrics_help("Metrics for matrices and pictures, comma-separated.")
    )]
    pub(crate) metric: Vec<Metric>,
    /// Random seed.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

/// What only the running program knows, for the report's provenance, where it asks no Hub.
pub(crate) fn local_run() -> Provenance {
    Provenance {
        // Secrets are never arguments: a token comes from the environment or from a file.
        command_line: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        generated_at: rfc3339(SystemTime::now()),
        ..Provenance::of_this_program()
    }
}

/// To the second; of the years 1970 to 9999 alone.
pub(crate) fn rfc3339(time: SystemTime) -> Option<String> {
    // Formatting refuses later years by itself, and does not expect earlier ones.
    time.duration_since(UNIX_EPOCH).ok()?;
    let mut text = String::new();
    write!(text, "{}", humantime::format_rfc3339_seconds(time)).ok()?;
    Some(text)
}

/// What only the running program knows, for the report's provenance.
pub(crate) fn run(hub: &HubArgs, seed: u64, cost: Cost) -> Provenance {
    let endpoint = if hub.demo { "embedded Hub" } else { &hub.endpoint };
    Provenance {
        seed,
        endpoint: cost.of_the_hub.then(|| endpoint.to_owned()),
        requests: cost.traffic.requests,
        bytes: cost.traffic.bytes,
        cache_hits: cost.cached as u64,
        from_hugging_face_cache: cost.from_hf_cache as u64,
        ..local_run()
    }
}

/// Writes the report's files where `-o` asks for them, each whole or not at all, and says where they are.
pub(crate) fn write<'a>(
    output: &Output,
    document: &Report,
    tables: impl Fn() -> Frames<'a>,
    printer: &Printer,
) -> anyhow::Result<()> {
    let Some(dir) = &output.dir else { return Ok(()) };
    let draws =
        output.formats.iter().any(|format| matches!(format, Format::Svg | Format::Png | Format::Pdf | Format::Html));
    let what = if draws { "drawing pictures and writing the report" } else { "writing the report" };
    let meanwhile = Meanwhile::new(printer.draws_bars(), what.to_owned());
    let Written { files, removed } =
        report::write_reports(dir, document, tables, &output.formats, !output.no_title).map_err(Error::from)?;
    drop(meanwhile);
    printer.talk(&format!("wrote {} files to {}", files.len(), dir.display()));
    if !removed.is_empty() {
        printer.talk(&format!("removed {} files of the former report there", removed.len()));
    }
    Ok(())
}

/// The head of an answer that is data alone.
pub(crate) fn data(command: &'static str, run: &Provenance, models: &[ModelSummary]) -> Report {
    let synthetic = models.iter().any(|model| model.synthetic);
    Report { command, synthetic, provenance: run.on(models, Vec::new()), ..Report::default() }
}

/// The answer of a report for a terminal.
pub(crate) fn text(document: &Report) -> String {
    report::text::render(document, table::width())
}

/// The same, with the answer of `lineage` below where it was asked beside.
pub(crate) fn text_beside(document: &Report, lineage: Option<&Lineage>) -> String {
    let beside = lineage.map_or_else(String::new, |lineage| format!("\n{}", lineage_text(lineage)));
    text(document) + &beside
}

/// Prints the result, last of all: as text, or the tables as JSON, or the first of them as CSV. A reader that has seen enough
/// (`| head`) does not change how the command ended.
pub(crate) fn print<'a>(
    format: StdoutFormat,
    document: &Report,
    tables: impl FnOnce() -> Frames<'a>,
    text: impl FnOnce() -> String,
    printer: &Printer,
) -> anyhow::Result<()> {
    let printed = match format {
        StdoutFormat::Json => printer.stream(|out| json::write(out, document, tables(), &[])),
        StdoutFormat::Csv => {
            let mut first = tables().filter(|table| table.is_for(Format::Csv)).take(1);
            printer.stream(|out| first.try_for_each(|table| table.write_csv(out)))
        }
        StdoutFormat::Text => printer.data(&text()),
    };
    match printed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
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
