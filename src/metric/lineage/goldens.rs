//! The figures of `fixtures/lineage/goldens.json`, and the arrays that its recipes rebuild to the bit.

use std::{collections::HashMap, ops::Range, sync::LazyLock};

use serde_json::Value;

use super::{
    block_test::Significance,
    distance::PairedRows,
    draws::word,
    evidence::{Evidence, POWER_90, Z_LOOK},
};

pub(super) fn goldens() -> &'static Value {
    static GOLDENS: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../../fixtures/lineage/goldens.json")).unwrap());
    &GOLDENS
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// One whole number or a list of them.
pub(super) fn integers(value: &Value) -> Vec<usize> {
    let integer = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    value.as_array().map_or_else(|| vec![integer(value)], |list| list.iter().map(integer).collect())
}

#[track_caller]
pub(super) fn near(value: f64, golden: &Value) {
    let golden = golden.as_f64().unwrap_or_else(|| panic!("{value} has no golden: {golden}"));
    assert!((value - golden).abs() <= 1e-9 * golden.abs().max(1.0), "{value} is not {golden}");
}

/// p equal, the bound above by a hair at most and never below.
#[track_caller]
pub(super) fn check_significance(test: Significance, golden: &Value) {
    assert_eq!(Value::from(test.p), golden["p"]);
    let above = test.log10_bound - golden["log10_bound"].as_f64().unwrap();
    assert!((-1e-6..=0.01).contains(&above), "{} is not {}", test.log10_bound, golden["log10_bound"]);
    near(test.log10_floor, &golden["floor"]);
}

#[track_caller]
pub(super) fn check_evidence(evidence: &Evidence, golden: &Value) {
    near(evidence.z, &golden["z"]);
    near(evidence.rho.unwrap(), &golden["rho"]);
    near(evidence.rho_sd.unwrap(), &golden["rho_sd"]);
    near(evidence.rho_detectable, &golden["rho_detectable"]);
    near(evidence.rho_detectable / (Z_LOOK + POWER_90), &golden["rho_sd"]);
    assert_eq!([evidence.rows, evidence.blocks], ["rows", "blocks"].map(|name| integers(&golden[name])[0]));
    assert_eq!(evidence.n_eff.is_some(), golden["n_eff"].is_number());
    evidence.n_eff.iter().for_each(|n_eff| near(*n_eff, &golden["n_eff"]));
    check_significance(evidence.significance, golden);
}

/// Blocks of these sizes, one after the other.
pub(super) fn as_blocks(sizes: &[usize]) -> Vec<Range<usize>> {
    let mut first = 0;
    let mut next = |size: &usize| {
        first += size;
        first - size..first
    };
    sizes.iter().map(&mut next).collect()
}

fn uniform(key: u64, n: u64) -> f64 {
    (word(key, n) >> 40) as f64 / 16_777_216.0
}

/// Nearly normal; see `arrays.py`.
pub(super) fn bell(key: u64, n: u64) -> f64 {
    let sum = uniform(key, 4 * n) + uniform(key, 4 * n + 1) + uniform(key, 4 * n + 2) + uniform(key, 4 * n + 3);
    (sum - 2.0) * 1.732_050_807_568_877_2
}

/// A matrix of the goldens, row-major.
#[derive(Clone)]
pub(super) struct Array {
    pub(super) columns: usize,
    pub(super) values: Vec<f64>,
}

impl Array {
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    pub(super) fn rows(&self, rows: impl IntoIterator<Item = usize>) -> Vec<f64> {
        rows.into_iter().flat_map(|row| &self.values[row * self.columns..(row + 1) * self.columns]).copied().collect()
    }

    pub(super) fn all_rows(&self) -> Vec<&[f64]> {
        self.values.chunks_exact(self.columns).collect()
    }
}

/// Arrays by name.
pub(super) struct Arrays(HashMap<String, Array>);

impl Arrays {
    /// Those whose names begin so.
    pub(super) fn of(prefix: &str) -> Self {
        let mut arrays = Self(HashMap::new());
        for (name, recipe) in goldens()["arrays"].as_object().unwrap() {
            if name.starts_with(prefix) {
                let array = arrays.build(recipe);
                arrays.0.insert(name.clone(), array);
            }
        }
        arrays
    }

