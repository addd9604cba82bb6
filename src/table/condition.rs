//! `--fail-if`: a condition on one metric, for scripts that must notice a related pair.

use std::str::FromStr;

use crate::{
    metric::{Metric, UnknownMetric},
    model::AuditError,
};

/// A comparison of a metric, or of its absolute value, with a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What is compared.
    pub metric: Metric,
    /// Whether its absolute value is.
    pub absolute: bool,
    operator: Operator,
    bound: f64,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Condition {
    /// Whether the condition holds for `value` of the metric.
    pub fn holds(&self, value: f64) -> bool {
        let value = if self.absolute { value.abs() } else { value };
        match self.operator {
            Operator::Above => value > self.bound,
            Operator::AtLeast => value >= self.bound,
            Operator::Below => value < self.bound,
            Operator::AtMost => value <= self.bound,
        }
    }

    /// The condition as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for Condition {
    type Err = AuditError;

    /// `METRIC OP NUMBER` or `abs(METRIC) OP NUMBER`, with `>`, `>=`, `<` or `<=`.
    fn from_str(text: &str) -> Result<Self, AuditError> {
        let refuse = |reason: String| AuditError::Condition { text: text.to_owned(), reason };
        let at = text.find(['<', '>']).ok_or_else(|| refuse("it has neither < nor >".to_owned()))?;
        let (left, right) = text.split_at(at);
        let (operator, number) = match right.as_bytes() {
            [b'>', b'=', ..] => (Operator::AtLeast, &right[2..]),
            [b'<', b'=', ..] => (Operator::AtMost, &right[2..]),
            [b'>', ..] => (Operator::Above, &right[1..]),
            _ => (Operator::Below, &right[1..]),
        };
        let left = left.trim();
        let inner = left.strip_prefix("abs(").and_then(|rest| rest.strip_suffix(')'));
        let number = number.trim();
        let bound = number.parse().ok().filter(|bound: &f64| bound.is_finite());
        let bound = bound.ok_or_else(|| refuse(format!("`{number}` is not a number")))?;
        let metric = inner.unwrap_or(left).trim();
        Ok(Self {
            metric: metric.parse().map_err(|error: UnknownMetric| refuse(error.to_string()))?,
            absolute: inner.is_some(),
            operator,
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
