//! `compare`: every tensor of two checkpoints.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, bail};
use hub_audit::{
    Error,
    fetch::{self, ModelPlan, Work},
    model::Session,
    question::compare,
    question::compare::page::compare_tables,
    question::compare::page::{compare_report, nothing_compared},
    question::compare::{Comparison, Guide, Matching, NameMap, Status},
    question::hash::chunks::ChunksAnswer,
    table::Condition,
};

use super::{
    exit::ExitStatus,
    findings::Findings,
    gather::{self, Gather},
    hash_chunks,
    model_args::CompareArgs,
    output,
    printer::Printer,
    settings,
};

/// The two models that are asked of the embedded Hub when nothing else is.
const DEMO_MODELS: [&str; 2] = ["01-ai/Yi-1.5-6B-Chat", "01-ai/Yi-1.5-9B-Chat"];

pub(crate) fn run(args: &CompareArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let specs = args.models.or_demo(&args.hub, DEMO_MODELS)?;
    if specs.len() != 2 {
        bail!("`compare` needs exactly two models, got {}", specs.len());
    }
    let mut question = args.tensors.everything_or_question(args.models.is_demo_alone(&args.hub), printer)?;
    question.biases = true;
    question.mtp = true;
    question.all_headers = true;
    question.xet_hashes = args.proof.chunks;
    let map = args.map.as_deref().map(read_map).transpose()?;
    // The pattern that takes every tensor says nothing of which correspond.
    let pattern = question.tensor.clone().filter(|_| args.tensors.tensor.is_some());
    let matched = async |session: &Session, limits| {
        let opened = session.open(&specs, &question).await;
        let proof = hash_chunks::prove(&args.proof, session, &opened).await;
        let (matching, plans) = match [&opened[0].outcome, &opened[1].outcome] {
            [Ok(a), Ok(b)] => {
                let guide = Guide { map: map.as_ref(), pattern: pattern.as_ref() };
                let mut matching = Matching::of(a, b, guide);
                if let Some(ChunksAnswer { corpus, pairs, .. }) = &proof {
                    // Of two models there is one pair.
                    matching = pairs
                        .iter()
                        .fold(matching, |matching, pair| matching.prove([a, b], &pair.proven(&corpus.models)));
                }
                let matching = matching.first(args.max_tensors.unwrap_or(usize::MAX));
                let [of_a, of_b] = matching.needed();
                let plan = |model, needed: &BTreeSet<usize>| {
                    fetch::plan(session, model, |position| needed.contains(&position))
                };
                let plans = vec![plan(a, &of_a), plan(b, &of_b)];
                (Some(matching), plans)
            }
            _ => (None, vec![ModelPlan::default(); 2]),
        };
        Ok((session.bring(opened, Work::Tensors(plans), limits).await?, (matching, proof)))
    };
    let Some((gathered, (matching, proof))) = Gather::new(&args.hub, &args.limits, printer).run(matched)? else {
        return Ok(ExitStatus::Done);
    };
    let [a, b] = [0, 1].map(|side| &gathered.opened[side]);
    let Some(matching) = matching else {
        gather::print_summary(&gathered.cost, printer);
        return Ok(ExitStatus::Failed);
    };
    let failures = [0, 1].map(|side| &gathered.failures[side]);
    let Some(comparison) = compare::compare(&gathered.cache, [a, b], failures, &question, &matching) else {
        return Ok(ExitStatus::Failed);
    };
    gathered.check_unchanged()?;
    if let (Some(map), [Ok(a), Ok(b)]) = (&map, [&a.outcome, &b.outcome]) {
        let names = [a, b].into_iter().flat_map(|model| model.tensors.iter().map(|tensor| tensor.info.name.as_str()));
        for line in map.unused(names) {
            printer.warn(&format!("line {line} of --map matches no name of either model"));
        }
    }
    let mut document = compare_report(&comparison, &output::run(&args.hub, args.output.seed, gathered.cost));
    if let Some(proof) = &proof {
        hash_chunks::report(proof, &mut document, printer);
    }
    let tables = || compare_tables(&comparison);
    output::write(&args.output, &document, tables, printer)?;
    let mut status = status(args, &comparison, printer);
    if gather::lacks(&gathered.opened, &question, printer) || gathered.any_tensor_failed() {
        status = status.max(ExitStatus::Incomplete);
    }
    gather::print_summary(&gathered.cost, printer);
    output::print(args.output.format, &document, tables, || output::text(&document), printer)?;
    Ok(status)
}

fn read_map(path: &Path) -> anyhow::Result<NameMap> {
    let text = fs_err::read_to_string(path).context("the name map cannot be read")?;
    let text = settings::without_mark(&text);
    let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    let map = if is_toml { NameMap::from_toml(text) } else { NameMap::from_csv(text) };
    Ok(map.map_err(Error::from)?)
}

fn status(args: &CompareArgs, comparison: &Comparison, printer: &Printer) -> ExitStatus {
    let mut status = ExitStatus::Done;
    let either = |status| comparison.coverage.count(0, status) + comparison.coverage.count(1, status);
    let count = |status| comparison.coverage.count(0, status);
    let compared = count(Status::Compared) + count(Status::Trivial);
    if compared == 0 {
        printer.warn(&format!("no comparable tensors: {}", nothing_compared(comparison)));
    }
    if compared == 0 || either(Status::Failed) > 0 {
        status = ExitStatus::Incomplete;
    }
    if let Some(condition) = &args.fail_if {
        status = status.max(findings(comparison, condition, printer));
    }
    status
}

/// Asks the condition of every pair but those that are similar by construction.
fn findings(comparison: &Comparison, condition: &Condition, printer: &Printer) -> ExitStatus {
    let mut findings = Findings::new(&condition.text, "pair", printer);
    for pair in comparison.pairs.iter().filter(|pair| pair.is_evidence()) {
        let name = || format!("`{}`", pair.a.tensor.escape_debug());
        findings.judge(condition, pair.metrics.get(condition.metric), name);
    }
    let coverage = &comparison.coverage;
    for status in Status::ALL {
        let alone = coverage.uncompared.iter().filter(|tensor| tensor.status == status);
        let pairs = coverage.pairs.iter().filter(|&&found| found == status);
        let Some(why) = status.told() else { continue };
        findings.pass_over(pairs.count() + alone.count(), why);
    }
    findings.status()
}
