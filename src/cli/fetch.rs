//! `fetch`: tensors into the cache, paths to stdout.

use std::collections::BTreeSet;

use hub_audit::{
    family::Role,
    fetch::Corpus,
    fetch::{self, Work},
    model::Session,
    model::{DEFAULT_SKIP, Pairing, Question},
};

use super::{
    args::FetchArgs,
    exit::ExitStatus,
    gather::{self, Gather},
    options::Choice,
    printer::Printer,
};

/// Any name, and its layer where no family says which: numbers stand behind few words.
pub(super) const ANY_LAYER: &str = r"(?:^|\.)(?:layers?|h|blocks?)\.(?<layer>\d+)\.|$";

/// Roles of routed experts, whose names the default of `--skip` matches.
const EXPERTS: [Role; 4] = [Role::ExpertGateProj, Role::ExpertUpProj, Role::ExpertGateUpProj, Role::ExpertDownProj];

impl Choice {
    /// The question that the options ask.
    pub(crate) fn question(&self, default_layers: &str) -> anyhow::Result<Question> {
        // What is asked for by name is not passed over by default.
        let asked = self.tensor.is_some() || EXPERTS.iter().any(|&role| self.role.names(role));
        let skip = match &self.skip {
            Some(pattern) => Some(hub_audit::model::pattern(pattern)?),
            None if self.experts || asked => None,
            None => Some(hub_audit::model::pattern(DEFAULT_SKIP)?),
        };
        let layers = match &self.layers {
            Some(layers) => layers.clone(),
            None => default_layers.parse().map_err(hub_audit::Error::from)?,
        };
        Ok(Question {
            roles: self.role.clone(),
            layers,
            tensor: self.tensor.as_deref().map(hub_audit::model::pattern).transpose()?,
            skip,
            biases: self.biases,
            pairing: Pairing::Same,
            all_headers: false,
            mtp: false,
        })
    }

    /// As [`Choice::question`], but all roles are every tensor, also those that no family knows.
    pub(crate) fn everything_or_question(&self) -> anyhow::Result<Question> {
        let mut question = self.question("all")?;
        if question.tensor.is_none() && self.role.roles().len() == Role::ALL.len() {
            question.tensor = Some(hub_audit::model::pattern(ANY_LAYER)?);
            question.all_headers = true;
        }
        Ok(question)
    }
}

pub(crate) fn run(args: &FetchArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let specs = args.models.required()?;
    let question = args.choice.question("all")?;
    let keep = async |session: &Session, limits| {
        let opened = session.open(&specs, &question).await;
        // Each tensor as a file of its own, also where the Hugging Face cache has it.
        let plans = fetch::each(&opened, |model| fetch::plan(session, model));
        Ok((session.bring(opened, Work::Tensors(plans), limits).await?, ()))
    };
    let Some((gathered, ())) = Gather::new(&args.reach, &args.limits, printer).run(keep)? else {
        return Ok(ExitStatus::Done);
    };
    gathered.check_unchanged()?;
    let (paths, mut status) = paths(&gathered, printer);
    if gather::lacks_layers(&gathered.opened, &question.layers, printer) || gathered.any_tensor_failed() {
        status = status.max(ExitStatus::Incomplete);
    }
    printer.data(&paths)?;
    gather::print_summary(&gathered.cost, printer);
    Ok(status)
}

fn paths(gathered: &Corpus, printer: &Printer) -> (String, ExitStatus) {
    let mut text = String::new();
    let mut files = BTreeSet::new();
    let mut status = ExitStatus::Done;
    for (opened, failures) in gathered.opened.iter().zip(&gathered.failures) {
        let Ok(model) = &opened.outcome else {
            status = ExitStatus::Incomplete;
            continue;
        };
        if model.tensors.is_empty() {
            status = ExitStatus::Incomplete;
        }
        for tensor in &model.tensors {
            let path = match (model.key(tensor), model.repository.folder()) {
                // A folder's tensors are not copied: the shard is where they are, and it is named once.
                (None, Some(folder)) => Some(folder.join(&tensor.shard)),
                (Some(key), _) => gathered.cache.lookup(&key).map(|(_, path)| path),
                (None, None) => None,
            };
            if let Some(path) = path {
                if model.repository.folder().is_some() && !files.insert(path.clone()) {
                    continue;
                }
                text.push_str(&path.display().to_string());
                text.push('\n');
            } else {
                if !failures.contains_key(&tensor.info.name) {
                    printer.warn(&format!(
                        "{}: tensor `{}` ({}) cannot be decoded and was not fetched",
                        opened.label,
                        tensor.info.name.escape_debug(),
                        tensor.info.dtype
                    ));
                }
                status = ExitStatus::Incomplete;
            }
        }
    }
    if gathered.all_failed() {
        status = ExitStatus::Failed;
    }
    (text, status)
}
