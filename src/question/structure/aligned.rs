//! Alignments of pairs of layers: the matrices that share a change of basis are read together, and dropped after the pair.

use std::f64::consts::SQRT_2;

use super::{Group, Quantity, Source, StructureOptions, StructureRow, attention, extents, layer_pairs, work};
use crate::{
    family::Role,
    metric::{
        Undefined, Weights,
        align::{self, Aligned, Gauge, PRECISE_TO, Projections, Residual, UnitPair},
    },
    model::Model,
};

/// All alignments of a model, and what restricts them.
pub(crate) fn rows(
    source: &Source<'_>,
    options: &StructureOptions,
    done: &dyn Fn(f64),
) -> (Vec<StructureRow>, Vec<(usize, Gauge, String)>) {
    let (mut rows, mut limits) = (Vec::new(), Vec::new());
    for group in Group::all(source.index, options) {
        let mut writer = Writer { model: source.number, group: &group, rows: &mut rows, pair: (None, None) };
        let missing = group.kinds().into_iter().find(|kind| !source.index.kinds.contains_key(kind));
        if let Some(kind) = missing {
            let reason = source.reason(&kind, "it has no such tensor");
            writer.refuse(&Undefined::NotComparable(format!("{}: {reason}", kind.name())));
            continue;
        }
        let layers = match group.layers(source.model, source.index, options) {
            Ok(layers) => layers,
            Err(reason) => {
                writer.refuse(&Undefined::NotComparable(reason));
                continue;
            }
        };
        let one = work(source.model, source.index, &group);
        let mut kept: Option<(u32, Result<Vec<Weights>, Undefined>)> = None;
        for (a, b) in layer_pairs(&layers, options.stride) {
            let read = |layer: u32| group.kinds().iter().map(|kind| source.read(kind, layer)).collect();
            let first = match kept.take() {
                Some((layer, read)) if layer == a => read,
                _ => read(a),
            };
            let second: Result<Vec<Weights>, Undefined> = read(b);
            writer.pair = (Some(a), Some(b));
            match first.as_ref().and_then(|first| Ok((first, second.as_ref()?))) {
                Ok((first, second)) => writer.align(source.model, first, second),
                Err(reason) => writer.refuse(reason),
            }
            kept = Some((b, second));
            done(one.operations);
        }
        if group.gauges.contains(&Gauge::MlpRotation)
            && extents(source.model, source.index, &group.kinds()[0]).0 > PRECISE_TO as f64
        {
            let text = format!(
                "beyond {PRECISE_TO} units the rotation is not formed, and gate, up and down have no residual of their own."
            );
            limits.push((source.number, Gauge::MlpRotation, text));
        }
        if group.gauges.contains(&Gauge::Attention) {
            limits.push((source.number, Gauge::Attention, attention::explained(source.model)));
        }
    }
    (rows, limits)
}

/// Turns what alignments find into rows.
struct Writer<'a> {
    model: usize,
    group: &'a Group,
    rows: &'a mut Vec<StructureRow>,
    pair: (Option<u32>, Option<u32>),
}

impl Writer<'_> {
    fn push(&mut self, role: String, quantity: Quantity, value: Result<f64, Undefined>, null: Option<f64>) {
        self.rows.push(StructureRow {
            model: self.model,
            role,
            layer_a: self.pair.0,
            layer_b: self.pair.1,
            quantity,
            value,
            null,
        });
    }

    /// One row an alignment, with the reason.
    fn refuse(&mut self, reason: &Undefined) {
        for &gauge in &self.group.gauges {
            let role = self.group.name(self.group.roles);
            self.push(role, Quantity::Aligned(gauge), Err(reason.clone()), None);
        }
    }

    fn align(&mut self, model: &Model, first: &[Weights], second: &[Weights]) {
        for &gauge in &self.group.gauges {
            let layout = attention::layout(&model.config);
            let attentions = projections(first).zip(projections(second));
            match (gauge, first, second) {
                (Gauge::Heads, ..) => {
                    let Some((a, b)) = attentions else { continue };
                    let found = layout.and_then(|layout| align::heads(&layout, &a, &b));
                    self.write(gauge, self.group.roles, found);
                }
                (Gauge::Attention, ..) => {
                    let Some((a, b)) = attentions else { continue };
                    let found =
                        layout.and_then(|layout| align::attention(&layout, attention::gauge(model, &layout), &a, &b));
                    let [turning, carrying] = match found {
                        Ok(both) => both,
                        Err(reason) => [Err(reason.clone()), Err(reason)],
                    };
                    self.write(gauge, &self.group.roles[..2], turning);
                    self.write(gauge, &self.group.roles[2..], carrying);
                }
                (Gauge::MlpRotation | Gauge::MlpPermutation, [gate, up, down], [other_gate, other_up, other_down]) => {
                    let pair = UnitPair { gate: [gate, other_gate], up: [up, other_up], down: [down, other_down] };
                    let found =
                        if gauge == Gauge::MlpRotation { align::rotation(&pair) } else { align::permutation(&pair) };
                    self.write(gauge, self.group.roles, found);
                }
                _ => {}
            }
        }
    }

    /// The joint residual, raw and aligned, then each matrix's own.
    fn write(&mut self, gauge: Gauge, roles: &[Role], found: Result<Aligned, Undefined>) {
        let (joint, quantity) = (self.group.name(roles), Quantity::Aligned(gauge));
        let found = match found {
            Ok(found) => found,
            Err(reason) => {
                self.push(joint, quantity, Err(reason), None);
                return;
            }
        };
        let Residual { raw, aligned, null } = found.joint;
        let known = self.rows.iter().any(|row| {
            row.role == joint && (row.layer_a, row.layer_b) == self.pair && row.quantity == Quantity::Residual
        });
        if !known {
            self.push(joint.clone(), Quantity::Residual, Ok(raw), Some(SQRT_2));
        }
        self.push(joint, quantity, Ok(aligned), Some(null));
        for (&role, each) in roles.iter().zip(&found.each) {
            self.push(self.group.name(&[role]), quantity, Ok(each.aligned), Some(each.null));
        }
    }
}

/// Matrices of an attention, in the order of its roles.
fn projections(weights: &[Weights]) -> Option<Projections<'_>> {
    match weights {
        [q, k, v, o] => Some(Projections { q, k, v, o }),
        _ => None,
    }
}
