//! What `inspect` prints for people: each model's contents, then what several have in common.

use std::fmt::Write;

use hub_audit::{
    family::{LayerIndex, Stack},
    question::inspect::{Comparable, Contents, Inspection, RoleCount, shape_text},
};

use super::{
    size::{Size, short_count},
    table,
};

/// Names of a list that are printed before `…`.
const MOST_NAMES: usize = 12;

pub(super) fn as_text(inspections: &[Inspection], comparable: &[Comparable], tensors: bool) -> String {
    let mut text = String::new();
    // Why a model was not read has been told on stderr.
    for inspection in inspections {
        let Some(contents) = &inspection.contents else { continue };
        let summary = &inspection.summary;
        let at = summary.commit.as_ref().map(|commit| format!("@{commit}")).unwrap_or_default();
        let _ = writeln!(text, "{}{at}", summary.model);
        text.push_str(&contents_text(inspection, contents, tensors));
        text.push('\n');
    }
    if !comparable.is_empty() {
        text.push_str(&architectures(inspections));
        text.push('\n');
        text.push_str(&configurations(inspections));
        text.push('\n');
        text.push_str(&comparison(inspections, comparable));
    }
    text
}

fn contents_text(inspection: &Inspection, contents: &Contents, tensors: bool) -> String {
    let summary = &inspection.summary;
    let known =
        |value: Option<String>| value.map_or_else(|| "not stated".to_owned(), |text| text.escape_debug().to_string());
    let family = summary.family.as_ref().map_or_else(
        || "not known".to_owned(),
        |(name, by)| format!("{name} (recognised by {by}{})", rivals(&summary.rivals)),
    );
    let shards = format!(
        "{}, {}{}",
        table::count(contents.shards as u64, "safetensors file"),
        Size(contents.bytes),
        if contents.indexed { ", with an index" } else { "" }
    );
    let mut text = table::facts(&[
        ("family", family),
        ("model_type", known(summary.model_type.clone())),
        ("layers", known(summary.layers.map(|layers| layers.to_string()))),
        ("width", known(summary.width.map(|width| width.to_string()))),
        ("files", shards),
        ("tensors", contents.tensors.len().to_string()),
        ("parameters", parameters(contents)),
        (
            "quantisation",
            contents
                .quantisation
                .as_ref()
                .map_or_else(|| "none stated".to_owned(), |text| text.escape_debug().to_string()),
        ),
    ]);
    if summary.synthetic {
        text.push_str("  synthetic replica, not the real weights\n");
    }
    text.push('\n');
    let mut dtypes = table::new(&["  dtype", ">tensors", ">elements", ">bytes"]);
    for (name, count) in &contents.dtypes {
        dtypes.add_row([
            format!("  {name}"),
            count.tensors.to_string(),
            short_count(count.elements),
            Size(count.bytes).to_string(),
        ]);
    }
    text.push_str(&table::text(&dtypes));
    text.push('\n');
    let mut roles = table::new(&["  role", ">tensors", "layers", "shapes"]);
    for ((stack, role), count) in &contents.roles {
        let stack = match stack {
            Stack::Main => "",
            Stack::Encoder => "encoder ",
            Stack::Decoder => "decoder ",
        };
        roles.add_row([format!("  {stack}{role}"), count.tensors.to_string(), layers_text(count), shapes_text(count)]);
    }
    text.push_str(&table::text(&roles));
    text.push_str(&storage_text(contents));
    text.push_str(&lineage_text(contents));
    if contents.mtp_tensors > 0 {
        let _ = writeln!(
            text,
            "  {} of {}, kept apart ({} of the parameters)",
            table::count(contents.mtp_tensors as u64, "tensor"),
            if contents.past_the_last {
                "layers past the last that is stated"
            } else {
                "multi-token-prediction blocks"
            },
            short_count(contents.mtp_parameters)
        );
    }
    text.push_str(&names("buffers", &contents.buffers.iter().map(String::as_str).collect::<Vec<_>>()));
    text.push_str(&names("unclassified", &contents.unclassified()));
    for warning in &summary.warnings {
        let _ = writeln!(text, "  warning: {warning}");
    }
    if tensors {
        text.push('\n');
        for listed in &contents.tensors {
            let _ = writeln!(
                text,
                "{}\t{}\t{}\t{}\t{}\t{}",
                listed.info.name.escape_debug(),
                listed.what,
                listed.info.dtype,
                shape_text(&listed.info.shape),
                listed.shard.escape_debug(),
                listed.info.range
            );
        }
    }
    text
}

/// `; gemma explains the names as well`, where any does.
fn rivals(rivals: &[String]) -> String {
    match rivals {
        [] => String::new(),
        [one] => format!("; {one} explains them as well"),
        several => format!("; {} explain them as well", several.join(", ")),
    }
}

/// The number; of tensors that pack an unknown number of weights into an element, the elements.
fn parameters(contents: &Contents) -> String {
    let unknown = match contents.uncounted {
        0 => return short_count(contents.parameters),
        unknown => table::count(unknown as u64, "tensor"),
    };
    let stored = short_count(contents.parameters);
    format!("{stored}, with stored elements of {unknown} whose weights cannot be counted")
}

