//! What every question needs: a way to the Hub, the cache, and a watcher.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use futures::future::join_all;

use super::{
    Access, AuditError, Depths, Model, Opened, Pairing, Progress, Question, Repository, Silent, absence, note_lacking,
};
use crate::{
    error::Error,
    family::{ChosenBy, Family, LayerIndex, LayerSelection},
    spec::{ModelSource, ModelSpec},
};

/// One run: the way to the models, and who watches.
#[derive(Clone)]
pub struct Session {
    /// Where models are read from.
    pub access: Access,
    /// Who watches.
    pub progress: Arc<dyn Progress>,
    /// When it began.
    pub started: Instant,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("access", &self.access).finish_non_exhaustive()
    }
}

impl Session {
    /// A session that reports no progress until its field says otherwise.
    pub fn new(access: Access) -> Self {
        Self { access, progress: Arc::new(Silent), started: Instant::now() }
    }

    /// Opens all models at once, as far as `question` needs them.
    ///
    /// Where one chosen layer a model is paired, a model's own layer takes the place of the question's. Where depths are, the
    /// reference is known once all are open: then what meets nothing is dropped.
    pub async fn open(&self, specs: &[ModelSpec], question: &Question) -> Vec<Opened> {
        let questions: Vec<Question> = specs.iter().map(|spec| own_question(question, spec)).collect();
        let by_depth = question.pairing == Pairing::Depth;
        // What is dropped of a model by its depth hangs on all that were named.
        let every = || (0..specs.len()).collect::<Vec<usize>>();
        let (distinct, places) = if by_depth { (every(), every()) } else { distinct(specs, &questions) };
        let mut opened = self.open_at(&distinct, specs, &questions).await;
        settle_families(&mut opened);
        note_lacking(&mut opened, question);
        if by_depth && let Some(depths) = Depths::of(&opened, &question.layers) {
            depths.trim(&mut opened);
        }
        as_named(specs, opened, &places)
    }

    /// Opens all models at once, each as far as its own question needs it. As many are opened as there are questions; one that is
    /// named again is opened once.
    pub async fn open_each(&self, specs: &[ModelSpec], questions: &[Question]) -> Vec<Opened> {
        let specs = &specs[..specs.len().min(questions.len())];
        let (distinct, places) = distinct(specs, questions);
        as_named(specs, self.open_at(&distinct, specs, questions).await, &places)
    }

    /// Opens the models at these positions, all at once.
    async fn open_at(&self, positions: &[usize], specs: &[ModelSpec], questions: &[Question]) -> Vec<Opened> {
        let labels = labels(specs);
        let tasks = positions.iter().map(|&at| {
            let (session, spec, question) = (self.clone(), specs[at].clone(), questions[at].clone());
            let label = labels[at].clone();
            // One task a model: parsing a large index must not hold up the others.
            tokio::spawn(async move {
                session.progress.opening(&label);
                let opened = Model::open(&session.access, &spec, &question, &*session.progress, &label).await;
                session.progress.opened(&label);
                opened.map(|mut model| {
                    model.absence = absence(&model, &question);
                    Arc::new(model)
                })
            })
        });
        let outcomes = join_all(tasks).await;
        let opened = |(&at, outcome): (&usize, Result<_, _>)| Opened {
            spec: specs[at].clone(),
            label: labels[at].clone(),
            outcome: outcome.unwrap_or_else(|error| Err(Error::from(error))),
        };
        positions.iter().zip(outcomes).map(opened).collect()
    }

    /// Lists the files of all models at once, with all hashes that the Hub states: nothing else of them is read.
    pub async fn list(&self, specs: &[ModelSpec]) -> Vec<Opened<Repository>> {
        let list = |(spec, label): (&ModelSpec, String)| {
            let (session, spec) = (self.clone(), spec.clone());
            async move {
                session.progress.opening(&label);
                let outcome = Repository::open(&session.access, &spec, true).await;
                if let Ok(repository) = &outcome {
                    // What cannot be kept is asked again; that is no reason to fail.
                    let _ = repository.keep(&session.access);
                }
                session.progress.opened(&label);
                Opened { spec, label, outcome }
            }
        };
        join_all(specs.iter().zip(labels(specs)).map(list)).await
    }
}

/// Positions of the models that are named for the first time with their question, and for each model the place of it among those.
fn distinct(specs: &[ModelSpec], questions: &[Question]) -> (Vec<usize>, Vec<usize>) {
    let mut first = HashMap::new();
    let mut distinct = Vec::new();
    let places = specs.iter().zip(questions).enumerate().map(|(at, (spec, question))| {
        *first.entry(format!("{:?} {question:?}", spec.source)).or_insert_with(|| {
            distinct.push(at);
            distinct.len() - 1
        })
    });
    let places = places.collect();
    (distinct, places)
}

