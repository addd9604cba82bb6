//! What came of `--fail-if`: the first pairs that meet it, how many more do, and how many it could not be asked of, and why.
//! A condition that holds nowhere because nothing was judged must not look like one that was judged and holds nowhere.

use std::{collections::BTreeMap, fmt::Write};

use hub_audit::{metric::Undefined, table::Condition};

use super::{exit::ExitStatus, printer::Printer, table};

/// Findings that are printed; tables under `-o` have all.
const MOST: u64 = 10;

/// A condition as it is asked of one thing after the other: pairs, or means.
pub(crate) struct Findings<'a> {
    /// The condition as it was typed.
    text: &'a str,
    noun: &'static str,
    printer: &'a Printer,
    judged: u64,
    met: u64,
    unjudged: BTreeMap<String, u64>,
}

impl<'a> Findings<'a> {
    /// Of a condition that reads `text`, asked of things called `noun`.
    pub(crate) fn new(text: &'a str, noun: &'static str, printer: &'a Printer) -> Self {
        Self { text, noun, printer, judged: 0, met: 0, unjudged: BTreeMap::new() }
    }

    /// Asks the condition of a value of something, which `name` names.
    pub(crate) fn judge(
        &mut self,
        condition: &Condition,
        value: &Result<f64, Undefined>,
        name: impl FnOnce() -> String,
    ) {
        match value {
            Ok(value) => {
                self.record(condition.holds(*value), || format!("{}, {} = {value}", name(), condition.metric));
            }
            Err(reason) => self.pass_over(1, reason.of_pairs()),
        }
    }

    /// Counts one answer; `what` tells of one that meets the condition.
    pub(crate) fn record(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.judged += 1;
        self.met += u64::from(holds);
        if holds && self.met <= MOST {
            self.printer.talk(&format!("--fail-if {} holds: {}", self.text, what()));
        }
    }

    /// Counts what the condition cannot be asked of.
    pub(crate) fn pass_over(&mut self, count: usize, why: &str) {
        if count > 0 {
            *self.unjudged.entry(why.to_owned()).or_default() += count as u64;
        }
    }

    /// Says what came of it. A condition that could be asked of nothing is a gap, not a pass.
    pub(crate) fn status(&self) -> ExitStatus {
        let line = self.line();
        if self.judged == 0 {
            self.printer.warn(&line);
            return ExitStatus::Incomplete;
        }
        self.printer.talk(&line);
        if self.met > 0 { ExitStatus::Finding } else { ExitStatus::Done }
    }

    fn line(&self) -> String {
        let text = self.text;
        let mut line = match (self.judged, self.met) {
            (0, _) => format!("--fail-if {text}: no {} to check", self.noun),
            (judged, 0) => format!("--fail-if {text} holds for none of {}", table::count(judged, self.noun)),
            (judged, met) => format!("--fail-if {text} holds for {met} of {}", table::count(judged, self.noun)),
        };
        if self.met > MOST {
            let _ = write!(line, ", of which the first {MOST} are above, and all in the CSV files under -o");
        }
        if !self.unjudged.is_empty() {
            let reasons = self.unjudged.iter().map(|(why, count)| format!("{count} {why}"));
            let _ = write!(line, "; not checked: {}", reasons.collect::<Vec<_>>().join(", "));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = Result<f64, Undefined>>) -> (ExitStatus, String) {
        let condition: Condition = "pearson>0.5".parse().unwrap();
        let printer = Printer::new(true, false);
        let mut findings = Findings::new(&condition.text, "pair", &printer);
        for value in values {
            findings.judge(&condition, &value, String::new);
        }
        (findings.status(), findings.line())
    }

    #[test]
    fn what_was_not_judged_is_counted_by_its_reason() {
        let values = [Ok(0.1), Err(Undefined::Shape), Ok(0.9), Err(Undefined::Shape), Err(Undefined::Constant)];
        let line =
            "--fail-if pearson>0.5 holds for 1 of 2 pairs; not checked: 2 of differing shape, 1 with a constant side";
        assert_eq!(of(values), (ExitStatus::Finding, line.to_owned()));
        let line = "--fail-if pearson>0.5 holds for none of 1 pair";
        assert_eq!(of([Ok(0.1)]), (ExitStatus::Done, line.to_owned()));
    }

    #[test]
    fn a_condition_that_nothing_could_be_asked_of_is_no_success() {
        let line = "--fail-if pearson>0.5: no pair to check; not checked: 1 with too few elements";
        assert_eq!(of([Err(Undefined::TooFew)]), (ExitStatus::Incomplete, line.to_owned()));
    }

    #[test]
    fn of_many_pairs_the_first_are_named() {
        let (_, line) = of(vec![Ok(0.9); 25]);
        assert!(
            line.ends_with(
                "holds for 25 of 25 pairs, of which the first 10 are above, and all in the CSV files under -o"
            ),
            "{line}"
        );
    }
}
