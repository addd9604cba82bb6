//! What is asked: which groups, how many rows, and of which pairs.

use super::{Group, Groups, sites};
use crate::{error::Result, family::LayerSelection, metric::lineage::choice, model::Question};

/// How many times an inconclusive pair reads more rows.
pub(crate) const LAST_STAGE: u32 = 2;

/// Tokens of each model that are read usually.
const TOKENS: usize = 256;

/// What is asked of a list of models.
#[derive(Debug, Clone)]
pub struct LineageAsk {
    /// Which groups are tested.
    pub groups: Groups,
    /// Seed of the choice of rows and of the draws.
    pub seed: u64,
    /// Blocks of rows a layer instead of the default.
    pub blocks: Option<usize>,
    /// Tokens of each model.
    pub tokens: usize,
    /// Whether layers are matched also where depths are equal.
    pub layer_map: bool,
    /// Whether linked pairs read more rows of some matrices, for the kind of relation.
    pub deep: bool,
    /// Whether units and hidden coordinates are matched, for copies in another order.
    pub disguised: bool,
    /// Which of the models is the base of others, whose changes from it are looked for in each other.
    pub base: Option<usize>,
}

impl LineageAsk {
    /// Every group by its usual rows.
    pub fn usual(seed: u64) -> Self {
        Self {
            groups: Groups::all(),
            seed,
            blocks: None,
            tokens: TOKENS,
            layer_map: false,
            deep: true,
            disguised: false,
            base: None,
        }
    }

    /// The tensors that any group needs, routed experts among them.
    pub fn question(&self) -> Result<Question> {
        Ok(Question { skip: None, ..Question::new(sites::ROLES.parse()?, LayerSelection::all())? })
    }

    /// How many groups are tested of each pair.
    pub(crate) fn groups_per_pair(&self) -> usize {
        self.groups.len() + if self.disguised { Group::MATCHED.len() } else { 0 }
    }

    /// Blocks of a layer at a stage, of a model of so many layers.
    pub(crate) fn blocks_per_layer(&self, depth: usize, stage: u32) -> usize {
        let layers = choice::layers(depth).len();
        self.blocks.map_or_else(|| choice::blocks_per_layer(layers, stage), |blocks| blocks << stage)
    }

    pub(crate) fn tokens(&self, stage: u32) -> usize {
        self.tokens << stage
    }
}
