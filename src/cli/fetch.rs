//! `fetch`: tensors into the cache, paths to stdout.

use std::{collections::BTreeSet, path::PathBuf};

use hub_audit::{
    checkpoint::Storage,
    fetch::Corpus,
    fetch::{self, Work},
    model::{ModelSummary, Opened, Session, Tensor},
    question::inspect::shape_text,
    report::{Cell, Frame, Frames},
};

use super::{
    exit::ExitStatus,
    gather::{self, Gather},
    model_args::FetchArgs,
    output,
    printer::Printer,
    table::count,
    tensor_args::DEMO_LAYERS,
};

pub(crate) fn run(args: &FetchArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let specs = args.models.required(&args.hub)?;
    let is_demo_alone = args.models.is_demo_alone(&args.hub);
    let question = args.tensors.question(if is_demo_alone { DEMO_LAYERS } else { "all" })?;
    let keep = async |session: &Session, limits| {
        let opened = session.open(&specs, &question).await;
        // Each tensor as a file of its own, also where the Hugging Face cache has it.
        let plans = fetch::each(&opened, |model| fetch::plan_copies(session, model, |_| true));
        Ok((session.bring(opened, Work::Tensors(plans), limits).await?, ()))
    };
    let Some((gathered, ())) = Gather::new(&args.hub, &args.limits, printer).run(keep)? else {
        return Ok(ExitStatus::Done);
    };
    gathered.check_unchanged()?;
    let (fetched, mut status) = fetched(&gathered, printer);
    report_codes(&gathered.opened, &fetched, printer);
    if gather::lacks(&gathered.opened, &question, printer) || gathered.any_tensor_failed() {
        status = status.max(ExitStatus::Incomplete);
    }
    let models: Vec<ModelSummary> = gathered.opened.iter().map(ModelSummary::of).collect();
    let document = output::data("fetch", &output::run(&args.hub, 0, gathered.cost), &models);
    let tables = || Box::new(std::iter::once(table(&models, &fetched))) as Frames<'_>;
    output::print(args.format, &document, tables, || paths(&fetched), printer)?;
    gather::print_summary(&gathered.cost, printer);
    Ok(status)
}

/// A tensor and where it is.
struct Fetched<'a> {
    /// Its model's number.
    model: usize,
    tensor: &'a Tensor,
    /// How it is quantised, where its elements are codes.
    storage: Option<String>,
    /// Names of the tensors that make values of codes.
    companions: &'a [String],
    path: PathBuf,
    /// Whether the path is the shard of a folder, which is not copied.
    in_place: bool,
}

fn fetched<'a>(gathered: &'a Corpus, printer: &Printer) -> (Vec<Fetched<'a>>, ExitStatus) {
    let mut fetched = Vec::new();
    let mut status = ExitStatus::Done;
    for (number, (opened, failures)) in gathered.opened.iter().zip(&gathered.failures).enumerate() {
        let Ok(model) = &opened.outcome else {
            status = ExitStatus::Incomplete;
            continue;
        };
        if model.tensors.is_empty() {
            status = ExitStatus::Incomplete;
        }
        for tensor in &model.tensors {
            let folder = model.repository.folder();
            let path = match (model.key(tensor), folder) {
                (None, Some(folder)) => Some(folder.join(&tensor.shard)),
                (Some(key), _) => gathered.cache.lookup(&key).map(|(_, path)| path),
                (None, None) => None,
            };
            if let Some(path) = path {
                let quantisation = model.quantisation();
                let storage = match quantisation.storage(&tensor.info.name) {
                    Storage::Plain | Storage::Auxiliary { .. } => None,
                    codes => Some(codes.to_string()),
                };
                let companions = quantisation.companions(&tensor.info.name);
                fetched.push(Fetched { model: number, tensor, storage, companions, path, in_place: folder.is_some() });
            } else {
                if !failures.contains_key(&tensor.info.name) {
                    printer.warn(&format!(
                        "{}: tensor `{}` ({}) cannot be decoded and was not fetched",
                        opened.label,
                        tensor.info.name.escape_debug(),
                        tensor.info.dtype
                    ));
                }
                status = ExitStatus::Incomplete;
            }
        }
    }
    if gathered.all_failed() {
        status = ExitStatus::Failed;
    }
    (fetched, status)
}

/// Says of each model which tensors are codes, and of the first what makes values of them: files hold what is stored.
fn report_codes(opened: &[Opened], fetched: &[Fetched<'_>], printer: &Printer) {
    for (number, opened) in opened.iter().enumerate() {
        let codes: Vec<&Fetched<'_>> = fetched.iter().filter(|of| of.model == number && of.storage.is_some()).collect();
        let Some(first) = codes.first() else { continue };
        let tensors = count(codes.len() as u64, "quantised tensor");
        let quoted = |name: &str| format!("`{}`", name.escape_debug());
        let names: Vec<String> = first.companions.iter().map(|name| quoted(name)).collect();
        let beside = match names.as_slice() {
            [] => "no tensor beside them says what they stand for".to_owned(),
            names => format!("the values of {} also need {}", quoted(&first.tensor.info.name), names.join(", ")),
        };
        let others = if codes.len() > 1 { "; --format json lists all" } else { "" };
        let label = &opened.label;
        printer.warn(&format!("{label}: {tensors}: files hold codes as stored, not values; {beside}{others}"));
    }
}

/// One path a line; a shard of a folder is named once.
fn paths(fetched: &[Fetched<'_>]) -> String {
    let mut shards = BTreeSet::new();
    let mut text = String::new();
    for of in fetched.iter().filter(|of| !of.in_place || shards.insert(&of.path)) {
        text.push_str(&of.path.display().to_string());
        text.push('\n');
    }
    text
}

fn table<'a>(models: &'a [ModelSummary], fetched: &'a [Fetched<'a>]) -> Frame<'a> {
    let columns = [
        "model",
        "commit",
        "tensor",
        "role",
        "layer",
        "dtype",
        "shape",
        "numel",
        "shard",
        "path",
        "quantised",
        "companions",
    ];
    let row = |of: &Fetched<'_>| {
        let (model, tensor) = (&models[of.model], of.tensor);
        vec![
            Cell::text(&model.model),
            Cell::optional(model.commit.as_ref()),
            Cell::code(&tensor.info.name),
            Cell::optional(tensor.slot.map(|slot| slot.role)),
            Cell::integer(tensor.layer.map(|layer| layer.0.into())),
            Cell::text(tensor.info.dtype.name()),
            Cell::text(shape_text(&tensor.info.shape)),
            Cell::integer(Some(tensor.info.shape.iter().product())),
            Cell::code(&*tensor.shard),
            Cell::code(of.path.display().to_string()),
            Cell::optional(of.storage.as_ref()),
            Cell::optional(Some(of.companions.join(";")).filter(|names| of.storage.is_some() && !names.is_empty())),
        ]
    };
    Frame::new("tensors.csv", columns, fetched.iter().map(row))
}
