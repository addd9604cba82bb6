//! `hash --chunks`: which bytes are the same, by the chunks in which the Hub stores files.

use hub_audit::{
    fetch::{Limits, Work},
    model::{ModelSummary, Opened, Pairing, Question, Session, pattern},
    question::hash::chunks::{ChunkCorpus, ChunksAnswer, ChunksAsk, chunk_tables, chunks_page},
    report::{Report, text},
    spec::ModelSpec,
};

use super::{
    environment,
    exit::ExitStatus,
    gather::{self, Gather},
    model_args::HashArgs,
    options::{Proof, StdoutFormat},
    output,
    printer::Printer,
    size::Size,
    table,
    tensor_args::ANY_LAYER,
};

/// Places of runs that are asked for at most.
pub(crate) const PROBES: u16 = 64;

/// Reasons that are told in full; of more, their number.
const MOST_REASONS: usize = 10;

pub(crate) fn run(args: &HashArgs, specs: &[ModelSpec], printer: &Printer) -> anyhow::Result<ExitStatus> {
    let question = every_tensor()?;
    let ask = ask(args.fingerprints);
    let read = async |session: &Session, limits: Limits| {
        let opened = session.open(specs, &question).await;
        let mut answer = ChunksAnswer::of(ChunkCorpus::read(session, &opened, ask, true, args.probes.into()).await);
        if args.close {
            answer.close(session, &opened, limits.max_bytes).await?;
        }
        Ok((session.bring(opened, Work::Headers, limits).await?, answer))
    };
    let gather = Gather { explains_absence: false, ..Gather::new(&args.hub, &args.limits, printer) };
    let Some((gathered, answer)) = gather.run(read)? else {
        return Ok(ExitStatus::Done);
    };
    gathered.check_unchanged()?;
    if gathered.all_failed() {
        gather::print_summary(&gathered.cost, printer);
        return Ok(ExitStatus::Failed);
    }
    let models: Vec<ModelSummary> = gathered.opened.iter().map(ModelSummary::of).collect();
    let mut document = output::data("hash", &output::run(&args.hub, 0, gathered.cost), &models);
    report(&answer, &mut document, printer);
    document.settings.insert("weight_bytes".to_owned(), answer.bytes_read.unwrap_or(0).into());
    let tables = || chunk_tables(&answer, args.pairs);
    let text = || text::blocks(&chunks_page(&answer, args.pairs), table::width());
    output::print(args.format.unwrap_or(StdoutFormat::Text), &document, tables, text, printer)?;
    print_cost(&answer, &gathered.opened, printer);
    gather::print_summary(&gathered.cost, printer);
    let is_whole = !answer.is_incomplete() && gathered.opened.iter().all(|opened| opened.outcome.is_ok());
    Ok(if is_whole { ExitStatus::Done } else { ExitStatus::Incomplete })
}

/// What is asked of a content store.
fn ask(fingerprints: bool) -> ChunksAsk {
    // As the Hub's own client has it.
    match (environment::is_true("HF_HUB_DISABLE_XET"), fingerprints) {
        (true, _) => ChunksAsk::Nothing,
        (false, false) => ChunksAsk::Terms,
        (false, true) => ChunksAsk::Fingerprints,
    }
}

/// What is proven of models for another question, where it asks for that.
pub(crate) async fn prove(proof: &Proof, session: &Session, opened: &[Opened]) -> Option<ChunksAnswer> {
    if !proof.chunks {
        return None;
    }
    Some(ChunksAnswer::of(ChunkCorpus::read(session, opened, ask(proof.fingerprints), false, PROBES.into()).await))
}

/// Says what could not be examined and what the rest cost, the latter in the document too.
pub(crate) fn report(answer: &ChunksAnswer, document: &mut Report, printer: &Printer) {
    warn_of_unexamined(answer, printer);
    let traffic = answer.corpus.traffic;
    document.settings.extend([
        ("read_tokens".to_owned(), traffic.tokens.into()),
        ("cas_requests".to_owned(), traffic.requests.into()),
        ("cas_bytes".to_owned(), traffic.bytes.into()),
    ]);
}

/// All tensors of all files, experts and prediction blocks among them.
pub(crate) fn every_tensor() -> anyhow::Result<Question> {
    Ok(Question {
        roles: "all".parse().map_err(hub_audit::Error::from)?,
        layers: "all".parse().map_err(hub_audit::Error::from)?,
        pairing: Pairing::Same,
        tensor: Some(pattern(ANY_LAYER)?),
        skip: None,
        biases: true,
        all_headers: true,
        mtp: true,
        xet_hashes: true,
    })
}

/// Says why files could not be examined, where there is more to say than the table does.
fn warn_of_unexamined(answer: &ChunksAnswer, printer: &Printer) {
    let reasons = answer.corpus.models.iter().enumerate().flat_map(|(at, model)| {
        answer.unexamined(at).into_iter().filter(|(_, (reason, _))| !reason.is_empty()).map(
            |(state, (reason, files))| {
                let files = table::count(files as u64, "file");
                format!("{}: {files} not examined, {}: {reason}", model.label, state.name())
            },
        )
    });
    let reasons: Vec<String> = reasons.collect();
    if let Some(Err(reason)) = &answer.corpus.fingerprints {
        printer.warn(&format!("fingerprints are not available for all files: {reason}"));
    }
    for reason in reasons.iter().take(MOST_REASONS) {
        printer.warn(reason);
    }
    if reasons.len() > MOST_REASONS {
        printer.warn(&format!("files of {} more models were not examined either", reasons.len() - MOST_REASONS));
    }
}

/// `2 tokens, 8 CAS requests, 4.1 MB; 8 headers; no weight byte was read`.
fn print_cost(answer: &ChunksAnswer, opened: &[Opened], printer: &Printer) {
    let traffic = answer.corpus.traffic;
    let models = opened.iter().filter_map(|opened| opened.outcome.as_ref().ok());
    let headers: usize = models.map(|model| model.headers.len()).sum();
    let weights = match answer.bytes_read {
        None => "no weight byte was read".to_owned(),
        Some(read) => format!("{} of weights were read", Size(read)),
    };
    printer.talk(&format!(
        "{}, {}, {}; {}; {weights}",
        table::count(traffic.tokens, "token"),
        table::count(traffic.requests, "CAS request"),
        Size(traffic.bytes),
        table::count(headers as u64, "header")
    ));
}
