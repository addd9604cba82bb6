//! `lineage`: whether models are linked.

use hub_audit::{
    Error,
    fetch::{Corpus, Cost, Failures, Work},
    model::{AuditError, Opened, Session},
    question::hash::chunks::ChunksAnswer,
    question::lineage::{
        Choice, Condition, Lineage, LineageAsk, More, detectable_at_best,
        page::{lineage_report, lineage_tables, lineage_text, refused},
        pinned,
    },
    spec::ModelSpec,
};

use super::{
    exit::{ExitStatus, Interrupted},
    findings::Findings,
    gather::{self, Gather},
    hash_chunks,
    model_args::LineageArgs,
    options::{Limits, Proof},
    output,
    printer::Printer,
    settings::HubArgs,
};

/// The models that are asked of the embedded Hub when nothing else is: linked and independent ones.
const DEMO_MODELS: [&str; 5] = [
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "mistralai/Mistral-7B-Instruct-v0.3",
    "internlm/internlm2-chat-7b",
    "01-ai/Yi-1.5-6B-Chat",
    "01-ai/Yi-1.5-9B-Chat",
];

/// Pairs whose effect at best a dry run prints.
const MOST_PAIRS: usize = 10;

pub(crate) fn run(args: &LineageArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut specs = args.models.or_demo(&args.hub, DEMO_MODELS)?;
    let base = args.base.as_ref().map(|base| args.models.spec(base)).transpose()?;
    let base = base.map(|base| {
        specs.iter().position(|spec| spec.source == base.source).unwrap_or_else(|| {
            specs.push(base);
            specs.len() - 1
        })
    });
    if specs.len() < 2 {
        return Err(Error::from(AuditError::NoPair { count: specs.len() }).into());
    }
    let ask = LineageAsk {
        groups: args.group.clone(),
        seed: args.output.seed,
        blocks: args.blocks.map(usize::from),
        tokens: args.tokens.into(),
        layer_map: args.layer_map,
        deep: !args.no_deep,
        disguised: args.disguised,
        base,
    };
    let rounds = Rounds { ask: &ask, hub: &args.hub, limits: &args.limits, printer };
    let Some((choice, corpus, chunks)) = rounds.round(&specs, None, Some(&args.proof))? else {
        return Ok(ExitStatus::Done);
    };
    let all_read = report_tokenizers(&choice, printer);
    if corpus.all_failed() {
        gather::print_summary(&corpus.cost, printer);
        return Ok(ExitStatus::Failed);
    }
    let (mut lineage, cost) = rounds.answer(choice, &corpus)?;
    corpus.check_unchanged()?;
    lineage.chunks = chunks;
    let status = answer(args, &lineage, cost, printer)?;
    let all_read = all_read && !corpus.any_tensor_failed();
    Ok(if status == ExitStatus::Done && !all_read { ExitStatus::Incomplete } else { status })
}

/// Says which tokenizers were not read; whether all were.
fn report_tokenizers(choice: &Choice, printer: &Printer) -> bool {
    for (label, error) in &choice.unread_tokenizers {
        let why = error.chain();
        printer.warn(&format!("{label}: its tokenizer was not read, so its embeddings are not tested: {why}"));
    }
    choice.unread_tokenizers.is_empty()
}

/// What is asked in rounds, and the way to the models.
pub(crate) struct Rounds<'a> {
    pub(crate) ask: &'a LineageAsk,
    pub(crate) hub: &'a HubArgs,
    pub(crate) limits: &'a Limits,
    pub(crate) printer: &'a Printer,
}

