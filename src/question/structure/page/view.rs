//! The rows of one model, as the sections of a document ask for them.

use std::collections::BTreeSet;

use crate::{
    metric::{Figures, Stats},
    model::ModelSummary,
    question::structure::{Quantity, Structure, StructureRow},
    report::{
        Block, Datum, escape,
        figure::{LinePanel, Lines, Picture, PictureKind, Series},
    },
};

/// One model of a structure.
pub(crate) struct View<'a> {
    pub(crate) structure: &'a Structure,
    pub(crate) number: usize,
    pub(crate) model: &'a ModelSummary,
    /// Part of file names and anchors, distinct within the run whatever a file system makes of case.
    pub(crate) stem: String,
}

impl<'a> View<'a> {
    /// All models that have a row.
    pub(crate) fn all(structure: &'a Structure) -> Vec<Self> {
        let mut taken = BTreeSet::new();
        let models = structure.models.iter().enumerate();
        let with_rows = models.filter(|(number, _)| structure.rows.iter().any(|row| row.model == *number));
        let view = |(number, model): (usize, &'a ModelSummary)| Self {
            structure,
            number,
            model,
            stem: escape::new_stem(&mut taken, &model.label),
        };
        with_rows.map(view).collect()
    }

    /// An anchor: lower-case letters, digits and hyphens.
    pub(crate) fn anchor(&self, section: &str) -> String {
        format!("{section}-{}", escape::anchor(&self.stem))
    }

    /// The rows of a quantity.
    pub(crate) fn rows(&self, quantity: Quantity) -> impl Iterator<Item = &'a StructureRow> {
        let number = self.number;
        let rows = self.structure.rows.iter();
        rows.filter(move |row| row.model == number && row.quantity == quantity)
    }

    /// The roles that have rows of a quantity between layers, in order.
    pub(crate) fn roles(&self, quantity: Quantity) -> Vec<&'a str> {
        let mut roles: Vec<&str> = Vec::new();
        for row in self.rows(quantity).filter(|row| row.layer_a.is_some()) {
            if !roles.contains(&row.role.as_str()) {
                roles.push(&row.role);
            }
        }
        roles
    }

    /// The rows of a quantity and role, by their earlier layer.
    pub(crate) fn of(&self, quantity: Quantity, role: &str) -> Vec<&'a StructureRow> {
        let rows = self.rows(quantity);
        let mut rows: Vec<_> = rows.filter(|row| row.role == role && row.layer_a.is_some()).collect();
        rows.sort_by_key(|row| row.layer_a);
        rows
    }

    /// A quantity of several roles by layer, one line each above its null. Roles whose null varies, as that of norms, have a panel of
    /// their own: theirs is another scale.
    pub(crate) fn lines(&self, quantity: Quantity, roles: &[&str], [title, subtitle]: [&str; 2]) -> Block {
        let mut layers: Vec<u32> =
            roles.iter().flat_map(|role| self.of(quantity, role)).filter_map(|row| row.layer_a).collect();
        layers.sort_unstable();
        layers.dedup();
        let values = |role: &str, value: fn(&StructureRow) -> Datum| -> Vec<Datum> {
            let rows = self.of(quantity, role);
            let of_layer = |layer: &u32| {
                let row = rows.iter().find(|row| row.layer_a == Some(*layer));
                row.map_or_else(|| Datum::undefined("it has no such row"), |row| value(row))
            };
            layers.iter().map(of_layer).collect()
        };
        let value = |row: &StructureRow| Datum::from(&row.value);
        let null = |row: &StructureRow| row.null.map_or_else(|| Datum::undefined("it has no null"), Datum::new);
        let series = |role: &&str| Series::new(*role, values(role, value)).with_null(values(role, null));
        let (varying, level): (Vec<&str>, Vec<&str>) =
            roles.iter().partition(|role| has_varying_null(&self.of(quantity, role)));
        let panels = [level, varying].into_iter().filter(|roles| !roles.is_empty());
        let (id, y_label) = match quantity {
            Quantity::FrobeniusNorm => ("scale", "norm"),
            Quantity::EffectiveRank => ("effective_rank", "effective rank"),
            Quantity::Aligned(_) => (quantity.name(), "residual"),
            _ => (quantity.name(), quantity.name()),
        };
        let panel = |roles: Vec<&str>| LinePanel::new(y_label, roles.iter().map(series).collect());
        Block::picture(Picture {
            id: format!("{id}_{}", self.stem),
            title: format!("{}: {title}", self.model.label),
            subtitle: subtitle.to_owned(),
            alt: format!("{title} by layer, one line a role, {}", self.model.label),
            kind: PictureKind::Lines(Lines {
                x_label: match quantity {
                    Quantity::FrobeniusNorm => "layer".to_owned(),
                    _ => format!("layer k, compared with layer k + {}", self.structure.stride),
                },
                x: layers.iter().copied().map(f64::from).collect(),
                panels: panels.map(panel).collect(),
            }),
        })
    }
}

/// Whether the nulls of one role differ by a hundredth: less cannot be seen in a picture.
fn has_varying_null(rows: &[&StructureRow]) -> bool {
    let mut nulls = rows.iter().filter_map(|row| row.null);
    nulls.next().is_some_and(|first| nulls.any(|null| (null - first).abs() >= 1e-2))
}

/// What the values come to.
pub(crate) fn statistics(rows: &[&StructureRow]) -> Stats {
    Stats::of(rows.iter().map(|row| &row.value))
}

/// The mean of the nulls; a reason where there is none.
pub(crate) fn mean_null(rows: &[&StructureRow]) -> Datum {
    let nulls: Vec<f64> = rows.iter().filter_map(|row| row.null).collect();
    if nulls.is_empty() {
        Datum::undefined("no pair has a null")
    } else {
        Datum::new(nulls.iter().sum::<f64>() / nulls.len() as f64)
    }
}

/// A figure of the statistics; a reason where no pair has a value.
pub(crate) fn figure(statistics: &Stats, get: fn(&Figures) -> f64) -> Datum {
    statistics.figures.as_ref().map_or_else(|| Datum::undefined("no pair has a value"), |of| Datum::new(get(of)))
}
