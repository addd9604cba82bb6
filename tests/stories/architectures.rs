//! The architectures that are downloaded most, each in the layouts in which its models are saved: the same weights are the same
//! whichever way they are stored, and one altered tensor is found in every layout.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Layout, Sized, Workspace, architectures, rows, tell_all};

/// What came of a comparison.
struct Found {
    status: i32,
    pairs: Vec<BTreeMap<String, String>>,
    coverage: Vec<BTreeMap<String, String>>,
    said: String,
}

fn compare(at: &Workspace) -> Found {
    let outcome = at.run(&["compare", "./hub/o/a", "./hub/o/b", "--experts", "-o", "out", "--formats", "csv"]);
    if outcome.status > 1 {
        return Found { status: outcome.status, pairs: Vec::new(), coverage: Vec::new(), said: outcome.to_string() };
    }
    let [pairs, coverage] = ["pairs.csv", "coverage.csv"].map(|file| rows(&at.read(&format!("out/{file}"))));
    Found { status: outcome.status, pairs, coverage, said: outcome.to_string() }
}

/// What is wrong with a layout beside the published one; else a line that tells what was found.
fn try_layout(model: &Sized<'_>, layout: &Layout) -> Result<String, String> {
    let at = Workspace::new();
    let published = &model.of.layout[0];
    let weights = model.weights(1);
    model.write(&at, "o/a", published, &model.stored(published, &weights));
    let mut stored = model.stored(layout, &weights);
    model.write(&at, "o/b", layout, &stored);
    let found = compare(&at);
    let mut wrong = Vec::new();
    let mut apart = BTreeSet::new();
    for row in &found.coverage {
        let names = [row["tensor_a"].as_str(), row["tensor_b"].as_str()];
        let expected = layout.apart.iter().find(|(start, _)| names.iter().any(|name| name.starts_with(start.as_str())));
        match (row["status"].as_str(), expected) {
            ("compared", None) => {}
            (status, Some((start, why))) if status != "compared" && row["reason"].contains(why.as_str()) => {
                apart.insert(start.clone());
            }
            (status, _) => wrong.push(format!("{names:?} {status}: {}", row["reason"])),
        }
    }
    let lowest = found.pairs.iter().map(|row| row["cos_sim"].parse::<f64>().unwrap_or(-1.0)).fold(1.0, f64::min);
    let unequal = found.pairs.iter().filter(|row| row["l2"] != "0");
    wrong.extend(
        unequal
            .map(|row| format!("{} × {}: cos {}, l2 {}", row["tensor_a"], row["tensor_b"], row["cos_sim"], row["l2"])),
    );
    // Where nothing at all can meet, the status tells that nothing was compared.
    let is_apart = layout.apart.contains_key("");
    if found.pairs.is_empty() != is_apart || found.status != i32::from(is_apart) {
        wrong.push(format!("{} pairs, {}", found.pairs.len(), found.said));
    }
    for start in layout.apart.keys().filter(|start| !apart.contains(*start)) {
        wrong.push(format!("{start} is not told apart"));
    }
    let line = format!("{}: {}: {} pairs, lowest cos {lowest}", model.of.name, layout.called, found.pairs.len());
    if is_apart || !wrong.is_empty() {
        let line = told(line, layout);
        return if wrong.is_empty() { Ok(line) } else { Err(format!("{line}\n    {}", wrong.join("\n    "))) };
    }
    // The control: of one altered tensor every pair differs, and no other.
    let is_told = |name: &str| layout.apart.keys().all(|start| !name.starts_with(start.as_str()));
    let altered = stored.iter_mut().filter(|tensor| tensor.shape.len() > 1 && is_told(&tensor.name)).take(4).last();
    let altered = altered.ok_or("nothing to alter")?;
    altered.bytes.reverse();
    let name = altered.name.clone();
    model.write(&at, "o/b", layout, &stored);
    let found = compare(&at);
    for row in &found.pairs {
        let is_one = row["cos_sim"].parse::<f64>().is_ok_and(|cos| cos > 0.999_999);
        if is_one == (row["tensor_b"] == name) {
            wrong.push(format!("with {name} altered, {} has cos {}", row["tensor_b"], row["cos_sim"]));
        }
    }
    if found.pairs.iter().all(|row| row["tensor_b"] != name) {
        wrong.push(format!("{name} altered is in no pair"));
    }
    if wrong.is_empty() { Ok(told(line, layout)) } else { Err(format!("{line}\n    {}", wrong.join("\n    "))) }
}

fn told(line: String, layout: &Layout) -> String {
    let reasons = layout.apart.iter().map(|(start, why)| format!("; {start}…: {why}"));
    reasons.fold(line, |line, reason| line + &reason)
}

#[test]
fn the_same_weights_are_the_same_in_every_layout_of_their_architecture() {
    let chosen = std::env::var("ARCHITECTURE").unwrap_or_default();
    let models: Vec<Sized<'_>> = architectures(&[]).filter(|model| model.of.name.contains(&chosen)).collect();
    let jobs: Vec<(&Sized<'_>, &Layout)> =
        models.iter().flat_map(|model| model.of.layout.iter().skip(1).map(move |layout| (model, layout))).collect();
    tell_all(&jobs, |&(model, layout)| try_layout(model, layout));
}