/// The weights that are not stored as they are, by role, with what stands beside them.
fn storage_text(contents: &Contents) -> String {
    let mut text = String::new();
    for (stored, count) in &contents.storage {
        let beside = if stored.companions.is_empty() { "nothing".to_owned() } else { stored.companions.join(", ") };
        let count = table::count(*count as u64, "tensor");
        let how = stored.how.escape_debug();
        let _ = writeln!(text, "  {}: {count} {how}; beside: {}", stored.what, beside.escape_debug());
    }
    text
}

/// Which groups `lineage` can test, and why not the others.
fn lineage_text(contents: &Contents) -> String {
    let tested = contents.groups.iter().filter(|(_, answer)| answer.is_ok()).map(|(group, _)| group.name());
    let tested: Vec<&str> = tested.collect();
    let mut text = match tested.as_slice() {
        [] => "  lineage can test no group\n".to_owned(),
        groups => format!("  lineage can test: {}\n", groups.join(", ")),
    };
    for (group, answer) in &contents.groups {
        if let Err(reason) = answer {
            let _ = writeln!(text, "  lineage cannot test {group}: {reason}");
        }
    }
    text
}

fn names(title: &str, names: &[&str]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let mut text = format!("  {title}: {}\n", names.len());
    for name in names.iter().take(MOST_NAMES) {
        let _ = writeln!(text, "    {}", name.escape_debug());
    }
    if names.len() > MOST_NAMES {
        let _ = writeln!(text, "    … and {} more (--tensors lists all)", names.len() - MOST_NAMES);
    }
    text
}

fn layers_text(count: &RoleCount) -> String {
    let layers: Vec<LayerIndex> = count.layers.iter().copied().collect();
    if layers.is_empty() { "–".to_owned() } else { hub_audit::model::layer_runs(&layers) }
}

fn shapes_text(count: &RoleCount) -> String {
    let mut text: Vec<String> = count.shapes.iter().take(3).map(|shape| shape_text(shape)).collect();
    if count.shapes.len() > 3 {
        text.push(format!("and {} more", count.shapes.len() - 3));
    }
    text.join(", ")
}

fn architectures(inspections: &[Inspection]) -> String {
    let mut table = table::new(&["model", "family", ">layers", ">width", ">parameters", "dtypes"]);
    for inspection in inspections {
        let summary = &inspection.summary;
        let dash = || "–".to_owned();
        table.add_row([
            summary.label.clone(),
            summary.family.as_ref().map_or_else(dash, |(name, _)| name.clone()),
            summary.layers.map_or_else(dash, |layers| layers.to_string()),
            summary.width.map_or_else(dash, |width| width.to_string()),
            inspection.contents.as_ref().map_or_else(dash, |contents| short_count(contents.parameters)),
            summary.dtypes.iter().cloned().collect::<Vec<_>>().join(" "),
        ]);
    }
    table::text(&table)
}

/// Figures of the configurations, a column a model; a row in which they differ is marked.
fn configurations(inspections: &[Inspection]) -> String {
    let known: Vec<(&str, &Contents)> = inspections
        .iter()
        .filter_map(|inspection| Some((inspection.summary.label.as_str(), inspection.contents.as_ref()?)))
        .collect();
    let Some((_, first)) = known.first() else { return String::new() };
    let mut table = table::new(
        &[&["configuration"], known.iter().map(|(label, _)| *label).collect::<Vec<_>>().as_slice(), &[""]].concat(),
    );
    for (at, (name, _)) in first.configuration.iter().enumerate() {
        let values: Vec<Option<&String>> =
            known.iter().map(|(_, contents)| contents.configuration[at].1.as_ref()).collect();
        if values.iter().all(Option::is_none) {
            continue;
        }
        let differs = values.windows(2).any(|pair| pair[0] != pair[1]);
        let cells = values.iter().map(|value| value.map_or_else(|| "not stated".to_owned(), String::clone));
        let mark = if differs { "differs" } else { "" };
        table.add_row([(*name).to_owned()].into_iter().chain(cells).chain([mark.to_owned()]));
    }
    table::text(&table)
}

fn comparison(inspections: &[Inspection], comparable: &[Comparable]) -> String {
    let mut table = table::new(&["role", "models that share a shape", "why others do not"]);
    for row in comparable {
        let verdict = match &row.verdict {
            Ok(models) => format!("{models} of {}", row.models.len()),
            Err(reason) => format!("none: {reason}"),
        };
        let mut reasons: Vec<String> = Vec::new();
        let common = most_common(&row.models);
        for (inspection, model) in inspections.iter().zip(&row.models) {
            let label = &inspection.summary.label;
            match model {
                Ok(shape) if Some(shape) == common || row.verdict.is_err() => {
                    if row.verdict.is_err() {
                        reasons.push(format!("{label}: {shape}"));
                    }
                }
                Ok(shape) => reasons.push(format!("{label}: {shape}")),
                Err(reason) => reasons.push(format!("{label}: {reason}")),
            }
        }
        table.add_row([row.role.to_string(), verdict, reasons.join("; ")]);
    }
    table::text(&table)
}

fn most_common(models: &[Result<String, String>]) -> Option<&String> {
    let shapes: Vec<&String> = models.iter().filter_map(|model| model.as_ref().ok()).collect();
    shapes.iter().rev().max_by_key(|shape| shapes.iter().filter(|other| other == shape).count()).copied()
}
