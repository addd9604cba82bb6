//! Which layers meet, in which groups, and what is drawn beside them.

use std::str::FromStr;

use anyhow::{anyhow, bail};
use clap::ValueEnum;
use hub_audit::{
    error::Error,
    metric::MeanSd,
    model::{AuditError, Pairing},
    question::survey::Simulation,
    spec::{ModelSource, ModelSpec},
};

use super::words;

/// Trials of the published baseline.
const PUBLISHED_TRIALS: u32 = 1000;

/// `NAME=MODEL,...`.
#[derive(Debug, Clone)]
pub(crate) struct NamedGroup {
    name: String,
    models: Vec<String>,
}

impl FromStr for NamedGroup {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, models) = text.split_once('=').ok_or_else(|| anyhow!("write NAME=MODEL,..."))?;
        let models: Vec<String> = models.split(',').map(|model| model.trim().to_owned()).collect();
        if name.is_empty() || models.iter().any(String::is_empty) {
            bail!("write NAME=MODEL,... with a name and at least one model");
        }
        Ok(Self { name: name.to_owned(), models })
    }
}

/// `MODEL=N`.
#[derive(Debug, Clone)]
pub(crate) struct ChosenLayer {
    model: String,
    layer: u32,
}

impl FromStr for ChosenLayer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (model, layer) = text.rsplit_once('=').ok_or_else(|| anyhow!("write MODEL=N"))?;
        Ok(Self { model: model.to_owned(), layer: layer.parse().map_err(|_| anyhow!("`{layer}` is not a layer"))? })
    }
}

/// `MEAN,SD`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Normal(MeanSd);

impl FromStr for Normal {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (mean, sd) = text.split_once(',').ok_or_else(|| anyhow!("write MEAN,SD"))?;
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        match (number(mean), number(sd)) {
            (Some(mean), Some(sd)) if sd >= 0.0 => Ok(Self(MeanSd { mean, sd })),
            _ => bail!("write MEAN,SD as two numbers, SD not negative"),
        }
    }
}

/// Which layers meet, and what is made of the pairs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Pairs")]
pub(crate) struct PairingArgs {
    /// How layers are paired: same index, same relative depth, all × all (two models), or one chosen layer per model.
    ///
    /// Default: mixed if layers are chosen with --at or layer=N, else same.
    #[arg(long, value_name = "RULE", value_parser = words::pairings())]
    pub(crate) pairing: Option<Pairing>,
    /// Choose the layer of a model, by name or label (also layer=N in a model list).
    #[arg(long, value_name = "MODEL=N,...", value_delimiter = ',')]
    pub(crate) at: Vec<ChosenLayer>,
    /// Define a group of models; repeat for each group (also group=NAME in a model list).
    #[arg(long = "group", value_name = "NAME=MODEL,...")]
    pub(crate) groups: Vec<NamedGroup>,
    /// Random vector pairs to draw per pair of tensors, with their means and standard deviations.
    #[arg(long, value_name = "N")]
    pub(crate) trials: Option<u32>,
    /// Draw from this normal distribution instead, such as 1,0.1 (1000 trials unless --trials is given).
    #[arg(long, value_name = "MEAN,SD")]
    pub(crate) baseline_normal: Option<Normal>,
    /// Order of rows and columns in heatmaps: as given, or by clustering.
    #[arg(long, value_enum, default_value = "given")]
    pub(crate) order: Order,
}

/// Order of rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// As the models are given.
    Given,
    /// Similar models next to each other.
    Cluster,
}

impl PairingArgs {
    /// The models with their groups and chosen layers. A model that only a group names is surveyed as well. `parse` reads a model as
    /// it may be named on this command line.
    pub(crate) fn applied(
        &self,
        mut specs: Vec<ModelSpec>,
        parse: impl Fn(&str) -> Result<ModelSpec, Error>,
    ) -> anyhow::Result<Vec<ModelSpec>> {
        for group in &self.groups {
            for model in &group.models {
                let place = if let Some(place) = found(&specs, model, parse(model).ok()) {
                    place
                } else {
                    specs.push(parse(model)?);
                    specs.len() - 1
                };
                let spec = &mut specs[place];
                match &spec.group {
                    Some(other) if *other != group.name => {
                        bail!("model `{model}` is in two groups, `{other}` and `{}`", group.name)
                    }
                    _ => spec.group = Some(group.name.clone()),
                }
            }
        }
        for chosen in &self.at {
            let Some(place) = found(&specs, &chosen.model, parse(&chosen.model).ok()) else {
                bail!("--at names `{}`, which is none of the models", chosen.model);
            };
            specs[place].layer = Some(chosen.layer);
        }
        Ok(specs)
    }

