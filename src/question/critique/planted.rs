//! Planted vectors of nine models, and what NumPy says of them; `fixtures/critique_goldens.py` makes both.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Basis, Checked, Critique, Lists, Pair, Reads, Record, RoleAnswer, Rows, Study, check};
use crate::{
    family::LayerIndex,
    metric::{MeanSd, Metric, Undefined},
    model::{AuditError, ModelSummary, Opened},
    table::{
        Held, PairTable, Place,
        pairs::tests::{held, key},
    },
};

pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/critique_goldens.json")).unwrap()
}

/// The vectors by model and layer.
pub(crate) fn rows() -> Vec<BTreeMap<u32, Vec<f64>>> {
    serde_json::from_value(golden()["vectors"].clone()).unwrap()
}

/// The vectors as if they had been read.
fn read(models: Vec<BTreeMap<u32, Vec<f64>>>) -> Vec<Held> {
    let of_model = |(model, layers): (usize, BTreeMap<u32, Vec<f64>>)| {
        layers.into_iter().map(move |(layer, vector)| held(model, Place::layer(LayerIndex(layer)), Ok(vector)))
    };
    models.into_iter().enumerate().flat_map(of_model).collect()
}

/// The experiments on one role, `study` and the layers of its models as they are.
pub(crate) fn answer(study: &Study, models: Vec<BTreeMap<u32, Vec<f64>>>) -> RoleAnswer {
    let mut rows = Rows::new(read(models));
    let lists = Lists::of(study, &mut rows, |model| study.members[model].layers);
    RoleAnswer::of(study, lists.table(key(None), &rows, []), &rows, lists, 0)
}

/// The published figures beside those of `vectors`, which are those of `models`.
pub(crate) fn checked(vectors: Vec<BTreeMap<u32, Vec<f64>>>, models: &[ModelSummary]) -> Vec<Checked> {
    let (records, mut rows) = (Record::all(), Rows::new(read(vectors)));
    let bases = check::bases(&records, models, "input_layernorm", &mut rows);
    let pairs: Vec<Pair> = bases.iter().flat_map(|(_, basis)| basis.iter().flat_map(Basis::pairs)).collect();
    let table = PairTable::of(key(None), &rows.held, pairs);
    let measured = check::measure(&records, bases, &table);
    check::check(records, &measured, models)
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
    let study = Study::nine_models();
    let mut models = summaries(&study);
    for model in &mut models {
        model.synthetic = synthetic;
    }
    let published = checked(rows(), &models);
    Critique {
        published,
        roles: vec![answer(&study, rows())],
        study,
        models,
        reads: Reads::default(),
        unread: Vec::new(),
        excluded: Vec::new(),
        lineage: None,
    }
}

/// The vectors without those of the dense models.
pub(crate) fn rows_without_dense() -> Vec<BTreeMap<u32, Vec<f64>>> {
    let layers = rows().into_iter().enumerate();
    layers.map(|(model, layers)| if model < 4 { layers } else { BTreeMap::new() }).collect()
}

/// The same without a single tensor of the dense models.
pub(crate) fn critique_without_dense() -> Critique {
    let mut critique = critique(false);
    critique.roles = vec![answer(&critique.study, rows_without_dense())];
    critique
}

/// Whether `value` is NumPy's, to 1e-9.
pub(crate) fn near(value: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!((value - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{value} is not {expected}");
}

pub(crate) fn assert_average(average: &Result<MeanSd, Undefined>, expected: &Value) {
    let values = average.as_ref().unwrap();
    near(values.mean, &expected["mean"]);
    near(values.sd, &expected["sd"]);
}

pub(crate) fn assert_pairs(answer: &RoleAnswer, pairs: &[Pair], expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(pairs.len(), expected.len());
    for (&(a, b), expected) in pairs.iter().zip(expected) {
        let place = |row: usize| serde_json::json!([answer.table.rows[row].model, answer.table.number(row)]);
        assert_eq!((place(a), place(b)), (expected["a"].clone(), expected["b"].clone()));
        for metric in [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm, Metric::L2] {
            near(answer.table.get(a, b, metric).unwrap(), &expected[metric.name()]);
        }
    }
}
