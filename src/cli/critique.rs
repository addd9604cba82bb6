//! `critique`: the nine-model study of norm weights, or the same experiments on other models.

use std::fmt::Write;

use anyhow::bail;
use hub_audit::{
    family::RoleKind,
    fetch::Cost,
    fetch::{self, Work},
    metric::{Baseline, Metric},
    model::Session,
    question::critique,
    question::critique::RoleAnswer,
    question::critique::{
        Critique, Outcome, Study,
        page::{critique_csv, critique_report},
    },
    spec::ModelSpec,
};

use super::{
    args::CritiqueArgs,
    exit::ExitStatus,
    gather::{self, Gather},
    output,
    printer::Printer,
    table,
};

pub(crate) fn run(args: &CritiqueArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let (study, specs) = study(args)?;
    if let Some(role) = args.roles.roles().iter().find(|role| role.kind() != RoleKind::Norm) {
        bail!("the study is one of norm weights, and `{role}` is no norm; `survey --role {role}` compares it");
    }
    let questions = study.questions(&args.roles, args.all_layers)?;
    let ask_each = async |session: &Session, limits| {
        let opened = session.open_each(&specs, &questions).await;
        let plans = fetch::each(&opened, |model| fetch::plan(session, model).in_place());
        Ok((session.bring(opened, Work::Tensors(plans), limits).await?, ()))
    };
    let Some((gathered, ())) = Gather::new(&args.reach, &args.limits, printer).run(ask_each)? else {
        return Ok(ExitStatus::Done);
    };
    if gathered.all_failed() {
        gather::print_summary(&gathered.cost, printer);
        return Ok(ExitStatus::Failed);
    }
    let critique = critique::critique(study, &gathered, args.output.seed);
    gathered.check_unchanged()?;
    answer(args, &critique, gathered.cost, printer)
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
    let document = critique_report(critique, args.lang, &output::run(args.output.seed, cost));
    output::write(&args.output, &document, || critique_csv(critique), printer)?;
    if critique.roles.is_empty() || critique.roles.iter().any(RoleAnswer::has_empty_group) {
        printer.warn("no comparable tensors in at least one group: it has no mean");
    }
    gather::print_summary(&cost, printer);
    let status = if critique.is_incomplete() { ExitStatus::Incomplete } else { ExitStatus::Done };
    output::print(&args.output, &document, || as_text(critique), status, printer)
}

fn as_text(critique: &Critique) -> String {
    let mut text = String::new();
    if critique.is_synthetic() {
        text.push_str("Synthetic replica, not the real weights.\n\n");
    }
    let labels = critique.labels();
    for role in &critique.roles {
        let layer = role.lists.all_models.layer;
        let _ = write!(text, "{}, layer {layer}, group means (sd, ddof 0):\n\n", role.role);
        let mut groups =
            table::new(&["groups", ">n", ">cos_sim", ">sd", ">cos_null", ">pearson", ">unrelated", ">cos_sim"]);
        for of_pair in role.groups.chunks(hub_audit::question::critique::GROUP_METRICS.len()) {
            let mean = |metric: Metric| {
                let figure = of_pair.iter().find(|group| group.metric == metric);
                figure.and_then(|group| group.all.as_ref().ok())
            };
            let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
            let Some(first) = of_pair.first() else { continue };
            groups.add_row([
                format!("{} × {}", first.groups.a, first.groups.b),
                first.n.to_string(),
                number(mean(Metric::CosSim).map(|of| of.mean)),
                number(mean(Metric::CosSim).map(|of| of.sd)),
                number(mean(Metric::CosNull).map(|of| of.mean)),
                number(mean(Metric::Pearson).map(|of| of.mean)),
                first.n_unrelated.to_string(),
                number(first.unrelated.as_ref().ok().map(|of| of.mean)),
            ]);
        }
        text.push_str(&table::text(&groups));
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
    text
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
    for (option, count) in critique.further_options() {
        let _ = writeln!(text, "{count} of those rest on what {option} reads");
    }
    text
}
