//! Tables on a terminal: plain columns that fit the width, wrapped rather than cut.

use std::fmt::Write;

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, presets};
use hub_audit::{fetch::ModelPlan, model::Opened};

use super::size::Size;

/// Width assumed where the output is not a terminal, so that a pipe sees what 80 columns see.
const PIPED_WIDTH: u16 = 80;

/// A terminal that says it is narrower than this does not know.
const NARROWEST: u16 = 40;

/// `1 request`, `2 requests`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Stands where a long name may be broken, and is taken out of what is printed.
const BREAK: char = '\u{200b}';

/// A word longer than this is broken within, after a mark that joins its parts, where its column is narrow.
const LONG_WORD: usize = 12;

/// Rows under headings.
pub(crate) struct Table {
    layout: comfy_table::Table,
    /// Whether the column is one of numbers, set to the right and never broken.
    of_numbers: Vec<bool>,
}

impl Table {
    /// Adds a row of one cell a column.
    pub(crate) fn add_row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let cells = cells.into_iter().enumerate().map(|(column, text)| {
            let text = text.into();
            match breakable(&text).filter(|_| !self.of_numbers[column]) {
                Some(broken) => Cell::new(broken).set_delimiter(BREAK),
                None => Cell::new(text),
            }
        });
        let cells: Vec<Cell> = cells.collect();
        self.layout.add_row(cells);
    }

    pub(crate) fn add_rows(&mut self, rows: impl IntoIterator<Item = impl IntoIterator<Item = impl Into<String>>>) {
        for row in rows {
            self.add_row(row);
        }
    }
}

/// The text with a place to break after each word, and after each mark that joins the parts of a name; `None` where no word is
/// long enough to need that.
fn breakable(text: &str) -> Option<String> {
    if text.split(' ').all(|word| word.chars().count() <= LONG_WORD) {
        return None;
    }
    let mut broken = String::with_capacity(text.len() + 16);
    let mut marks = text.chars().peekable();
    let mut before = None;
    while let Some(mark) = marks.next() {
        broken.push(mark);
        let next = marks.peek();
        let is_number = |mark: Option<&char>| mark.is_some_and(char::is_ascii_digit);
        let breaks = match mark {
            ' ' => true,
            '/' | '-' | '_' | '+' => before.is_some_and(char::is_alphanumeric),
            // Not within `3.1`.
            '.' => !(is_number(before.as_ref()) && is_number(next)),
            _ => false,
        };
        if breaks && next.is_some() {
            broken.push(BREAK);
        }
        before = Some(mark);
    }
    Some(broken)
}

/// A table with these columns; a heading that begins with `>` is right-aligned.
pub(crate) fn new(headings: &[&str]) -> Table {
    let mut table = comfy_table::Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    // A pipe has no width, and some terminals say that they have none.
    if !table.is_tty() || table.width().is_none_or(|width| width < NARROWEST) {
        table.set_width(PIPED_WIDTH);
    }
    table.set_header(
        headings.iter().map(|heading| Cell::new(heading.trim_start_matches('>')).add_attribute(Attribute::Bold)),
    );
    for (number, heading) in headings.iter().enumerate() {
        if let Some(column) = table.column_mut(number) {
            column.set_padding((0, 2));
            if heading.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    Table { layout: table, of_numbers: headings.iter().map(|heading| heading.starts_with('>')).collect() }
}

/// The table as text, without trailing blanks.
pub(crate) fn text(table: &Table) -> String {
    let mut text = String::new();
    for line in table.layout.to_string().lines() {
        text.extend(line.trim_end().chars().filter(|&mark| mark != BREAK));
        text.push('\n');
    }
    text
}

/// Prose in lines of at most eighty columns, broken between words.
pub(crate) fn prose(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        let mut length = 0;
        for word in line.split_inclusive(' ') {
            let width = word.trim_end().chars().count();
            if length > 0 && length + width > usize::from(PIPED_WIDTH) {
                lines.truncate(lines.trim_end_matches(' ').len());
                lines.push('\n');
                length = 0;
            }
            lines.push_str(word);
            length += word.chars().count();
        }
    }
    lines
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
    let headings = ["model", ">tensors", ">cached", ">local", ">HF cache", ">requests", ">bytes"];
    let headings: Vec<&str> = headings.into_iter().filter(|heading| shared || *heading != ">HF cache").collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with the width of a pipe, whatever the tests run in.
    fn of(headings: &[&str], rows: &[&[&str]]) -> String {
        let mut table = new(headings);
        table.layout.set_width(PIPED_WIDTH);
        table.add_rows(rows.iter().map(|row| row.iter().copied()));
        text(&table)
    }

    #[test]
    fn a_long_name_is_broken_after_a_mark_that_joins_its_parts() {
        let [a, b] = ["Mistral-Small-3.1-24B-Instruct-2503", "DeepSeek-R1-Distill-Qwen-32B-checkpoint_epoch3"];
        let headings = ["model a", "model b", ">cos_sim", ">cos_null", ">pearson", ">z_perm"];
        let text = of(&headings, &[&[a, b, "-0.1697", "-0.1996", "0.3003", "1e-5"]]);
        let expected = "\
model a                  model b            cos_sim  cos_null  pearson  z_perm
Mistral-Small-3.1-24B-   DeepSeek-R1-       -0.1697   -0.1996   0.3003    1e-5
Instruct-2503            Distill-Qwen-
                         32B-checkpoint_
                         epoch3
";
        assert_eq!(text, expected);
    }

    #[test]
    fn prose_is_broken_between_words() {
        let (words, long) = (["word"; 15].join(" "), "x".repeat(100));
        let text = prose(&format!("\n{words} and the end\nnext {long}\n"));
        assert_eq!(text, format!("\n{words} and\nthe end\nnext\n{long}\n"));
    }

    #[test]
    fn what_is_wide_enough_is_not_broken_and_holds_no_other_marks() {
        let name = "model.layers.0.input_layernorm.weight";
        let text = of(&["tensor", "why"], &[&[name, "a reason of several words"]]);
        assert!(text.contains(name) && !text.contains(BREAK), "{text}");
        assert_eq!(breakable("short words only, all of them"), None);
        let marked = breakable("v1.5-of-a-long_name/x.y").map(|text| text.replace(BREAK, "|"));
        assert_eq!(marked.as_deref(), Some("v1.5-|of-|a-|long_|name/|x.|y"));
    }
}
