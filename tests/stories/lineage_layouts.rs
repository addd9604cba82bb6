//! The tests of lineage on whole models of many architectures: what units are is found in every layout, a copy with noise is
//! linked in whichever layout it is saved, and units in another order and models of another start are not.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    lineage::tokenizer,
    support::{Array, Layout, Sized, Weights, Workspace, architectures, gain, rows, tell_all},
};

const SIZES: [(&str, usize); 13] = [
    ("layers", 4),
    ("hidden", 64),
    ("head", 16),
    ("half", 8),
    ("inner", 256),
    ("vocab", 400),
    ("experts", 32),
    ("expert", 8),
    ("shared", 256),
    ("nope", 8),
    ("value", 16),
    ("latent", 32),
    ("rank", 32),
];

/// Groups whose rows each layer orders for itself.
const UNITS: [&str; 3] = ["mlp", "heads", "experts"];

/// The same weights, each with something of its own.
fn perturbed(weights: &Weights) -> Weights {
    let own = |(number, (name, array)): (usize, (&String, &Array))| {
        let noise = gain(7_000_000 + number as u64, array.values.len());
        let values = array.values.iter().zip(noise).map(|(value, noise)| value + 0.3 * (noise - 1.0)).collect();
        (name.clone(), Array { shape: array.shape.clone(), values })
    };
    weights.iter().enumerate().map(own).collect()
}

/// Numbers below `count` in an order that a seed tells.
fn order(seed: u64, count: usize) -> Vec<usize> {
    let mut keyed: Vec<(f32, usize)> = gain(900_000 + seed, count).into_iter().zip(0..).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    keyed.into_iter().map(|(_, number)| number).collect()
}

/// The same model with the units of every layer in another order: of the MLP, of each value head, and of the experts.
fn relabelled(model: &Sized<'_>, weights: &Weights) -> Weights {
    let mut other = weights.clone();
    let (kv, head) = (model.sizes["kv"], model.sizes["head"]);
    let groups = model.sizes["heads"] / kv;
    for layer in 0..model.sizes["layers"] {
        let seed = 100 * layer as u64;
        let units = |name: &str, axis: usize| weights.get(&format!("{layer}.{name}")).map(|array| array.shape[axis]);
        let dims: Vec<usize> = (0..kv)
            .flat_map(|run| order(seed + 1 + run as u64, head).into_iter().map(move |at| run * head + at))
            .collect();
        let of_queries: Vec<usize> = (0..kv * groups)
            .flat_map(|query| {
                let (run, first) = (query / groups, query * head);
                dims[run * head..(run + 1) * head].iter().map(move |at| first + at - run * head).collect::<Vec<_>>()
            })
            .collect();
        let mut turn = |name: &str, axis: usize, order: &[usize]| {
            if let Some(array) = other.get_mut(&format!("{layer}.{name}")) {
                *array = array.reordered(axis, order);
            }
        };
        for (up, down) in [("up", "down"), ("shared.up", "shared.down")] {
            let Some(count) = units(up, 0) else { continue };
            let order = order(seed + 50, count);
            for rows in [up, &format!("{up}.bias"), &up.replace("up", "gate")] {
                turn(rows, 0, &order);
            }
            turn(down, 1, &order);
        }
        if units("v", 0).is_some() {
            turn("v", 0, &dims);
            turn("v.bias", 0, &dims);
            turn("o", 1, &of_queries);
        }
        if units("kv_b", 0).is_some() {
            latent(model, seed, &mut turn);
        }
        if let Some(count) = units("router", 0) {
            let order = order(seed + 60, count);
            turn("router", 0, &order);
            turn("router.bias", 0, &order);
            for (expert, &from) in order.iter().enumerate() {
                for part in ["gate", "up", "down"] {
                    let moved = weights[&format!("{layer}.{from}.{part}")].clone();
                    other.insert(format!("{layer}.{expert}.{part}"), moved);
                }
            }
        }
    }
    other
}

/// Value dimensions within each head of a latent attention, whose keys stand before them.
fn latent(model: &Sized<'_>, seed: u64, turn: &mut impl FnMut(&str, usize, &[usize])) {
    let (key, value) = (model.sizes["nope"], model.sizes["value"]);
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    for head in 0..model.sizes["heads"] {
        let order = order(seed + 70 + head as u64, value);
        let first = head * (key + value);
        rows.extend(first..first + key);
        rows.extend(order.iter().map(|at| first + key + at));
        columns.extend(order.iter().map(|at| head * value + at));
    }
    turn("kv_b", 0, &rows);
    turn("o_latent", 1, &columns);
}

