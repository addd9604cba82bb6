//! Published figures beside measured ones. A figure is checked where the run measured everything that it rests on; where it
//! did not, that is said with the reason, and nothing is filled in.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Checked, Layers, Pair, Reads, Record, Rows, Study,
    basis::{Basis, Finder, place_of},
};
use crate::{
    family::{Classified, LayerIndex, Role},
    metric::{MeanSd, Metric},
    model::{Model, ModelSummary, Opened},
    table::PairTable,
};

/// Figures as measured, by the number of the record, or the reason why not.
pub(crate) type Measured = BTreeMap<usize, Result<f64, String>>;

/// What each record about `role` rests on, by its number, or the reason why it is not measured. Figures of synthetic models
/// are compared with nothing.
pub(crate) fn bases(
    records: &[Record],
    models: &[ModelSummary],
    role: &str,
    rows: &mut Rows,
) -> Vec<(usize, Result<Basis, String>)> {
    if models.iter().any(|model| model.synthetic) {
        return Vec::new();
    }
    let mut finder = Finder { study: &Study::nine_models(), models, rows };
    let about =
        records.iter().enumerate().filter(|(_, record)| record.kind != "summary" && record.role() == Some(role));
    about.map(|(number, record)| (number, finder.basis(record))).collect()
}

/// Reads off `table` what rests on it.
pub(crate) fn measure(records: &[Record], bases: Vec<(usize, Result<Basis, String>)>, table: &PairTable) -> Measured {
    let value = |number: usize, basis: Basis| match basis {
        Basis::Side(row, figure) => table.rows[row].summary.as_ref().map(figure).map_err(ToString::to_string),
        Basis::Value((a, b), metric, factor) => {
            table.get(a, b, metric).map(|value| value * factor).map_err(|reason| reason.to_string())
        }
        Basis::Over(layers) => statistic(&records[number], table, &layers),
    };
    bases.into_iter().map(|(number, basis)| (number, basis.and_then(|basis| value(number, basis)))).collect()
}

/// The numbers of parameters that were published, as the headers have them, in thousands of millions.
pub(crate) fn sizes(records: &[Record], models: &[ModelSummary], opened: &[Opened]) -> Measured {
    let study = Study::nine_models();
    let size = |record: &Record| {
        let repo = record.repos.first();
        let place = place_of(models, repo)?;
        let model = opened[place].outcome.as_ref().map_err(|_| "the model was not read".to_owned())?;
        let with_head = repo.is_some_and(|repo| study.counted_with_head.contains(repo));
        Ok(parameters(model, with_head)? as f64 / 1e9)
    };
    let records = records.iter().enumerate().filter(|(_, record)| record.kind == "size");
    records.map(|(number, record)| (number, size(record))).collect()
}

/// Parameters as the model's code in Transformers counts them: blocks of multi-token prediction, which it does not load, and
/// the correction bias of routers, a buffer to it, are none.
fn parameters(model: &Model, with_head: bool) -> Result<u64, String> {
    if model.headers.len() < model.layout.shards.len() {
        return Err("the run did not read the headers of all its files".to_owned());
    }
    let family = model.family.family;
    let counts = |name: &str| match family.map(|family| family.classify(name, &model.config)) {
        Some(Classified::Slot(slot)) => {
            !slot.mtp && slot.role != Role::RouterBias && (with_head || slot.role != Role::LmHead)
        }
        Some(Classified::Auxiliary(_) | Classified::Buffer) => false,
        Some(Classified::Unclassified) | None => true,
    };
    let counted = model.counted().filter(|(_, info)| counts(&info.name));
    let weights = counted.map(|(_, info)| {
        let unknown = || format!("it is not known how many weights `{}` holds", info.name.escape_debug());
        model.quantisation().weights(info).ok_or_else(unknown)
    });
    weights.sum()
}

