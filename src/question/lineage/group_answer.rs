//! What is known of one group of one pair.

use crate::metric::lineage::{
    distance::{Distances, NormDistances},
    evidence::Evidence,
    units::LayerEvidence,
    untested::Untested,
    verdict::Sign,
};

/// One group of one pair.
#[derive(Debug)]
pub(crate) struct GroupAnswer {
    pub(crate) evidence: Evidence,
    pub(crate) sign: Sign,
    pub(crate) layers: Vec<LayerEvidence>,
    pub(crate) left_out: Vec<(usize, Untested)>,
    /// Whether it is the path test of a layer map.
    pub(crate) is_by_map: bool,
    pub(crate) distance: Distance,
    /// Distances of each layer of units.
    pub(crate) by_layer: Vec<(usize, Result<Distances, Untested>)>,
    /// Share of elements that are equal.
    pub(crate) equal: Option<f64>,
    /// Of a joint test whether the sides are equal once one is rounded to the type of the other.
    pub(crate) is_rounded: bool,
    /// How the matches look that were tested.
    pub(crate) matches: Option<Matches>,
}

/// Units, or hidden coordinates, that are each other's nearest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matches {
    /// Share of those that can match.
    pub(crate) mutual: f64,
    /// Share of the matches that have one number on both sides.
    pub(crate) same_index: f64,
}

/// How far apart one group is.
#[derive(Debug)]
pub(crate) enum Distance {
    Sampled(Result<Distances, Untested>),
    Norms(Result<NormDistances, Untested>),
    /// What was matched before has no distance of its own.
    None,
}

impl GroupAnswer {
    /// Of one test of all layers together.
    pub(crate) fn joint(evidence: Evidence, distance: Distance, equal: Option<f64>) -> Self {
        Self {
            evidence,
            sign: Sign::NotTested,
            layers: Vec::new(),
            left_out: Vec::new(),
            is_by_map: false,
            distance,
            by_layer: Vec::new(),
            equal,
            is_rounded: false,
            matches: None,
        }
    }

    /// Whether every element that was read is equal.
    pub(crate) fn is_equal(&self) -> bool {
        self.equal == Some(1.0)
    }
}
