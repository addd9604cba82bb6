//! What kind of relation it looks like, once a link stands: descriptions, not proofs; each has a rule for silence.

use std::fmt;

use super::{change::Change, distance::PairedRows, grid::grid, low_rank::LowRank};
use crate::metric::Element;

/// A type of stored weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Bf16,
    F16,
    F32,
}

impl Precision {
    fn significant_bits(self) -> u32 {
        match self {
            Self::Bf16 => 8,
            Self::F16 => 11,
            Self::F32 => 24,
        }
    }

    /// A value rounded to this type, through `f32`.
    #[expect(clippy::cast_possible_truncation, reason = "rounding is the point")]
    fn round(self, value: f64) -> f64 {
        let value = value as f32;
        match self {
            Self::Bf16 => half::bf16::from_f32(value).to_f64(),
            Self::F16 => half::f16::from_f32(value).to_f64(),
            Self::F32 => f64::from(value),
        }
    }
}

/// What was read of two linked models.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read<'a, T> {
    /// Rows of MLP units that the tests read, one entry a layer.
    pub(crate) mlp: &'a [PairedRows<'a, T>],
    /// Those of value dimensions and experts.
    pub(crate) other_units: &'a [PairedRows<'a, T>],
    /// Whether norms and embeddings are equal in every byte read.
    pub(crate) basis_equal: bool,
    /// Whether they are equal once rounded, as [`is_rounded`] tells.
    pub(crate) basis_rounded: bool,
    /// Up to 256 rows of some matrices; empty where they are left out.
    pub(crate) deep: &'a [PairedRows<'a, T>],
    pub(crate) precisions: [Precision; 2],
    /// Rows of the embedding tables.
    pub(crate) vocabularies: [usize; 2],
}

/// The first kind that applies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// Equal once the wider side is rounded to the narrower type.
    Cast,
    /// One side lies on a grid, or the change looks like rounding to one that is not recognised (`sides` then holds none).
    Quantised { sides: [bool; 2], grid: &'static str },
    /// Equal in every byte read.
    Identical,
    /// The same, with embedding tables of different lengths.
    VocabularyGrown,
    /// Every changed matrix differs by few directions.
    LowRank,
    /// Elements are unchanged whatever their size.
    Sparse { unchanged: f64, trimmed: bool },
    /// Most changes are below the resolution of the stored type.
    NotReadable,
    /// Even Gaussian noise.
    Noise,
    /// Training, or anything that is not recognised: the default, not a finding.
    Changed,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cast => "cast",
            Self::Quantised { .. } => "quantised",
            Self::Identical => "identical",
            Self::VocabularyGrown => "vocabulary grown",
            Self::LowRank => "low rank",
            Self::Sparse { .. } => "sparse",
            Self::NotReadable => "not readable",
            Self::Noise => "noise",
            Self::Changed => "changed",
        })
    }
}

/// What changed in one matrix of deep rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DeepChange {
    pub(crate) change: Change,
    pub(crate) low_rank: Option<LowRank>,
}

/// A kind with the facts that it rests on, as far as these were worked out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Description {
    pub(crate) kind: Kind,
    /// For each matrix of deep rows its change, `None` where it did not change.
    pub(crate) deep: Vec<Option<DeepChange>>,
    /// Medians over the tensors that the tests read and that changed.
    pub(crate) medians: Option<Change>,
}

impl<'a, T: Element> Read<'a, T> {
    fn units(&self) -> impl Iterator<Item = &'a PairedRows<'a, T>> {
        self.mlp.iter().chain(self.other_units)
    }

    /// Describes the relation; `None` where no rows of units were read.
    pub(crate) fn describe(&self) -> Option<Description> {
        self.units().next()?;
        let facts = |kind, deep, medians| Some(Description { kind, deep, medians });
        if self.is_cast() {
            return facts(Kind::Cast, vec![], None);
        }
        if let Some(kind) = self.quantised() {
            return facts(kind, vec![], None);
        }
        let bits = self.precisions[1].significant_bits();
        let deep: Vec<Option<DeepChange>> = self
            .deep
            .iter()
            .map(|rows| Change::of(rows).map(|change| DeepChange { change, low_rank: LowRank::of(rows, bits) }))
            .collect();
        let changed = || deep.iter().flatten();
        if self.basis_equal && changed().next().is_none() && self.units().all(PairedRows::equal) {
            let grown = self.vocabularies[0] != self.vocabularies[1];
            return facts(if grown { Kind::VocabularyGrown } else { Kind::Identical }, deep, None);
        }
        let ranks: Vec<LowRank> = changed().filter_map(|change| change.low_rank).collect();
        if !ranks.is_empty() && ranks.iter().all(LowRank::explains) {
            return facts(Kind::LowRank, deep, None);
        }
        let [of_a, of_b] = self.precisions;
        // What a cast alone has changed tells nothing of how the rest did.
        let is_apart = |rows: &&PairedRows<'_, T>| of_a == of_b || !is_rounded(rows, self.precisions);
        let changes: Vec<Change> = self.units().filter(is_apart).filter_map(Change::of).collect();
        let Some(medians) = Change::medians(&changes) else {
            return facts(Kind::Changed, deep, None);
        };
        let kind = of_medians(&medians).unwrap_or_else(|| {
            let moved: Vec<Change> = changed().map(|change| change.change).collect();
            of_deep_rows(&moved)
        });
        facts(kind, deep, Some(medians))
    }

