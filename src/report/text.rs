//! The summary of a report on a terminal: plain columns that fit the width, wrapped rather than cut.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::{
    Block, Cell, Report, Table, csv,
    inline::{Span, spans},
    labels::Labels,
};

/// Width of a pipe, so that it sees what 80 columns see; and of prose, which reads badly in longer lines.
const WIDTH: u16 = 80;

/// Stands where a long name may be broken, and is taken out of what is printed.
const BREAK: char = '\u{200b}';

/// A word longer than this is broken within, after a mark that joins its parts, where its column is narrow.
const LONG_WORD: usize = 12;

/// The answer of `report` as text, its blocks one blank line apart, without pictures. `width` is that of the terminal, `None`
/// for a pipe.
pub fn render(report: &Report, width: Option<u16>) -> String {
    let banner = report.synthetic.then(|| format!("{}.\n", Labels::of(report.language).synthetic));
    banner.into_iter().chain(texts(&report.summary, width)).collect::<Vec<_>>().join("\n")
}

/// As [`render`], of blocks that are no report's.
pub fn blocks(blocks: &[Block], width: Option<u16>) -> String {
    texts(blocks, width).collect::<Vec<_>>().join("\n")
}

fn texts(blocks: &[Block], width: Option<u16>) -> impl Iterator<Item = String> {
    blocks.iter().filter_map(move |block| match block {
        Block::Prose { text } | Block::Note { text } => Some(prose(&format!("{}\n", terminal(text)))),
        Block::Table(content) => Some(table(content, width)),
        Block::Picture(_) => None,
    })
}

/// `markup` for a terminal: commands and names between their marks, nothing bold.
fn terminal(markup: &str) -> String {
    let text = |span| match span {
        Span::Text(text) | Span::Strong(text) => text.to_owned(),
        Span::Code(name) => format!("`{name}`"),
    };
    spans(markup).into_iter().map(text).collect()
}

/// A table with its caption above. One without headings is a list of facts: a key and what is said of it in a line.
pub fn table(table: &Table, width: Option<u16>) -> String {
    if table.columns.iter().all(|column| column.title.is_empty()) {
        let pair =
            |row: &Vec<Cell>| (row.first().map(text).unwrap_or_default(), row.get(1).map(text).unwrap_or_default());
        return facts(&table.rows.iter().map(pair).collect::<Vec<_>>());
    }
    let mut layout = comfy_table::Table::new();
    layout.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).force_no_tty();
    layout.set_width(width.unwrap_or(WIDTH));
    // Plain: whatever steers a terminal is escaped before it is printed there.
    layout.set_header(table.columns.iter().map(|column| comfy_table::Cell::new(&column.title)));
    for (number, column) in table.columns.iter().enumerate() {
        if let Some(place) = layout.column_mut(number) {
            place.set_padding((0, 2));
            if column.numeric {
                place.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    for row in &table.rows {
        let cells = row.iter().zip(&table.columns).map(|(cell, column)| {
            let text = text(cell);
            match breakable(&text).filter(|_| !column.numeric) {
                Some(broken) => comfy_table::Cell::new(broken).set_delimiter(BREAK),
                None => comfy_table::Cell::new(text),
            }
        });
        layout.add_row(cells.collect::<Vec<_>>());
    }
    let mut out = String::new();
    if !table.caption.is_empty() {
        let _ = writeln!(out, "{}\n", prose(&terminal(&table.caption)));
    }
    for line in layout.lines() {
        out.extend(line.trim_end().chars().filter(|&mark| mark != BREAK));
        out.push('\n');
    }
    out
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Code(text) => text.clone(),
        Cell::Number { value, digits } => value.value().map_or_else(|| "–".to_owned(), |value| digits.format(value)),
        Cell::Flag(_) | Cell::Reasons(_) => csv::field(cell).into_owned(),
    }
}

/// The text with a place to break after each word, and after each mark that joins the parts of a name; `None` where no word
/// is long enough to need that.
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

/// Prose in lines of at most eighty columns, broken between words.
pub fn prose(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        let mut length = 0;
        for word in line.split_inclusive(' ') {
            let width = columns(word.trim_end());
            if length > 0 && length + width > usize::from(WIDTH) {
                lines.truncate(lines.trim_end_matches(' ').len());
                lines.push('\n');
                length = 0;
            }
            lines.push_str(word);
            length += columns(word);
        }
    }
    lines
}

