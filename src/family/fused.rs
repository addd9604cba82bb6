//! Where query, key, value, gate and up lie within tensors that hold several of them.
//!
//! Every layout below has been read in the model's own code; none is guessed from a shape. A division is given only where
//! the parts add up to the tensor's extent exactly: a wrong `head_dim` in a configuration must not silently turn values
//! into keys.

use std::ops::Range;

use serde::Deserialize;

use super::{ModelConfig, Part, Role};

/// How a fused tensor is divided along its output axis.
///
/// With `h` query heads, `g` key and value heads and heads of width `d`:
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FusedLayout {
    /// Rows `[h·d of q | g·d of k | g·d of v]` (`phi3`, `dbrx`, `chatglm`).
    QkvRows,
    /// Rows in three equal parts (`mpt`, `baichuan`, `qwen`, `modernbert`).
    QkvThirds,
    /// Columns in three equal parts: GPT-2 stores `[in, out]`.
    QkvColumns,
    /// Rows `view(h, 3, d)`: q, k and v of each head in turn (`gpt_neox`, `bloom`).
    QkvPerHead,
    /// Rows `view(g, h/g + 2, d)`: each group's queries, its key, its value (`internlm2`).
    QkvGrouped,
    /// Falcon: [`QkvGrouped`](Self::QkvGrouped) with `new_decoder_architecture`, [`QkvRows`](Self::QkvRows) with one key
    /// and value head (`multi_query`), else [`QkvPerHead`](Self::QkvPerHead).
    Falcon,
    /// GPT-BigCode: [`QkvRows`](Self::QkvRows) with one key and value head (`multi_query`, the default), else
    /// [`QkvPerHead`](Self::QkvPerHead).
    GptBigcode,
    /// Rows `[gate | up]`, halves; packed experts have rows on the axis before the last.
    GateUpRows,
    /// Columns `[gate | up]`, halves: packed experts stored as `[expert, in, out]` (`llama4`).
    GateUpColumns,
    /// Columns gate, up, gate, up, … of packed experts stored as `[expert, in, out]` (`gpt_oss`).
    GateUpInterleaved,
}

/// The indices of one role along the divided axis: `count` runs of `length`, `period` apart, from `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Whose they are.
    pub role: Role,
    /// First index.
    pub first: u64,
    /// Indices in one run.
    pub length: u64,
    /// Distance from one run's start to the next one's.
    pub period: u64,
    /// Number of runs.
    pub count: u64,
}

impl Block {
    /// Number of indices in all.
    pub fn len(&self) -> u64 {
        self.length.saturating_mul(self.count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The runs in order.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let Self { first, length, period, count, .. } = *self;
        (0..count).map(move |run| first + run * period..first + run * period + length)
    }
}

/// A fused tensor's division.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The divided axis.
    pub axis: usize,
    /// The parts, which cover the axis and do not overlap.
    pub blocks: Vec<Block>,
}

impl Split {
    /// The part of a role; `None` where it has none.
    pub fn block(&self, role: Role) -> Option<&Block> {
        self.blocks.iter().find(|block| block.role == role)
    }
}

