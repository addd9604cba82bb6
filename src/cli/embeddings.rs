//! `embeddings`: the token embeddings of two models.

use hub_audit::{
    error::Error,
    family::{LayerSelection, Role},
    fetch::Cost,
    fetch::Work,
    model::Session,
    model::{AuditError, Pairing, Question},
    question::embeddings,
    question::embeddings::page::embeddings_report,
    question::embeddings::page::embeddings_tables,
    question::embeddings::{Embeddings, RowPairs, TokenAsk, choose_tokens},
};

use super::{
    exit::ExitStatus,
    findings::Findings,
    gather::{self, Gather},
    model_args::{EmbeddingsArgs, TableRole},
    output,
    printer::Printer,
};

/// The two models that are asked of the embedded Hub when nothing else is: one of each spelling.
const DEMO_MODELS: [&str; 2] = ["mistralai/Mistral-7B-Instruct-v0.3", "Qwen/Qwen1.5-7B-Chat"];

pub(crate) fn run(args: &EmbeddingsArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let specs = args.models.or_demo(&args.hub, DEMO_MODELS)?;
    if specs.len() != 2 {
        return Err(Error::from(AuditError::NotTwoTables { count: specs.len() }).into());
    }
    let ask = TokenAsk {
        role: match args.role {
            TableRole::EmbedTokens => Role::EmbedTokens,
            TableRole::LmHead => Role::LmHead,
        },
        sample: args.tokens,
        seed: args.output.seed,
        by_name: args.tensor.is_some(),
        same_id: args.same_id,
    };
    if let Some(condition) = &args.fail_if {
        anyhow::ensure!(
            RowPairs::METRICS.contains(&condition.metric),
            "--fail-if {}: rows have cos_sim, cos_null, cos_null_sd, pearson and z_perm only",
            condition.text
        );
    }
    let question = question(args, ask.role)?;
    let rows = async |session: &Session, limits| {
        let opened = session.open(&specs, &question).await;
        let (chosen, plans) = match [&opened[0].outcome, &opened[1].outcome] {
            [Ok(a), Ok(b)] => {
                let chosen = choose_tokens(session, [a, b], ask, &args.ids).await?;
                let plans = chosen.plan(session, [a, b])?;
                (Some(chosen), plans.into())
            }
            _ => (None, vec![Vec::new(); 2]),
        };
        Ok((session.bring(opened, Work::Rows(plans), limits).await?, chosen))
    };
    let gather = Gather { explains_absence: false, ..Gather::new(&args.hub, &args.limits, printer) };
    let Some((gathered, chosen)) = gather.run(rows)? else {
        return Ok(ExitStatus::Done);
    };
    let ([first, second], [failed_first, failed_second], Some(chosen)) =
        (gathered.opened.as_slice(), gathered.failures.as_slice(), chosen)
    else {
        // A model that could not be opened has been reported.
        gather::print_summary(&gathered.cost, printer);
        return Ok(ExitStatus::Failed);
    };
    let failures = [failed_first, failed_second];
    let embeddings = embeddings::embeddings(&gathered.cache, [first, second], failures, chosen);
    gathered.check_unchanged()?;
    answer(args, &embeddings, gathered.cost, printer)
}

fn question(args: &EmbeddingsArgs, role: Role) -> anyhow::Result<Question> {
    Ok(Question {
        roles: role.name().parse().map_err(Error::from)?,
        layers: LayerSelection::all(),
        pairing: Pairing::Same,
        tensor: args.tensor.as_deref().map(hub_audit::model::pattern).transpose()?,
        skip: None,
        biases: false,
        all_headers: false,
        mtp: false,
        xet_hashes: false,
    })
}

fn answer(args: &EmbeddingsArgs, embeddings: &Embeddings, cost: Cost, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let run = output::run(&args.hub, args.output.seed, cost);
    let document = embeddings_report(embeddings, &run);
    let tables = || embeddings_tables(embeddings);
    output::write(&args.output, &document, tables, printer)?;
    for (row, reason) in &embeddings.chosen.left_out {
        printer.warn(&format!("row {row} of the first table is not compared: {reason}"));
    }
    if let Some(reason) = &embeddings.chosen.nothing {
        printer.warn(&format!("no rows were compared: {reason}"));
    }
    let mut status = if embeddings.is_incomplete() { ExitStatus::Incomplete } else { ExitStatus::Done };
    if let Some(condition) = &args.fail_if {
        let mut findings = Findings::new(&condition.text, "mean", printer);
        let mean = embeddings.matched.mean(condition.metric);
        match &embeddings.chosen.nothing {
            Some(reason) => findings.pass_over(1, &format!("since {reason}")),
            None => findings.judge(condition, &mean, || "mean over compared tokens".to_owned()),
        }
        status = status.max(findings.status());
    }
    gather::print_summary(&cost, printer);
    output::print(args.output.format, &document, tables, || output::text(&document), printer)?;
    Ok(status)
}