    fn is_cast(&self) -> bool {
        let [of_a, of_b] = self.precisions;
        let mut read = self.units().chain(self.deep);
        of_a != of_b && self.basis_rounded && read.all(|rows| is_rounded(rows, self.precisions))
    }

    /// Rows that are equal on both sides say nothing of a grid. Where MLP units did not change at all, it was no quantisation.
    fn quantised(&self) -> Option<Kind> {
        if !self.mlp.is_empty() && self.mlp.iter().all(PairedRows::equal) {
            return None;
        }
        let (a, b): (Vec<&[T]>, Vec<&[T]>) =
            self.units().flat_map(PairedRows::rows).filter(|row| !row.equal()).map(|row| (row.a, row.b)).unzip();
        let grids = [grid(&a, &b), grid(&b, &a)];
        let sides = grids.map(|grid| grid.is_some());
        grids[0].or(grids[1]).map(|grid| Kind::Quantised { sides, grid })
    }
}

/// Whether the sides are equal, or are once one is rounded to the type of the other.
#[expect(clippy::float_cmp, reason = "asks whether the cast is exact")]
pub(crate) fn is_rounded<T: Element>(rows: &PairedRows<'_, T>, [of_a, of_b]: [Precision; 2]) -> bool {
    rows.equal() || rows.pairs().all(|(a, b)| of_b.round(a) == b) || rows.pairs().all(|(a, b)| of_a.round(b) == a)
}

/// What the tested tensors alone say.
fn of_medians(medians: &Change) -> Option<Kind> {
    if medians.relative > 1.3 {
        return Some(Kind::Changed);
    }
    if medians.zero_share >= 0.2 && medians.zero_spread.is_some_and(|spread| spread <= 0.1) {
        return Some(Kind::Sparse { unchanged: medians.zero_share, trimmed: medians.tail > 0.35 });
    }
    (medians.zero_share > 0.5 || medians.below_step > 0.7).then_some(Kind::NotReadable)
}