/// One row for each model as it was named. Why one could not be opened is told in full the first time.
fn as_named(specs: &[ModelSpec], opened: Vec<Opened>, places: &[usize]) -> Vec<Opened> {
    let labels = labels(specs);
    let mut first: Vec<Option<Opened>> = opened.into_iter().map(Some).collect();
    let shared: Vec<Result<Arc<Model>, (String, String)>> = first
        .iter()
        .flatten()
        .map(|opened| match &opened.outcome {
            Ok(model) => Ok(Arc::clone(model)),
            Err(error) => Err((opened.label.clone(), error.to_string())),
        })
        .collect();
    let again = |(label, reason): &(String, String)| {
        AuditError::NamedBefore { label: label.clone(), reason: reason.clone() }.into()
    };
    let one = |((spec, label), &place): ((&ModelSpec, String), &usize)| {
        first[place].take().unwrap_or_else(|| Opened {
            spec: spec.clone(),
            label,
            outcome: shared[place].as_ref().map(Arc::clone).map_err(again),
        })
    };
    specs.iter().zip(labels).zip(places).map(one).collect()
}

/// Where names alone chose a model's family, and another explains them as well that the configuration of another model states,
/// that one is taken; where nothing tells which of several it is, the reader is told.
fn settle_families(opened: &mut [Opened]) {
    let stated = opened.iter().filter_map(Opened::model);
    let stated = stated.filter(|model| matches!(model.family.by, ChosenBy::ModelType | ChosenBy::Architecture));
    let stated: Vec<&'static Family> = stated.filter_map(|model| model.family.family).collect();
    for opened in opened {
        let Some(model) = opened.model_mut() else { continue };
        let Some(chosen) = model.family.family.filter(|_| !model.family.rivals.is_empty()) else { continue };
        let is_stated = |family: &Family| stated.iter().any(|other| other.name() == family.name());
        let mut rivals = model.family.rivals.iter().filter(|rival| is_stated(rival));
        let (name, rival) = (chosen.name(), rivals.next().copied());
        match rival {
            Some(rival) if rivals.next().is_none() && !is_stated(chosen) => {
                let other = rival.name();
                model.family.rivals = vec![chosen];
                model.adopt(rival, format!(
                    "its names fit the families `{name}` and `{other}`, and it is taken for `{other}`, as a model that it is compared with"
                ));
            }
            _ => {
                let names: Vec<&str> = model.family.rivals.iter().map(|rival| rival.name()).collect();
                model.warnings.push(format!(
                    "its family is told by names alone: `{name}` is taken, and {} fit as well and read some of them otherwise",
                    names.join(", ")
                ));
            }
        }
    }
}

fn own_question(question: &Question, spec: &ModelSpec) -> Question {
    let layers = match (question.pairing, spec.layer) {
        (Pairing::Depth, _) => LayerSelection::all(),
        (Pairing::Mixed, Some(layer)) => LayerSelection::one(LayerIndex(layer)),
        _ => question.layers.clone(),
    };
    Question { layers, ..question.clone() }
}

/// Short names: the label of the list, else the name without its owner, with owner and revision added where two would agree.
fn labels(specs: &[ModelSpec]) -> Vec<String> {
    let short: Vec<String> = specs.iter().map(short_label).collect();
    let whole: Vec<String> = specs.iter().map(ToString::to_string).collect();
    let first_choice = |i: usize| specs[i].label.as_ref().unwrap_or(&short[i]);
    let (mut chosen, mut shared) = (HashSet::new(), HashSet::new());
    for label in (0..specs.len()).map(first_choice) {
        if !chosen.insert(label) {
            shared.insert(label);
        }
    }
    let mut times: HashMap<&str, usize> = HashMap::new();
    let numbered = |i: usize| {
        let label = first_choice(i);
        let label = if shared.contains(label) && specs[i].label.is_none() { &whole[i] } else { label };
        let times = times.entry(label).or_default();
        *times += 1;
        if *times > 1 { format!("{label} ({times})") } else { label.clone() }
    };
    (0..specs.len()).map(numbered).collect()
}

fn short_label(spec: &ModelSpec) -> String {
    match &spec.source {
        ModelSource::Hub { repo, .. } => repo.name().to_owned(),
        ModelSource::Folder(path) => {
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_distinct() {
        let specs: Vec<ModelSpec> =
            ["a/x", "b/x@v1", "b/y", "./d/z", "c/w", "c/w"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(labels(&specs), ["a/x", "b/x@v1", "y", "z", "c/w", "c/w (2)"]);
    }
}
