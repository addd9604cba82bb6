//! `layers` on weight matrices: their structure along depth.

use std::time::Instant;

use hub_audit::{
    family::{LayerSelection, RoleSelection},
    metric::align::Gauge,
    model::{Opened, Question},
    question::structure,
    question::structure::estimate,
    question::structure::page::structure_report,
    question::structure::page::structure_tables,
    question::structure::rehearse,
    question::structure::{Estimate, StructureOptions},
    spec::ModelSpec,
};

use super::{
    exit::ExitStatus,
    gather::{self, Gather},
    model_args::LayersArgs,
    options::advised,
    output,
    printer::Printer,
    progress_bars::WorkBar,
    size::Size,
    table, words,
};

/// What is asked of weight matrices.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Matrices (used if a role is a matrix, or with any of these options)")]
pub(crate) struct Matrices {
    /// Only this block of layers, such as 10-25 (same as --layers).
    #[arg(long, value_name = "SPEC", conflicts_with = "layers", value_parser = advised::<LayerSelection>)]
    pub(crate) block: Option<LayerSelection>,
    /// Compare layer k with layer k + N.
    ///
    /// Default: 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) stride: Option<u32>,
    /// Compute the effective rank of the difference of two layers.
    ///
    /// Uses all matrices if no role is one.
    #[arg(long)]
    pub(crate) effective_rank: bool,
    /// Align before comparing, to remove changes of basis.
    ///
    /// Downloads the additional tensors that this needs.
    #[arg(long, value_name = "G,...", value_delimiter = ',', value_parser = words::gauges())]
    pub(crate) align: Vec<Gauge>,
}

impl Matrices {
    /// Whether the question is about matrices: one is among the roles, or an option says so.
    pub(crate) fn are_asked_for(&self, roles: &RoleSelection) -> bool {
        let by_option = self.block.is_some() || self.stride.is_some() || self.effective_rank || !self.align.is_empty();
        by_option || StructureOptions::has_matrix(roles)
    }

    fn options(&self, question: &Question) -> anyhow::Result<StructureOptions> {
        let mut roles = question.roles.clone();
        if self.effective_rank && question.tensor.is_none() && !StructureOptions::has_matrix(&roles) {
            let names: Vec<&str> = roles.roles().iter().map(|role| role.name()).collect();
            roles = format!("matrices,{}", names.join(",")).parse().map_err(hub_audit::Error::from)?;
        }
        let mut align: Vec<Gauge> = self.align.clone();
        align.sort_unstable();
        align.dedup();
        Ok(StructureOptions {
            roles,
            layers: self.block.clone().unwrap_or_else(|| question.layers.clone()),
            by_pattern: question.tensor.is_some(),
            stride: self.stride.unwrap_or(1),
            effective_rank: self.effective_rank,
            align,
        })
    }
}

pub(crate) fn run(
    args: &LayersArgs,
    specs: &[ModelSpec],
    question: Question,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    if args.fail_if.is_some() {
        anyhow::bail!("--fail-if checks metrics of norms and vectors: use it without matrices among the roles");
    }
    let options = args.matrices.options(&question)?;
    let layers: LayerSelection = options.layers.clone();
    let question = options.widen(Question { layers, ..question });
    let arithmetic = |opened: &[Opened]| format!("\n{}", work(opened, &options));
    let gather = Gather { after_plan: &arithmetic, ..Gather::new(&args.hub, &args.limits, printer) };
    let Some(gathered) = gather.ask(specs, &question)? else {
        return Ok(ExitStatus::Done);
    };
    if gathered.all_failed() {
        gather::print_summary(&gathered.cost, printer);
        return Ok(ExitStatus::Failed);
    }
    if !options.align.is_empty() || options.effective_rank {
        printer.talk(work(&gathered.opened, &options).trim_end());
    }
    let bar = WorkBar::new(printer.draws_bars());
    let start = |model: &str, operations| bar.start(model, operations);
    let structure = structure::structure(&gathered, &options, &start, &|operations| bar.done(operations));
    drop(bar);
    gathered.check_unchanged()?;
    let run = output::run(&args.hub, args.output.seed, gathered.cost);
    let document = structure_report(&structure, &run);
    let tables = || structure_tables(&structure);
    output::write(&args.output, &document, tables, printer)?;
    if structure.rows.is_empty() {
        printer.warn("no comparable matrices: no model has the requested ones in any layer");
    }
    let status = if structure.is_incomplete() || gathered.any_tensor_failed() {
        ExitStatus::Incomplete
    } else {
        ExitStatus::Done
    };
    gather::print_summary(&gathered.cost, printer);
    output::print(args.output.format, &document, tables, || output::text(&document), printer)?;
    Ok(status)
}

/// Memory and arithmetic, and the time that it will take on this machine.
fn work(opened: &[Opened], options: &StructureOptions) -> String {
    let estimates = estimate(opened, options);
    let rate = rate();
    let mut table = table::new(&["model", ">pairs", ">arithmetic", ">memory", ">about"]);
    for (opened, estimate) in opened.iter().zip(&estimates) {
        let Estimate { pairs, operations, memory } = *estimate;
        table.add_row([
            opened.label.clone(),
            pairs.to_string(),
            format!("{:.1} GFLOP", operations / 1e9),
            Size(bytes(memory)).to_string(),
            duration(operations / rate),
        ]);
    }
    format!("Estimated compute time ({:.0} GFLOP/s measured):\n{}", rate / 1e9, table::text(&table))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate of memory is neither negative nor beyond 2^63"
)]
fn bytes(memory: f64) -> u64 {
    memory as u64
}

/// Operations a second: the fastest of a few small products.
fn rate() -> f64 {
    (0..3)
        .map(|_| {
            let start = Instant::now();
            let operations = rehearse();
            operations / start.elapsed().as_secs_f64().max(1e-9)
        })
        .fold(0.0, f64::max)
        .max(1.0)
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..1.0 => "1 s".to_owned(),
        ..100.0 => format!("{seconds:.0} s"),
        ..6000.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}
