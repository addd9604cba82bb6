//! The study as data: its models, its groups, and the layers that each experiment compares. Other models run through the
//! same experiments; a study therefore is a list of models and a plan of layers, and nothing in it is about one of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Record;
use crate::{
    error::Result,
    family::{LayerIndex, RoleSelection},
    model::{Question, same_depth},
    spec::{ModelSource, ModelSpec},
};

/// A study: which models, which layers, which random vectors.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The models, in order; the first two are those that the study is about.
    #[serde(rename = "model")]
    pub members: Vec<Member>,
    /// The layers of each experiment.
    #[serde(rename = "experiment")]
    pub plan: ExperimentPlan,
    /// The study's random vectors.
    pub random: RandomVectors,
    /// Models whose published number of parameters includes the output embeddings.
    pub counted_with_head: Vec<String>,
    /// Published summary figures, by name.
    #[serde(default)]
    pub summary: BTreeMap<String, SummaryOf>,
}

/// What a run reads beyond the experiments, or what a published figure rests on beyond them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Reads {
    /// The other roles of published figures, and all headers.
    pub all_roles: bool,
    /// Every layer of norms.
    pub all_layers: bool,
}

impl Reads {
    /// Options that read everything that published figures of the study's models rest on.
    pub fn options(self) -> &'static str {
        match (self.all_roles, self.all_layers) {
            (false, false) => "no option",
            (true, false) => "--all-roles",
            (false, true) => "--all-layers",
            (true, true) => "--all-roles --all-layers",
        }
    }

    /// What `self` has and `other` has not.
    pub(crate) fn without(self, other: Self) -> Self {
        Self { all_roles: self.all_roles && !other.all_roles, all_layers: self.all_layers && !other.all_layers }
    }
}

/// One model of a study.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// `owner/name`.
    pub repo: String,
    /// Short name.
    pub label: String,
    /// Its group.
    pub group: String,
    /// Layers, as the study states them; `None` where nobody does before the model is read.
    pub layers: Option<u32>,
}

/// Which layers each experiment compares.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentPlan {
    /// Experiment 1: the layer that later ones are compared with.
    pub base: u32,
    /// Experiment 1: the later ones.
    pub later: Vec<u32>,
    /// Experiment 2: pairs of layers within a model.
    pub apart: Vec<[u32; 2]>,
    /// Experiments 3, 5 and 6: the layer at which models are compared.
    pub across: u32,
    /// Experiment 4: the layers at which the first group is compared.
    pub depths: Vec<u32>,
    /// Experiment 6: pairs of models by their place in the list.
    pub cross: Vec<[usize; 2]>,
    /// Experiment 6: pairs of layers within the first two models.
    pub within: Vec<[u32; 2]>,
    /// Layers of the shallowest model of the first group whose relative depth is sought in the others.
    pub relative: Vec<u32>,
}

/// Independent normal elements.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomVectors {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub sd: f64,
    /// Pairs drawn.
    pub trials: u32,
}

/// A summary figure: the mean of what the published records that fit measure, less another summary figure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SummaryOf {
    /// The records' experiment.
    pub experiment: String,
    /// The records' metric.
    pub metric: String,
    /// The records' repositories; any where `None`.
    pub repos: Option<Vec<String>>,
    /// The records' layer, the same on both sides; any where `None`.
    pub layers: Option<Vec<u32>>,
    /// The summary figure that is taken off.
    pub minus: Option<String>,
}

impl Study {
    /// The nine-model study that comes with the program.
    pub fn nine_models() -> Self {
        // The file is part of the program, and a test reads it.
        toml::from_str(include_str!("study.toml")).unwrap_or_default()
    }

    /// The same experiments on other models. Groups are those of the list; a model without one is in the study's own group
    /// where the study knows the repository, else in the group `models`.
    pub fn of(specs: &[ModelSpec]) -> Self {
        let study = Self::nine_models();
        let member = |spec: &ModelSpec| {
            let repo = match &spec.source {
                ModelSource::Hub { repo, .. } => repo.to_string(),
                ModelSource::Folder(path) => path.display().to_string(),
            };
            let known = study.members.iter().find(|member| member.repo == repo);
            let group = spec.group.as_deref().or(known.map(|known| known.group.as_str()));
            let label = spec.label.as_deref().or(known.map(|known| known.label.as_str()));
            Member {
                label: label.unwrap_or_default().to_owned(),
                group: group.unwrap_or("models").to_owned(),
                layers: known.and_then(|known| known.layers),
                repo,
            }
        };
        Self { members: specs.iter().map(member).collect(), ..study }
    }

