//! Planted vectors of nine models, and what NumPy says of them; `fixtures/critique_goldens.py` makes both.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Average, Bench, Comparison, Critique, Experiments, Measured, Place, Record, RoleAnswer, Study, Vectors, check,
};
use crate::{
    metric::Metric,
    model::{AuditError, ModelSummary, Opened},
};

pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/critique_goldens.json")).unwrap()
}

/// The vectors by model and layer.
pub(crate) fn rows() -> Vec<BTreeMap<u32, Vec<f64>>> {
    serde_json::from_value(golden()["vectors"].clone()).unwrap()
}

pub(crate) fn vectors() -> Vectors {
    Vectors::from_rows(rows())
}

/// The study's models as if they had been read.
pub(crate) fn summaries(study: &Study) -> Vec<ModelSummary> {
    let specs = study.specs().unwrap().into_iter().zip(&study.members);
    specs
        .map(|(spec, member)| {
            let opened = Opened { label: member.label.clone(), spec, outcome: Err(AuditError::NoModels.into()) };
            ModelSummary { failure: None, layers: member.layers, ..ModelSummary::of(&opened) }
        })
        .collect()
}

/// The whole answer on the planted vectors, as of real or of synthetic models.
pub(crate) fn critique(synthetic: bool) -> Critique {
    let (study, vectors) = (Study::nine_models(), vectors());
    let bench = Bench::new(&vectors);
    let mut models = summaries(&study);
    for model in &mut models {
        model.synthetic = synthetic;
    }
    let role = RoleAnswer::of(&study, "input_layernorm", &bench, |model| study.members[model].layers, 0);
    let measured = Measured { study: &study, models: &models, roles: vec![("input_layernorm".to_owned(), &bench)] };
    let published = check(Record::all(), &measured);
    Critique { published, study: study.clone(), models, roles: vec![role], excluded: Vec::new() }
}

/// The same without a single tensor of the dense models.
pub(crate) fn critique_without_dense() -> Critique {
    let mut critique = critique(false);
    let layers = rows().into_iter().enumerate();
    let rows = layers.map(|(model, layers)| if model < 4 { layers } else { BTreeMap::new() }).collect();
    let vectors = Vectors::from_rows(rows);
    critique.roles[0].experiments = Experiments::run(&critique.study, &Bench::new(&vectors), 0);
    critique
}

/// Whether `value` is NumPy's, to 1e-9.
pub(crate) fn near(value: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!((value - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{value} is not {expected}");
}

pub(crate) fn assert_average(average: &Average, expected: &Value) {
    let values = average.values.as_ref().unwrap();
    near(values.mean, &expected["mean"]);
    near(values.sd, &expected["sd"]);
}

pub(crate) fn assert_pairs(pairs: &[Comparison], expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(pairs.len(), expected.len());
    for (pair, expected) in pairs.iter().zip(expected) {
        let place = |place: Place| serde_json::json!([place.model, place.layer.0]);
        assert_eq!((place(pair.a), place(pair.b)), (expected["a"].clone(), expected["b"].clone()));
        for metric in [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm, Metric::L2] {
            near(*pair.metrics.get(metric).as_ref().unwrap(), &expected[metric.name()]);
        }
    }
}