type Groups = BTreeMap<String, BTreeMap<String, String>>;

/// The groups of `lineage.csv`; that of the pair has no name.
fn ask(at: &Workspace, other: &str) -> Result<Groups, String> {
    let outcome =
        at.run(&["lineage", "./hub/o/a", &format!("./hub/o/{other}"), "--no-deep", "-o", other, "--formats", "csv"]);
    if outcome.status != 0 {
        return Err(format!("{other}: {outcome}"));
    }
    let rows = rows(&at.read(&format!("{other}/lineage.csv"))).into_iter();
    Ok(rows.filter(|row| row["scope"] != "layer").map(|row| (row["group"].clone(), row)).collect())
}

fn z(groups: &Groups, group: &str) -> f64 {
    groups[group]["z"].parse().unwrap_or(f64::NAN)
}

fn write(model: &Sized<'_>, at: &Workspace, id: &str, layout: &Layout, weights: &Weights) {
    model.write(at, &format!("o/{id}"), layout, &model.stored(layout, weights));
    at.file(&format!("o/{id}"), "tokenizer.json", tokenizer().to_string());
}

/// A line that tells the figures of a model, or what is wrong.
fn try_model(model: &Sized<'_>) -> Result<String, String> {
    let at = Workspace::new();
    let published = &model.of.layout[0];
    let weights = model.weights(1);
    write(model, &at, "a", published, &weights);
    let mut wrong = Vec::new();
    let mut line = model.of.name.clone();
    let near = perturbed(&weights);
    for (number, layout) in model.of.layout.iter().enumerate() {
        let id = format!("near{number}");
        write(model, &at, &id, layout, &near);
        let groups = ask(&at, &id)?;
        let tested: Vec<&str> = ["mlp", "heads", "experts", "norms", "embeddings"]
            .into_iter()
            .filter(|group| groups[*group]["undefined"].is_empty())
            .collect();
        let expected: Vec<&str> = model
            .of
            .lineage
            .iter()
            .map(String::as_str)
            .filter(|group| !layout.units_apart.contains_key(*group))
            .collect();
        if tested != expected {
            let reasons: Vec<String> =
                groups.values().map(|row| format!("{} {}", row["group"], row["undefined"])).collect();
            wrong.push(format!("{}: tested {tested:?}, expected {expected:?}: {reasons:?}", layout.called));
        }
        if groups[""]["sign"] != "linked" {
            wrong.push(format!("{}: {}", layout.called, groups[""]["sign"]));
        }
        for group in &tested {
            if z(&groups, group).is_nan() || z(&groups, group) < 8.0 {
                wrong.push(format!("{}: {group} z {}", layout.called, z(&groups, group)));
            }
        }
        for (group, why) in &layout.units_apart {
            if groups[group]["undefined"] != *why {
                wrong.push(format!("{}: {group} {}", layout.called, groups[group]["undefined"]));
            }
        }
        if number == 0 {
            let figures = tested.iter().map(|group| format!(" {group} {:+.1}", z(&groups, group)));
            let _ = write!(line, ": near{}", figures.collect::<String>());
        }
    }
    for (id, other, looked_at) in [
        ("relabelled", relabelled(model, &weights), &UNITS[..]),
        ("independent", model.weights(2), &["mlp", "heads", "experts", "norms", "embeddings"][..]),
    ] {
        write(model, &at, id, published, &other);
        let groups = ask(&at, id)?;
        let tested: Vec<&str> =
            looked_at.iter().copied().filter(|group| groups[*group]["undefined"].is_empty()).collect();
        let _ = write!(line, "; {id}");
        for group in tested {
            let z = z(&groups, group);
            let _ = write!(line, " {group} {z:+.1}");
            if z.is_nan() || z.abs() >= 4.0 {
                wrong.push(format!("{id}: {group} z {z}"));
            }
        }
        if id == "independent"
            && !["consistent with independence", "inconclusive"].contains(&groups[""]["sign"].as_str())
        {
            wrong.push(format!("{id}: {}", groups[""]["sign"]));
        }
    }
    if wrong.is_empty() { Ok(line) } else { Err(format!("{line}\n    {}", wrong.join("\n    "))) }
}

#[test]
fn lineage_finds_units_in_the_layouts_of_every_architecture() {
    let chosen = std::env::var("ARCHITECTURE").unwrap_or_default();
    let all = architectures(&SIZES).filter(|model| !model.of.lineage.is_empty() && model.of.name.contains(&chosen));
    let models: Vec<Sized<'_>> = all.collect();
    tell_all(&models, try_model);
}
