//! The vectors of one role, laid out to be compared: any layer of any model with any other, each worked out once.

use std::{collections::BTreeMap, sync::Mutex};

use rayon::prelude::*;

use crate::{
    family::LayerIndex,
    metric::{MeanSd, PairMetrics, Side, Summary, Undefined},
    table::Strand,
};

/// A layer of a model, by the model's place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The model's place.
    pub model: usize,
    /// The layer.
    pub layer: LayerIndex,
}

impl Place {
    /// Layer `layer` of the model at `model`.
    pub fn new(model: usize, layer: u32) -> Self {
        Self { model, layer: LayerIndex(layer) }
    }
}

/// Two places and every metric between them; the first is the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The reference.
    pub a: Place,
    /// The other.
    pub b: Place,
    /// The metrics, or the reason why there are none.
    pub metrics: PairMetrics,
}

/// Elements of one tensor, or the reason why there are none.
type Elements = Result<(Vec<u64>, Vec<f64>), String>;

/// The vectors of one role of every model, as f64.
#[derive(Debug, Clone)]
pub struct Vectors {
    models: Vec<BTreeMap<LayerIndex, Elements>>,
}

impl Vectors {
    /// Copies what a strand holds.
    pub fn of(strand: &Strand) -> Self {
        let models = strand.models.par_iter().map(|layers| {
            let elements = |(layer, cell): (&LayerIndex, &Result<_, String>)| {
                let elements = cell.as_ref().map_err(Clone::clone).and_then(elements);
                (*layer, elements)
            };
            layers.iter().map(elements).collect()
        });
        Self { models: models.collect() }
    }

    /// Vectors by model and layer.
    pub fn from_rows(models: Vec<BTreeMap<u32, Vec<f64>>>) -> Self {
        let row = |(layer, values): (u32, Vec<f64>)| (LayerIndex(layer), Ok((vec![values.len() as u64], values)));
        Self { models: models.into_iter().map(|layers| layers.into_iter().map(row).collect()).collect() }
    }
}

fn elements((_, loaded): &(crate::table::Side, crate::tensor::Loaded)) -> Elements {
    let values = loaded.as_f64().map_err(|reason| reason.to_string())?;
    Ok((loaded.shape.clone(), values.into_owned()))
}

/// A vector with everything that does not depend on its partner.
#[derive(Debug)]
struct Prepared<'a> {
    shape: &'a [u64],
    side: Side<'a, f64>,
}

/// Vectors ready to be compared.
#[derive(Debug)]
pub struct Bench<'a> {
    models: Vec<BTreeMap<LayerIndex, Result<Prepared<'a>, &'a str>>>,
    known: Mutex<BTreeMap<(Place, Place), PairMetrics>>,
}

impl<'a> Bench<'a> {
    /// Works out each vector's moments and ranks.
    pub fn new(vectors: &'a Vectors) -> Self {
        let prepare = |(layer, elements): (&LayerIndex, &'a Elements)| {
            let prepared = match elements {
                Ok((shape, values)) => Ok(Prepared { shape, side: Side::new(values) }),
                Err(reason) => Err(reason.as_str()),
            };
            (*layer, prepared)
        };
        let models = vectors.models.par_iter().map(|layers| layers.par_iter().map(prepare).collect());
        Self { models: models.collect(), known: Mutex::default() }
    }

    /// How many models there are, read or not.
    pub fn models(&self) -> usize {
        self.models.len()
    }

    /// The layers of `model` that were read, ascending.
    pub fn layers(&self, model: usize) -> Vec<LayerIndex> {
        let layers = self.models.get(model).into_iter().flatten();
        layers.filter(|(_, prepared)| prepared.is_ok()).map(|(layer, _)| *layer).collect()
    }

    /// Elements of the vector at `place`; 0 where there is none.
    pub fn numel(&self, place: Place) -> u64 {
        self.prepared(place).map_or(0, |prepared| prepared.shape.iter().product())
    }

    /// Mean, spread, norm of the vector at `place`.
    pub fn summary(&self, place: Place) -> Result<Summary, Undefined> {
        self.prepared(place)?.side.moments().summary.clone()
    }

    /// Mean and spread of the vector at `place`.
    pub fn mean_sd(&self, place: Place) -> Result<MeanSd, Undefined> {
        Ok(self.summary(place)?.mean_sd())
    }

    /// All metrics of (`a`, `b`). A place that was not read leaves none, with the reason.
    pub fn compare(&self, a: Place, b: Place) -> Comparison {
        let known = self.known.lock().ok().and_then(|known| known.get(&(a, b)).cloned());
        let metrics = known.unwrap_or_else(|| {
            let metrics = self.measure(a, b);
            if let Ok(mut known) = self.known.lock() {
                known.insert((a, b), metrics.clone());
            }
            metrics
        });
        Comparison { a, b, metrics }
    }

    /// The metrics of many pairs, on all threads, in their order.
    pub fn compare_all(&self, pairs: &[(Place, Place)]) -> Vec<Comparison> {
        pairs.par_iter().map(|&(a, b)| self.compare(a, b)).collect()
    }

    fn measure(&self, a: Place, b: Place) -> PairMetrics {
        match (self.prepared(a), self.prepared(b)) {
            (Ok(a), Ok(b)) if a.shape == b.shape => PairMetrics::of(&a.side, &b.side),
            (Ok(_), Ok(_)) => PairMetrics::undefined(&Undefined::Shape),
            (Err(reason), _) | (_, Err(reason)) => PairMetrics::undefined(&reason),
        }
    }

    fn prepared(&self, place: Place) -> Result<&Prepared<'a>, Undefined> {
        let layers = self.models.get(place.model);
        match layers.and_then(|layers| layers.get(&place.layer)) {
            Some(Ok(prepared)) => Ok(prepared),
            Some(Err(reason)) => Err(Undefined::NotComparable((*reason).to_owned())),
            None => Err(Undefined::NotComparable(format!("layer {} was not read", place.layer))),
        }
    }
}

/// Every pair of `models` at `layer`, each once.
pub(crate) fn pairs_at(models: &[usize], layer: u32) -> Vec<(Place, Place)> {
    let pairs = models.iter().enumerate().flat_map(|(first, &a)| {
        let partners = models[first + 1..].iter();
        partners.map(move |&b| (Place::new(a, layer), Place::new(b, layer)))
    });
    pairs.collect()
}
