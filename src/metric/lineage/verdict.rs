//! Signs of groups, the verdict, and how it reads.

use super::{
    block_test::Tail,
    evidence::{Evidence, Z_LINK, Z_LOOK},
};
use crate::named::named;

/// The proven bound that a link needs as well.
pub(crate) const LOG10_LINK: f64 = -9.0;

/// The same, divided by the number of tests in the run.
const LOG10_LINK_OF_ALL: f64 = -3.0;

/// Units must have been tested at least this sharply before independence is said to be consistent.
const DULLEST_UNITS: f64 = 0.1;

named! {
    /// What a group says, from nothing to a link.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) enum Sign {
        NotTested = "0",
        Minus = "-",
        /// Worth more rows.
        Unclear = "?",
        Plus = "+",
    }
}

/// How strict signs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strictness {
    /// Tests in the whole run: pairs times groups.
    pub(crate) tests: u64,
    /// How many times more rows were read already: each look spends half of what is left.
    pub(crate) stage: u32,
}

impl Strictness {
    /// What log10 of the bound of a link may be at most.
    pub(crate) fn log10_link(self) -> f64 {
        let of_all = LOG10_LINK_OF_ALL - (self.tests.max(1) as f64).log10();
        LOG10_LINK.min(of_all) - f64::from(self.stage) * std::f64::consts::LOG10_2
    }
}

impl Evidence {
    pub(crate) fn sign(&self, strictness: Strictness) -> Sign {
        let z = if self.tail == Tail::Both { self.z.abs() } else { self.z };
        if z >= Z_LINK && self.significance.log10_bound <= strictness.log10_link() {
            Sign::Plus
        } else if z >= Z_LOOK {
            Sign::Unclear
        } else {
            Sign::Minus
        }
    }
}

named! {
    /// What can be said of a pair.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Verdict {
        IdenticalBytes = "identical bytes",
        NotComparable = "not comparable",
        Linked = "linked",
        /// More rows are worth reading.
        Inconclusive = "inconclusive",
        Independent = "consistent with independence",
    }
}

/// The best signs of units and of basis, and the verdict that they make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) units: Sign,
    pub(crate) basis: Sign,
    pub(crate) verdict: Verdict,
}

impl Decision {
    /// Decides by the tests of units and of basis that were made, those of disguised copies among them where they are exact. Equal
    /// digests of the weight files are the caller's to know.
    pub(crate) fn of(units: &[Evidence], basis: &[Evidence], strictness: Strictness) -> Self {
        let best = |tests: &[Evidence]| tests.iter().map(|test| test.sign(strictness)).max().unwrap_or(Sign::NotTested);
        let (of_units, of_basis) = (best(units), best(basis));
        let signs = [of_units, of_basis];
        let sharp = units.iter().any(|test| test.rho_detectable <= DULLEST_UNITS);
        let verdict = if signs == [Sign::NotTested; 2] {
            Verdict::NotComparable
        } else if signs.contains(&Sign::Plus) {
            Verdict::Linked
        } else if signs.contains(&Sign::Unclear) || signs.contains(&Sign::NotTested) || !sharp {
            Verdict::Inconclusive
        } else {
            Verdict::Independent
        };
        Self { units: of_units, basis: of_basis, verdict }
    }

    /// What the two signs mean together; `None` where one is unclear or missing.
    pub(crate) fn reading(self) -> Option<&'static str> {
        match (self.units, self.basis) {
            (Sign::Plus, Sign::Plus) => Some(
                "Layers are inherited (trained on, merged, quantised, cut), or both grew from the same random start.",
            ),
            (Sign::Minus, Sign::Plus) => Some(
                "Embeddings or basis are inherited; layers are new, re-cut, reordered, or their units are relabelled.",
            ),
            (Sign::Plus, Sign::Minus) => {
                Some("Layers are inherited and embeddings and norms replaced; or the same random start, trained apart.")
            }
            (Sign::Minus, Sign::Minus) => {
                Some("Consistent with independence at the stated power; a relabelled or rotated copy looks the same.")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::lineage::{block_test::Significance, goldens::goldens};

    fn evidence(z: f64, log10_bound: f64, tail: Tail) -> Evidence {
        Evidence {
            z,
            significance: Significance { p: 0.5, log10_bound, log10_floor: -99.0 },
            tail,
            exact: true,
            rows: 256,
            width: 64,
            blocks: 32,
            rho: None,
            rho_sd: None,
            rho_detectable: 0.05,
            n_eff: None,
        }
    }

    #[test]
    fn decisions_are_those_of_the_reference() {
        for case in goldens()["decisions"].as_array().unwrap() {
            let tested = |group: &str| {
                case[group].as_f64().map(|z| Evidence {
                    rho_detectable: case["sharp"].as_f64().unwrap(),
                    ..evidence(
                        z,
                        if z.abs() >= 8.0 { -10.5 } else { -1.0 },
                        if group == "norms" { Tail::Both } else { Tail::Upper },
                    )
                })
            };
            let [units, basis] = [["mlp", "heads"], ["norms", "embeddings"]]
                .map(|groups| groups.into_iter().filter_map(tested).collect::<Vec<_>>());
            let strictness = Strictness { tests: case["tests"].as_u64().unwrap(), stage: 0 };
            let decision = Decision::of(&units, &basis, strictness);
            assert_eq!(decision.units.to_string(), case["table"]["units"], "{case}");
            assert_eq!(decision.basis.to_string(), case["table"]["basis"], "{case}");
            assert_eq!(decision.verdict.to_string(), case["verdict"], "{case}");
        }
    }

    #[test]
    fn more_tests_and_later_stages_ask_for_a_smaller_bound() {
        let link = |tests, stage| Strictness { tests, stage }.log10_link();
        assert!((link(1, 0) + 9.0).abs() < 1e-12);
        assert!((link(1_000_000, 0) + 9.0).abs() < 1e-12);
        assert!((link(100_000_000, 0) + 11.0).abs() < 1e-12);
        assert!((link(1, 2) + 9.602).abs() < 1e-3);
        let test = evidence(-9.0, -9.2, Tail::Both);
        assert_eq!(test.sign(Strictness { tests: 1, stage: 0 }), Sign::Plus);
        assert_eq!(test.sign(Strictness { tests: 1, stage: 1 }), Sign::Unclear);
        assert_eq!(evidence(-9.0, -9.2, Tail::Upper).sign(Strictness { tests: 1, stage: 0 }), Sign::Minus);
    }

    #[test]
    fn a_reading_needs_two_clear_signs() {
        let strict = Strictness { tests: 1, stage: 0 };
        let plus = evidence(9.0, -20.0, Tail::Upper);
        assert!(Decision::of(&[plus], &[], strict).reading().is_none());
        let reading = Decision::of(&[plus], &[plus], strict).reading().unwrap();
        assert!(reading.contains("same random start"), "{reading}");
    }
}
