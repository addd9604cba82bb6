//! `survey`: models against models.

use hub_audit::{
    family::LayerSelection,
    fetch::{self, Cost},
    metric::Undefined,
    model::{Opened, Pairing, Question, Session},
    question::lineage::{LineageAsk, bring_beside},
    question::survey,
    question::survey::page::survey_report,
    question::survey::page::survey_tables,
    question::survey::{Survey, SurveyOptions, page::View},
    table::Condition,
};

use super::{
    exit::ExitStatus,
    findings::Findings,
    gather::{self, Gather},
    lineage::{Rounds, later_rounds},
    model_args::SurveyArgs,
    output,
    pairing::Order,
    printer::Printer,
    tensor_args::DEMO_LAYERS,
};

pub(crate) fn run(args: &SurveyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let demo_alone = args.models.is_demo_alone(&args.hub);
    // Groups may name all models.
    let are_grouped = !args.pairing.groups.is_empty() && !demo_alone;
    let named = if are_grouped { args.models.specs()? } else { args.models.required(&args.hub)? };
    let count = named.len();
    let specs = args.pairing.applied(named, |text| args.models.spec(text))?;
    for added in specs[count..].iter().filter(|_| count > 0) {
        printer.talk(&format!("{added} is included: --group names it"));
    }
    if specs.len() == 1 {
        printer.warn("only one model given, so nothing to compare; `hub-audit layers` compares its layers");
    }
    let pairing = args.pairing.pairing(&specs)?;
    let layers = if demo_alone && pairing == Pairing::Same { DEMO_LAYERS } else { "all" };
    let question = Question { pairing, ..args.tensors.question(layers)? };
    let ask = LineageAsk::usual(args.output.seed);
    let rounds = Rounds { ask: &ask, hub: &args.hub, limits: &args.limits, printer };
    let gather = Gather::new(&args.hub, &args.limits, printer);
    let gathered = if args.lineage {
        let after = |_: &[Opened]| later_rounds(&ask);
        let bring = async |session: &Session, limits| {
            let opened = session.open(&specs, &question).await;
            let plans = fetch::each(&opened, |model| fetch::plan(session, model, |_| true));
            bring_beside(session, (opened, plans), specs.len(), &ask, limits).await
        };
        Gather { after_plan: &after, ..gather }.run(bring)?
    } else {
        gather.ask(&specs, &question)?.map(|corpus| (corpus, None))
    };
    let Some((gathered, beside)) = gathered else {
        return Ok(ExitStatus::Done);
    };
    if gathered.all_failed() {
        gather::print_summary(&gathered.cost, printer);
        return Ok(ExitStatus::Failed);
    }
    let lacking = gather::lacks(&gathered.opened, &question, printer);
    let asked = args.output.metric.iter().copied().chain(args.fail_if.as_ref().map(|condition| condition.metric));
    let options = SurveyOptions {
        by_pattern: args.tensors.tensor.is_some(),
        last_only: args.tensors.layers.as_ref().is_some_and(LayerSelection::is_last),
        pairing,
        layers: question.layers,
        metrics: args.output.metric.clone(),
        both_directions: asked.into_iter().any(|metric| !metric.is_symmetric()),
        simulation: args.pairing.simulation(args.output.seed),
        components: args.components,
    };
    let mut survey = survey::survey(&gathered, &options)?;
    gathered.check_unchanged()?;
    let (mut cost, mut lacks) = (gathered.cost, gathered.any_tensor_failed() || lacking);
    if let Some(beside) = beside {
        let (lineage, total, is_whole) = rounds.beside(beside)?;
        survey.lineage = Some(lineage);
        cost = total;
        lacks |= !is_whole;
    }
    let status = answer(args, &survey, cost, printer)?;
    Ok(if lacks { status.max(ExitStatus::Incomplete) } else { status })
}

fn answer(args: &SurveyArgs, survey: &Survey, cost: Cost, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let run = output::run(&args.hub, args.output.seed, cost);
    let view = View { metrics: &args.output.metric, by_cluster: args.pairing.order == Order::Cluster };
    let document = survey_report(survey, &view, &run);
    let frames = || survey_tables(survey, &view);
    output::write(&args.output, &document, frames, printer)?;
    let mut status = if survey.is_incomplete() { ExitStatus::Incomplete } else { ExitStatus::Done };
    let unread = survey.unread.iter();
    gather::report_unread(unread.map(|(model, what, why)| (&survey.models[*model].label, what, why)), printer);
    if survey.is_empty() {
        printer.warn("no comparable tensors: no model has the requested ones");
    }
    for (role, a, b) in hub_audit::table::empty_groups(&survey.groups, &survey.tables) {
        printer.warn(&format!("{a} × {b}, {role}: no comparable tensors, so no mean"));
    }
    if let Some(condition) = &args.fail_if {
        status = status.max(findings(survey, condition, printer));
    }
    gather::print_summary(&cost, printer);
    output::print(
        args.output.format,
        &document,
        frames,
        || output::text_beside(&document, survey.lineage.as_ref()),
        printer,
    )?;
    survey.check()?;
    Ok(status)
}

/// Asks the condition of every pair of different models.
fn findings(survey: &Survey, condition: &Condition, printer: &Printer) -> ExitStatus {
    let n = survey.models.len();
    // Two layers of one model may have been chosen to meet.
    let is_mixed = survey.pairing != Pairing::Same;
    let mut findings = Findings::new(&condition.text, "pair", printer);
    let mut look = |value: &Result<f64, Undefined>, (a, b): (usize, usize), place: &dyn Fn() -> String| {
        let label = |model: usize| &survey.models[model].label;
        let source = |model: usize| (&survey.models[model].model, &survey.models[model].commit);
        if source(a) == source(b) && !is_mixed {
            return findings.pass_over(1, "of a model with itself, named twice");
        }
        findings.judge(condition, value, || format!("{} × {}, {}", label(a), label(b), place()));
    };
    for table in &survey.tables {
        for (row, column) in (0..n).flat_map(|row| (0..n).map(move |column| (row, column))) {
            if row < column || (row > column && !condition.metric.is_symmetric()) {
                let value = table.get(row, column, condition.metric);
                look(&value, (row, column), &|| table.key.title());
            }
        }
    }
    for layer_table in &survey.layer_tables {
        for (row, a) in layer_table.rows.iter().enumerate() {
            for (column, b) in layer_table.columns().iter().enumerate() {
                let value = layer_table.get(row, column, condition.metric);
                let role = layer_table.key.role_name();
                let place = || format!("{role}, layers {} and {}", a.place_name(), b.place_name());
                look(&value, (0, 1), &place);
            }
        }
    }
    findings.status()
}
