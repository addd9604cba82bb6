//! Tables on a terminal: plain columns that fit the width, wrapped rather than cut.

use std::fmt::Write;

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};
use hub_audit::audit::{ModelPlan, Opened};

use super::size::Size;

/// Width assumed where the output is not a terminal, so that a pipe sees what 80 columns see.
const PIPED_WIDTH: u16 = 80;

/// A terminal that says it is narrower than this does not know.
const NARROWEST: u16 = 40;

/// `1 request`, `2 requests`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// A table with these columns; a heading that begins with `>` is right-aligned.
pub(crate) fn new(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    // A pipe has no width, and some terminals say that they have none.
    if !table.is_tty() || table.width().is_none_or(|width| width < NARROWEST) {
        table.set_width(PIPED_WIDTH);
    }
    table.set_header(
        headings
            .iter()
            .map(|heading| Cell::new(heading.trim_start_matches('>')).add_attribute(Attribute::Bold)),
    );
    for (number, heading) in headings.iter().enumerate() {
        if let Some(column) = table.column_mut(number) {
            column.set_padding((0, 2));
            if heading.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// The table as text, without trailing blanks.
pub(crate) fn text(table: &Table) -> String {
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A list of `key  value` lines, aligned.
pub(crate) fn facts(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "  {key:width$}  {value}");
        text
    })
}

/// What `--dry-run` prints.
pub(crate) fn plan(opened: &[Opened], plans: &[ModelPlan]) -> String {
    // Only where the Hugging Face cache has any of it.
    let shared = plans.iter().any(|plan| plan.shared > 0);
    let headings = [
        "model",
        ">tensors",
        ">cached",
        ">local",
        ">HF cache",
        ">requests",
        ">bytes",
    ];
    let headings: Vec<&str> = headings
        .into_iter()
        .filter(|heading| shared || *heading != ">HF cache")
        .collect();
    let mut table = new(&headings);
    for (opened, plan) in opened.iter().zip(plans) {
        let failed = opened.outcome.is_err();
        let cell = |text: String| if failed { "not read".to_owned() } else { text };
        let mut row = vec![
            opened.label.clone(),
            cell(plan.tensors.to_string()),
            cell(plan.cached.to_string()),
            cell(plan.local.to_string()),
        ];
        row.extend(shared.then(|| cell(plan.shared.to_string())));
        row.extend([cell(plan.requests().to_string()), cell(Size(plan.bytes()).to_string())]);
        table.add_row(row);
    }
    let requests: usize = plans.iter().map(ModelPlan::requests).sum();
    let bytes: u64 = plans.iter().map(ModelPlan::bytes).sum();
    let tensors: usize = plans.iter().map(|plan| plan.tensors).sum();
    let cached: usize = plans.iter().map(|plan| plan.cached).sum();
    format!(
        "{}\n{}, {}, {cached} from cache: {} and {} of weights still to move\n",
        text(&table),
        count(opened.len() as u64, "model"),
        count(tensors as u64, "tensor"),
        count(requests as u64, "request"),
        Size(bytes)
    )
}
