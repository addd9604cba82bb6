//! `embeddings`: the token embeddings of two models.

use std::fmt::Write as _;

use hub_audit::{
    error::Error,
    family::{LayerSelection, Role, RoleSelection},
    fetch::Cost,
    fetch::Work,
    metric::Undefined,
    model::Session,
    model::{AuditError, Pairing, Question},
    question::embeddings::{Chosen, Distribution, Embeddings, Figures, RowPairs, TokenAsk, choose_tokens},
    report::Digits,
    spec::ModelSpec,
    table::Condition,
};

use super::{
    args::{EmbeddingsArgs, TableRole},
    exit::ExitStatus,
    gather::{self, Gather},
    output,
    printer::Printer,
    table,
};

/// The two models that are asked of the embedded Hub when nothing else is: one of each spelling.
const DEMO_MODELS: [&str; 2] = ["mistralai/Mistral-7B-Instruct-v0.3", "Qwen/Qwen1.5-7B-Chat"];

pub(crate) fn run(args: &EmbeddingsArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut specs = args.models.specs()?;
    if specs.is_empty() && args.reach.demo {
        specs = demo_models()?;
    }
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
            condition.text()
        );
    }
    let question = question(args, ask.role)?;
    let rows = async |session: &Session, limits| {
        let opened = session.open(&specs, &question).await;
        let (chosen, plans) = match [&opened[0].outcome, &opened[1].outcome] {
            [Ok(a), Ok(b)] => {
                let chosen = choose_tokens(session, [a, b], ask).await?;
                let plans = chosen.plan(session, [a, b])?;
                (Some(chosen), plans.into())
            }
            _ => (None, vec![Vec::new(); 2]),
        };
        Ok((session.bring(opened, Work::Rows(plans), limits).await?, chosen))
    };
    let gather = Gather { explains_absence: false, ..Gather::new(&args.reach, &args.limits, printer) };
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
    let embeddings = hub_audit::question::embeddings::embeddings(&gathered.cache, [first, second], failures, chosen);
    answer(args, &embeddings, gathered.cost, printer)
}

fn demo_models() -> anyhow::Result<Vec<ModelSpec>> {
    let specs: Result<Vec<ModelSpec>, _> = DEMO_MODELS.iter().map(|model| model.parse()).collect();
    Ok(specs.map_err(Error::from)?)
}

fn question(args: &EmbeddingsArgs, role: Role) -> anyhow::Result<Question> {
    Ok(Question {
        roles: RoleSelection::parse(role.name()).map_err(Error::from)?,
        layers: LayerSelection::all(),
        pairing: Pairing::Same,
        tensor: args.tensor.as_deref().map(hub_audit::model::pattern).transpose()?,
        skip: None,
        biases: false,
        all_headers: false,
        mtp: false,
    })
}

fn answer(args: &EmbeddingsArgs, embeddings: &Embeddings, cost: Cost, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let run = output::run(args.output.seed, cost);
    let document = hub_audit::question::embeddings::page::embeddings_report(embeddings, &run);
    output::write(
        &args.output,
        &document,
        || hub_audit::question::embeddings::page::embeddings_csv(embeddings),
        printer,
    )?;
    if let Some(reason) = &embeddings.chosen.nothing {
        printer.warn(&format!("no rows were compared: {reason}"));
    }
    let holds = args.fail_if.as_ref().is_some_and(|condition| holds(embeddings, condition, printer));
    let status = if holds || embeddings.is_incomplete() { ExitStatus::Incomplete } else { ExitStatus::Done };
    gather::print_summary(&cost, printer);
    output::print(&args.output, &document, || as_text(embeddings), status, printer)
}

/// Whether the mean over compared tokens meets the condition.
fn holds(embeddings: &Embeddings, condition: &Condition, printer: &Printer) -> bool {
    match embeddings.matched.mean(condition.metric) {
        Ok(mean) if condition.holds(mean) => {
            printer.talk(&format!("--fail-if {} holds: mean {} = {mean}", condition.text(), condition.metric));
            true
        }
        Ok(_) => false,
        Err(reason) => {
            printer.warn(&format!("--fail-if {} cannot be asked: {reason}", condition.text()));
            true
        }
    }
}

fn as_text(embeddings: &Embeddings) -> String {
    let mut text = meeting(embeddings, &embeddings.chosen);
    if embeddings.chosen.nothing.is_some() {
        return text;
    }
    let matched = if embeddings.chosen.ask.same_id { "same number" } else { "same token" };
    let mut kinds = vec![(matched, &embeddings.matched), ("random tokens", &embeddings.random)];
    kinds.extend(embeddings.same_id.as_ref().map(|same| ("same number", same)));
    let mut rows = table::new(&["rows of", ">n", ">cos_sim", ">sd", ">cos_null", ">pearson", ">median", ">max"]);
    for (name, compared) in kinds {
        rows.add_row(row(name, compared));
    }
    text += "\nMean over pairs of rows:\n\n";
    text += &table::text(&rows);
    if let Ok(test) = &embeddings.test {
        let z = test.z.as_ref().map_or_else(ToString::to_string, |z| format!("{z:.2}"));
        let _ = writeln!(
            text,
            "\nMean Pearson's r over {}: {:.6}, z = {z} under one permutation of\nchannels for all ({:.2} if rows were independent).",
            table::count(test.n as u64, "pair"),
            test.mean_r,
            test.naive_z,
        );
    }
    text
}

fn meeting(embeddings: &Embeddings, chosen: &Chosen) -> String {
    let mut models = table::new(&["model", ">rows", ">width", "dtype", "vocabulary", ">tokens", ">padded rows"]);
    for (side, model) in embeddings.models.iter().enumerate() {
        let table = chosen.tables[side].as_ref().ok();
        let facts = chosen.vocabularies.as_ref().map(|both| &both[side]);
        let of = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        models.add_row([
            model.label.clone(),
            of(table.map(|table| table.rows.to_string())),
            of(table.map(|table| table.width.to_string())),
            of(table.map(|table| table.dtype.to_string())),
            of(facts.map(|facts| facts.kind.to_owned())),
            of(facts.map(|facts| facts.numbers.to_string())),
            of(facts.and_then(|facts| facts.padded).map(|padded| padded.to_string())),
        ]);
    }
    let mut text = table::text(&models);
    text.push('\n');
    let drawn = format!("{} of {}", chosen.drawn.len(), chosen.candidates);
    text += &match &chosen.meeting {
        Some(meeting) => table::facts(&[
            ("tokens in both", meeting.shared.to_string()),
            ("only in the first", meeting.only[0].to_string()),
            ("only in the second", meeting.only[1].to_string()),
            ("same number in both", meeting.same_id.to_string()),
            ("compared", drawn),
        ]),
        None => table::facts(&[("rows compared", drawn)]),
    };
    text
}

fn row(name: &str, compared: &RowPairs) -> [String; 8] {
    let number = |of: &Distribution, figure: fn(&Figures) -> f64| {
        of.get(figure).map_or_else(|reason: Undefined| reason.to_string(), |value| Digits::Fixed(4).format(value))
    };
    [
        name.to_owned(),
        compared.cos_sim.n.to_string(),
        number(&compared.cos_sim, |f| f.mean),
        number(&compared.cos_sim, |f| f.sd),
        number(&compared.cos_null, |f| f.mean),
        number(&compared.pearson, |f| f.mean),
        number(&compared.pearson, |f| f.q50),
        number(&compared.pearson, |f| f.max),
    ]
}
