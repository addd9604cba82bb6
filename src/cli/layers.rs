//! `layers`: each model against itself.

use hub_audit::{
    error::Error,
    fetch::Cost,
    metric::Metric,
    question::layers,
    question::layers::Layers,
    question::layers::page::layers_report,
    question::layers::page::layers_tables,
    spec::ModelSpec,
    table::{Condition, Entry, PairTable},
};

use super::{
    args::LayersArgs,
    exit::ExitStatus,
    gather::{self, Gather},
    output,
    printer::Printer,
    structure, table,
    verdict::Verdict,
};

/// The two models of the published study whose layers it compares, asked of the embedded Hub when nothing else is.
const DEMO_MODELS: [&str; 2] = ["upstage/Solar-Open-100B", "zai-org/GLM-4.5-Air"];

pub(crate) fn run(args: &LayersArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut specs = args.models.specs()?;
    if args.reach.demo && specs.is_empty() {
        specs = DEMO_MODELS
            .iter()
            .map(|model| model.parse::<ModelSpec>())
            .collect::<Result<_, _>>()
            .map_err(Error::from)?;
    } else if specs.is_empty() {
        specs = args.models.required()?;
    }
    let mut question = args.choice.question("all")?;
    if args.matrices.are_asked_for(&question.roles) {
        return structure::run(args, &specs, question, printer);
    }
    question.mtp = true;
    let Some(gathered) = Gather::new(&args.reach, &args.limits, printer).ask(&specs, &question)? else {
        return Ok(ExitStatus::Done);
    };
    if gathered.all_failed() {
        gather::print_summary(&gathered.cost, printer);
        return Ok(ExitStatus::Failed);
    }
    let layers = layers::layers(&gathered, args.choice.tensor.is_some(), &question.layers, &args.output.metric);
    gathered.check_unchanged()?;
    let status = answer(args, &layers, gathered.cost, printer)?;
    Ok(if gathered.any_tensor_failed() { status.max(ExitStatus::Incomplete) } else { status })
}

fn answer(args: &LayersArgs, layers: &Layers, cost: Cost, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let run = output::run(&args.reach, args.output.seed, cost);
    let document = layers_report(layers, &args.output.metric, &run);
    let tables = || layers_tables(layers, &args.output.metric);
    output::write(&args.output, &document, tables, printer)?;
    let mut status = if layers.is_incomplete() { ExitStatus::Incomplete } else { ExitStatus::Done };
    if layers.tables.is_empty() {
        printer.warn("no comparable tensors: no model has what was asked for in any layer");
    }
    if let Some(condition) = &args.fail_if
        && holds(layers, condition, printer)
    {
        status = status.max(ExitStatus::Incomplete);
    }
    gather::print_summary(&cost, printer);
    output::print(args.output.format, &document, tables, || as_text(layers), printer)?;
    Ok(status)
}

/// Whether a layer and the next meet the condition, the earlier one as reference.
fn holds(layers: &Layers, condition: &Condition, printer: &Printer) -> bool {
    let mut verdict = Verdict::new(condition, printer);
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
            verdict.judge(&table.get(a, b, condition.metric), name);
        }
    }
    verdict.fails()
}

fn as_text(layers: &Layers) -> String {
    let mut text = String::new();
    for tables in layers.tables.chunk_by(|a, b| a.key == b.key) {
        let models = table::count(tables.len() as u64, "model");
        text += &tables[0].key.role_name();
        text += ", ";
        text += &models;
        text += ". Mean over pairs of layers of one model:\n\n";
        text += &summary(layers, tables);
        text.push('\n');
    }
    let notes = notes(layers);
    if !notes.is_empty() {
        let mut table = table::new(&["model", "in no mean, and why"]);
        table.add_rows(notes);
        text += &table::text(&table);
    }
    text.trim_end().to_owned() + "\n"
}

fn summary(layers: &Layers, tables: &[PairTable]) -> String {
    let mut table = table::new(&["model", "layers", ">n", ">cos_sim", ">cos_null", ">n", ">pearson"]);
    for of_model in tables {
        let kinds = [
            ("0 × later", of_model.baseline()),
            ("adjacent", of_model.adjacent()),
            ("all pairs", of_model.layer_pairs()),
        ];
        for (kind, pairs) in kinds {
            let of = |metric| of_model.stats(metric, &pairs);
            let mean =
                |metric| of(metric).figures.map_or_else(|| "–".to_owned(), |extent| format!("{:.4}", extent.mean));
            let row = [
                layers.models[of_model.model()].label.clone(),
                kind.to_owned(),
                of(Metric::CosSim).n.to_string(),
                mean(Metric::CosSim),
                mean(Metric::CosNull),
                of(Metric::Pearson).n.to_string(),
                mean(Metric::Pearson),
            ];
            table.add_row(row);
        }
    }
    table::text(&table)
}

/// Models and what is not in their means, and why.
fn notes(layers: &Layers) -> Vec<[String; 2]> {
    let mut notes = Vec::new();
    let mut note = |model: usize, text: String| notes.push([layers.models[model].label.clone(), text]);
    for (number, model) in layers.models.iter().enumerate() {
        if let Some(failure) = &model.failure {
            note(number, format!("not read: {failure}"));
        }
    }
    for absence in &layers.absent {
        let role = absence.key.map_or_else(String::new, |key| format!("{}: ", key.role_name()));
        note(absence.model, format!("{role}{}", absence.reason));
    }
    for table in &layers.tables {
        let role = table.key.role_name();
        let missing = table.missing().count();
        if let Some((place, reason)) = table.missing().next() {
            let missing = table::count(missing as u64, "layer");
            note(table.model(), format!("{role}: {missing} without a tensor, first {place}: {reason}"));
        }
        if let Some(blocks) = blocks(table) {
            note(table.model(), format!("{role}: {blocks}, no layer; it is in the matrix"));
        }
    }
    notes
}

fn blocks(table: &PairTable) -> Option<String> {
    let blocks = table.rows.iter().filter(|row| row.is_mtp());
    let names: Vec<String> = blocks.map(Entry::place_name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