/// Columns that a terminal takes for `text`: two for each Hangul syllable and Han character.
fn columns(text: &str) -> usize {
    let is_wide =
        |letter: char| matches!(letter, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}');
    text.chars().map(|letter| if is_wide(letter) { 2 } else { 1 }).sum()
}

/// Lines of `key  value`, aligned.
pub fn facts<K: AsRef<str>>(rows: &[(K, String)]) -> String {
    let width = rows.iter().map(|(key, _)| key.as_ref().len()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "  {:width$}  {value}", key.as_ref());
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Column, model::tests::sample},
        *,
    };

    fn shown(summary: Vec<Block>, width: Option<u16>) -> String {
        render(&Report { summary, synthetic: false, ..sample() }, width)
    }

    fn of(columns: Vec<Column>, row: &[&str]) -> Table {
        Table { caption: String::new(), columns, rows: vec![row.iter().map(|&text| Cell::text(text)).collect()] }
    }

    /// Headings in bold were printed as `\u{1b}[1m`, since what steers a terminal is escaped before it is printed there.
    #[test]
    fn a_table_for_a_terminal_is_that_for_a_pipe() {
        let table_for = |width| table(&of(vec![Column::text("model"), Column::numeric("r")], &["a", "0.5"]), width);
        assert_eq!(table_for(Some(80)), table_for(None));
        assert_eq!(table_for(Some(80)), "model    r\na      0.5\n");
    }

    #[test]
    fn a_long_name_is_broken_after_a_mark_that_joins_its_parts() {
        let [a, b] = ["Mistral-Small-3.1-24B-Instruct-2503", "DeepSeek-R1-Distill-Qwen-32B-checkpoint_epoch3"];
        let mut columns = ["model a", "model b"].map(Column::text).to_vec();
        columns.extend(["cos_sim", "cos_null", "pearson", "z_perm"].map(Column::numeric));
        let text = table(&of(columns, &[a, b, "-0.1697", "-0.1996", "0.3003", "1e-5"]), None);
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
        let korean = prose(&["가나다라"; 12].join(" "));
        assert!(korean.lines().all(|line| columns(line) <= 80) && korean.lines().count() == 2, "{korean}");
    }

    #[test]
    fn what_is_wide_enough_is_not_broken_and_holds_no_other_marks() {
        let name = "model.layers.0.input_layernorm.weight";
        let text = table(&of(["tensor", "why"].map(Column::text).to_vec(), &[name, "a reason of several words"]), None);
        assert!(text.contains(name) && !text.contains(BREAK), "{text}");
        assert_eq!(breakable("short words only, all of them"), None);
        let marked = breakable("v1.5-of-a-long_name/x.y").map(|text| text.replace(BREAK, "|"));
        assert_eq!(marked.as_deref(), Some("v1.5-|of-|a-|long_|name/|x.|y"));
    }

    #[test]
    fn blocks_stand_one_blank_line_apart_and_a_table_without_headings_is_a_list() {
        let mut facts = of(vec![Column::text(""), Column::text("")], &["rows", "7"]);
        facts.rows.push(vec![Cell::text("undefined"), Cell::undefined("ZeroNorm")]);
        let text = shown(vec![Block::prose("**First** `x`."), Block::Table(facts), Block::note("Last.")], None);
        assert_eq!(text, "First `x`.\n\n  rows       7\n  undefined  –\n\nLast.\n");
        let synthetic = Report { summary: vec![Block::prose("First.")], ..sample() };
        assert_eq!(render(&synthetic, None), "Synthetic replica, not the real weights.\n\nFirst.\n");
    }
}
