//! What is in each model as tables and as JSON.

use std::io;

use serde_json::{Value, json};

use super::{Comparable, Contents, Inspection, Stored, shape_text};
use crate::{
    question::lineage::Group,
    report::{Cell, Frame, Provenance, json::Document},
};

/// A row a model.
pub fn models(inspections: &[Inspection]) -> Frame<'_> {
    let columns = [
        "model",
        "commit",
        "family",
        "model_type",
        "layers",
        "width",
        "tensors",
        "parameters",
        "shards",
        "bytes",
        "quantisation",
        "failure",
    ];
    let row = |Inspection { summary, contents }: &Inspection| {
        let of = |get: fn(&Contents) -> u64| Cell::integer(contents.as_ref().map(get));
        vec![
            Cell::text(&summary.model),
            Cell::optional(summary.commit.as_ref()),
            Cell::optional(summary.family.as_ref().map(|(name, _)| name)),
            Cell::optional(summary.model_type.as_ref()),
            Cell::integer(summary.layers.map(u64::from)),
            Cell::integer(summary.width),
            of(|contents| contents.tensors.len() as u64),
            of(|contents| contents.parameters),
            of(|contents| contents.shards as u64),
            of(|contents| contents.bytes),
            Cell::optional(contents.as_ref().and_then(|contents| contents.quantisation.as_ref())),
            Cell::optional(summary.failure.as_ref()),
        ]
    };
    Frame::new("models.csv", columns, inspections.iter().map(row))
}

/// A row a tensor.
pub fn tensors(inspections: &[Inspection]) -> Frame<'_> {
    let columns = ["model", "commit", "tensor", "what", "layer", "dtype", "shape", "numel", "shard", "start", "end"];
    let rows = inspections.iter().flat_map(|Inspection { summary, contents }| {
        contents.iter().flat_map(|contents| &contents.tensors).map(|listed| {
            vec![
                Cell::text(&summary.model),
                Cell::optional(summary.commit.as_ref()),
                Cell::code(&listed.info.name),
                Cell::text(&*listed.what),
                Cell::integer(listed.layer.map(|layer| layer.0.into())),
                Cell::text(listed.info.dtype.name()),
                Cell::text(shape_text(&listed.info.shape)),
                Cell::integer(Some(listed.info.shape.iter().product())),
                Cell::code(&*listed.shard),
                Cell::integer(Some(listed.info.range.start)),
                Cell::integer(Some(listed.info.range.end)),
            ]
        })
    });
    Frame::new("tensors.csv", columns, rows)
}

/// Writes what is in each model, all its tensors where `tensors` says so, and which roles of several can be compared.
pub fn write_json(
    out: &mut dyn io::Write,
    run: &Provenance,
    inspections: &[Inspection],
    comparable: &[Comparable],
    tensors: bool,
) -> io::Result<()> {
    let synthetic = inspections.iter().any(|inspection| inspection.summary.synthetic);
    let mut document = Document::begin(out, "inspect", synthetic, run)?;
    document.rows("models", inspections.iter().map(|inspection| model_json(inspection, tensors)))?;
    document.rows("comparable", comparable.iter().map(|row| comparable_json(inspections, row)))?;
    document.end()
}

fn comparable_json(inspections: &[Inspection], row: &Comparable) -> Value {
    let models = inspections.iter().zip(&row.models).map(|(inspection, model)| {
        json!({ "model": inspection.summary.label, "shapes": model.as_ref().ok(), "reason": model.as_ref().err() })
    });
    json!({
        "role": row.role.name(),
        "models_sharing_a_shape": row.verdict.as_ref().ok(),
        "reason": row.verdict.as_ref().err(),
        "models": models.collect::<Vec<_>>(),
    })
}

fn model_json(inspection: &Inspection, tensors: bool) -> Value {
    let summary = &inspection.summary;
    let mut value = json!({
        "model": summary.model,
        "label": summary.label,
        "commit": summary.commit,
        "family": summary.family.as_ref().map(|(name, _)| name),
        "model_type": summary.model_type,
        "layers": summary.layers,
        "width": summary.width,
        "synthetic": summary.synthetic,
        "failure": summary.failure,
        "warnings": summary.warnings,
    });
    let Some(contents) = &inspection.contents else {
        return value;
    };
    value["files"] = json!({ "shards": contents.shards, "bytes": contents.bytes, "indexed": contents.indexed });
    value["parameters"] = json!(contents.parameters);
    if contents.uncounted > 0 {
        value["uncounted_tensors"] = json!(contents.uncounted);
    }
    if !summary.rivals.is_empty() {
        value["rival_families"] = json!(summary.rivals);
    }
    if !contents.storage.is_empty() {
        let one = |(stored, count): (&Stored, &usize)| {
            json!({
                "what": stored.what, "storage": stored.how, "companions": stored.companions, "tensors": count,
            })
        };
        value["storage"] = json!(contents.storage.iter().map(one).collect::<Vec<_>>());
    }
    let figures = contents.configuration.iter().map(|(name, figure)| ((*name).to_owned(), json!(figure)));
    value["configuration"] = Value::Object(figures.collect());
    let group = |(group, answer): &(Group, Result<(), String>)| json!({ "group": group.name(), "reason": answer.as_ref().err() });
    value["lineage_groups"] = json!(contents.groups.iter().map(group).collect::<Vec<_>>());
    value["quantisation"] = json!(contents.quantisation);
    value["dtypes"] = json!(
        contents
            .dtypes
            .iter()
            .map(|(name, count)| json!({ "dtype": name, "tensors": count.tensors, "elements": count.elements, "bytes": count.bytes }))
            .collect::<Vec<_>>()
    );
    value["roles"] = json!(
        contents
            .roles
            .iter()
            .map(|((stack, role), count)| json!({
                "stack": stack,
                "role": role.name(),
                "tensors": count.tensors,
                "layers": count.layers,
                "shapes": count.shapes,
            }))
            .collect::<Vec<_>>()
    );
    value["mtp_tensors"] = json!(contents.mtp_tensors);
    value["mtp_parameters"] = json!(contents.mtp_parameters);
    value["buffers"] = json!(contents.buffers);
    value["unclassified"] = json!(contents.unclassified());
    if tensors {
        value["tensors"] = json!(
            contents
                .tensors
                .iter()
                .map(|listed| json!({
                    "name": listed.info.name,
                    "what": listed.what,
                    "layer": listed.layer,
                    "dtype": listed.info.dtype,
                    "shape": listed.info.shape,
                    "shard": *listed.shard,
                    "start": listed.info.range.start,
                    "end": listed.info.range.end,
                }))
                .collect::<Vec<_>>()
        );
    }
    value
}
