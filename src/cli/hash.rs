//! `hash`: what identifies each tensor, and which are the same.

use std::collections::BTreeSet;

use anyhow::bail;
use hub_audit::{
    Error,
    fetch::{self, Cost, Work},
    model::{DEFAULT_SKIP, ModelSummary, Opened, Question, Repository, Session},
    question::hash::{self, Group, Hashes, Kinship, matches, page, same_files},
    snapshot::Snapshot,
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
    let Hashes { tensors: hashed, faults, without, is_whole } = hash::hash(&gathered, &wanted)?;
    for model in without {
        printer.warn(&format!("{}: no match: --skip excludes all tensors", gathered.opened[model].label));
    }
    for fault in &faults {
        render_error::render_model(fault, printer);
    }
    let left_out = left_out_experts(&gathered.opened, &question);
    let models: Vec<ModelSummary> = gathered.opened.iter().map(ModelSummary::of).collect();
    let document = output::data("hash", &output::run(&args.hub, 0, gathered.cost), &models);
    let table = if args.matches {
        let groups = matches(&hashed);
        printer.talk(&summary(hashed.len(), &groups, left_out));
        page::matched(&hashed, groups)
    } else {
        if left_out > 0 {
            printer.talk(&format!("{} excluded; --experts includes them", routed(left_out)));
        }
        page::tensors(&hashed)
    };
    output::print(format, &document, || Box::new(std::iter::once(table)), String::new, printer)?;
    let lacks = gather::lacks_layers(&gathered.opened, &question.layers, printer) || gathered.any_tensor_failed();
    gather::print_summary(&gathered.cost, printer);
    Ok(if gathered.all_failed() {
        ExitStatus::Failed
    } else if lacks || !is_whole {
        ExitStatus::Incomplete
    } else {
        ExitStatus::Done
    })
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
    let mut document = output::data("hash", &output::run(&args.hub, 0, cost), &[]);
    document.provenance.models = (0..listed.len()).map(|model| listed_model(&listed[model], commit(model))).collect();
    let table = if let ([one], [_]) = (listed, snapshots.as_slice()) {
        page::files_of_one(one)
    } else {
        printer.talk(&format!("{} of identical files", table::count(groups.len() as u64, "group")));
        page::equal_files(listed, &groups)
    };
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
