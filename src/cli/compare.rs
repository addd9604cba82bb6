//! `compare`: every tensor of two checkpoints.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use anyhow::{Context, bail};
use hub_audit::{
    Error,
    fetch::{self, ModelPlan, Work},
    metric::Metric,
    model::Session,
    question::compare,
    question::compare::page::compare_report,
    question::compare::page::compare_tables,
    question::compare::{Comparison, Guide, Matching, NameMap, Obstacle, Overall, Status},
    table::Condition,
};

use super::{
    args::CompareArgs,
    exit::ExitStatus,
    gather::{self, Gather},
    output,
    printer::Printer,
    settings, table,
    verdict::Verdict,
};

pub(crate) fn run(args: &CompareArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let specs = args.models.required()?;
    if specs.len() != 2 {
        bail!("`compare` takes two models, and {} named", named(specs.len()));
    }
    let mut question = args.choice.everything_or_question()?;
    question.biases = true;
    question.mtp = true;
    question.all_headers = true;
    let map = args.map.as_deref().map(read_map).transpose()?;
    // The pattern that takes every tensor says nothing of which correspond.
    let pattern = question.tensor.clone().filter(|_| args.choice.tensor.is_some());
    let matched = async |session: &Session, limits| {
        let opened = session.open(&specs, &question).await;
        let (matching, plans) = match [&opened[0].outcome, &opened[1].outcome] {
            [Ok(a), Ok(b)] => {
                let guide = Guide { map: map.as_ref(), pattern: pattern.as_ref() };
                let matching = Matching::of(a, b, guide);
                let matching = matching.first(args.max_tensors.unwrap_or(usize::MAX));
                let [of_a, of_b] = matching.needed();
                let plan = |model, needed: &BTreeSet<usize>| {
                    fetch::plan_where(session, model, |position| needed.contains(&position)).in_place()
                };
                let plans = vec![plan(a, &of_a), plan(b, &of_b)];
                (Some(matching), plans)
            }
            _ => (None, vec![ModelPlan::default(); 2]),
        };
        Ok((session.bring(opened, Work::Tensors(plans), limits).await?, matching))
    };
    let Some((gathered, matching)) = Gather::new(&args.reach, &args.limits, printer).run(matched)? else {
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
    let document = compare_report(&comparison, &output::run(&args.reach, args.output.seed, gathered.cost));
    let tables = || compare_tables(&comparison);
    output::write(&args.output, &document, tables, printer)?;
    let mut status = status(args, &comparison, printer);
    if gather::lacks_layers(&gathered.opened, &question.layers, printer) || gathered.any_tensor_failed() {
        status = status.max(ExitStatus::Incomplete);
    }
    gather::print_summary(&gathered.cost, printer);
    output::print(args.output.format, &document, tables, || as_text(&comparison), printer)?;
    Ok(status)
}

fn read_map(path: &Path) -> anyhow::Result<NameMap> {
    let text = fs_err::read_to_string(path).context("the map of names cannot be read")?;
    let text = settings::without_mark(&text);
    let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    let map = if is_toml { NameMap::from_toml(text) } else { NameMap::from_csv(text) };
    Ok(map.map_err(Error::from)?)
}

fn named(count: usize) -> String {
    match count {
        1 => "one is".to_owned(),
        count => format!("{count} are"),
    }
}

fn status(args: &CompareArgs, comparison: &Comparison, printer: &Printer) -> ExitStatus {
    let mut status = ExitStatus::Done;
    let either = |status| comparison.coverage.count(0, status) + comparison.coverage.count(1, status);
    let count = |status| comparison.coverage.count(0, status);
    let compared = count(Status::Compared) + count(Status::Trivial);
    if compared == 0 {
        printer.warn(&nothing_compared(comparison));
    }
    if compared == 0 || either(Status::Failed) > 0 {
        status = ExitStatus::Incomplete;
    }
    if let Some(condition) = &args.fail_if
        && holds(comparison, condition, printer)
    {
        status = status.max(ExitStatus::Incomplete);
    }
    status
}

/// Why there is nothing to tell: nothing meets, or what meets cannot be compared.
fn nothing_compared(comparison: &Comparison) -> String {
    let with = |status: Status| comparison.coverage.pairs.iter().filter(|&&found| found == status).count();
    let obstacles = [
        (Status::ShapeDiffers, "another shape on the other side"),
        (Status::Undecodable, "no exact values"),
        (Status::NoValue, "no value in any metric"),
        (Status::Failed, "not been read"),
    ];
    let obstacles = obstacles.map(|(status, why)| (with(status), why));
    let told: Vec<String> =
        obstacles.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} have {why}")).collect();
    if told.is_empty() {
        return "no comparable tensors: nothing that was chosen of the first model corresponds to anything of the second; \
                `inspect` tells the roles of each, and --role all takes tensors that no family knows"
            .to_owned();
    }
    let pairs: usize = obstacles.iter().map(|(count, _)| count).sum();
    let pairs = table::count(pairs as u64, "pair");
    let reason = comparison.meetings.iter().find_map(|meeting| match &meeting.obstacle {
        Some(Obstacle::Undecodable(reason)) => Some(format!(": {reason}")),
        _ => None,
    });
    format!("no comparable tensors: of {pairs} that correspond {}{}", told.join(", "), reason.unwrap_or_default())
}