impl Rounds<'_> {
    /// Opens the models and brings what is chosen, for all pairs or for those that need more, of which so many bytes moved before;
    /// beside it what is proven without reading tensors.
    fn round(
        &self,
        specs: &[ModelSpec],
        more: Option<(&[More], u64)>,
        proof: Option<&Proof>,
    ) -> anyhow::Result<Option<(Choice, Corpus, Option<ChunksAnswer>)>> {
        let question = self.ask.question()?;
        let proof = proof.filter(|proof| proof.chunks && !self.limits.dry_run);
        let every_tensor = hash_chunks::every_tensor()?;
        let bring = async |session: &Session, mut limits: hub_audit::fetch::Limits| {
            if let Some((_, moved)) = more {
                limits.max_bytes = limits.max_bytes.saturating_sub(moved);
            }
            let opened = session.open(specs, &question).await;
            let mut choice = Choice::of(session, &opened, self.ask, more.map(|(more, _)| more)).await?;
            let plans = choice.plan(session, &opened, &[])?;
            let chunks = match proof {
                Some(proof) => {
                    let whole = session.open(&pinned(&opened), &every_tensor).await;
                    hash_chunks::prove(proof, session, &whole).await
                }
                None => None,
            };
            Ok((session.bring(opened, Work::Rows(plans), limits).await?, (choice, chunks)))
        };
        let after = |opened: &[Opened]| after_plan(opened, self.ask);
        let gather = Gather::new(self.hub, self.limits, self.printer);
        let gather = Gather { explains_absence: false, is_again: more.is_some(), after_plan: &after, ..gather };
        Ok(gather.run(bring)?.map(|(corpus, (choice, chunks))| (choice, corpus, chunks)))
    }

    /// Tests what a first round brought, and reads more until nothing more is wanted. Tells what all of it cost.
    fn answer(&self, choice: Choice, corpus: &Corpus) -> anyhow::Result<(Lineage, Cost)> {
        let specs = pinned(&corpus.opened);
        let mut lineage = Lineage::of(&choice, corpus);
        let (mut cost, mut asked) = (corpus.cost, Vec::new());
        drop(choice);
        loop {
            let mut more = lineage.more();
            // What was asked once and could not be read is not asked again.
            more.retain(|more| !asked.contains(more));
            if more.is_empty() {
                return Ok((lineage, cost));
            }
            asked.extend(more.iter().cloned());
            match self.round(&specs, Some((&more, cost.traffic.bytes)), None) {
                Ok(Some((choice, corpus, _))) => {
                    corpus.check_unchanged()?;
                    cost = total(&cost, &corpus.cost);
                    lineage = lineage.refined(&choice, &corpus);
                }
                Ok(None) => return Ok((lineage, cost)),
                Err(error) if error.is::<Interrupted>() => return Err(error),
                Err(error) => {
                    self.printer.warn(&format!("more rows were not read: {error:#}"));
                    return Ok((lineage, cost));
                }
            }
        }
    }

    /// The answer beside that of another question, which brought the first round's rows with its own tensors; whether all of them
    /// could be read, and what both cost.
    pub(crate) fn beside(&self, (choice, corpus): (Choice, Corpus)) -> anyhow::Result<(Lineage, Cost, bool)> {
        let all_read = report_tokenizers(&choice, self.printer);
        for (opened, failures) in corpus.opened.iter().zip(&corpus.failures) {
            gather::report_unfetched(&opened.label, failures, self.printer);
        }
        let is_whole = corpus.failures.iter().all(Failures::is_empty);
        let (lineage, cost) = self.answer(choice, &corpus)?;
        corpus.check_unchanged()?;
        for refused in refused(&lineage) {
            self.printer.warn(&refused);
        }
        Ok((lineage, cost, all_read && is_whole))
    }
}

/// What the rows of the plan can show at best, and what may follow.
fn after_plan(opened: &[Opened], ask: &LineageAsk) -> String {
    let pairs = detectable_at_best(opened, ask);
    let mut lines: Vec<String> = pairs
        .iter()
        .take(MOST_PAIRS)
        .map(|([a, b], at_best)| {
            let [a, b] = [a, b].map(|model| opened[*model].label.as_str());
            match at_best {
                Some(effect) => {
                    format!("{a} × {b}: shows a positive mean row correlation of {effect:.4} in the units at best")
                }
                None => {
                    format!("{a} × {b}: units of no group can be met layer by layer; a layer map or the basis may tell")
                }
            }
        })
        .collect();
    if pairs.len() > MOST_PAIRS {
        lines.push(format!("… and {} more pairs", pairs.len() - MOST_PAIRS));
    }
    lines.push(later_rounds(ask));
    lines.join("\n")
}

/// What may be read after the rows of the plan.
pub(crate) fn later_rounds(ask: &LineageAsk) -> String {
    let both = if ask.disguised { ", and pairs whose hidden coordinates match 192 rows of two" } else { "" };
    format!(
        "Inconclusive pairs then read up to four times as many rows, linked ones 256 rows of six matrices, and those of which some layers \
         only are linked all layers{both}.\n"
    )
}

fn total(first: &Cost, then: &Cost) -> Cost {
    let mut cost = *first;
    cost.traffic.requests += then.traffic.requests;
    cost.traffic.bytes += then.traffic.bytes;
    cost.fetched += then.fetched;
    cost.elapsed += then.elapsed;
    cost
}

fn answer(args: &LineageArgs, lineage: &Lineage, cost: Cost, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let run = output::run(&args.hub, args.output.seed, cost);
    let mut document = lineage_report(lineage, &run);
    if let Some(chunks) = &lineage.chunks {
        hash_chunks::report(chunks, &mut document, printer);
    }
    let tables = || lineage_tables(lineage);
    output::write(&args.output, &document, tables, printer)?;
    let mut status = if lineage.is_incomplete() || lineage.chunks.as_ref().is_some_and(ChunksAnswer::is_incomplete) {
        ExitStatus::Incomplete
    } else {
        ExitStatus::Done
    };
    if let Some(condition) = args.fail_if {
        let mut findings = Findings::new(condition.name(), "pair", printer);
        for (pair, holds) in lineage.meet(condition.into()) {
            findings.record(holds, || pair);
        }
        status = status.max(findings.status());
    }
    for refused in refused(lineage) {
        printer.warn(&refused);
    }
    gather::print_summary(&cost, printer);
    output::print(args.output.format, &document, tables, || lineage_text(lineage), printer)?;
    Ok(status)
}

/// What `--fail-if` of `lineage` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FailIf {
    /// A pair is linked, or its bytes are identical.
    Linked,
    /// A pair is inconclusive.
    Inconclusive,
    /// A pair is consistent with independence.
    Independent,
}

impl FailIf {
    fn name(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Inconclusive => "inconclusive",
            Self::Independent => "independent",
        }
    }
}

impl From<FailIf> for Condition {
    fn from(condition: FailIf) -> Self {
        match condition {
            FailIf::Linked => Self::Linked,
            FailIf::Inconclusive => Self::Inconclusive,
            FailIf::Independent => Self::Independent,
        }
    }
}