    /// How layers meet, which must fit the models.
    pub(crate) fn pairing(&self, specs: &[ModelSpec]) -> anyhow::Result<Pairing> {
        let chosen = specs.iter().any(|spec| spec.layer.is_some());
        let pairing = match self.pairing {
            Some(pairing) if chosen && pairing != Pairing::Mixed => {
                bail!("layers chosen for single models need --pairing mixed, not {pairing}")
            }
            Some(pairing) => pairing,
            None if chosen => Pairing::Mixed,
            None => Pairing::Same,
        };
        if pairing == Pairing::All && specs.len() != 2 {
            return Err(Error::from(AuditError::NotTwo { count: specs.len() }).into());
        }
        Ok(pairing)
    }

    /// The random vectors that are wanted.
    pub(crate) fn simulation(&self, seed: u64) -> Option<Simulation> {
        let normal = self.baseline_normal.map(|Normal(normal)| normal);
        let trials = self.trials.unwrap_or(if normal.is_some() { PUBLISHED_TRIALS } else { 0 });
        (trials > 0).then_some(Simulation { trials, seed, normal })
    }
}

/// The model of a name: as it was named, its label, or its name without the owner. `parsed` is what the name is as a model.
fn found(specs: &[ModelSpec], name: &str, parsed: Option<ModelSpec>) -> Option<usize> {
    let named = parsed.map(|parsed| parsed.source);
    let whole = |spec: &ModelSpec| named.as_ref() == Some(&spec.source) || spec.label.as_deref() == Some(name);
    let short = |spec: &ModelSpec| match (&spec.source, &named) {
        (ModelSource::Hub { repo, revision }, Some(ModelSource::Hub { repo: short, revision: at })) => {
            repo.name() == short.as_str() && revision == at
        }
        _ => spec.to_string().rsplit('/').next() == Some(name),
    };
    let places = |fits: &dyn Fn(&ModelSpec) -> bool| -> Vec<usize> {
        (0..specs.len()).filter(|&place| fits(&specs[place])).collect()
    };
    let first = places(&whole).first().copied();
    first.or_else(|| match places(&short).as_slice() {
        [only] => Some(*only),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args_of(groups: &[&str], at: &[&str]) -> PairingArgs {
        PairingArgs {
            pairing: None,
            at: at.iter().map(|text| text.parse().unwrap()).collect(),
            groups: groups.iter().map(|text| text.parse().unwrap()).collect(),
            trials: None,
            baseline_normal: None,
            order: Order::Given,
        }
    }

    fn specs(names: &[&str]) -> Vec<ModelSpec> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn parse(text: &str) -> Result<ModelSpec, Error> {
        Ok(text.parse()?)
    }

    #[test]
    fn a_group_finds_its_models_by_name_and_adds_those_that_are_missing() {
        let applied = args_of(&["moe=a/x,y", "dense=c/z"], &[]).applied(specs(&["a/x", "b/y"]), parse).unwrap();
        let groups: Vec<_> = applied.iter().map(|spec| (spec.to_string(), spec.group.clone().unwrap())).collect();
        let expected = [("a/x", "moe"), ("b/y", "moe"), ("c/z", "dense")];
        assert_eq!(groups, expected.map(|(model, group)| (model.to_owned(), group.to_owned())));
        assert!(args_of(&["moe=a/x", "dense=x"], &[]).applied(specs(&["a/x"]), parse).is_err());
    }

    #[test]
    fn a_group_finds_models_at_the_revision_that_was_asked_for() {
        let at_v1 = |text: &str| Ok(ModelSpec::parse(text, &"v1".parse()?)?);
        let named: Vec<ModelSpec> = ["a/x", "b/y", "b/z@main"].map(|text| at_v1(text).unwrap()).into();
        let applied = args_of(&["moe=a/x,y,b/z"], &[]).applied(named, at_v1).unwrap();
        let names: Vec<_> = applied.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a/x@v1", "b/y@v1", "b/z", "b/z@v1"]);
        assert_eq!(applied.iter().filter(|spec| spec.group.is_some()).count(), 3);
    }

    #[test]
    fn chosen_layers_mean_mixed_pairs() {
        let args = args_of(&[], &["x=3", "b/y=4"]);
        let applied = args.applied(specs(&["a/x", "b/y"]), parse).unwrap();
        assert_eq!((applied[0].layer, applied[1].layer), (Some(3), Some(4)));
        assert_eq!(args.pairing(&applied).unwrap(), Pairing::Mixed);
        assert!(args.applied(specs(&["a/x"]), parse).is_err());
    }

    #[test]
    fn all_with_all_is_for_two_models() {
        let mut args = args_of(&[], &[]);
        args.pairing = Some(Pairing::All);
        assert!(args.pairing(&specs(&["a/x", "b/y"])).is_ok());
        assert!(args.pairing(&specs(&["a/x", "b/y", "c/z"])).is_err());
    }

    #[test]
    fn what_is_typed_wrongly_is_refused() {
        assert!("moe".parse::<NamedGroup>().is_err() && "moe=a,".parse::<NamedGroup>().is_err());
        assert!("x=ten".parse::<ChosenLayer>().is_err());
        assert!("1".parse::<Normal>().is_err() && "1,-1".parse::<Normal>().is_err());
        assert!("1,nan".parse::<Normal>().is_err() && "1,0.1".parse::<Normal>().is_ok());
    }
}