impl FusedLayout {
    /// Divides a fused weight or bias of the given shape.
    ///
    /// Fails where the configuration lacks a figure, where the shape has another number of axes, where a weight's input is
    /// not `hidden_size`, or where the parts do not add up to the axis.
    pub fn split(self, part: Part, shape: &[u64], config: &ModelConfig) -> Result<Split, String> {
        let transposed = matches!(self, Self::QkvColumns | Self::GateUpColumns | Self::GateUpInterleaved);
        let axis = match (part, shape.len()) {
            (Part::Bias, 1) => 0,
            (Part::Bias, 2) => 1,
            (Part::Weight, 2) => usize::from(transposed),
            (Part::Weight, 3) => 1 + usize::from(transposed),
            _ => {
                let axes = shape.len();
                return Err(format!("a fused tensor of shape {shape:?} cannot be divided: it has {axes} axes"));
            }
        };
        if part == Part::Weight {
            // The other axis is the input. It tells [expert, out, in] from [expert, in, out], which nothing else does.
            let input = shape[if transposed { axis - 1 } else { axis + 1 }];
            match config.hidden_size {
                Some(hidden) if hidden != input => {
                    return Err(format!("a fused tensor has {input} inputs where the model's hidden_size is {hidden}"));
                }
                None if shape.len() == 3 => return Err(without("hidden_size")),
                _ => {}
            }
        }
        let extent = shape[axis];
        let blocks = match self {
            Self::QkvThirds | Self::QkvColumns => equal(&[Role::QProj, Role::KProj, Role::VProj], extent)?,
            Self::GateUpRows | Self::GateUpColumns => equal(&gate_up(shape, part), extent)?,
            Self::GateUpInterleaved => {
                let [gate, up] = gate_up(shape, part);
                interleaved(&[(gate, 1), (up, 1)], extent / 2)
            }
            Self::Falcon if config.new_decoder_architecture == Some(true) => Heads::read(config)?.grouped()?,
            Self::Falcon | Self::GptBigcode if self.has_one_key(config) => {
                Heads { groups: 1, ..Heads::read(config)? }.rows()
            }
            Self::QkvRows => Heads::read(config)?.rows(),
            Self::QkvGrouped => Heads::read(config)?.grouped()?,
            Self::QkvPerHead | Self::Falcon | Self::GptBigcode => Heads::read(config)?.per_head(),
        };
        let parts = blocks.iter().map(|block| block.length.checked_mul(block.count));
        let sum = parts.into_iter().try_fold(0_u64, |sum, part| sum.checked_add(part?));
        if sum != Some(extent) || extent == 0 {
            let rows = |block: &Block| format!("`{}` {}", block.role, block.length.saturating_mul(block.count));
            let parts = blocks.iter().map(rows).collect::<Vec<_>>().join(", ");
            return Err(format!("the parts of a fused tensor do not add up to its {extent} rows: {parts}"));
        }
        Ok(Split { axis, blocks })
    }

    fn has_one_key(self, config: &ModelConfig) -> bool {
        match self {
            Self::GptBigcode => config.multi_query.unwrap_or(true),
            _ => config.multi_query == Some(true),
        }
    }
}

/// Packed experts have one axis more than a Linear.
fn gate_up(shape: &[u64], part: Part) -> [Role; 2] {
    let axes = if part == Part::Bias { 2 } else { 3 };
    if shape.len() == axes { [Role::ExpertGateProj, Role::ExpertUpProj] } else { [Role::GateProj, Role::UpProj] }
}

fn without(figure: &str) -> String {
    format!("a fused tensor cannot be divided without `{figure}`")
}

fn equal(roles: &[Role], extent: u64) -> Result<Vec<Block>, String> {
    let parts = roles.len() as u64;
    if !extent.is_multiple_of(parts) {
        return Err(format!("{extent} rows of a fused tensor cannot be divided into {parts} equal parts"));
    }
    let shares: Vec<_> = roles.iter().map(|&role| (role, extent / parts)).collect();
    Ok(interleaved(&shares, 1))
}

/// Runs of the given lengths in turn, `count` times over.
fn interleaved(runs: &[(Role, u64)], count: u64) -> Vec<Block> {
    let period = runs.iter().fold(0_u64, |sum, (_, length)| sum.saturating_add(*length));
    let mut first = 0_u64;
    let mut blocks = Vec::with_capacity(runs.len());
    for &(role, length) in runs {
        blocks.push(Block { role, first, length, period, count });
        first = first.saturating_add(length);
    }
    blocks
}

/// An attention's figures.
#[derive(Debug, Clone, Copy)]
struct Heads {
    queries: u64,
    groups: u64,
    width: u64,
}

impl Heads {
    fn read(config: &ModelConfig) -> Result<Self, String> {
        Ok(Self {
            queries: config.num_attention_heads.ok_or_else(|| without("num_attention_heads"))?,
            groups: config.key_value_heads().ok_or_else(|| without("num_key_value_heads"))?,
            width: config.width_of_head().ok_or_else(|| without("head_dim"))?,
        })
    }

    // Products saturate: figures so large can never add up to a tensor's rows, and are refused for that.
    fn rows(self) -> Vec<Block> {
        let (q, kv) = (self.queries.saturating_mul(self.width), self.groups.saturating_mul(self.width));
        interleaved(&[(Role::QProj, q), (Role::KProj, kv), (Role::VProj, kv)], 1)
    }

    fn per_head(self) -> Vec<Block> {
        let width = self.width;
        interleaved(&[(Role::QProj, width), (Role::KProj, width), (Role::VProj, width)], self.queries)
    }

