//! `cache`: what is kept, whether it is intact, and how to make room.

use std::{fmt::Write, iter::once, path::Path, time::SystemTime};

use hub_audit::{
    cache::{Cache, Entry, KeptModel, PruneReport, Verdict},
    error::Error,
    report::{Cell, Frame, Frames},
    spec::{ModelSource, ModelSpec, Revision},
};

use super::{
    args::{CacheArgs, CacheCommand},
    exit::ExitStatus,
    options::StdoutFormat,
    output,
    printer::Printer,
    settings,
    size::{Age, Size},
    table,
};

/// A shorter beginning of a commit is more likely another word.
const SHORTEST_COMMIT: usize = 7;

pub(crate) fn run(args: &CacheArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut folder = settings::cache_folder(args.cache_dir.as_deref())?;
    if args.demo {
        folder.push(settings::DEMO);
    }
    if matches!(args.command, CacheCommand::Dir) {
        printer.data(&folder.display().to_string())?;
        return Ok(ExitStatus::Done);
    }
    anyhow::ensure!(folder.is_dir(), "there is no cache at `{}`", folder.display());
    let warned = printer.clone();
    let cache = Cache::open_with(&folder, move |text| warned.warn(text)).map_err(Error::from)?;
    match &args.command {
        CacheCommand::Dir => Ok(ExitStatus::Done),
        CacheCommand::Ls { tensors: false, format } => list_models(&cache, &folder, *format, printer),
        CacheCommand::Ls { tensors: true, format } => list_tensors(&cache, &folder, *format, printer),
        CacheCommand::Verify => verify(&cache, printer),
        CacheCommand::Rm { models } => remove(&cache, models, printer),
        CacheCommand::Prune { older_than, max_size, dry_run } => {
            let (age, size, now) = (older_than.map(|age| age.0), max_size.map(|size| size.0), SystemTime::now());
            let report = if *dry_run { cache.plan_prune(age, size, now) } else { cache.prune(age, size, now) };
            say_pruned(&report.map_err(Error::from)?, *dry_run, printer);
            if older_than.is_none() && max_size.is_none() {
                printer.talk("nothing selected: use --older-than or --max-size");
            }
            Ok(ExitStatus::Done)
        }
    }
}