    /// The models as they would be named on a command line, with their groups and labels.
    pub fn specs(&self) -> Result<Vec<ModelSpec>> {
        let spec = |member: &Member| {
            let mut spec: ModelSpec = member.repo.parse()?;
            spec.label = Some(member.label.clone());
            spec.group = Some(member.group.clone());
            Ok(spec)
        };
        self.members.iter().map(spec).collect()
    }

    /// The groups, in order of appearance.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for member in &self.members {
            if !groups.contains(&member.group.as_str()) {
                groups.push(&member.group);
            }
        }
        groups
    }

    /// The models of one group, by place.
    pub fn in_group(&self, group: &str) -> Vec<usize> {
        let places = self.members.iter().enumerate();
        places.filter(|(_, member)| member.group == group).map(|(place, _)| place).collect()
    }

    /// The models of experiments 3 and 4: those of the first model's group.
    pub fn first_group(&self) -> Vec<usize> {
        self.members.first().map_or_else(Vec::new, |first| self.in_group(&first.group))
    }

    /// What is asked of each model: `roles`, with those of the published figures where all are to be read, in the layers that its
    /// experiments need or in all.
    pub fn questions(&self, roles: &RoleSelection, reads: Reads) -> Result<Vec<Question>> {
        let mut names: BTreeSet<String> = roles.roles().iter().map(ToString::to_string).collect();
        if reads.all_roles {
            names.extend(Record::all().iter().filter_map(Record::role).map(str::to_owned));
        }
        let roles: RoleSelection = names.into_iter().collect::<Vec<_>>().join(",").parse()?;
        let question = |member: usize| {
            let layers = if reads.all_layers {
                "all".to_owned()
            } else {
                let layers: Vec<String> = self.layers_of(member).iter().map(u32::to_string).collect();
                layers.join(",")
            };
            let question = Question::new(roles.clone(), layers.parse()?)?;
            Ok(Question { skip: None, all_headers: reads.all_roles, ..question })
        };
        (0..self.members.len()).map(question).collect()
    }

    /// The layers that the experiments need of the model at `place`.
    pub(crate) fn layers_of(&self, place: usize) -> BTreeSet<u32> {
        let plan = &self.plan;
        let mut layers = BTreeSet::from([plan.across]);
        if place < 2 {
            layers.insert(plan.base);
            layers.extend(&plan.later);
            layers.extend(plan.apart.iter().chain(&plan.within).flatten());
        }
        if self.first_group().contains(&place) {
            layers.extend(&plan.depths);
            layers.extend(self.relative_layers(place, |member| self.members[member].layers));
        }
        layers
    }

    /// The layers of the model at `place` that stand as deep, relative to its depth, as the plan's relative layers do in
    /// the shallowest model of the first group. Empty where `depth`, the layers of a model, does not know one of them.
    pub fn relative_layers(&self, place: usize, depth: impl Fn(usize) -> Option<u32>) -> Vec<u32> {
        let depths: Option<Vec<u32>> = self.first_group().into_iter().map(&depth).collect();
        let (Some(shallowest), Some(own)) = (depths.and_then(|depths| depths.into_iter().min()), depth(place)) else {
            return Vec::new();
        };
        let inside = self.plan.relative.iter().filter(|&&layer| layer < shallowest);
        inside.map(|&layer| same_depth(LayerIndex(layer), shallowest, own).0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_study_has_nine_models_in_two_groups() {
        let study: Study = toml::from_str(include_str!("study.toml")).unwrap();
        assert_eq!(study, Study::nine_models());
        assert_eq!(study.groups(), ["MoE", "dense"]);
        assert_eq!((study.first_group().len(), study.in_group("dense").len()), (4, 5));
        assert_eq!(study.specs().unwrap().len(), 9);
    }

    #[test]
    fn each_model_is_asked_only_for_the_layers_of_its_experiments() {
        let study = Study::nine_models();
        let layers = |place| study.layers_of(place).into_iter().collect::<Vec<_>>();
        assert_eq!(layers(0), [0, 5, 10, 15, 20, 25, 30, 40, 45]);
        assert_eq!(layers(1), [0, 5, 10, 15, 20, 25, 29, 30, 40, 44]);
        assert_eq!(layers(3), [5, 10, 15, 20, 25, 30]);
        assert_eq!(layers(8), [10]);
    }

    #[test]
    fn other_models_run_the_same_plan() {
        let specs: Vec<ModelSpec> = ["a/x", "b/y", "c/z"].iter().map(|text| text.parse().unwrap()).collect();
        let study = Study::of(&specs);
        assert_eq!(study.plan, Study::nine_models().plan);
        assert_eq!(study.groups(), ["models"]);
        assert_eq!(study.layers_of(2).into_iter().collect::<Vec<_>>(), [5, 10, 15, 20, 25, 30]);
    }
}
