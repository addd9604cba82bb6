//! A published figure beside the measured one, and whether it stands.

use super::Record;
use crate::named::named;

/// How a published figure fared.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What was published.
    pub record: Record,
    /// The figure as measured, or the reason why it was not.
    pub value: Result<f64, String>,
}

named! {
    /// Whether a published figure stands, as `published.csv` writes it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Outcome {
        /// Within the tolerance.
        Match = "match",
        /// Beyond it.
        Mismatch = "mismatch",
        /// Not measured by the run.
        NotChecked = "not checked",
    }
}

impl Checked {
    /// Measured less published.
    pub fn difference(&self) -> Option<f64> {
        self.value.as_ref().ok().map(|value| value - self.record.value)
    }

    /// Whether it stands.
    pub fn outcome(&self) -> Outcome {
        match self.difference() {
            None => Outcome::NotChecked,
            Some(difference) if difference.abs() <= self.record.tolerance => Outcome::Match,
            Some(_) => Outcome::Mismatch,
        }
    }
}
