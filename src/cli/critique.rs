//! `critique`: the nine-model study of norm weights, or the same experiments on other models.

use anyhow::bail;
use hub_audit::{
    family::RoleKind,
    fetch::Cost,
    fetch::{self, Work},
    model::{Opened, Session},
    question::critique,
    question::critique::{
        Critique, Reads, RoleAnswer, Study, drop_unpublished,
        page::{critique_report, critique_tables},
    },
    question::lineage::{LineageAsk, bring_beside},
    spec::ModelSpec,
};

use super::{
    exit::ExitStatus,
    gather::{self, Gather},
    lineage::{Rounds, later_rounds},
    model_args::CritiqueArgs,
    output,
    printer::Printer,
};

pub(crate) fn run(args: &CritiqueArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let (study, specs) = study(args)?;
    if let Some(role) = args.roles.roles().iter().find(|role| role.kind() != RoleKind::Norm) {
        bail!("the study is about norm weights, and `{role}` is not a norm; use `survey --role {role}`");
    }
    let reads = Reads { all_roles: args.all_roles, all_layers: args.all_layers };
    let questions = study.questions(&args.roles, reads)?;
    let ask = LineageAsk::usual(args.output.seed);
    let rounds = Rounds { ask: &ask, hub: &args.hub, limits: &args.limits, printer };
    let ask_each = async |session: &Session, limits| {
        let mut opened = session.open_each(&specs, &questions).await;
        if reads.all_roles {
            drop_unpublished(&mut opened);
        }
        let plans = fetch::each(&opened, |model| fetch::plan(session, model, |_| true));
        if args.lineage {
            return bring_beside(session, (opened, plans), 2, &ask, limits).await;
        }
        Ok((session.bring(opened, Work::Tensors(plans), limits).await?, None))
    };
    let after = |_: &[Opened]| if args.lineage { later_rounds(&ask) } else { String::new() };
    let gather = Gather { after_plan: &after, ..Gather::new(&args.hub, &args.limits, printer) };
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
        if args.models.revision.is_some() {
            bail!("--revision applies to models that you give; the study has its own");
        }
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
    let document = critique_report(critique, args.lang, &output::run(&args.hub, args.output.seed, cost));
    let tables = || critique_tables(critique);
    output::write(&args.output, &document, tables, printer)?;
    if critique.roles.is_empty() || critique.roles.iter().any(RoleAnswer::has_empty_group) {
        printer.warn("no comparable tensors in at least one group: it has no mean");
    }
    gather::print_summary(&cost, printer);
    let status = if critique.is_incomplete() { ExitStatus::Incomplete } else { ExitStatus::Done };
    output::print(
        args.output.format,
        &document,
        tables,
        || output::text_beside(&document, critique.lineage.as_ref()),
        printer,
    )?;
    Ok(status)
}
