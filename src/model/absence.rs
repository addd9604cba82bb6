//! Why a model has nothing of what was asked: a name that matches nowhere, a family that is not known, a role that it does not
//! have, a layer that is not there. Each has a remedy of its own, so each is told apart.

use std::collections::BTreeSet;

use super::{Exclusion, Model, Opened, Pairing, Question};
use crate::family::{Family, LayerIndex, LayerSelection, Role};

/// Roles that are named one by one where a model has none of them; of more, their number is told.
const MOST_ROLES: usize = 4;

/// Why no tensor of the model was chosen, and what to do; `None` where any was.
pub(crate) fn absence(model: &Model, question: &Question) -> Option<String> {
    if !model.tensors.is_empty() {
        return None;
    }
    let names = model.names();
    if names.is_empty() {
        return Some("its files hold no tensor".to_owned());
    }
    let family = model.family.family;
    let found_in = |question: &Question| -> Option<BTreeSet<Option<LayerIndex>>> {
        let selection = question.select(names.iter().copied(), family, &model.config);
        let found: BTreeSet<_> = selection.wanted.iter().map(|wanted| wanted.layer).collect();
        (!found.is_empty()).then_some(found)
    };
    if let (Some(_), Some(exclusion)) = (found_in(question), model.excluded.first()) {
        let tensor = exclusion.tensor.escape_debug();
        return Some(format!("`{tensor}` cannot be read: {}", exclusion.reason));
    }
    let unskipped = Question { skip: None, ..question.clone() };
    let anywhere = |question: &Question| Question { layers: LayerSelection::all(), ..question.clone() };
    if let Some(found) = found_in(&anywhere(question)) {
        let found: Vec<LayerIndex> = found.into_iter().flatten().collect();
        return Some(format!("the requested tensors exist only in layers {}", layer_runs(&found)));
    }
    if found_in(&anywhere(&unskipped)).is_some() {
        return Some(format!("the requested tensors are {}", question.skipped()));
    }
    if let Some(exclusion) = model.excluded.first() {
        let tensor = exclusion.tensor.escape_debug();
        return Some(format!("`{tensor}` is left out: {}", exclusion.reason));
    }
    if let Some(pattern) = &question.tensor {
        let pattern = pattern.as_str().escape_debug();
        return Some(format!("none of its names matches --tensor `{pattern}`; `inspect --tensors` lists them"));
    }
    Some(match family {
        None => {
            "its family is not known, so no tensor of it has a role: choose by name with --tensor; `inspect --tensors` \
                 lists the names"
                .to_owned()
        }
        Some(family) => {
            let reasons = roles(model, family, question.roles.roles());
            let with_biases = Question { biases: true, ..anywhere(&unskipped) };
            let biases = if !question.biases && found_in(&with_biases).is_some() {
                ", but a bias, which --biases takes"
            } else {
                ""
            };
            format!("{reasons}{biases}; `inspect` lists the roles that it has, and --tensor chooses by name")
        }
    })
}

/// Why a model of this family has no tensor of these roles.
fn roles(model: &Model, family: &Family, roles: &[Role]) -> String {
    if roles.len() > MOST_ROLES {
        return format!("it has none of the {} requested roles (family `{}`)", roles.len(), family.name());
    }
    let one = |role: &Role| no_role(model, family, *role);
    // Roles that were taken beside those that were named need no words where these have a reason.
    let has_reason = |role: &&Role| model.absent_reason(**role).is_some();
    let told = roles.iter().filter(has_reason).count();
    let told = roles.iter().filter(|role| told == 0 || has_reason(role)).map(one);
    told.collect::<Vec<_>>().join("; ")
}

fn no_role(model: &Model, family: &Family, role: Role) -> String {
    let name = family.name();
    match model.absent_reason(role) {
        Some(reason) => format!("it has no `{role}`: {reason}"),
        None if family.roles().contains(&role) => {
            format!("it has no `{role}`, which other models of its family `{name}` have")
        }
        None => format!("its family `{name}` has no `{role}`"),
    }
}

/// Notes in each model that has anything of what was asked the roles and layers that were asked for by name or number and that no
/// model has: in no answer is a place for them, which a model without what another has keeps.
pub(crate) fn note_lacking(opened: &mut [Opened], question: &Question) {
    let (mut held, mut layers) = (BTreeSet::new(), BTreeSet::new());
    for model in opened.iter().filter_map(Opened::model) {
        let faults = model.excluded.iter().filter(|exclusion| exclusion.is_fault);
        let places = model.tensors.iter().map(|tensor| (tensor.slot, tensor.layer));
        for (slot, layer) in places.chain(faults.map(|fault| (fault.slot, fault.layer))) {
            held.extend(slot.map(|slot| slot.role));
            layers.extend(layer);
        }
    }
    let is_named = |role: &Role| question.tensor.is_none() && question.roles.names(*role) && !held.contains(role);
    let roles: Vec<Role> = question.roles.roles().iter().copied().filter(is_named).collect();
    let numbers =
        question.layers.numbers().filter(|layer| question.pairing == Pairing::Same && !layers.contains(layer));
    let numbers: Vec<LayerIndex> = numbers.collect();
    for model in opened.iter_mut().filter_map(Opened::model_mut) {
        if model.tensors.is_empty() {
            continue;
        }
        let lacking = |tensor: String, reason: String, layer| Exclusion {
            tensor,
            reason,
            is_fault: true,
            layer,
            ..Exclusion::default()
        };
        let family = model.family.family;
        let of_role = |&role: &Role| Some(lacking(role.to_string(), no_role(model, family?, role), None));
        let of_layer = |&layer: &LayerIndex| {
            let reason = match model.config.num_hidden_layers {
                Some(layers) if layer.0 >= layers => format!("it has {layers} layers"),
                _ => "it has no requested tensor in this layer".to_owned(),
            };
            lacking(format!("layer {layer}"), reason, Some(layer))
        };
        let lacking: Vec<Exclusion> = roles.iter().filter_map(of_role).chain(numbers.iter().map(of_layer)).collect();
        model.lacking.extend(lacking);
    }
}

/// `0–45, 47`; of many runs the first.
pub fn layer_runs(layers: &[LayerIndex]) -> String {
    const MOST: usize = 4;
    let mut runs: Vec<(LayerIndex, LayerIndex)> = Vec::new();
    for &layer in layers {
        match runs.last_mut() {
            Some((_, last)) if last.0.checked_add(1) == Some(layer.0) => *last = layer,
            _ => runs.push((layer, layer)),
        }
    }
    let shown = runs.iter().take(MOST).map(
        |(first, last)| {
            if first == last { first.to_string() } else { format!("{first}–{last}") }
        },
    );
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if runs.len() > MOST {
        text.push_str(", …");
    }
    text
}
