//! The tensors that stand beside a quantised weight, told apart by their names: scales, zero points, and the rest.

use std::{ops::Bound, sync::LazyLock};

use serde::Deserialize;

use super::{TensorInfo, packed::Named};

/// The names in use, from `scales.toml`.
#[derive(Debug, Default, Deserialize)]
struct Spellings {
    weights: Vec<String>,
    marks: Vec<String>,
    activations: Vec<String>,
    multiply: Vec<String>,
    multiply_after: Vec<String>,
    further: Vec<String>,
    zero_points: Vec<String>,
}

static SPELLINGS: LazyLock<Spellings> = LazyLock::new(|| {
    // The table is part of this crate and a test reads it, so that the default is never seen.
    toml::from_str(include_str!("scales.toml")).unwrap_or_default()
});

/// What stands beside one weight.
#[derive(Debug, Default)]
pub(super) struct Companions<'a> {
    /// Its own scales.
    pub(super) scales: Vec<&'a TensorInfo>,
    /// Scales of its module, which may be another parameter's.
    pub(super) shared: Vec<&'a TensorInfo>,
    /// Zero points and offsets.
    pub(super) zero_points: Vec<&'a TensorInfo>,
    /// A second level of scales, or an order of columns.
    pub(super) further: Vec<&'a TensorInfo>,
    /// What says nothing of its values: scales of activations, its shape.
    others: Vec<&'a TensorInfo>,
}

impl<'a> Companions<'a> {
    /// Those of a tensor. Of a module's `weight` all scales of the module are its own; a parameter that has no module of its
    /// own owns those that begin with its name.
    pub(super) fn of(tensor: &TensorInfo, all: &Named<'a>) -> Self {
        let mut found = Self::default();
        let name = tensor.name.as_str();
        for joint in ["_", "."] {
            let stem = format!("{name}{joint}");
            for (segment, other) in segments(all, &stem) {
                found.add(segment, other);
            }
        }
        let (module, own) = name.rfind('.').map_or(("", name), |dot| name.split_at(dot + 1));
        if contains(&SPELLINGS.weights, &plain(own)) {
            let is_own = |segment: &str| {
                let after = segment.strip_prefix(own);
                !after.is_some_and(|after| after.is_empty() || after.starts_with('_'))
                    && !plain(segment).starts_with("bias")
            };
            for (segment, other) in segments(all, module).filter(|(segment, _)| is_own(segment)) {
                found.add(segment, other);
            }
        } else {
            let shared = SPELLINGS.multiply.iter().filter_map(|segment| all.get(format!("{module}{segment}").as_str()));
            found.shared.extend(shared.filter(|other| other.name != name));
        }
        found
    }

    /// The names of all that only describe the weight.
    pub(super) fn names(&self) -> Vec<String> {
        let all = [&self.scales, &self.zero_points, &self.further, &self.others].into_iter().flatten();
        all.map(|tensor| tensor.name.clone()).collect()
    }

    fn add(&mut self, segment: &str, tensor: &'a TensorInfo) {
        let segment = plain(segment);
        let is_mark = is_mark(&segment);
        let ends = |list: &[String]| list.iter().any(|end| ends_with_words(&segment, end));
        let list = if ends(&SPELLINGS.further) {
            &mut self.further
        } else if is_mark && segment.split('_').any(|word| contains(&SPELLINGS.activations, word)) {
            &mut self.others
        } else if is_mark {
            &mut self.scales
        } else if ends(&SPELLINGS.zero_points) {
            let of_activations = segment.split('_').any(|word| contains(&SPELLINGS.activations, word));
            if of_activations { &mut self.others } else { &mut self.zero_points }
        } else if matches!(segment.as_str(), "shape" | "weight_shape" | "format" | "weight_format") {
            &mut self.others
        } else {
            return;
        };
        list.push(tensor);
    }
}

/// Whether a tensor's last segment says that it holds scales.
pub(super) fn is_called_scale(name: &str) -> bool {
    is_mark(&plain(name.rsplit('.').next().unwrap_or(name)))
}

/// Whether scales of this name are known to multiply the elements of this weight.
pub(super) fn multiplies(weight: &str, scale: &str) -> bool {
    match scale.strip_prefix(weight) {
        Some(after) if after.starts_with('_') => contains(&SPELLINGS.multiply_after, after),
        _ => contains(&SPELLINGS.multiply, &plain(scale.rsplit('.').next().unwrap_or(scale))),
    }
}

/// The tensors whose names are `stem` and one more segment, or the rest of one.
fn segments<'n, 'a: 'n>(
    all: &'n Named<'a>,
    stem: &'n str,
) -> impl Iterator<Item = (&'a str, &'a TensorInfo)> + use<'n, 'a> {
    let from = all.range::<str, _>((Bound::Included(stem), Bound::Unbounded));
    let from = from.map_while(move |(name, tensor)| Some((name.strip_prefix(stem)?, *tensor)));
    from.filter(|(rest, _)| !rest.is_empty() && !rest.contains('.'))
}

fn plain(segment: &str) -> String {
    segment.trim_start_matches('_').to_ascii_lowercase()
}

fn is_mark(segment: &str) -> bool {
    SPELLINGS.marks.iter().any(|mark| segment.contains(mark.as_str()))
}

fn ends_with_words(segment: &str, end: &str) -> bool {
    segment.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
}

fn contains(list: &[String], word: &str) -> bool {
    list.iter().any(|listed| listed == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_spellings_is_read() {
        let table: Spellings = toml::from_str(include_str!("scales.toml")).unwrap();
        assert!(contains(&table.multiply, "weights_scaling_factor") && contains(&table.weights, "weight"));
    }

    #[test]
    fn a_spelling_multiplies_where_it_is_known_to() {
        for (weight, scale) in [
            ("a.weight", "a.weight_scale_inv"),
            ("a.weight", "a.scale"),
            ("a.weight", "a.weight.scale"),
            ("a.weight._data", "a.weight._scale"),
            ("a._weight_qdata", "a._weight_scale"),
            ("a.gate_up_proj", "a.gate_up_proj_weight_scale"),
        ] {
            assert!(multiplies(weight, scale), "{scale}");
        }
        for (weight, scale) in [("a.weight", "a.weight_scale_recip"), ("a.gate", "a.gate_odd_scale")] {
            assert!(!multiplies(weight, scale), "{scale}");
        }
    }
}