/// What needs every changed matrix, from many rows: from a few, real fine-tunes look like noise.
fn of_deep_rows(moved: &[Change]) -> Kind {
    let is_flat = |change: &Change| {
        change.flatness.is_some_and(|flatness| flatness <= 1.10) && change.zero_share <= 0.3 && change.relative <= 0.7
    };
    if moved.is_empty() || !moved.iter().all(is_flat) {
        return Kind::Changed;
    }
    if moved.iter().all(|change| change.kurtosis < 2.4) {
        let grid = "change flat and bounded as by rounding; its grid is not recognised";
        return Kind::Quantised { sides: [false; 2], grid };
    }
    let is_even = |change: &Change| {
        let unevenness = [change.uneven_rows, change.uneven_columns];
        (2.6..=3.4).contains(&change.kurtosis) && unevenness.iter().all(|by| by.is_some_and(|by| by <= 1.5))
    };
    if moved.iter().all(is_even) { Kind::Noise } else { Kind::Changed }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::metric::lineage::{
        choice,
        goldens::{Array, Arrays, as_blocks, goldens, integers, near, text},
    };

    fn check(change: &Change, golden: &Value) {
        for (name, value) in [
            ("zero", Some(change.zero_share)),
            ("relative", Some(change.relative)),
            ("uneven_rows", change.uneven_rows),
            ("uneven_columns", change.uneven_columns),
            ("flat", change.flatness),
            ("kurtosis", Some(change.kurtosis)),
            ("tail", Some(change.tail)),
            ("zero_spread", change.zero_spread),
            ("below_ulp", Some(change.below_step)),
        ] {
            match value {
                Some(value) => near(value, &golden[name]),
                None => assert!(golden[name].is_null(), "{name}: {golden}"),
            }
        }
    }

    fn paired(rows: &[[Vec<f64>; 2]]) -> Vec<PairedRows<'_, f64>> {
        rows.iter().map(|[a, b]| PairedRows { a, b, width: 128 }).collect()
    }

    fn precision(name: &Value) -> Precision {
        match text(name) {
            "BF16" => Precision::Bf16,
            "F16" => Precision::F16,
            _ => Precision::F32,
        }
    }

    #[test]
    fn relations_are_those_of_the_reference() {
        let arrays = Arrays::of("rel.");
        for case in goldens()["relations"].as_array().unwrap() {
            let name = &case["name"];
            // Rows as the tests of two layers choose them, and deep rows of every matrix.
            let rows = |role: &str, layer: usize, pick: &dyn Fn(&Array) -> Vec<usize>| {
                ["a", "b"].map(|side| {
                    let array = arrays.get(text(&case[side][format!("{role}.{layer}")]));
                    array.rows(pick(array))
                })
            };
            let chosen = |kind: &str, runs: &[std::ops::Range<usize>], count| {
                choice::blocks(kind, runs, count, 0).unwrap().into_iter().flatten().collect::<Vec<_>>()
            };
            let of_mlp = [0, 1].map(|l| rows("mlp", l, &|_| chosen("mlp", &as_blocks(&[272]), 16)));
            let of_heads = [0, 1].map(|l| rows("heads", l, &|_| chosen("heads", &as_blocks(&[16, 16]), 16)));
            let deep_rows = |array: &Array| match array.len() {
                rows @ ..=256 => (0..rows).collect(),
                rows => chosen("deep", &as_blocks(&[rows]), 32),
            };
            let places: Vec<(&str, usize)> =
                ["q", "heads", "mlp"].into_iter().flat_map(|role| [(role, 0), (role, 1)]).collect();
            let of_deep: Vec<_> = places.iter().map(|(role, l)| rows(role, *l, &deep_rows)).collect();
            let (mlp, other_units, deep) = (paired(&of_mlp), paired(&of_heads), paired(&of_deep));
            let read = Read {
                mlp: &mlp,
                other_units: &other_units,
                basis_equal: true,
                basis_rounded: true,
                deep: &deep,
                precisions: [0, 1].map(|side| precision(&case["types"][side])),
                vocabularies: [0, 1].map(|side| integers(&case["words"][side])[0]),
            };
            for (rows, golden) in read.units().zip(case["changes"].as_array().unwrap()) {
                match Change::of(rows) {
                    Some(change) => check(&change, golden),
                    None => assert_eq!(golden, &json!({"zero": 1.0})),
                }
            }

            let (description, golden) = (read.describe().unwrap(), &case["relation"]);
            assert_eq!(description.kind.to_string(), golden["kind"], "{name}");
            if let Kind::Quantised { grid, sides } = &description.kind {
                assert_eq!(golden["grid"], *grid, "{name}");
                let golden: Vec<&str> = golden["side"].as_array().unwrap().iter().map(text).collect();
                assert_eq!(*sides, ["first", "second"].map(|side| golden.contains(&side)), "{name}");
            }
            if let Kind::Sparse { unchanged, trimmed } = description.kind {
                near(unchanged, &golden["unchanged"]);
                assert_eq!(trimmed, text(&golden["how"]).contains("trimmed"));
            }
            if let Some(medians) = description.medians {
                check(&medians, &golden["change"]);
            }
            for ((role, layer), deep) in places.iter().zip(&description.deep) {
                let golden = &golden["deep"][format!("{role}.{layer}")];
                let Some(deep) = deep else {
                    assert_eq!(golden, &json!({"zero": 1.0}), "{name}");
                    continue;
                };
                check(&deep.change, &golden["change"]);
                match deep.low_rank {
                    Some(low_rank) => {
                        assert_eq!(json!(low_rank.rank), golden["rank"], "{name} {role}");
                        near(low_rank.over_noise, &golden["over_noise"]);
                        assert_eq!(json!(low_rank.readable), golden["readable"]);
                        low_rank.rest_over_noise.iter().for_each(|rest| near(*rest, &golden["rest_over_noise"]));
                    }
                    None => assert!(golden["reason"].is_string(), "{name}: {golden}"),
                }
            }
        }
    }

    #[test]
    fn a_cast_needs_everything_that_was_read() {
        let wide: Vec<f64> = (0..64 * 64).map(|at| (f64::from(at) * 0.7).sin()).collect();
        let narrow: Vec<f64> = wide.iter().map(|x| Precision::Bf16.round(*x)).collect();
        let other: Vec<f64> = wide.iter().map(|x| 0.5 * x + 0.3).collect();
        let rows = |b| PairedRows { a: &wide, b, width: 64 };
        let (cast, changed) = ([rows(&narrow)], [rows(&other)]);
        let read = Read {
            mlp: &cast,
            other_units: &[],
            basis_equal: false,
            basis_rounded: true,
            deep: &cast,
            precisions: [Precision::F32, Precision::Bf16],
            vocabularies: [9; 2],
        };
        let kind = |read: Read<'_, f64>| read.describe().unwrap().kind;
        assert_eq!(kind(read), Kind::Cast);
        assert_ne!(kind(Read { deep: &changed, ..read }), Kind::Cast);
        assert_ne!(kind(Read { basis_rounded: false, ..read }), Kind::Cast);
        assert_ne!(kind(Read { other_units: &changed, ..read }), Kind::Cast);
        // Tensors that both have in a type of their own.
        assert_eq!(kind(Read { deep: &[rows(&wide)], ..read }), Kind::Cast);
    }

    #[test]
    fn without_rows_of_units_nothing_is_described() {
        let read: Read<'_, f32> = Read {
            mlp: &[],
            other_units: &[],
            basis_equal: true,
            basis_rounded: true,
            deep: &[],
            precisions: [Precision::Bf16; 2],
            vocabularies: [9; 2],
        };
        assert_eq!(read.describe(), None);
    }
}
