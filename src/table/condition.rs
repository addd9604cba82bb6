//! `--fail-if`: a condition on one metric, for scripts that must notice a related pair.

use std::{cmp::Ordering, str::FromStr};

use crate::{metric::Metric, model::AuditError};

/// A comparison of a metric, or of its absolute value, with a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What is compared.
    pub metric: Metric,
    /// Whether its absolute value is.
    pub absolute: bool,
    /// On which side of the bound values are meant, and whether the bound itself is.
    side: Ordering,
    or_equal: bool,
    bound: f64,
    /// As it was written.
    pub text: String,
}

impl Condition {
    /// Whether the condition holds for `value` of the metric.
    pub fn holds(&self, value: f64) -> bool {
        let value = if self.absolute { value.abs() } else { value };
        let found = value.partial_cmp(&self.bound);
        found == Some(self.side) || self.or_equal && found == Some(Ordering::Equal)
    }
}

impl FromStr for Condition {
    type Err = AuditError;

    /// `METRIC OP NUMBER` or `abs(METRIC) OP NUMBER`, with `>`, `>=`, `<` or `<=`.
    fn from_str(text: &str) -> Result<Self, AuditError> {
        let refuse = |reason: String| AuditError::Condition { text: text.to_owned(), reason };
        let at = text.find(['<', '>']).ok_or_else(|| refuse("it has neither < nor >".to_owned()))?;
        let (left, right) = text.split_at(at);
        let side = if right.starts_with('>') { Ordering::Greater } else { Ordering::Less };
        let or_equal = right[1..].starts_with('=');
        let left = left.trim();
        let inner = left.strip_prefix("abs(").and_then(|rest| rest.strip_suffix(')'));
        let number = right[1 + usize::from(or_equal)..].trim();
        let bound = number.parse().ok().filter(|bound: &f64| bound.is_finite());
        let bound = bound.ok_or_else(|| refuse(format!("`{number}` is not a number")))?;
        let metric = inner.unwrap_or(left).trim();
        Ok(Self {
            metric: metric.parse().map_err(refuse)?,
            absolute: inner.is_some(),
            side,
            or_equal,
            bound,
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_compares_a_metric_with_a_number() {
        let holds = |text: &str, value: f64| text.parse::<Condition>().unwrap().holds(value);
        assert!(holds("pearson>0.9", 0.95));
        assert!(!holds("pearson > 0.9", 0.9));
        assert!(holds("pearson>=0.9", 0.9));
        assert!(holds("abs(pearson)>0.9", -0.95));
        assert!(holds("l2<=1e-3", 0.001));
        assert!(holds("cos_sim<0", -1.0));
    }

    #[test]
    fn what_is_not_a_condition_is_refused() {
        for text in ["", "pearson", "pearson=1", "person>1", "pearson>x", "pearson>nan", ">1", "abs(pearson>1"] {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }
}
