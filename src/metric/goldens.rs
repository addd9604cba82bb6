//! The metrics against NumPy and SciPy: `fixtures/metric_goldens.py` says how the figures and the inputs were made.

use serde_json::Value;

use super::{Dendrogram, Element, Gram, Metric, PairMetrics, Pca, Scale, benjamini_hochberg, null::log10_two_sided};

fn goldens() -> Value {
    serde_json::from_str(include_str!("../../fixtures/metric_goldens.json")).unwrap()
}

/// The generator that the script describes.
struct Uniforms(u64);

impl Uniforms {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / 16_777_216.0
    }

    fn bell(&mut self) -> f64 {
        (self.next() + self.next() + self.next() + self.next() - 2.0) * 1.732_050_807_568_877_2
    }
}

fn generate(recipe: &Value) -> (Vec<f64>, Vec<f64>) {
    let number = |name: &str| recipe[name].as_f64().unwrap();
    let (mean, sd, along, across) = (number("mean"), number("sd"), number("along"), number("across"));
    let mut uniforms = Uniforms(recipe["seed"].as_u64().unwrap());
    (0..recipe["n"].as_u64().unwrap())
        .map(|_| {
            let (p, q) = (uniforms.bell(), uniforms.bell());
            (mean + sd * p, mean + sd * (along * p + across * q))
        })
        .unzip()
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

fn to_bf16(values: &[f64]) -> Vec<f32> {
    to_f32(values).into_iter().map(|value| half::bf16::from_f32(value).to_f32()).collect()
}

fn stored(side: &Value) -> Vec<f32> {
    let values: Vec<f64> = side.as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect();
    to_f32(&values)
}

fn check<T: Element>(case: &Value, a: &[T], b: &[T]) {
    let metrics = PairMetrics::compute(a, b);
    for (metric, value) in metrics.iter() {
        let context = format!("{} of {}", metric, case["name"]);
        let golden = &case["metrics"][metric.name()];
        match (value, golden) {
            (Err(reason), Value::String(expected)) => assert_eq!(&reason.to_string(), expected, "{context}"),
            (Ok(value), Value::Number(expected)) => {
                let expected = expected.as_f64().unwrap();
                // The golden of a residual is a root of what a cosine near 1 leaves: in 80 bits, good to 1e-9.
                let tolerance = match metric {
                    Metric::Residual | Metric::ResidualScaled => 1e-9,
                    _ => 1e-12 * expected.abs().max(1e-3),
                };
                assert!((value - expected).abs() <= tolerance, "{context}: {value} is not {expected}");
            }
            _ => panic!("{context}: {value:?} is not {golden}"),
        }
    }
}

#[test]
fn every_metric_of_every_case_is_that_of_numpy_and_scipy() {
    for case in goldens()["cases"].as_array().unwrap() {
        let recipe = &case["recipe"];
        if recipe.is_null() {
            check(case, &stored(&case["a"]), &stored(&case["b"]));
            continue;
        }
        let (a, b) = generate(recipe);
        match recipe["to"].as_str().unwrap() {
            "f32" => check(case, &to_f32(&a), &to_f32(&b)),
            "bf16" => check(case, &to_bf16(&a), &to_bf16(&b)),
            _ => check(case, &a, &b),
        }
    }
}

#[test]
fn four_million_independent_values_stay_uncorrelated() {
    let goldens = goldens();
    let case = goldens["cases"].as_array().unwrap().iter().find(|case| case["name"] == "four million").unwrap();
    let (a, b) = generate(&case["recipe"]);
    let (a, b) = (to_f32(&a), to_f32(&b));
    let pearson = PairMetrics::compute(&a, &b).get(Metric::Pearson).clone().unwrap();
    assert!((pearson - case["metrics"]["pearson"].as_f64().unwrap()).abs() < 1e-12);

    // What the trap looks like: a textbook formula on running sums in f32.
    let n = a.len() as f32;
    let (sum_a, sum_b) = (a.iter().sum::<f32>(), b.iter().sum::<f32>());
    let product = |x: &[f32], y: &[f32]| -> f32 { x.iter().zip(y).map(|(x, y)| x * y).sum() };
    let naive = (product(&a, &b) - sum_a * sum_b / n)
        / ((product(&a, &a) - sum_a * sum_a / n) * (product(&b, &b) - sum_b * sum_b / n)).sqrt();
    assert!((f64::from(naive) - pearson).abs() > 0.01, "{naive} {pearson}");
}

#[test]
fn normal_tails_are_those_of_scipy() {
    for tail in goldens()["log10_two_sided"].as_array().unwrap() {
        let (z, expected) = (tail[0].as_f64().unwrap(), tail[1].as_f64().unwrap());
        let value = log10_two_sided(z);
        assert!((value - expected).abs() <= 1e-12 * expected.abs(), "z = {z}: {value} is not {expected}");
    }
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn assert_near(values: &[f64], golden: &Value) {
    let golden = numbers(golden);
    assert_eq!(values.len(), golden.len());
    for (value, expected) in values.iter().zip(&golden) {
        assert!((value - expected).abs() < 1e-12, "{values:?} is not {golden:?}");
    }
}

#[test]
fn principal_components_are_those_of_numpy() {
    let mut uniforms = Uniforms(11);
    let vectors: Vec<Vec<f64>> =
        (1..7).map(|size| (0..40).map(|_| f64::from(size) * (1.0 + 0.1 * uniforms.bell())).collect()).collect();
    let vectors: Vec<&[f64]> = vectors.iter().map(Vec::as_slice).collect();
    for (name, scale) in [("kept", Scale::Kept), ("removed", Scale::Removed)] {
        let pca = Pca::of(&vectors, scale, 9).unwrap();
        let goldens = &goldens()["components"][name];
        assert_eq!(pca.components.len(), goldens.as_array().unwrap().len());
        for (component, golden) in pca.components.iter().zip(goldens.as_array().unwrap()) {
            assert_near(&[component.share], &Value::from(vec![golden["share"].clone()]));
            assert_near(&[component.singular_value], &Value::from(vec![golden["singular_value"].clone()]));
            assert_near(&component.scores, &golden["scores"]);
            assert_near(&component.loadings, &golden["loadings"]);
        }
        // The same from products alone, gathered in runs of unequal length; a component's sign is free.
        let mut gram = Gram::new(vectors.len());
        for (from, to) in [(0, 7), (7, 8), (8, 40)] {
            gram.add(&vectors.iter().map(|vector| vector[from..to].to_vec()).collect::<Vec<_>>());
        }
        let of_products = gram.components(scale, 9).unwrap();
        assert_eq!(of_products.components.len(), pca.components.len());
        for (found, expected) in of_products.components.iter().zip(&pca.components) {
            assert!((found.share - expected.share).abs() < 1e-12);
            assert!((found.singular_value - expected.singular_value).abs() < 1e-9 * expected.singular_value.max(1.0));
            let sign = found.scores.iter().zip(&expected.scores).map(|(a, b)| a * b).sum::<f64>().signum();
            for (a, b) in found.scores.iter().zip(&expected.scores) {
                assert!((sign * a - b).abs() < 1e-9, "{a} {b}");
            }
        }
    }
}

#[test]
fn average_linkage_is_that_of_scipy() {
    let golden = &goldens()["linkage"];
    let r = numbers(&golden["r"]);
    // Row i of the upper triangle starts after the 8 + 7 + … entries of the rows above.
    let tree = Dendrogram::of(9, |i, j| Ok(r[i * 8 - i * i.saturating_sub(1) / 2 + j - i - 1]));
    let mut members: Vec<Vec<usize>> = Vec::new();
    for merge in &tree.merges {
        let side = |node: usize| match node.checked_sub(tree.order.len()) {
            Some(earlier) => members[earlier].clone(),
            None => vec![tree.order[node]],
        };
        let mut both = [side(merge.left), side(merge.right)].concat();
        both.sort_unstable();
        assert_eq!(both.len(), merge.size);
        members.push(both);
    }
    assert_eq!(serde_json::to_value(&members).unwrap(), golden["members"]);
    assert_near(&tree.merges.iter().map(|merge| merge.height).collect::<Vec<f64>>(), &golden["heights"]);
}

#[test]
fn discovery_rates_are_those_of_scipy() {
    let golden = &goldens()["discoveries"];
    let log10_p: Vec<f64> = numbers(&golden["p"]).into_iter().map(f64::log10).collect();
    let q: Vec<f64> = benjamini_hochberg(&log10_p).into_iter().map(|log10_q| 10.0_f64.powf(log10_q)).collect();
    assert_near(&q, &golden["q"]);
}
