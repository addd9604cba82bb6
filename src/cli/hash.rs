//! `hash`: what identifies each tensor, and which are the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use hub_audit::{
    Error,
    digest::TrivialClass,
    fetch::{self, Work},
    fetch::{Corpus, Cost},
    model::{DEFAULT_SKIP, Model, ModelSummary, Opened, Question, Repository, Session, Tensor},
    question::hash::hash_all_kept,
    question::hash::matches,
    question::hash::same_files,
    question::{
        hash::{Group, Hashed, Kinship},
        inspect::shape_text,
    },
    report::{Cell, Frame},
    snapshot::{RepoFile, Snapshot},
    spec::{Commit, ModelSource, ModelSpec},
};

use super::{
    exit::ExitStatus,
    gather::{self, Gather},
    hash_chunks,
    model_args::HashArgs,
    options::StdoutFormat,
    output,
    printer::Printer,
    render_error, table,
};

pub(crate) fn run(args: &HashArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let specs = args.models.required(&args.hub)?;
    if args.chunks {
        return hash_chunks::run(args, &specs, printer);
    }
    let format = args.format.unwrap_or(StdoutFormat::Csv);
    if format == StdoutFormat::Text {
        bail!("--format text needs --chunks; otherwise `hash` prints CSV or JSON");
    }
    if args.files {
        return files(args, format, &specs, printer);
    }
    let question = args.tensors.everything_or_question(args.models.is_demo_alone(&args.hub), printer)?;
    // A name that is asked for by a pattern is wanted, whatever is left out otherwise.
    let skip = question.skip.clone().filter(|_| args.tensors.tensor.is_none());
    let wanted = move |name: &str| skip.as_ref().is_none_or(|skip| !skip.is_match(name));
    let digest = async |session: &Session, limits| {
        let opened = session.open(&specs, &question).await;
        let work = Work::Digests(fetch::each(&opened, |model| fetch::plan_hash(session, model, &wanted)));
        Ok((session.bring(opened, work, limits).await?, ()))
    };
    let Some((gathered, ())) = Gather::new(&args.hub, &args.limits, printer).run(digest)? else {
        return Ok(ExitStatus::Done);
    };
    let (hashed, mut status) = hash(&gathered, &wanted, printer)?;
    let left_out = left_out_experts(&gathered.opened, &question);
    let models: Vec<ModelSummary> = gathered.opened.iter().map(ModelSummary::of).collect();
    let document = output::data("hash", &output::run(&args.hub, 0, gathered.cost), &models);
    let table = if args.matches {
        let groups = matches(&hashed);
        printer.talk(&summary(hashed.len(), &groups, left_out));
        matched(&hashed, groups)
    } else {
        if left_out > 0 {
            printer.talk(&format!("{} excluded; --experts includes them", routed(left_out)));
        }
        tensors(&hashed)
    };
    output::print(format, &document, || Box::new(std::iter::once(table)), String::new, printer)?;
    if gather::lacks_layers(&gathered.opened, &question.layers, printer) || gathered.any_tensor_failed() {
        status = status.max(ExitStatus::Incomplete);
    }
    gather::print_summary(&gathered.cost, printer);
    Ok(if gathered.all_failed() { ExitStatus::Failed } else { status })
}

/// How many tensors of routed experts the default of `--skip` leaves out where every tensor is asked for.
fn left_out_experts(opened: &[Opened], question: &Question) -> usize {
    let Some(skip) = question.skip.as_ref().filter(|skip| question.all_headers && skip.as_str() == DEFAULT_SKIP) else {
        return 0;
    };
    let models = opened.iter().filter_map(|opened| opened.outcome.as_ref().ok());
    let headers = models.flat_map(|model| model.headers.values());
    headers.flat_map(|header| &header.tensors).filter(|tensor| skip.is_match(&tensor.name)).count()
}

/// `288 tensors of routed experts`.
fn routed(count: usize) -> String {
    format!("{} of routed experts", table::count(count as u64, "tensor"))
}

