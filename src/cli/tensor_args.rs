//! Which tensors of each model: the options that say so, and the question that they ask.

use hub_audit::{
    family::{LayerSelection, Role, RoleSelection},
    model::{DEFAULT_SKIP, Pairing, Question, pattern},
};

use super::{options::advised, printer::Printer, words};

/// The layer of the published study, asked of the nine synthetic models when nothing else is.
pub(crate) const DEMO_LAYERS: &str = "10";

/// Any name, and its layer where no family says which: numbers stand behind few words.
pub(super) const ANY_LAYER: &str = r"(?:^|\.)(?:layers?|h|blocks?)\.(?<layer>\d+)\.|$";

/// Roles of routed experts, whose names the default of `--skip` matches.
const EXPERTS: [Role; 4] = [Role::ExpertGateProj, Role::ExpertUpProj, Role::ExpertGateUpProj, Role::ExpertDownProj];

/// Which tensors of each model.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tensors")]
pub(crate) struct TensorArgs {
    /// Roles, comma-separated, or `norms`, `matrices`, `all`.
    #[arg(
        long,
        value_name = "R,...",
        default_value = "input_layernorm",
        value_parser = words::roles(),
        hide_possible_values = true,
        long_help = words::roles_help(
            "Roles, comma-separated, or `norms`, `matrices`, `all`. Tensors outside the layers are chosen by role alone."
        )
    )]
    pub(crate) role: RoleSelection,
    /// Layers: `all`, `last`, numbers and ranges such as 0,10,20 or 5-30:5.
    ///
    /// Default: `all`; 10 for `survey`, `fetch`, `hash` and `compare` with --demo and no model.
    #[arg(long, value_name = "SPEC", value_parser = advised::<LayerSelection>)]
    pub(crate) layers: Option<LayerSelection>,
    /// Select tensors by name instead of role; a group (?<layer>…) is the layer.
    #[arg(long, value_name = "REGEX")]
    pub(crate) tensor: Option<String>,
    /// Exclude names that match [default: names that contain `.experts.`].
    #[arg(long, value_name = "REGEX", conflicts_with = "experts")]
    pub(crate) skip: Option<String>,
    /// Include routed experts (implied when an expert role is named).
    #[arg(long)]
    pub(crate) experts: bool,
    /// Include biases.
    #[arg(long)]
    pub(crate) biases: bool,
}

impl TensorArgs {
    /// The question that the options ask.
    pub(crate) fn question(&self, default_layers: &str) -> anyhow::Result<Question> {
        // What is asked for by name is not passed over by default.
        let asked = self.tensor.is_some() || EXPERTS.iter().any(|&role| self.role.names(role));
        let skip = match &self.skip {
            Some(text) => Some(pattern(text)?),
            None if self.experts || asked => None,
            None => Some(pattern(DEFAULT_SKIP)?),
        };
        let layers = match &self.layers {
            Some(layers) => layers.clone(),
            None => default_layers.parse().map_err(hub_audit::Error::from)?,
        };
        Ok(Question {
            roles: self.role.clone(),
            layers,
            tensor: self.tensor.as_deref().map(pattern).transpose()?,
            skip,
            biases: self.biases,
            pairing: Pairing::Same,
            all_headers: false,
            mtp: false,
            xet_hashes: false,
        })
    }

    /// As [`TensorArgs::question`], but all roles are every tensor, also those that no family knows. Of the demo alone, where nothing is
    /// chosen, they are the norms of one layer: every tensor would be terabytes.
    pub(crate) fn everything_or_question(&self, is_demo_alone: bool, printer: &Printer) -> anyhow::Result<Question> {
        let mut question = self.question("all")?;
        let is_everything = question.tensor.is_none() && self.role.roles().len() == Role::ALL.len();
        if is_everything && is_demo_alone && self.layers.is_none() {
            printer.talk(&format!(
                "--demo without models: final norms and those of layer {DEMO_LAYERS}; --role and --layers choose others"
            ));
            question.roles = "norms".parse().map_err(hub_audit::Error::from)?;
            question.layers = DEMO_LAYERS.parse().map_err(hub_audit::Error::from)?;
        } else if is_everything {
            question.tensor = Some(pattern(ANY_LAYER)?);
            question.all_headers = true;
        }
        Ok(question)
    }
}