    fn grouped(self) -> Result<Vec<Block>, String> {
        if self.groups == 0 || !self.queries.is_multiple_of(self.groups) {
            let (heads, groups) = (self.queries, self.groups);
            return Err(format!("{heads} query heads cannot be shared among {groups} key and value heads"));
        }
        let run = (self.queries / self.groups).saturating_mul(self.width);
        let runs = [(Role::QProj, run), (Role::KProj, self.width), (Role::VProj, self.width)];
        Ok(interleaved(&runs, self.groups))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heads(heads: u64, groups: u64, width: u64) -> ModelConfig {
        ModelConfig {
            num_attention_heads: Some(heads),
            num_key_value_heads: Some(groups),
            head_dim: Some(width),
            ..ModelConfig::default()
        }
    }

    fn rows(layout: FusedLayout, shape: &[u64], config: &ModelConfig, role: Role) -> Vec<u64> {
        let split = layout.split(Part::Weight, shape, config).unwrap();
        let block = split.block(role).unwrap();
        block.ranges().flatten().collect()
    }

    #[test]
    fn phi3_holds_q_then_k_then_v() {
        let config = heads(4, 2, 3);
        assert_eq!(rows(FusedLayout::QkvRows, &[24, 5], &config, Role::QProj), (0..12).collect::<Vec<_>>());
        assert_eq!(rows(FusedLayout::QkvRows, &[24, 5], &config, Role::KProj), (12..18).collect::<Vec<_>>());
        assert_eq!(rows(FusedLayout::QkvRows, &[24, 5], &config, Role::VProj), (18..24).collect::<Vec<_>>());
    }

    #[test]
    fn internlm2_holds_groups_of_queries_with_their_key_and_value() {
        // view(2, 2 + 2, 1): q q k v, q q k v
        let config = heads(4, 2, 1);
        assert_eq!(rows(FusedLayout::QkvGrouped, &[8, 5], &config, Role::QProj), [0, 1, 4, 5]);
        assert_eq!(rows(FusedLayout::QkvGrouped, &[8, 5], &config, Role::KProj), [2, 6]);
        assert_eq!(rows(FusedLayout::QkvGrouped, &[8, 5], &config, Role::VProj), [3, 7]);
    }

    #[test]
    fn neox_holds_q_k_and_v_of_each_head_in_turn() {
        let config = heads(2, 2, 2);
        assert_eq!(rows(FusedLayout::QkvPerHead, &[12, 4], &config, Role::QProj), [0, 1, 6, 7]);
        assert_eq!(rows(FusedLayout::QkvPerHead, &[12, 4], &config, Role::VProj), [4, 5, 10, 11]);
    }

    #[test]
    fn falcon_has_three_layouts() {
        let seven = ModelConfig { multi_query: Some(true), ..heads(71, 71, 64) };
        let split = FusedLayout::Falcon.split(Part::Weight, &[4672, 4544], &seven).unwrap();
        assert_eq!(split.blocks.iter().map(Block::len).collect::<Vec<_>>(), [4544, 64, 64]);
        let forty = ModelConfig { new_decoder_architecture: Some(true), multi_query: Some(true), ..heads(128, 8, 64) };
        let split = FusedLayout::Falcon.split(Part::Weight, &[9216, 8192], &forty).unwrap();
        assert_eq!((split.blocks[1].first, split.blocks[1].count), (1024, 8));
        let rw = FusedLayout::Falcon.split(Part::Bias, &[6144], &heads(32, 32, 64)).unwrap();
        assert_eq!(rw.blocks[0].count, 32);
    }

    #[test]
    fn gpt2_is_divided_by_columns_and_its_bias_by_its_only_axis() {
        let config = ModelConfig::default();
        let weight = FusedLayout::QkvColumns.split(Part::Weight, &[768, 2304], &config).unwrap();
        let bias = FusedLayout::QkvColumns.split(Part::Bias, &[2304], &config).unwrap();
        assert_eq!((weight.axis, bias.axis), (1, 0));
        assert_eq!(weight.blocks[2].ranges().collect::<Vec<_>>(), vec![1536..2304]);
    }

    fn wide(hidden: u64) -> ModelConfig {
        ModelConfig { hidden_size: Some(hidden), ..ModelConfig::default() }
    }

    #[test]
    fn packed_experts_stored_the_other_way_round_are_refused() {
        // [expert, out, in] and [expert, in, out] of hidden_size 2048: both have halves on either axis.
        for (layout, right, wrong) in [
            (FusedLayout::GateUpRows, [4, 1536, 2048], [4, 2048, 1536]),
            (FusedLayout::GateUpColumns, [4, 2048, 1536], [4, 1536, 2048]),
        ] {
            assert!(layout.split(Part::Weight, &right, &wide(2048)).is_ok());
            let error = layout.split(Part::Weight, &wrong, &wide(2048)).unwrap_err();
            assert!(error.contains("1536") && error.contains("2048"), "{error}");
            assert!(layout.split(Part::Weight, &right, &ModelConfig::default()).is_err());
        }
    }

    #[test]
    fn gpt_oss_takes_every_other_column() {
        let config = wide(2880);
        let split = FusedLayout::GateUpInterleaved.split(Part::Weight, &[32, 2880, 6], &config).unwrap();
        assert_eq!((split.axis, split.blocks[0].role), (2, Role::ExpertGateProj));
        assert_eq!(split.blocks[1].ranges().flatten().collect::<Vec<_>>(), [1, 3, 5]);
        let bias = FusedLayout::GateUpInterleaved.split(Part::Bias, &[32, 6], &config).unwrap();
        assert_eq!((bias.axis, bias.blocks[0].role), (1, Role::ExpertGateProj));
    }

    #[test]
    fn halves_are_rows_of_a_linear_and_of_each_expert() {
        let config = wide(4);
        let one = FusedLayout::GateUpRows.split(Part::Weight, &[16, 4], &config).unwrap();
        assert_eq!((one.axis, one.blocks[1].role, one.blocks[1].first), (0, Role::UpProj, 8));
        let packed = FusedLayout::GateUpRows.split(Part::Weight, &[3, 16, 4], &config).unwrap();
        assert_eq!((packed.axis, packed.blocks[0].role), (1, Role::ExpertGateProj));
    }

    #[test]
    fn parts_that_do_not_add_up_are_refused_with_figures() {
        let message = FusedLayout::QkvRows.split(Part::Weight, &[25, 5], &heads(4, 2, 3)).unwrap_err();
        assert!(message.contains("25") && message.contains("`q_proj` 12"), "{message}");
        assert!(FusedLayout::GateUpRows.split(Part::Weight, &[17, 4], &ModelConfig::default()).is_err());
        assert!(FusedLayout::GateUpInterleaved.split(Part::Weight, &[1, 4, 7], &ModelConfig::default()).is_err());
        assert!(FusedLayout::QkvRows.split(Part::Weight, &[24, 5], &ModelConfig::default()).is_err());
        assert!(FusedLayout::GateUpInterleaved.split(Part::Weight, &[2, 8, 3, 16], &ModelConfig::default()).is_err());
    }

    proptest! {
        #[test]
        fn a_division_covers_its_axis_once(
            groups in 1_u64..5, per_group in 1_u64..5, width in 1_u64..6, layout in 0_usize..3,
        ) {
            let config = heads(groups * per_group, groups, width);
            let layout = [FusedLayout::QkvRows, FusedLayout::QkvGrouped, FusedLayout::QkvPerHead][layout];
            let extent = match layout {
                FusedLayout::QkvPerHead => 3 * groups * per_group * width,
                _ => (groups * per_group + 2 * groups) * width,
            };
            let split = layout.split(Part::Weight, &[extent, 1], &config).unwrap();
            let mut rows: Vec<u64> = split.blocks.iter().flat_map(|block| block.ranges().flatten()).collect();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..extent).collect::<Vec<_>>());
        }

        #[test]
        fn split_never_panics(
            h: u64, g: u64, d: u64, shape in proptest::collection::vec(any::<u64>(), 0..4), layout in 0_usize..6,
        ) {
            let layout = [
                FusedLayout::QkvRows, FusedLayout::QkvGrouped, FusedLayout::QkvPerHead, FusedLayout::Falcon,
                FusedLayout::GateUpRows, FusedLayout::GateUpInterleaved,
            ][layout];
            let _ = layout.split(Part::Weight, &shape, &heads(h, g, d));
            let _ = layout.split(Part::Bias, &shape, &heads(h, g, d));
        }
    }
}
