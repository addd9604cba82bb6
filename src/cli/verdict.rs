//! What came of `--fail-if`: the first pairs that meet it, how many more do, and how many it could not be asked of, and why.
//! A condition that holds nowhere because nothing was judged must not look like one that was judged and holds nowhere.

use std::{collections::BTreeMap, fmt::Write};

use hub_audit::{metric::Undefined, table::Condition};

use super::{printer::Printer, table};

/// Pairs that are printed; tables under `-o` have all.
const MOST: u64 = 10;

/// A condition as it is asked of one pair after the other.
pub(crate) struct Verdict<'a> {
    condition: &'a Condition,
    printer: &'a Printer,
    judged: u64,
    met: u64,
    unjudged: BTreeMap<String, u64>,
}

impl<'a> Verdict<'a> {
    pub(crate) fn new(condition: &'a Condition, printer: &'a Printer) -> Self {
        Self { condition, printer, judged: 0, met: 0, unjudged: BTreeMap::new() }
    }

    /// Asks the condition of a pair, which `name` names.
    pub(crate) fn judge(&mut self, value: &Result<f64, Undefined>, name: impl FnOnce() -> String) {
        let value = match value {
            Ok(value) => *value,
            Err(reason) => return self.pass_over(1, why(reason)),
        };
        self.judged += 1;
        if !self.condition.holds(value) {
            return;
        }
        self.met += 1;
        if self.met <= MOST {
            let (text, metric) = (&self.condition.text, self.condition.metric);
            self.printer.talk(&format!("--fail-if {text} holds: {}, {metric} = {value}", name()));
        }
    }

    /// Counts what the condition cannot be asked of.
    pub(crate) fn pass_over(&mut self, count: usize, why: &str) {
        if count > 0 {
            *self.unjudged.entry(why.to_owned()).or_default() += count as u64;
        }
    }

    /// Says what came of it, and whether the run must not count as a success: the condition holds somewhere, or could be
    /// asked of nothing.
    pub(crate) fn fails(&self) -> bool {
        let line = self.line();
        if self.judged == 0 {
            self.printer.warn(&line);
        } else {
            self.printer.talk(&line);
        }
        self.met > 0 || self.judged == 0
    }

    fn line(&self) -> String {
        let text = &self.condition.text;
        let mut line = match (self.judged, self.met) {
            (0, _) => format!("--fail-if {text} could be asked of no pair"),
            (judged, 0) => format!("--fail-if {text} holds for none of {}", table::count(judged, "pair")),
            (judged, met) => format!("--fail-if {text} holds for {met} of {}", table::count(judged, "pair")),
        };
        if self.met > MOST {
            let _ = write!(line, ", of which the first {MOST} are above, and all in pairs.csv under -o");
        }
        if !self.unjudged.is_empty() {
            let reasons = self.unjudged.iter().map(|(why, count)| format!("{count} {why}"));
            let _ = write!(line, "; not judged: {}", reasons.collect::<Vec<_>>().join(", "));
        }
        line
    }
}

/// Why a pair has no value, after a number of such pairs.
fn why(reason: &Undefined) -> &'static str {
    match reason {
        Undefined::ZeroNorm => "with a norm of zero",
        Undefined::Constant => "with a constant side",
        Undefined::Shape => "of differing shape",
        Undefined::NonFinite { .. } => "with NaN or infinite elements",
        Undefined::TooFew => "with too few elements",
        Undefined::MeanNearZero => "with a mean near zero",
        _ => "with a side that is missing or cannot be compared",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = Result<f64, Undefined>>) -> (bool, String) {
        let condition: Condition = "pearson>0.5".parse().unwrap();
        let printer = Printer::new(true, false);
        let mut verdict = Verdict::new(&condition, &printer);
        for value in values {
            verdict.judge(&value, String::new);
        }
        (verdict.fails(), verdict.line())
    }

    #[test]
    fn what_was_not_judged_is_counted_by_its_reason() {
        let values = [Ok(0.1), Err(Undefined::Shape), Ok(0.9), Err(Undefined::Shape), Err(Undefined::Constant)];
        let line =
            "--fail-if pearson>0.5 holds for 1 of 2 pairs; not judged: 2 of differing shape, 1 with a constant side";
        assert_eq!(of(values), (true, line.to_owned()));
        let line = "--fail-if pearson>0.5 holds for none of 1 pair";
        assert_eq!(of([Ok(0.1)]), (false, line.to_owned()));
    }

    #[test]
    fn a_condition_that_nothing_could_be_asked_of_is_no_success() {
        let (fails, line) = of([Err(Undefined::TooFew)]);
        assert!(fails);
        assert_eq!(line, "--fail-if pearson>0.5 could be asked of no pair; not judged: 1 with too few elements");
    }

    #[test]
    fn of_many_pairs_the_first_are_named() {
        let (_, line) = of(vec![Ok(0.9); 25]);
        assert!(
            line.ends_with("holds for 25 of 25 pairs, of which the first 10 are above, and all in pairs.csv under -o"),
            "{line}"
        );
    }
}