/// Leaves of the matrices only those that a published figure rests on.
pub fn drop_unpublished(opened: &mut [Opened]) {
    let models: Vec<ModelSummary> = opened.iter().map(ModelSummary::of).collect();
    let mut wanted: BTreeSet<(usize, String, LayerIndex)> = BTreeSet::new();
    for record in Record::all().iter().filter(|record| record.is_of_matrix()) {
        let role = record.role().unwrap_or_default();
        wanted.extend(places(record, &models).into_iter().map(|(model, layer)| (model, role.to_owned(), layer)));
    }
    for (place, opened) in opened.iter_mut().enumerate() {
        let Some(model) = opened.outcome.as_mut().ok().and_then(Arc::get_mut) else { continue };
        model.tensors.retain(|tensor| {
            let Some(slot) = tensor.slot else { return false };
            let is_wanted = |layer| wanted.contains(&(place, slot.role.name().to_owned(), layer));
            slot.role.kind() != crate::family::RoleKind::Matrix || tensor.layer.is_some_and(is_wanted)
        });
    }
}

/// The models and layers that a figure rests on; none where it cannot be checked on these models.
fn places(record: &Record, models: &[ModelSummary]) -> Vec<(usize, LayerIndex)> {
    if models.iter().any(|model| model.synthetic) {
        return Vec::new();
    }
    let mut rows = Rows::default();
    let mut finder = Finder { study: &Study::nine_models(), models, rows: &mut rows };
    if finder.basis(record).is_err() {
        return Vec::new();
    }
    rows.held.iter().filter_map(|held| Some((held.model, held.place?.layer))).collect()
}

/// What a figure rests on beyond what `study` reads by itself; `None` where no option reads that.
pub(crate) fn needs(record: &Record, study: &Study, models: &[ModelSummary]) -> Option<Reads> {
    if record.kind == "size" {
        place_of(models, record.repos.first()).ok()?;
        return Some(Reads { all_roles: true, all_layers: false });
    }
    let places = places(record, models);
    let is_extra = |&(model, layer): &(usize, LayerIndex)| !study.layers_of(model).contains(&layer.0);
    (!places.is_empty()).then(|| Reads {
        all_roles: record.role() != Some(Role::InputLayernorm.name()),
        all_layers: !record.is_of_matrix() && places.iter().any(is_extra),
    })
}

/// Checks every record.
pub(crate) fn check(records: Vec<Record>, measured: &Measured, models: &[ModelSummary]) -> Vec<Checked> {
    let study = Study::nine_models();
    let synthetic = models.iter().any(|model| model.synthetic);
    let value = |(number, record): (usize, &Record)| {
        if synthetic {
            return Err("the models are a synthetic replica, not the real weights".to_owned());
        }
        if record.kind == "summary" {
            return summary(&study, &record.metric, &records, measured);
        }
        measured_value(number, record, measured)
    };
    let values: Vec<Result<f64, String>> = records.iter().enumerate().map(value).collect();
    let checked = records.into_iter().zip(values);
    checked.map(|(record, value)| Checked { record, value }).collect()
}

fn measured_value(number: usize, record: &Record, measured: &Measured) -> Result<f64, String> {
    measured.get(&number).cloned().unwrap_or_else(|| match record.role() {
        Some(role) => Err(format!("the run did not read {role}")),
        None => Err("it is about no tensor".to_owned()),
    })
}

/// A summary figure: the mean of what other records measure.
fn summary(study: &Study, name: &str, records: &[Record], measured: &Measured) -> Result<f64, String> {
    let of = study.summary.get(name).ok_or("what it summarises is not known")?;
    let fits = |record: &Record| {
        record.kind != "summary"
            && record.experiment == of.experiment
            && record.metric == of.metric
            && record.role() == Some("input_layernorm")
            && of.repos.as_ref().is_none_or(|repos| *repos == record.repos)
            && of.layers.as_ref().is_none_or(|layers| match &record.layers {
                Layers::List(own) => own.iter().all(|layer| layers.contains(layer)),
                _ => false,
            })
    };
    let fitting = records.iter().enumerate().filter(|(_, record)| fits(record));
    let values: Vec<f64> =
        fitting.map(|(number, record)| measured_value(number, record, measured)).collect::<Result<_, _>>()?;
    let mean = MeanSd::of(&values).ok_or("what it summarises is not known")?.mean;
    match &of.minus {
        // One step only: the figure taken off takes off none itself.
        Some(other) if other != name => Ok(mean - summary(study, other, records, measured)?),
        _ => Ok(mean),
    }
}