/// The digests of all wanted tensors, by model, then layer, then name. What failed is reported and left out.
fn hash(
    gathered: &Corpus,
    wanted: &dyn Fn(&str) -> bool,
    printer: &Printer,
) -> Result<(Vec<Hashed>, ExitStatus), Error> {
    let mut status = ExitStatus::Done;
    let mut here: Vec<(usize, usize)> = Vec::new();
    for (number, opened) in gathered.opened.iter().enumerate() {
        let Ok(model) = &opened.outcome else {
            status = ExitStatus::Incomplete;
            continue;
        };
        let chosen = (0..model.tensors.len()).filter(|&at| wanted(&model.tensors[at].info.name));
        let streamed = gathered.digests.get(number);
        let failed = &gathered.failures[number];
        let mut count = 0;
        for position in chosen {
            count += 1;
            let is_streamed = streamed.is_some_and(|streamed| streamed.contains_key(&position));
            if failed.contains_key(&model.tensors[position].info.name) {
                status = ExitStatus::Incomplete;
            } else if !is_streamed {
                here.push((number, position));
            }
        }
        if count == 0 {
            // Of a model without a tensor in the question the reason has been told.
            if !model.tensors.is_empty() {
                printer.warn(&format!("{}: no match: --skip excludes all tensors", opened.label));
            }
            status = ExitStatus::Incomplete;
        }
    }
    let model_of = |number: usize| gathered.opened[number].outcome.as_deref().ok();
    let jobs: Vec<(&Model, &Tensor)> = here
        .iter()
        .filter_map(|&(number, position)| model_of(number).map(|model| (model, &model.tensors[position])))
        .collect();
    let mut hashes: BTreeMap<(usize, usize), _> = BTreeMap::new();
    let results = hash_all_kept(&gathered.cache, &jobs);
    // First, so that a file which changed is told once and not as a fault of each of its tensors.
    gathered.check_unchanged()?;
    for (&(number, position), result) in here.iter().zip(results) {
        match result {
            Ok(hash) => drop(hashes.insert((number, position), hash)),
            Err(error) => {
                render_error::render_model(&error, printer);
                status = ExitStatus::Incomplete;
            }
        }
    }
    for (number, streamed) in gathered.digests.iter().enumerate() {
        hashes.extend(streamed.iter().map(|(&position, hash)| ((number, position), hash.clone())));
    }
    let row = |((number, position), hash)| {
        let model = model_of(number)?;
        let tensor: &Tensor = &model.tensors[position];
        Some(Hashed {
            model: gathered.opened[number].spec.to_string(),
            commit: model.repository.commit().map(ToString::to_string).unwrap_or_default(),
            tensor: tensor.info.name.clone(),
            role: tensor.slot.map(|slot| slot.role.to_string()).unwrap_or_default(),
            layer: tensor.layer.map(|layer| layer.0),
            dtype: tensor.info.dtype.clone(),
            shape: tensor.info.shape.clone(),
            hash,
        })
    };
    Ok((hashes.into_iter().filter_map(row).collect(), status))
}

fn tensors(hashed: &[Hashed]) -> Frame<'_> {
    let columns = [
        "model",
        "commit",
        "tensor",
        "role",
        "layer",
        "dtype",
        "shape",
        "numel",
        "sha256",
        "canonical_sha256",
        "trivial",
    ];
    let row = |tensor: &Hashed| {
        vec![
            Cell::text(&tensor.model),
            Cell::text(&tensor.commit),
            Cell::code(&tensor.tensor),
            Cell::text(&tensor.role),
            Cell::integer(tensor.layer.map(u64::from)),
            Cell::text(tensor.dtype.name()),
            Cell::text(shape_text(&tensor.shape)),
            Cell::integer(Some(tensor.shape.iter().product())),
            Cell::text(&tensor.hash.sha256),
            Cell::optional(tensor.hash.canonical.as_ref()),
            trivial(tensor),
        ]
    };
    Frame::new("tensors.csv", columns, hashed.iter().map(row))
}

fn trivial(tensor: &Hashed) -> Cell {
    Cell::optional(tensor.hash.trivial.map(TrivialClass::name))
}

fn matched(hashed: &[Hashed], groups: Vec<Group>) -> Frame<'_> {
    let columns = ["group", "kind", "sha256", "dtype", "shape", "trivial", "model", "commit", "tensor"];
    let rows = groups.into_iter().enumerate().flat_map(move |(number, group)| {
        group.members.into_iter().map(move |member| {
            let tensor = &hashed[member];
            let digest = match group.kinship {
                Kinship::Bytes => Some(&tensor.hash.sha256),
                Kinship::Rounded => tensor.hash.canonical.as_ref(),
            };
            vec![
                Cell::count(number + 1),
                Cell::text(group.kinship.name()),
                Cell::optional(digest),
                Cell::text(tensor.dtype.name()),
                Cell::text(shape_text(&tensor.shape)),
                trivial(tensor),
                Cell::text(&tensor.model),
                Cell::text(&tensor.commit),
                Cell::code(&tensor.tensor),
            ]
        })
    });
    Frame::new("matches.csv", columns, rows)
}

/// How many tensors have an equal, each counted once: by bytes if by anything.
fn summary(hashed: usize, groups: &[Group], left_out: usize) -> String {
    let others = match left_out {
        0 => String::new(),
        count => format!(", beside {} excluded (--experts includes them)", routed(count)),
    };
    let tensors = table::count(hashed as u64, "tensor") + &others;
    if groups.is_empty() {
        return format!("{tensors}: no two of them equal");
    }
    let mut counted = BTreeSet::new();
    let mut of = |is_it: &dyn Fn(&Group) -> bool| {
        let of_kind: Vec<&Group> = groups.iter().filter(|group| is_it(group)).collect();
        let before = counted.len();
        counted.extend(of_kind.iter().flat_map(|group| &group.members).copied());
        (counted.len() - before, table::count(of_kind.len() as u64, "group"))
    };
    let (identical, by_bytes) = of(&|group| !group.trivial && group.kinship == Kinship::Bytes);
    let (rounded, by_rounding) = of(&|group| !group.trivial && group.kinship == Kinship::Rounded);
    let (trivial, by_construction) = of(&|group| group.trivial);
    format!(
        "{tensors}: {identical} in {by_bytes} are byte-identical, {rounded} more equal others after rounding to BF16, which makes \
         {by_rounding}; {trivial} more are constant or fixed buffers, equal by construction, in {by_construction}"
    )
}

