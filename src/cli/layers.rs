//! `layers`: each model against itself.

use hub_audit::{
    fetch::Cost, question::layers, question::layers::Layers, question::layers::page::layers_report,
    question::layers::page::layers_tables, table::Condition,
};

use super::{
    exit::ExitStatus,
    findings::Findings,
    gather::{self, Gather},
    model_args::LayersArgs,
    output,
    printer::Printer,
    structure,
};

/// The two models of the published study whose layers it compares, asked of the embedded Hub when nothing else is.
const DEMO_MODELS: [&str; 2] = ["upstage/Solar-Open-100B", "zai-org/GLM-4.5-Air"];

pub(crate) fn run(args: &LayersArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let specs = args.models.required_or_demo(&args.hub, DEMO_MODELS)?;
    let mut question = args.tensors.question("all")?;
    if args.matrices.are_asked_for(&question.roles) {
        return structure::run(args, &specs, question, printer);
    }
    question.mtp = true;
    let Some(gathered) = Gather::new(&args.hub, &args.limits, printer).ask(&specs, &question)? else {
        return Ok(ExitStatus::Done);
    };
    if gathered.all_failed() {
        gather::print_summary(&gathered.cost, printer);
        return Ok(ExitStatus::Failed);
    }
    let lacking = gather::lacks(&gathered.opened, &question, printer);
    let layers = layers::layers(&gathered, args.tensors.tensor.is_some(), &question.layers, &args.output.metric);
    gathered.check_unchanged()?;
    let status = answer(args, &layers, gathered.cost, printer)?;
    Ok(if lacking || gathered.any_tensor_failed() { status.max(ExitStatus::Incomplete) } else { status })
}

fn answer(args: &LayersArgs, layers: &Layers, cost: Cost, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let run = output::run(&args.hub, args.output.seed, cost);
    let document = layers_report(layers, &args.output.metric, &run);
    let tables = || layers_tables(layers, &args.output.metric);
    output::write(&args.output, &document, tables, printer)?;
    let mut status = if layers.is_incomplete() { ExitStatus::Incomplete } else { ExitStatus::Done };
    if layers.tables.is_empty() {
        printer.warn("no comparable tensors: no model has the requested ones in any layer");
    }
    if let Some(condition) = &args.fail_if {
        status = status.max(findings(layers, condition, printer));
    }
    gather::print_summary(&cost, printer);
    output::print(args.output.format, &document, tables, || output::text(&document), printer)?;
    Ok(status)
}

/// Asks the condition of each layer and the next, the earlier one as reference.
fn findings(layers: &Layers, condition: &Condition, printer: &Printer) -> ExitStatus {
    let mut findings = Findings::new(&condition.text, "pair", printer);
    for table in &layers.tables {
        for (a, b) in table.adjacent() {
            let name = || {
                format!(
                    "{}, {}, layers {} × {}",
                    layers.models[table.model()].label,
                    table.key.role_name(),
                    table.rows[a].place_name(),
                    table.rows[b].place_name()
                )
            };
            findings.judge(condition, &table.get(a, b, condition.metric), name);
        }
    }
    findings.status()
}