/// A statistic over pairs, which are listed by layer. Every pair must have been measured.
fn statistic(record: &Record, table: &PairTable, layers: &[Vec<Pair>]) -> Result<f64, String> {
    let metric = if record.metric.contains("pearson") { Metric::Pearson } else { Metric::CosSim };
    let of_layer = |pairs: &Vec<Pair>| {
        let values = pairs.iter().map(|&(a, b)| table.get(a, b, metric));
        values.collect::<Result<Vec<f64>, _>>().map_err(|reason| reason.to_string())
    };
    let layers: Vec<Vec<f64>> = layers.iter().map(of_layer).collect::<Result<_, _>>()?;
    let all: Vec<f64> = layers.iter().flatten().copied().collect();
    let over = |values: &[f64]| MeanSd::of(values).ok_or_else(|| "it is about no pair".to_owned());
    match record.metric.as_str() {
        "mean_cosine" | "mean_pearson" => Ok(over(&all)?.mean),
        "std_cosine_ddof0" | "std_ddof0_cosine" | "std_ddof0_pearson" => Ok(over(&all)?.sd),
        "min_cosine" | "min_pearson" => Ok(all.into_iter().fold(f64::INFINITY, f64::min)),
        "max_cosine" | "max_pearson" => Ok(all.into_iter().fold(f64::NEG_INFINITY, f64::max)),
        "n_pairs" | "n_comparisons" => Ok(all.len() as f64),
        "std_of_layer_means_ddof0" => {
            let means: Vec<f64> = layers.iter().map(|layer| over(layer).map(|of| of.mean)).collect::<Result<_, _>>()?;
            Ok(over(&means)?.sd)
        }
        other => Err(format!("`{other}` is not measured")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, planted};
    use super::*;

    const N: usize = 4096;

    /// Two vectors of mean 0 and deviation 1 that do not correlate.
    fn orthonormal() -> [Vec<f64>; 2] {
        let wave = |step: f64| -> Vec<f64> {
            (0..N).map(|i| (i as f64 * step).sin() + (i as f64 * step * 0.37).cos()).collect()
        };
        let standard = |values: Vec<f64>| -> Vec<f64> {
            let of = MeanSd::of(&values).unwrap();
            values.iter().map(|value| (value - of.mean) / of.sd).collect()
        };
        let (u, v) = (standard(wave(0.71)), wave(1.93));
        let shared: f64 = u.iter().zip(&v).map(|(u, v)| u * v).sum::<f64>() / N as f64;
        let v = standard(v.iter().zip(&u).map(|(v, u)| v - shared * u).collect());
        [u, v]
    }

    /// Solar and GLM at every layer, with exactly the means, deviations and correlations that one source published of
    /// them, but for `nudge`, which is added to r at layer 10.
    fn published_vectors(nudge: f64) -> Vec<BTreeMap<u32, Vec<f64>>> {
        let records = Record::all();
        let [u, v] = orthonormal();
        let mut models = vec![BTreeMap::new(), BTreeMap::new()];
        for layer in 0..46 {
            let figure = |metric: &str| {
                let fits = |record: &&Record| {
                    record.experiment == "layerwise"
                        && record.metric == metric
                        && record.role() == Some("input_layernorm")
                        && record.layers == Layers::List(vec![layer, layer])
                };
                records.iter().find(fits).unwrap().value
            };
            let r = figure("pearson") + if layer == 10 { nudge } else { 0.0 };
            let (mean_a, sd_a) = (figure("mean[Solar]"), figure("std_ddof0[Solar]"));
            let (mean_b, sd_b) = (figure("mean[GLM]"), figure("std_ddof0[GLM]"));
            models[0].insert(layer, u.iter().map(|u| mean_a + sd_a * u).collect());
            let mix = |(u, v): (&f64, &f64)| mean_b + sd_b * (r * u + (1.0 - r * r).sqrt() * v);
            models[1].insert(layer, u.iter().zip(&v).map(mix).collect());
        }
        models
    }

    fn checked(vectors: Vec<BTreeMap<u32, Vec<f64>>>, synthetic: bool) -> Vec<Checked> {
        let mut models = planted::summaries(&Study::nine_models());
        models.truncate(vectors.len());
        models[0].synthetic = synthetic;
        planted::checked(vectors, &models)
    }

    fn outcomes<'a>(checked: &'a [Checked], experiment: &'a str) -> impl Iterator<Item = (&'a Checked, Outcome)> {
        let of = checked.iter().filter(move |figure| figure.record.experiment == experiment);
        of.filter(|figure| figure.record.role() == Some("input_layernorm")).map(|figure| (figure, figure.outcome()))
    }

    #[test]
    fn vectors_with_the_published_moments_and_correlations_match_what_was_published_of_them() {
        let checked = checked(published_vectors(0.0), false);
        // Six figures of each layer, and the mean, deviation and extremes of two of them.
        for (experiment, count) in [("layerwise", 276), ("aggregate", 8)] {
            for (figure, outcome) in outcomes(&checked, experiment) {
                assert_eq!(outcome, Outcome::Match, "{figure:?}");
            }
            assert_eq!(outcomes(&checked, experiment).count(), count);
        }
        // Other sources printed the same pair: cosine, r and distance must come out for them too.
        for experiment in ["exp6-2", "exp3", "fig1", "scale"] {
            let done: Vec<_> =
                outcomes(&checked, experiment).filter(|(_, outcome)| *outcome != Outcome::NotChecked).collect();
            assert!(!done.is_empty(), "{experiment}");
            assert!(done.iter().all(|(_, outcome)| *outcome == Outcome::Match), "{done:?}");
        }
        for metric in ["cosine", "pearson", "centered_cosine", "cv_diff", "rel_l2"] {
            let of = outcomes(&checked, "confusion").filter(|(figure, _)| figure.record.metric == metric);
            let done: Vec<_> = of.filter(|(_, outcome)| *outcome != Outcome::NotChecked).collect();
            assert_eq!(done.len(), 3, "{metric}");
            assert!(done.iter().all(|(_, outcome)| *outcome == Outcome::Match), "{done:?}");
        }
    }

    #[test]
    fn a_correlation_that_is_off_by_a_thousandth_is_a_mismatch() {
        let checked = checked(published_vectors(0.001), false);
        let mut wrong = Vec::new();
        for (figure, outcome) in outcomes(&checked, "layerwise") {
            if outcome == Outcome::Mismatch {
                assert_eq!(figure.record.layers, Layers::List(vec![10, 10]));
                wrong.push(figure.record.metric.as_str());
            }
        }
        assert_eq!(wrong, ["cosine", "pearson"]);
    }

    #[test]
    fn what_the_run_did_not_measure_is_not_checked_and_says_why() {
        let checked = checked(published_vectors(0.0), false);
        let reason = |experiment: &str, metric: &str| {
            let found =
                checked.iter().find(|figure| figure.record.experiment == experiment && figure.record.metric == metric);
            found.unwrap().value.clone().unwrap_err()
        };
        assert_eq!(reason("exp5:MoE-MoE", "mean_cosine"), "microsoft/Phi-3.5-MoE-instruct is not among the models");
        assert!(reason("fig2", "diag_mean_cosine").contains("multi-token-prediction"));
        let posts = checked.iter().filter(|figure| figure.record.role() == Some("post_attention_layernorm"));
        assert!(posts.into_iter().all(|figure| figure.value.is_err()));
    }

    #[test]
    fn figures_of_synthetic_models_are_compared_with_nothing() {
        let checked = checked(published_vectors(0.0), true);
        assert!(checked.iter().all(|figure| figure.outcome() == Outcome::NotChecked));
    }

    #[test]
    fn group_figures_leave_out_the_models_that_the_source_left_out() {
        let checked = checked(planted::rows(), false);
        let value = |experiment: &str, metric: &str| {
            let found =
                checked.iter().find(|figure| figure.record.experiment == experiment && figure.record.metric == metric);
            found.unwrap().value.clone().unwrap()
        };
        assert!((value("exp5:MoE-nonMoE", "n_pairs") - 16.0).abs() < 1e-9);
        assert!((value("exp5:nonMoE-nonMoE", "n_pairs") - 6.0).abs() < 1e-9);
        assert!((value("exp4", "n_comparisons") - 36.0).abs() < 1e-9);
        let golden = planted::golden();
        planted::near(value("exp3", "std_cosine_ddof0"), &golden["exp3"]["sd"]);
        planted::near(value("summary", "moe_mean"), &golden["exp3"]["mean"]);
        let within = value("background", "sionic_within");
        planted::near(within, &golden["exp1"][1]["mean"]);
        assert!((value("background", "sionic_diff") + within - value("background", "sionic_cross")).abs() < 1e-12);
    }
}
