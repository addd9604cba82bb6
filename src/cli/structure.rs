//! `layers` on weight matrices: their structure along depth.

use std::{fmt::Write as _, time::Instant};

use hub_audit::{
    family::{LayerSelection, RoleSelection},
    metric::align::Gauge,
    model::{Opened, Question},
    question::structure,
    question::structure::estimate,
    question::structure::page::structure_report,
    question::structure::page::structure_tables,
    question::structure::rehearse,
    question::structure::{Estimate, Quantity, Structure, StructureOptions, StructureRow},
    spec::ModelSpec,
};

use super::{
    args::LayersArgs,
    exit::ExitStatus,
    gather::{self, Gather},
    options::Matrices,
    output,
    printer::Printer,
    progress_bars::WorkBar,
    size::Size,
    table,
};

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
        anyhow::bail!("--fail-if asks for the metrics of norms and vectors: name no matrix among the roles with it");
    }
    let options = args.matrices.options(&question)?;
    let layers: LayerSelection = options.layers.clone();
    let question = options.widen(Question { layers, ..question });
    let arithmetic = |opened: &[Opened]| format!("\n{}", work(opened, &options));
    let gather = Gather { after_plan: &arithmetic, ..Gather::new(&args.reach, &args.limits, printer) };
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
    let structure = structure::structure(&gathered, &options, &bar);
    drop(bar);
    gathered.check_unchanged()?;
    let run = output::run(&args.reach, args.output.seed, gathered.cost);
    let document = structure_report(&structure, &run);
    let tables = || structure_tables(&structure);
    output::write(&args.output, &document, tables, printer)?;
    if structure.rows.is_empty() {
        printer.warn("no comparable matrices: no model has what was asked for in any layer");
    }
    let status = if structure.is_incomplete() || gathered.any_tensor_failed() {
        ExitStatus::Incomplete
    } else {
        ExitStatus::Done
    };
    gather::print_summary(&gathered.cost, printer);
    output::print(args.output.format, &document, tables, || as_text(&structure), printer)?;
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
    format!("Arithmetic, at {:.0} GFLOP/s as just measured:\n{}", rate / 1e9, table::text(&table))
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

/// A summary a role and quantity, and why numbers are absent.
fn as_text(structure: &Structure) -> String {
    let mut text = String::new();
    for (number, model) in structure.models.iter().enumerate() {
        let rows: Vec<&StructureRow> = structure.rows.iter().filter(|row| row.model == number).collect();
        if rows.iter().all(|row| row.value.is_err()) {
            continue;
        }
        let _ = writeln!(text, "{}, layer k with layer k + {}:\n", model.label, structure.stride);
        text += &summary(&rows);
        let modes = structure.scales.iter().find(|track| track.model == number);
        for (at, mode) in modes.iter().flat_map(|track| track.modes.iter().flatten()).take(2).enumerate() {
            let _ = writeln!(text, "\nscale mode {}: {:.1} % of ln-norm variance", at + 1, 100.0 * mode.share);
        }
        for limit in structure.limits.iter().filter(|limit| limit.model == number) {
            let _ = writeln!(text, "\n{}: {}", limit.gauge, limit.text);
        }
        text.push('\n');
    }
    let notes = notes(structure);
    if !notes.is_empty() {
        let mut table = table::new(&["model", "has no number, and why"]);
        table.add_rows(notes);
        text += &table::text(&table);
    }
    text.trim_end().to_owned() + "\n"
}

fn summary(rows: &[&StructureRow]) -> String {
    let mut table = table::new(&["role", "quantity", ">n", ">mean", ">min", ">max", ">null"]);
    let mut seen: Vec<(&str, Quantity)> = Vec::new();
    for row in rows {
        let key = (row.role.as_str(), row.quantity);
        if row.quantity == Quantity::ResidualScaled || seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let same = || rows.iter().filter(|other| (other.role.as_str(), other.quantity) == key);
        let values: Vec<f64> = same().filter_map(|row| row.value.as_ref().ok().copied()).collect();
        let nulls: Vec<f64> = same().filter_map(|row| row.null).collect();
        if values.is_empty() {
            continue;
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let number = |value: f64| {
            if value.abs() < 100.0 { format!("{value:.4}") } else { format!("{value:.1}") }
        };
        table.add_row([
            row.role.clone(),
            row.quantity.to_string(),
            values.len().to_string(),
            number(mean(&values)),
            number(values.iter().copied().fold(f64::INFINITY, f64::min)),
            number(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            if nulls.is_empty() { "–".to_owned() } else { number(mean(&nulls)) },
        ]);
    }
    table::text(&table)
}

/// Reasons of one role that are printed: those of many layers are often alike but for a name.
const MOST_REASONS: usize = 3;

/// Models and what has only a reason: one line a role and reason, and of many the first.
fn notes(structure: &Structure) -> Vec<[String; 2]> {
    let mut notes: Vec<[String; 2]> = Vec::new();
    for model in &structure.models {
        if let Some(failure) = &model.failure {
            notes.push([model.label.clone(), format!("not read: {failure}")]);
        }
    }
    let mut reasons: Vec<(usize, &str, Vec<String>)> = Vec::new();
    for row in &structure.rows {
        let Err(reason) = &row.value else { continue };
        let reason = reason.to_string();
        let known = reasons.iter_mut().find(|(model, role, _)| (*model, *role) == (row.model, row.role.as_str()));
        match known {
            Some((.., told)) if told.contains(&reason) => {}
            Some((.., told)) => told.push(reason),
            None => reasons.push((row.model, &row.role, vec![reason])),
        }
    }
    for (model, role, told) in reasons {
        let label = &structure.models[model].label;
        let mut note = |text: &str| notes.push([label.clone(), format!("{role}: {text}")]);
        told.iter().take(MOST_REASONS).for_each(|reason| note(reason));
        if told.len() > MOST_REASONS {
            let more = table::count((told.len() - MOST_REASONS) as u64, "more reason");
            note(&format!("{more}; structure.csv under -o has all"));
        }
    }
    notes
}
