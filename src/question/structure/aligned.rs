//! Alignments of pairs of layers: the matrices that share a change of basis are read together, and dropped after the pair.

use std::f64::consts::SQRT_2;

use super::{
    ATTENTION, Along, Atlas, Estimate, Kind, MLP, Quantity, Source, Steps, StructureOptions, StructureRow, attention,
    chosen, estimate,
};
use crate::{
    family::{Role, Stack},
    metric::{
        Undefined, Weights,
        align::{self, Aligned, Gauge, Projections, Residual, UnitPair},
    },
    model::Model,
};

/// What restricts an alignment of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Number of the model.
    pub model: usize,
    /// The alignment.
    pub gauge: Gauge,
    /// What restricts it.
    pub text: String,
}

/// Matrices that are read together, and the alignments that need them.
pub(crate) struct Group {
    pub(crate) roles: &'static [Role],
    pub(crate) gauges: Vec<Gauge>,
    pub(crate) stack: Stack,
}

impl Group {
    /// The groups of a model: those of each stack that has one of the roles, and of the main stack where none has.
    pub(crate) fn all(atlas: &Atlas, options: &StructureOptions) -> Vec<Self> {
        let mut groups = Vec::new();
        for (roles, gauges) in [
            (&ATTENTION[..], [Gauge::Heads, Gauge::Attention]),
            (&MLP[..], [Gauge::MlpRotation, Gauge::MlpPermutation]),
        ] {
            let gauges: Vec<Gauge> = gauges.into_iter().filter(|gauge| options.align.contains(gauge)).collect();
            if gauges.is_empty() {
                continue;
            }
            let has = |stack: Stack| {
                let mut kinds = roles.iter().map(|&role| Kind::weight(role, stack));
                kinds.any(|kind| atlas.kinds.contains_key(&kind))
            };
            let mut stacks = [Stack::Main, Stack::Encoder, Stack::Decoder].to_vec();
            stacks.retain(|&stack| has(stack));
            if stacks.is_empty() {
                stacks.push(Stack::Main);
            }
            groups.extend(stacks.into_iter().map(|stack| Self { roles, gauges: gauges.clone(), stack }));
        }
        groups
    }

    fn kinds(&self) -> Vec<Kind> {
        self.roles.iter().map(|&role| Kind::weight(role, self.stack)).collect()
    }

    /// Names of roles, joined.
    fn name(&self, roles: &[Role]) -> String {
        let names: Vec<String> = roles.iter().map(|&role| Kind::weight(role, self.stack).name()).collect();
        names.join("+")
    }

    /// The layers that have one of the roles.
    fn layers(&self, model: &Model, atlas: &Atlas, options: &StructureOptions) -> Result<Vec<u32>, String> {
        let kinds = self.kinds();
        let found = kinds.iter().filter_map(|kind| atlas.kinds.get(kind));
        chosen(model, found.flat_map(|layers| layers.keys().copied()), self.stack, options)
    }
}

/// All alignments of a model, and what restricts them.
pub(crate) fn rows(
    model: usize,
    source: &Source<'_>,
    options: &StructureOptions,
    steps: &dyn Steps,
) -> (Vec<StructureRow>, Vec<Limit>) {
    let (mut rows, mut limits) = (Vec::new(), Vec::new());
    for group in Group::all(source.atlas, options) {
        let mut writer = Writer { model, group: &group, rows: &mut rows, pair: (None, None) };
        let missing = group.kinds().into_iter().find(|kind| !source.atlas.kinds.contains_key(kind));
        if let Some(kind) = missing {
            let reason = source.reason(&kind, "it has no such tensor");
            writer.refuse(&Undefined::NotComparable(format!("{}: {reason}", kind.name())));
            continue;
        }
        let layers = match group.layers(source.model, source.atlas, options) {
            Ok(layers) => layers,
            Err(reason) => {
                writer.refuse(&Undefined::NotComparable(reason));
                continue;
            }
        };
        let work = work(source.model, source.atlas, &group);
        let mut kept: Option<(u32, Result<Vec<Weights>, Undefined>)> = None;
        for (a, b) in Along::pairs(&layers, options.stride) {
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
            steps.done(work.operations);
        }
        if group.gauges.contains(&Gauge::Attention) {
            limits.push(Limit { model, gauge: Gauge::Attention, text: attention::explained(source.model) });
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

/// Adds what the alignments of a model cost.
pub(crate) fn add_estimate(model: &Model, atlas: &Atlas, options: &StructureOptions, estimate: &mut Estimate) {
    for group in Group::all(atlas, options) {
        let Ok(layers) = group.layers(model, atlas, options) else {
            continue;
        };
        let pairs = Along::pairs(&layers, options.stride).len();
        let one = work(model, atlas, &group);
        estimate.pairs += pairs;
        estimate.operations += pairs as f64 * one.operations;
        estimate.memory = estimate.memory.max(one.memory);
    }
}

/// What one pair of layers costs.
fn work(model: &Model, atlas: &Atlas, group: &Group) -> Estimate {
    let sizes = group.kinds().into_iter().map(|kind| {
        let (rows, columns) = estimate::extents(model, atlas, &kind);
        rows * columns
    });
    let elements: f64 = sizes.sum();
    // Both layers in their stored width, taken as two bytes.
    let mut estimate = Estimate { pairs: 1, operations: 0.0, memory: 4.0 * elements };
    for gauge in &group.gauges {
        let (operations, memory) = match gauge {
            Gauge::Heads | Gauge::Attention => {
                let width = attention::layout(&model.config).map_or(0.0, |layout| layout.width as f64);
                // Products of every row with its head's rows, and decompositions that count twentyfold.
                let heads = estimate::extents(model, atlas, &group.kinds()[0]).0;
                (2.0 * elements * width + 20.0 * heads * width * width, 16.0 * width * width)
            }
            Gauge::MlpRotation | Gauge::MlpPermutation => {
                let (units, _) = estimate::extents(model, atlas, &group.kinds()[0]);
                let products = 2.0 * elements * units;
                let square = 8.0 * units * units;
                if *gauge == Gauge::MlpPermutation {
                    (products + 0.5 * units.powi(3), 5.0 * units * units)
                } else {
                    // The Gram matrix, and a reduction to three diagonals that waits for memory and counts fourfold.
                    (products + units.powi(3) * (1.0 + 16.0 / 3.0), 2.0 * square)
                }
            }
        };
        estimate.operations += operations;
        estimate.memory = estimate.memory.max(4.0 * elements + memory);
    }
    estimate
}
