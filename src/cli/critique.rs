//! `critique`: the nine-model study of norm weights, or the same experiments on other models.

use std::fmt::Write;

use anyhow::bail;
use hub_audit::{
    family::RoleKind,
    fetch::Cost,
    fetch::{self, Work},
    metric::{Baseline, MeanSd, Metric},
    model::{Opened, Session},
    question::critique,
    question::critique::{
        Critique, Expected, Outcome, Pair, Reads, RoleAnswer, Study, drop_unpublished,
        page::{critique_report, critique_tables},
    },
    question::lineage::{LineageAsk, bring_beside, page::lineage_text},
    spec::ModelSpec,
    table::GroupFigures,
};

use super::{
    args::CritiqueArgs,
    exit::ExitStatus,
    gather::{self, Gather},
    lineage::{Rounds, later_rounds},
    output,
    printer::Printer,
    table,
};

pub(crate) fn run(args: &CritiqueArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let (study, specs) = study(args)?;
    if let Some(role) = args.roles.roles().iter().find(|role| role.kind() != RoleKind::Norm) {
        bail!("the study is one of norm weights, and `{role}` is no norm; `survey --role {role}` compares it");
    }
    let reads = Reads { all_roles: args.all_roles, all_layers: args.all_layers };
    let questions = study.questions(&args.roles, reads)?;
    let ask = LineageAsk::usual(args.output.seed);
    let rounds = Rounds { ask: &ask, reach: &args.reach, limits: &args.limits, printer };
    let ask_each = async |session: &Session, limits| {
        let mut opened = session.open_each(&specs, &questions).await;
        if reads.all_roles {
            drop_unpublished(&mut opened);
        }
        let plans = fetch::each(&opened, |model| fetch::plan(session, model).in_place());
        if args.lineage {
            return bring_beside(session, (opened, plans), 2, &ask, limits).await;
        }
        Ok((session.bring(opened, Work::Tensors(plans), limits).await?, None))
    };
    let after = |_: &[Opened]| if args.lineage { later_rounds(&ask) } else { String::new() };
    let gather = Gather { after_plan: &after, ..Gather::new(&args.reach, &args.limits, printer) };
    let Some((gathered, beside)) = gather.run(ask_each)? else {
        return Ok(ExitStatus::Done);
    };
    if gathered.all_failed() {
        gather::print_summary(&gathered.cost, printer);
        return Ok(ExitStatus::Failed);
    }
    let mut critique = critique::critique(study, &gathered, reads, args.output.seed);
    gathered.check_unchanged()?;
    let (mut cost, mut all_read) = (gathered.cost, true);
    if let Some(beside) = beside {
        let (lineage, total, is_whole) = rounds.beside(beside)?;
        critique.lineage = Some(lineage);
        (cost, all_read) = (total, is_whole);
    }
    let status = answer(args, &critique, cost, printer)?;
    Ok(if all_read { status } else { status.max(ExitStatus::Incomplete) })
}

/// The shipped study, or its experiments on the models that were named.
fn study(args: &CritiqueArgs) -> anyhow::Result<(Study, Vec<ModelSpec>)> {
    let mut specs = args.models.specs()?;
    if specs.is_empty() {
        let study = Study::nine_models();
        let specs = study.specs()?;
        return Ok((study, specs));
    }
    let study = Study::of(&specs);
    for (spec, member) in specs.iter_mut().zip(&study.members) {
        spec.group = Some(member.group.clone());
        if !member.label.is_empty() {
            spec.label = Some(member.label.clone());
        }
    }
    Ok((study, specs))
}

fn answer(args: &CritiqueArgs, critique: &Critique, cost: Cost, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let document = critique_report(critique, args.lang, &output::run(&args.reach, args.output.seed, cost));
    let tables = || critique_tables(critique);
    output::write(&args.output, &document, tables, printer)?;
    if critique.roles.is_empty() || critique.roles.iter().any(RoleAnswer::has_empty_group) {
        printer.warn("no comparable tensors in at least one group: it has no mean");
    }
    gather::print_summary(&cost, printer);
    let status = if critique.is_incomplete() { ExitStatus::Incomplete } else { ExitStatus::Done };
    output::print(args.output.format, &document, tables, || as_text(critique), printer)?;
    Ok(status)
}