/// Whether a pair meets the condition. What is alike for nothing is no evidence, and is not asked.
fn holds(comparison: &Comparison, condition: &Condition, printer: &Printer) -> bool {
    let mut verdict = Verdict::new(condition, printer);
    for meeting in comparison.meetings.iter().filter(|meeting| meeting.is_evidence()) {
        let name = || format!("`{}`", meeting.a.tensor.escape_debug());
        verdict.judge(meeting.metrics.get(condition.metric), name);
    }
    let coverage = &comparison.coverage;
    for status in Status::ALL {
        let alone = coverage.uncompared.iter().filter(|tensor| tensor.status == status);
        let pairs = coverage.pairs.iter().filter(|&&found| found == status);
        let why = match status {
            Status::Compared => continue,
            Status::Trivial => "constant or a fixed buffer",
            Status::ShapeDiffers => "of differing shape",
            Status::OnlyInA => "only in the first model",
            Status::OnlyInB => "only in the second model",
            Status::Skipped => "left out by choice or rule",
            Status::Undecodable => "without exact values",
            Status::NoValue => "without a value in any metric",
            Status::Failed => "not read",
        };
        verdict.pass_over(pairs.count() + alone.count(), why);
    }
    verdict.fails()
}

/// The mean over all tensors as a published page takes it, with its reading, and the same of matrices.
fn published_bands(comparison: &Comparison) -> String {
    let [all, matrices] = comparison.overall();
    let mut text = String::new();
    for (what, of) in [("all tensors", all), ("matrices alone", matrices)] {
        let Some(Overall { count, mean, null, reading }) = of else { continue };
        let _ = write!(
            text,
            "{what} ({count}): mean cos_sim {mean:.4}, null {null:.4}; a published page\nreads such a mean as “{reading}”\n"
        );
    }
    if text.is_empty() { text } else { text + "\n" }
}

fn as_text(comparison: &Comparison) -> String {
    let mut table = table::new(&["group", ">pairs", ">cos_sim", ">null", ">pearson", ">rel_l2", ">equal"]);
    for figures in &comparison.groups {
        let with_cosine = figures.closeness.with_cosine;
        let mean = |metric: Metric| match figures.of(metric) {
            Some(of) if of.count == with_cosine => format!("{:.4}", of.mean),
            Some(of) => format!("{:.4} ({})", of.mean, of.count),
            None => "–".to_owned(),
        };
        table.add_row([
            figures.group.name().to_owned(),
            if with_cosine == figures.pairs {
                with_cosine.to_string()
            } else {
                format!("{with_cosine} of {}", figures.pairs)
            },
            mean(Metric::CosSim),
            mean(Metric::CosNull),
            mean(Metric::Pearson),
            mean(Metric::RelL2Err),
            figures.closeness.equal_bytes.to_string(),
        ]);
    }
    let mut text =
        "Means over pairs of tensors that have a cosine, or over (n) of them;\nequal: pairs with the same bytes.\n\n"
            .to_owned()
            + &table::text(&table)
            + "\n";
    text += &published_bands(comparison);
    let mut table = table::new(&["tensors", ">of a", ">of b"]);
    for status in Status::ALL {
        let counts = [0, 1].map(|side| comparison.coverage.count(side, status));
        if counts != [0, 0] {
            table.add_row([status.name().replace('_', " "), counts[0].to_string(), counts[1].to_string()]);
        }
    }
    text += &table::text(&table);
    let matched = comparison.matched().into_iter().map(|(how, count)| format!("{} {count}", how.name()));
    let matched: Vec<String> = matched.collect();
    if !matched.is_empty() {
        text += "\nmatched by: ";
        text += &matched.join(", ");
        text.push('\n');
    }
    if comparison.coverage.count(0, Status::Trivial) > 0 {
        text += "\ntrivial: constant or a fixed buffer on both sides; alike for nothing, and in no figure above\n";
    }
    text
}
