//! `cache`: what is kept, whether it is intact, and how to make room.

use std::{fmt::Write, time::SystemTime};

use hub_audit::{
    cache::{Cache, Verdict},
    error::Error,
};

use super::{
    args::{CacheArgs, CacheCommand},
    exit::ExitStatus,
    printer::Printer,
    settings,
    size::Size,
    table,
};

pub(crate) fn run(args: &CacheArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut folder = settings::cache_folder(args.cache_dir.as_deref())?;
    if args.demo {
        folder.push(settings::DEMO);
    }
    anyhow::ensure!(folder.is_dir(), "there is no cache at `{}`", folder.display());
    let warned = printer.clone();
    let cache = Cache::open_with(&folder, move |text| warned.warn(text)).map_err(Error::from)?;
    match &args.command {
        CacheCommand::Ls => {
            let entries = cache.ls().map_err(Error::from)?;
            let mut text = String::new();
            for entry in &entries {
                let _ =
                    writeln!(text, "{}@{}\t{}\t{}", entry.repo, entry.commit, entry.tensor.escape_debug(), entry.bytes);
            }
            printer.data(&text)?;
            let bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
            printer.talk(&format!(
                "{} in {}, {}",
                table::count(entries.len() as u64, "tensor"),
                folder.display(),
                Size(bytes)
            ));
            Ok(ExitStatus::Done)
        }
        CacheCommand::Verify => {
            let checked = cache.verify().map_err(Error::from)?;
            let (mut broken, mut unfinished) = (0_u64, 0_u64);
            for (entry, verdict) in &checked {
                match verdict {
                    Verdict::Sound => {}
                    Verdict::Unfinished => unfinished += 1,
                    Verdict::Broken(reason) => {
                        broken += 1;
                        printer.data(&format!(
                            "{}@{}\t{}\t{reason}",
                            entry.repo,
                            entry.commit,
                            entry.tensor.escape_debug()
                        ))?;
                    }
                }
            }
            let whole = checked.len() as u64 - unfinished;
            printer.talk(&format!("{} checked, {broken} broken", table::count(whole, "tensor")));
            if unfinished > 0 {
                printer.talk(&format!(
                    "{unfinished} unfinished: a program was ended while it wrote; fetched again when needed"
                ));
            }
            if broken > 0 {
                printer.talk("a broken entry is removed and fetched again when it is next needed");
                return Ok(ExitStatus::Incomplete);
            }
            Ok(ExitStatus::Done)
        }
        CacheCommand::Prune { older_than, max_size } => {
            let report = cache
                .prune(older_than.map(|age| age.0), max_size.map(|size| size.0), SystemTime::now())
                .map_err(Error::from)?;
            printer.talk(&format!(
                "{} removed, {} freed",
                table::count(report.removed as u64, "tensor"),
                Size(report.freed_bytes)
            ));
            if older_than.is_none() && max_size.is_none() {
                printer.talk("name --older-than or --max-size to remove intact entries too");
            }
            Ok(ExitStatus::Done)
        }
    }
}
