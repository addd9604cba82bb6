//! Figures that public analyses of the same question printed. They are data to compare with and never stand in for a
//! measurement.

use serde::Deserialize;

use crate::family::{Role, RoleKind};

/// The published figures, one JSON object a line.
const NUMBERS: &str = include_str!("../../../fixtures/published_numbers.jsonl");

/// One published figure.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Record {
    /// Who published it.
    pub source: String,
    /// The part of the source, such as `exp3`.
    pub experiment: String,
    /// What it is a figure of: `within`, `cross`, a mean of either, `group`, `stat`, `summary`.
    pub kind: String,
    /// The repositories, by name.
    pub repos: Vec<String>,
    /// The layers, as the kind needs them.
    pub layers: Layers,
    /// The tensor's name with `{L}` for the layer.
    pub tensor: String,
    /// The metric, as the source calls it.
    pub metric: String,
    /// The figure.
    pub value: f64,
    /// Largest difference that is no mismatch: half a unit in the last printed place, and float noise.
    #[serde(rename = "tol_abs")]
    pub tolerance: f64,
    /// A remark.
    pub note: Option<String>,
}

/// The layers of a record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Layers {
    /// One layer a side, or a list of layers.
    List(Vec<u32>),
    /// Pairs of layers.
    Pairs(Vec<[u32; 2]>),
    /// In words.
    Words(String),
}

impl Record {
    /// Every published figure, in the order of the file. A line that cannot be read is left out; a test reads them all.
    pub fn all() -> Vec<Self> {
        NUMBERS.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The role of its tensor, such as `input_layernorm`; `None` where it is about no tensor.
    pub fn role(&self) -> Option<&str> {
        let name = self.tensor.strip_suffix(".weight")?;
        name.rsplit('.').next()
    }

    /// Whether it is about a matrix, of which only the layers that are named are read.
    pub(crate) fn is_of_matrix(&self) -> bool {
        self.role().and_then(|role| role.parse::<Role>().ok()).is_some_and(|role| role.kind() == RoleKind::Matrix)
    }

    /// Whether it is about pairs between two groups, such as `exp5:MoE-nonMoE`.
    pub fn is_between_groups(&self) -> bool {
        let groups = self.experiment.split_once(':').and_then(|(_, groups)| groups.split_once('-'));
        groups.is_some_and(|(a, b)| a != b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_file_is_a_record() {
        assert_eq!(Record::all().len(), NUMBERS.lines().count());
        assert_eq!(Record::all().len(), 1319);
    }

    #[test]
    fn a_tensor_names_its_role() {
        let records = Record::all();
        let roles: std::collections::BTreeSet<_> = records.iter().map(Record::role).collect();
        let names = ["input_layernorm", "k_proj", "post_attention_layernorm", "v_proj"];
        assert_eq!(roles.into_iter().flatten().collect::<Vec<_>>(), names);
    }
}