fn list_models(cache: &Cache, folder: &Path, format: StdoutFormat, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let models = cache.models().map_err(Error::from)?;
    let width = models.iter().map(|model| model.repo.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for model in &models {
        // A file of tomorrow is new.
        let age = Age(model.modified.elapsed().unwrap_or_default());
        let _ = writeln!(
            text,
            "{:<width$}  {}  {:>14}  {:>10}  {age} ago",
            model.repo.as_str(),
            model.commit.short(),
            table::count(model.tensors, "tensor"),
            Size(model.bytes).to_string(),
        );
    }
    let row = |model: &KeptModel| {
        let (repo, commit) = (Cell::text(model.repo.as_str()), Cell::text(model.commit.as_str()));
        let [tensors, bytes] = [model.tensors, model.bytes].map(|count| Cell::integer(Some(count)));
        vec![repo, commit, tensors, bytes, modified(model.modified)]
    };
    let columns = ["model", "commit", "tensors", "bytes", "modified"];
    let table = || Box::new(once(Frame::new("cached_models.csv", columns, models.iter().map(row)))) as Frames<'_>;
    output::print(format, &output::data("cache", &output::local_run(), &[]), table, || text, printer)?;
    let tensors: u64 = models.iter().map(|model| model.tensors).sum();
    let bytes: u64 = models.iter().map(|model| model.bytes).sum();
    printer.talk(&format!(
        "{}, {} in {}, {}",
        table::count(models.len() as u64, "model"),
        table::count(tensors, "tensor"),
        folder.display(),
        Size(bytes)
    ));
    Ok(ExitStatus::Done)
}

/// A time as data.
fn modified(time: SystemTime) -> Cell {
    Cell::optional(output::rfc3339(time))
}

fn list_tensors(cache: &Cache, folder: &Path, format: StdoutFormat, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let entries = cache.ls().map_err(Error::from)?;
    let mut text = String::new();
    for entry in &entries {
        let _ = writeln!(text, "{}@{}\t{}\t{}", entry.repo, entry.commit, entry.tensor.escape_debug(), entry.bytes);
    }
    let row = |entry: &Entry| {
        let (repo, commit) = (Cell::text(entry.repo.as_str()), Cell::text(entry.commit.as_str()));
        vec![repo, commit, Cell::code(&entry.tensor), Cell::integer(Some(entry.bytes)), modified(entry.modified)]
    };
    let columns = ["model", "commit", "tensor", "bytes", "modified"];
    let table = || Box::new(once(Frame::new("cached_tensors.csv", columns, entries.iter().map(row)))) as Frames<'_>;
    output::print(format, &output::data("cache", &output::local_run(), &[]), table, || text, printer)?;
    let bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
    printer.talk(&format!("{} in {}, {}", table::count(entries.len() as u64, "tensor"), folder.display(), Size(bytes)));
    Ok(ExitStatus::Done)
}

fn verify(cache: &Cache, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let checked = cache.verify().map_err(Error::from)?;
    let (mut broken, mut unfinished) = (0_u64, 0_u64);
    for (entry, verdict) in &checked {
        match verdict {
            Verdict::Sound => {}
            Verdict::Unfinished => unfinished += 1,
            Verdict::Broken(reason) => {
                broken += 1;
                printer.data(&format!("{}@{}\t{}\t{reason}", entry.repo, entry.commit, entry.tensor.escape_debug()))?;
            }
        }
    }
    let whole = checked.len() as u64 - unfinished;
    printer.talk(&format!("{} checked, {broken} broken", table::count(whole, "tensor")));
    if unfinished > 0 {
        printer.talk(&format!("{unfinished} unfinished (interrupted while writing); fetched again when needed"));
    }
    if broken > 0 {
        printer.talk("a broken entry is removed and fetched again when it is next needed");
        return Ok(ExitStatus::Incomplete);
    }
    Ok(ExitStatus::Done)
}

fn remove(cache: &Cache, models: &[ModelSpec], printer: &Printer) -> anyhow::Result<ExitStatus> {
    // What cannot be meant is refused before anything is gone.
    let mut meant = Vec::new();
    for model in models {
        let ModelSource::Hub { repo, revision } = &model.source else {
            anyhow::bail!("`{model}` is a folder, and folders are not copied into the cache");
        };
        let commit = (*revision != Revision::default()).then(|| revision.as_str().to_ascii_lowercase());
        let is_commit =
            |text: &String| text.len() >= SHORTEST_COMMIT && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        anyhow::ensure!(
            commit.as_ref().is_none_or(is_commit),
            "`{revision}` of `{repo}` is no commit; name its first {SHORTEST_COMMIT} digits or more, as `cache ls` lists them"
        );
        meant.push((repo, commit));
    }
    let mut status = ExitStatus::Done;
    for (model, (repo, commit)) in models.iter().zip(meant) {
        let removed = cache.remove_model(repo, commit.as_deref()).map_err(Error::from)?;
        if removed.is_empty() {
            printer.warn(&format!("nothing of `{model}` is in the cache; `cache ls` lists what is"));
            status = ExitStatus::Incomplete;
        }
        for gone in removed {
            let tensors = table::count(gone.tensors, "tensor");
            let size = Size(gone.bytes);
            printer.talk(&format!("{}@{} removed: {tensors}, {size}", gone.repo, gone.commit.short()));
        }
    }
    Ok(status)
}

fn say_pruned(report: &PruneReport, is_plan: bool, printer: &Printer) {
    let tensors = table::count(report.removed, "tensor");
    let size = Size(report.freed_bytes);
    if is_plan {
        let kept = table::count(report.kept, "tensor");
        printer.talk(&format!(
            "{tensors} would be removed, {size} freed; {kept} kept, {}; nothing was removed",
            Size(report.kept_bytes)
        ));
    } else {
        printer.talk(&format!("{tensors} removed, {size} freed"));
    }
}
