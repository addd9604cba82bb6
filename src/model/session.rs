//! What every question needs: a way to the Hub, the cache, and somebody who watches.

use std::{sync::Arc, time::Instant};

use futures::future::join_all;

use super::{Access, Depths, Model, Opened, Pairing, Progress, Question, Silent, absence};
use crate::{
    error::Error,
    family::{LayerIndex, LayerSelection},
    spec::ModelSpec,
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
        let mut opened = self.open_each(specs, &questions).await;
        if question.pairing == Pairing::Depth
            && let Some(depths) = Depths::of(&opened, &question.layers)
        {
            depths.trim(&mut opened);
        }
        opened
    }

    /// Opens all models at once, each as far as its own question needs it. As many are opened as there are questions.
    pub async fn open_each(&self, specs: &[ModelSpec], questions: &[Question]) -> Vec<Opened> {
        let labels = labels(specs);
        let tasks = specs.iter().zip(questions).zip(&labels).map(|((spec, question), label)| {
            let (session, spec, question) = (self.clone(), spec.clone(), question.clone());
            let label = label.clone();
            // One task a model: parsing a large index must not hold up the others.
            tokio::spawn(async move {
                session.progress.opening(&label);
                let outcome = open_one(&session.access, &spec, &question).await.map(Arc::new);
                session.progress.opened(&label);
                outcome
            })
        });
        let outcomes = join_all(tasks).await;
        specs
            .iter()
            .zip(labels)
            .zip(outcomes)
            .map(|((spec, label), outcome)| Opened {
                spec: spec.clone(),
                label,
                outcome: outcome.unwrap_or_else(|source| Err(crate::model::AuditError::Task { source }.into())),
            })
            .collect()
    }
}

/// Opens a model, and says why it has nothing of what was asked where that is so.
async fn open_one(access: &Access, spec: &ModelSpec, question: &Question) -> Result<Model, Error> {
    let mut model = Model::open(access, spec, question).await?;
    model.absence = absence(&model, question);
    Ok(model)
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
    let first_choice = |i: usize| specs[i].label.clone().unwrap_or_else(|| short[i].clone());
    let mut labels: Vec<String> = (0..specs.len())
        .map(|i| {
            let label = first_choice(i);
            let shared = (0..specs.len()).any(|j| j != i && first_choice(j) == label);
            if shared && specs[i].label.is_none() { whole[i].clone() } else { label }
        })
        .collect();
    for i in 1..labels.len() {
        let times = labels[..i].iter().filter(|earlier| **earlier == labels[i]).count();
        if times > 0 {
            labels[i] = format!("{} ({})", labels[i], times + 1);
        }
    }
    labels
}

fn short_label(spec: &ModelSpec) -> String {
    match &spec.source {
        crate::spec::ModelSource::Hub { repo, .. } => repo.name().to_owned(),
        crate::spec::ModelSource::Folder(path) => {
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
