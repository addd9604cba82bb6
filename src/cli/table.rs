//! Tables on a terminal, laid out as the summary of a report is.

use hub_audit::{
    fetch::ModelPlan,
    model::Opened,
    report::{self, Cell, Column},
};

use super::size::Size;

pub(crate) use hub_audit::report::text::facts;

/// A terminal that says it is narrower than this does not know.
const NARROWEST: u16 = 40;

/// `1 request`, `2 requests`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Rows under headings.
pub(crate) struct Table(report::Table);

impl Table {
    /// Adds a row of one cell a column.
    pub(crate) fn add_row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.0.rows.push(cells.into_iter().map(Cell::text).collect());
    }
}

/// A table with these columns; a heading that begins with `>` is right-aligned.
pub(crate) fn new(headings: &[&str]) -> Table {
    let column = |heading: &&str| heading.strip_prefix('>').map_or_else(|| Column::text(*heading), Column::numeric);
    let columns = headings.iter().map(column).collect();
    Table(report::Table { caption: String::new(), columns, rows: Vec::new() })
}

/// The table as text, without trailing blanks.
pub(crate) fn text(table: &Table) -> String {
    report::text::table(&table.0, width())
}

/// Width of the terminal; `None` for a pipe, which has none, and for terminals that say that they have none.
pub(crate) fn width() -> Option<u16> {
    comfy_table::Table::new().width().filter(|&width| width >= NARROWEST)
}

/// What `--dry-run` prints.
pub(crate) fn plan(opened: &[Opened], plans: &[ModelPlan]) -> String {
    // Only where the Hugging Face cache has any of it.
    let shared = plans.iter().any(|plan| plan.shared > 0);
    let headings = ["model", ">tensors", ">cached", ">local", ">HF cache", ">requests", ">bytes"];
    let headings: Vec<&str> = headings.into_iter().filter(|heading| shared || *heading != ">HF cache").collect();
    let mut table = new(&headings);
    for (opened, plan) in opened.iter().zip(plans) {
        let failed = opened.outcome.is_err();
        let cell = |text: String| if failed { "skipped".to_owned() } else { text };
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