    pub(super) fn get(&self, name: &str) -> &Array {
        &self.0[name]
    }

    pub(super) fn pair(&self, a: &str, b: &str) -> PairedRows<'_, f64> {
        let [a, b] = [self.get(a), self.get(b)];
        PairedRows { a: &a.values, b: &b.values, width: a.columns }
    }

    fn build(&self, recipe: &Value) -> Array {
        let [rows, columns] = ["rows", "columns"].map(|name| integers(&recipe[name])[0]);
        let mut array = Array { columns, values: vec![0.0; rows * columns] };
        for term in recipe["sum"].as_array().unwrap() {
            self.add(term, &mut array);
        }
        scale(recipe, &mut array);
        reorder(recipe, &mut array);
        round(recipe, &mut array);
        array
    }

    fn add(&self, term: &Value, array: &mut Array) {
        let (weight, columns) = (term["weight"].as_f64().unwrap(), array.columns);
        if let Some(key) = term["bell"].as_u64() {
            let dropped = term["drop"].as_f64().unwrap_or(0.0);
            for (n, x) in (0..).zip(&mut array.values) {
                *x += if uniform(key + 1, n) < dropped { 0.0 } else { weight * bell(key, n) };
            }
        } else if let Some(key) = term["outer"].as_u64() {
            for r in 0..term["rank"].as_u64().unwrap() {
                let along = |side: u64, n: usize| bell(key, n as u64 + (2 * r + side) * (1 << 20));
                for (at, x) in array.values.iter_mut().enumerate() {
                    *x += weight * (along(0, at / columns) * along(1, at % columns));
                }
            }
        } else {
            let other = self.get(text(&term["array"]));
            array.values.iter_mut().zip(&other.values).for_each(|(x, y)| *x += weight * y);
        }
    }
}

fn scale(recipe: &Value, array: &mut Array) {
    let columns = array.columns;
    let factor = |name: &str, n: usize| {
        let by = &recipe[name];
        by["key"].as_u64().map_or(1.0, |key| 1.0 + by["strength"].as_f64().unwrap() * uniform(key, n as u64))
    };
    let empty = vec![];
    let massive = recipe["massive"].as_array().unwrap_or(&empty);
    for (at, x) in array.values.iter_mut().enumerate() {
        let column = at % columns;
        *x *= factor("columns_by", column);
        *x *= factor("rows_by", at / columns);
        for place in massive.iter().filter(|place| integers(&place[0])[0] == column) {
            *x *= place[1].as_f64().unwrap();
        }
    }
    for place in recipe["set"].as_array().unwrap_or(&empty) {
        let [r0, r1, c0, c1] = [0, 1, 2, 3].map(|at| integers(&place[at])[0]);
        for row in r0..r1 {
            array.values[row * columns + c0..row * columns + c1].fill(place[4].as_f64().unwrap());
        }
    }
}

fn reorder(recipe: &Value, array: &mut Array) {
    if recipe["take_rows"].is_array() {
        array.values = array.rows(integers(&recipe["take_rows"]));
    }
    if recipe["take_columns"].is_array() {
        array.values = super::disguise::take_columns(&array.values, array.columns, &integers(&recipe["take_columns"]));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounding is the point")]
fn round(recipe: &Value, array: &mut Array) {
    if let grid @ Value::Object(_) = &recipe["grid"] {
        let [run, steps] = ["run", "steps"].map(|name| integers(&grid[name])[0]);
        for run in array.values.chunks_exact_mut(run) {
            let step = run.iter().fold(0.0_f64, |largest, x| largest.max(x.abs())) / steps as f64;
            for x in run.iter_mut() {
                *x = (*x / step).round_ties_even() * step;
            }
        }
    }
    if let Some(bits) = recipe["significant"].as_u64() {
        for x in &mut array.values {
            let step = f64::from_bits(x.to_bits() & (0x7FF << 52)) / (1_u64 << (bits - 1)) as f64;
            *x = (*x / step).round_ties_even() * step;
        }
    }
    for x in &mut array.values {
        *x = match recipe["to"].as_str() {
            Some("bf16") => half::bf16::from_f32(*x as f32).to_f64(),
            Some("f16") => half::f16::from_f32(*x as f32).to_f64(),
            Some("f32") => f64::from(*x as f32),
            _ => *x,
        };
    }
}