/// Whole files by the hashes that listings state: two requests a model.
fn files(args: &HashArgs, format: StdoutFormat, specs: &[ModelSpec], printer: &Printer) -> anyhow::Result<ExitStatus> {
    let list = async |session: &Session, limits| {
        let listed = session.list(specs).await;
        let traffic = session.access.hub.traffic();
        Ok((session.bring(Vec::new(), Work::Headers, limits).await?, (listed, traffic)))
    };
    let Some((mut gathered, (listed, traffic))) = Gather::headers(&args.hub, printer).run(list)? else {
        return Ok(ExitStatus::Done);
    };
    for listed in &listed {
        if let Err(error) = &listed.outcome {
            render_error::render_model(error, printer);
            render_error::hint_at_folder(&listed.spec, printer);
        }
    }
    gathered.cost.traffic = traffic;
    gathered.cost.of_the_hub = specs.iter().any(|spec| matches!(spec.source, ModelSource::Hub { .. }));
    let status = print_files(args, format, &listed, gathered.cost, printer)?;
    gather::print_summary(&gathered.cost, printer);
    Ok(if listed.iter().all(|listed| listed.outcome.is_err()) { ExitStatus::Failed } else { status })
}

fn print_files(
    args: &HashArgs,
    format: StdoutFormat,
    listed: &[Opened<Repository>],
    cost: Cost,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let models = listed.iter().enumerate();
    let snapshots = models.filter_map(|(number, listed)| Some((number, listed.outcome.as_ref().ok()?.snapshot())));
    let snapshots: Vec<(usize, &Snapshot)> = snapshots.collect();
    let groups = same_files(snapshots.iter().copied());
    let commit = |model: usize| listed[model].outcome.as_ref().ok().and_then(|repository| repository.commit());
    let of_one = match (listed, snapshots.as_slice()) {
        ([one], [(_, snapshot)]) => Some(files_of_one(one, commit(0), snapshot)),
        _ => None,
    };
    let columns = ["group", "sha256", "xet_hash", "size", "model", "commit", "file"];
    let rows = groups.iter().enumerate().flat_map(|(number, group)| {
        group.members.iter().map(move |member| {
            vec![
                Cell::count(number + 1),
                Cell::optional(member.file.lfs_sha256.as_ref()),
                Cell::optional(member.file.xet_hash.as_ref()),
                Cell::integer(Some(member.file.size)),
                Cell::text(listed[member.model].spec.to_string()),
                Cell::optional(commit(member.model)),
                Cell::code(&member.file.path),
            ]
        })
    });
    let equal = Frame::new("equal_files.csv", columns, rows);
    let mut document = output::data("hash", &output::run(&args.hub, 0, cost), &[]);
    document.provenance.models = (0..listed.len()).map(|model| listed_model(&listed[model], commit(model))).collect();
    if of_one.is_none() {
        printer.talk(&format!("{} of identical files", table::count(groups.len() as u64, "group")));
    }
    let table = of_one.unwrap_or(equal);
    output::print(format, &document, || Box::new(std::iter::once(table)), String::new, printer)?;
    let hashless: Vec<usize> =
        snapshots.iter().filter(|(_, snapshot)| snapshot.commit.is_none()).map(|&(model, _)| model).collect();
    for &model in &hashless {
        let label = &listed[model].label;
        printer.warn(&format!("{label}: a folder states no hashes; use `hash --matches` to read its tensors"));
    }
    let complete = snapshots.len() == listed.len() && hashless.is_empty();
    Ok(if complete { ExitStatus::Done } else { ExitStatus::Incomplete })
}

/// Every file of a model that has no other to be compared with.
fn files_of_one<'a>(listed: &Opened<Repository>, commit: Option<&Commit>, snapshot: &'a Snapshot) -> Frame<'a> {
    let (model, commit) = (listed.spec.to_string(), commit.map(ToString::to_string));
    let row = move |file: &'a RepoFile| {
        vec![
            Cell::optional(file.lfs_sha256.as_ref()),
            Cell::optional(file.xet_hash.as_ref()),
            Cell::optional(file.blob_id.as_ref()),
            Cell::integer(Some(file.size)),
            Cell::text(&model),
            Cell::optional(commit.as_ref()),
            Cell::code(&file.path),
        ]
    };
    let columns = ["sha256", "xet_hash", "git_oid", "size", "model", "commit", "file"];
    Frame::new("listed_files.csv", columns, snapshot.files.iter().map(row))
}

/// What a listing alone tells of a model.
fn listed_model(listed: &Opened<Repository>, commit: Option<&Commit>) -> ModelSummary {
    ModelSummary {
        model: listed.spec.to_string(),
        label: listed.label.clone(),
        commit: commit.cloned(),
        group: listed.spec.group.clone(),
        failure: listed.outcome.as_ref().err().map(Error::chain),
        ..ModelSummary::default()
    }
}
