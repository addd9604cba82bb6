//! The depths at which layers of models of different depth meet.

use super::Opened;
use crate::family::{LayerIndex, LayerSelection};

/// Relative depths at which models meet: those of the layers of one of them, the reference.
///
/// The reference is the first of two models, and the deepest of more (the first of several as deep), so that no layer of any
/// model is passed over. A model that is less deep gives one layer to several depths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depths {
    /// The reference, by its place among the models.
    pub reference: usize,
    /// Layers of each model; `None` where that is not known.
    pub layers: Vec<Option<u32>>,
    /// The reference's layers at whose depths is compared, ascending.
    pub at: Vec<LayerIndex>,
}

impl Depths {
    /// The depths of those layers of the reference that `selection` chooses; `None` if no model's number of layers is known.
    pub fn of(opened: &[Opened], selection: &LayerSelection) -> Option<Self> {
        Self::new(opened.iter().map(|opened| opened.model()?.depth).collect(), selection)
    }

    fn new(layers: Vec<Option<u32>>, selection: &LayerSelection) -> Option<Self> {
        let known = || layers.iter().enumerate().filter_map(|(model, layers)| Some((model, (*layers)?)));
        let deepest = known().map(|(_, layers)| layers).max()?;
        let (reference, count) =
            if layers.len() == 2 { known().next()? } else { known().find(|(_, layers)| *layers == deepest)? };
        let available: Vec<LayerIndex> = (0..count).map(LayerIndex).collect();
        Some(Self { reference, at: selection.resolve(&available), layers })
    }

    /// The layer of `model` at the relative depth of the reference's `layer`, see [`same_depth`].
    pub fn counterpart(&self, model: usize, layer: LayerIndex) -> Option<LayerIndex> {
        let layers = |model: usize| self.layers.get(model).copied().flatten().filter(|&layers| layers > 0);
        Some(same_depth(layer, layers(self.reference)?, layers(model)?))
    }

    /// Drops the tensors of layers that meet no other, so that they are not fetched.
    pub(crate) fn trim(&self, opened: &mut [Opened]) {
        for (number, opened) in opened.iter_mut().enumerate() {
            let wanted: Vec<LayerIndex> = self.at.iter().filter_map(|&at| self.counterpart(number, at)).collect();
            if let Some(model) = opened.model_mut() {
                model.tensors.retain(|tensor| tensor.layer.is_none_or(|layer| wanted.contains(&layer)));
            }
        }
    }
}

/// The layer of a model of `to` layers that stands as deep as `layer` does in a model of `from` layers: layer·(to−1)/(from−1),
/// rounded to the nearest, halves up. A model of one layer meets every model's first.
pub fn same_depth(layer: LayerIndex, from: u32, to: u32) -> LayerIndex {
    let (from, to) = (u64::from(from.max(1) - 1), u64::from(to.max(1) - 1));
    let nearest = (2 * u64::from(layer.0) * to + from).checked_div(2 * from).unwrap_or(0);
    LayerIndex(u32::try_from(nearest).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pairing;

    fn depths(layers: &[Option<u32>], selection: &str) -> Option<Depths> {
        Depths::new(layers.to_vec(), &selection.parse().unwrap())
    }

    #[test]
    fn the_first_of_two_and_the_deepest_of_more_is_the_reference() {
        assert_eq!(depths(&[Some(32), Some(48)], "all").unwrap().reference, 0);
        assert_eq!(depths(&[None, Some(48)], "all").unwrap().reference, 1);
        assert_eq!(depths(&[Some(32), Some(48), Some(48)], "all").unwrap().reference, 1);
        assert_eq!(depths(&[None, None], "all"), None);
    }

    #[test]
    fn a_layer_meets_the_one_at_its_relative_depth() {
        let depths = depths(&[Some(48), Some(32), Some(1)], "0,10,47").unwrap();
        assert_eq!(depths.at, [LayerIndex(0), LayerIndex(10), LayerIndex(47)]);
        let meets = |model: usize| -> Vec<u32> {
            let layers = depths.at.iter().filter_map(|&at| depths.counterpart(model, at));
            layers.map(|layer| layer.0).collect()
        };
        assert_eq!(meets(0), [0, 10, 47]);
        // 10·31/47 = 6.6
        assert_eq!(meets(1), [0, 7, 31]);
        assert_eq!(meets(2), [0, 0, 0]);
    }

    #[test]
    fn a_half_is_rounded_up_and_one_layer_has_no_depth() {
        // 1·(2−1)/(3−1) = 0.5
        assert_eq!(depths(&[Some(3), Some(2)], "all").unwrap().counterpart(1, LayerIndex(1)), Some(LayerIndex(1)));
        assert_eq!(depths(&[Some(1), Some(9)], "all").unwrap().counterpart(1, LayerIndex(0)), Some(LayerIndex(0)));
    }

    #[test]
    fn a_pairing_is_read_by_its_name() {
        assert_eq!("depth".parse::<Pairing>().unwrap(), Pairing::Depth);
        assert!("deep".parse::<Pairing>().is_err());
    }

    #[test]
    fn relative_depth_keeps_first_and_last_and_rounds_halves_up() {
        let at = |layer, from, to| same_depth(LayerIndex(layer), from, to).0;
        assert_eq!((at(0, 32, 48), at(31, 32, 48)), (0, 47));
        assert_eq!((at(10, 32, 48), at(10, 32, 46), at(30, 32, 46)), (15, 15, 44));
        assert_eq!((at(1, 3, 2), at(0, 1, 5)), (1, 0));
    }
}