fn as_text(critique: &Critique) -> String {
    let mut text = String::new();
    if critique.is_synthetic() {
        text.push_str("Synthetic replica, not the real weights.\n\n");
    }
    let labels = critique.labels();
    for role in &critique.roles {
        let _ = write!(text, "{}, means over pairs (sd, ddof 0):\n\n", role.role);
        text.push_str(&experiments(critique, role));
        text.push_str(&which_layers(critique, role));
        text.push_str("\n6: pairs beside random vectors of the same mean and sd:\n\n");
        text.push_str(&beside_chance(critique, role));
        match role.verdicts.baseline {
            Baseline::Population => {}
            Baseline::FewPairs(_) => text.push_str("\ntoo few pairs: judged against the permutation null"),
            Baseline::MedianFar(_) => {
                text.push_str("\nno unrelated population: pairs are judged against the permutation null");
            }
        }
        for (a, b) in role.related() {
            let _ = write!(text, "\nset apart as related: {} × {}", labels[a], labels[b]);
        }
        for (of, metric) in [("cos_sim", Metric::CosSim), ("cos_null", Metric::CosNull)] {
            if let Some([within, across]) = role.fair_baseline(metric) {
                let _ = write!(
                    text,
                    "\nfair baseline − cross-model, {of}: {within:.4} − {across:.4} = {:.4}",
                    within - across
                );
            }
        }
        if let Ok(average) = &role.average {
            let z = average.z.as_ref().map_or_else(|_| "–".to_owned(), |z| format!("{z:.2}"));
            let _ = write!(
                text,
                "\n{} × {}: mean pearson {:.6} over {} layers, z {z}\n(as if layers were independent: {:.2})",
                labels[0],
                labels[1],
                average.mean_r,
                average.layers.len(),
                average.naive_z
            );
        }
        text.push_str("\n\n");
    }
    text.push_str(&published(critique));
    if let Some(lineage) = &critique.lineage {
        text.push('\n');
        text.push_str(&lineage_text(lineage));
    }
    text
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

/// Experiments 1 to 5, a line each list of pairs.
fn experiments(critique: &Critique, role: &RoleAnswer) -> String {
    let mut table =
        table::new(&["experiment", ">n", ">cos_sim", ">sd", ">cos_null", ">pearson", ">unrelated", ">cos_sim"]);
    let mut row = |name: String, pairs: &[Pair], unrelated: Option<&GroupFigures>| {
        let of = |metric: Metric| role.mean_sd(metric, pairs).ok();
        table.add_row([
            name,
            role.stats(Metric::CosSim, pairs).n.to_string(),
            number(of(Metric::CosSim).map(|of| of.mean)),
            number(of(Metric::CosSim).map(|of| of.sd)),
            number(of(Metric::CosNull).map(|of| of.mean)),
            number(of(Metric::Pearson).map(|of| of.mean)),
            unrelated.map_or_else(|| "–".to_owned(), |of| of.n_unrelated.to_string()),
            number(unrelated.and_then(|of| of.unrelated.as_ref().ok()).map(|of| of.mean)),
        ]);
    };
    let (labels, lists) = (critique.labels(), &role.lists);
    for (experiment, within) in [(1, &lists.base), (2, &lists.apart)] {
        for (label, pairs) in labels.iter().zip(within) {
            row(format!("{experiment} {label}"), pairs, None);
        }
    }
    let group = critique.study.members.first().map_or("", |member| &member.group);
    row(format!("3 {group}"), &lists.across.pairs, None);
    row(format!("4 {group}"), &lists.at_depths(), None);
    for of_pair in role.groups.iter().filter(|of_pair| of_pair.metric == Metric::CosSim) {
        row(format!("5 {} × {}", of_pair.groups.a, of_pair.groups.b), &of_pair.groups.pairs, Some(of_pair));
    }
    table::text(&table)
}

/// What experiments 1 to 5 compare.
fn which_layers(critique: &Critique, role: &RoleAnswer) -> String {
    let plan = &critique.study.plan;
    let list = |layers: &[u32]| layers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let apart: Vec<String> = plan.apart.iter().map(|[a, b]| format!("{a}–{b}")).collect();
    let spread = number(role.spread_over_depths().map(|of| of.sd));
    format!(
        "\n1: layer {} with {} of one model; 2: {} of one model;\n3, 5: models at layer {}; 4: at {},\nsd of the layers' means \
         {spread}\n",
        plan.base,
        list(&plan.later),
        apart.join(", "),
        plan.across,
        list(&plan.depths),
    )
}

/// Experiment 6, a line a pair, and the study's random vectors.
fn beside_chance(critique: &Critique, role: &RoleAnswer) -> String {
    let mut table = table::new(&["pair", ">cos_sim", ">random", ">pearson", ">random sd", ">l2", ">random"]);
    let drawn = |lines: &[Expected], metric: Metric| -> Option<MeanSd> {
        lines.iter().find(|line| line.metric == metric)?.drawn.clone().ok()
    };
    let mut row = |name: String, observed: [Option<f64>; 3], lines: &[Expected]| {
        let [cosine, pearson, distance] = observed;
        table.add_row([
            name,
            number(cosine),
            number(drawn(lines, Metric::CosSim).map(|of| of.mean)),
            number(pearson),
            number(drawn(lines, Metric::Pearson).map(|of| of.sd)),
            number(distance),
            number(drawn(lines, Metric::L2).map(|of| of.mean)),
        ]);
    };
    let labels = critique.labels();
    for &((a, b), ref lines) in &role.chance.pairs {
        let name = |row: usize| format!("{} {}", labels[role.table.rows[row].model], role.table.number(row));
        let value = |metric| role.table.get(a, b, metric).ok();
        row(format!("{} × {}", name(a), name(b)), [Metric::CosSim, Metric::Pearson, Metric::L2].map(value), lines);
    }
    let random = critique.study.random;
    row(format!("N({}, {}²)", random.mean, random.sd), [None; 3], &role.chance.study);
    table::text(&table)
}

fn published(critique: &Critique) -> String {
    let count = |outcome: Outcome| {
        let figures = critique.published.iter();
        figures.filter(|figure| figure.outcome() == outcome).count()
    };
    if critique.is_synthetic() {
        return format!("published figures: nothing to compare ({})\n", critique.published.len());
    }
    let mut text = format!(
        "published figures: {} match, {} do not, {} not checked\n",
        count(Outcome::Match),
        count(Outcome::Mismatch),
        count(Outcome::NotChecked)
    );
    for (needs, count) in critique.further_options() {
        let _ = writeln!(text, "{count} of those rest on what {} reads", needs.options());
    }
    text
}
