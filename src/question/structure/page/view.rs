//! The rows of one model, as the sections of a document ask for them.

use std::collections::BTreeSet;

use crate::{
    metric::{Figures, Stats},
    model::ModelSummary,
    question::structure::{Quantity, Structure, StructureRow},
    report::{
        Datum, escape,
        figure::{LinePanel, Lines, Picture, PictureKind, Reference, Series},
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
        let mut views = Vec::new();
        for (number, model) in structure.models.iter().enumerate() {
            if structure.rows.iter().all(|row| row.model != number) {
                continue;
            }
            let first = escape::file_stem(&model.label);
            let mut stem = first.clone();
            let mut count = 2;
            while !taken.insert(stem.to_ascii_lowercase()) {
                stem = format!("{first}-{count}");
                count += 1;
            }
            views.push(Self { structure, number, model, stem });
        }
        views
    }

    /// An anchor: lower-case letters, digits and hyphens.
    pub(crate) fn anchor(&self, section: &str) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }
        };
        format!("{section}-{}", self.stem.chars().map(plain).collect::<String>())
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

    /// A quantity of several roles by layer, one line each. The null of roles that have one for all layers is a reference; that of
    /// others lies below their line, in a panel of its own.
    pub(crate) fn lines(&self, quantity: Quantity, roles: &[&str], words: &Words<'_>) -> Picture {
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
        let series = |role: &str, value| Series::new(role, values(role, value));
        let value = |row: &StructureRow| Datum::from(&row.value);
        let null = |row: &StructureRow| row.null.map_or_else(|| Datum::undefined("it has no null"), Datum::new);
        let (mut level, mut varying) = (Vec::new(), Vec::new());
        let mut nulls: Vec<(f64, Vec<&str>)> = Vec::new();
        for &role in roles {
            match null_of(&self.of(quantity, role)) {
                Null::Varies => {
                    varying.push(series(role, value).with_null(values(role, null)));
                    continue;
                }
                Null::Level(null) => match nulls.iter_mut().find(|(known, _)| (known - null).abs() <= 0.002) {
                    Some((_, roles)) => roles.push(role),
                    None => nulls.push((null, vec![role])),
                },
                Null::Absent => {}
            }
            level.push(series(role, value));
        }
        let is_one = nulls.len() == 1;
        let reference = |(null, roles): (f64, Vec<&str>)| {
            let label = match roles.as_slice() {
                _ if is_one => "null".to_owned(),
                [role] => format!("null of {role}"),
                roles => format!("null of {} +{}", roles[0], roles.len() - 1),
            };
            Reference::new(label, null)
        };
        let references: Vec<Reference> = nulls.into_iter().map(reference).collect();
        let panels = [(level, references), (varying, Vec::new())].into_iter().filter(|(series, _)| !series.is_empty());
        let panel = |(series, references)| LinePanel { references, ..LinePanel::new(words.y_label, series) };
        Picture {
            id: format!("{}_{}", words.id, self.stem),
            title: format!("{}: {}", self.model.label, words.title),
            subtitle: words.subtitle.to_owned(),
            alt: format!("{} by layer, one line a role, {}", words.title, self.model.label),
            kind: PictureKind::Lines(Lines {
                x_label: words.x_label.clone(),
                x: layers.iter().copied().map(f64::from).collect(),
                panels: panels.map(panel).collect(),
            }),
        }
    }

    /// What the horizontal axis of pairs is.
    pub(crate) fn pair_axis(&self) -> String {
        format!("layer k, compared with layer k + {}", self.structure.stride)
    }
}

/// The words of a picture.
pub(crate) struct Words<'a> {
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    pub(crate) subtitle: &'a str,
    pub(crate) x_label: String,
    pub(crate) y_label: &'a str,
}

/// The null of one role.
enum Null {
    /// No row has one.
    Absent,
    /// All rows agree to a thousandth.
    Level(f64),
    Varies,
}

fn null_of(rows: &[&StructureRow]) -> Null {
    let mut nulls = rows.iter().filter_map(|row| row.null);
    let Some(first) = nulls.next() else { return Null::Absent };
    if nulls.all(|null| (null - first).abs() < 1e-3) { Null::Level(first) } else { Null::Varies }
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
