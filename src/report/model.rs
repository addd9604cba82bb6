//! The report as plain data: what was asked, what was found, and where it comes from. Formats read it and add nothing.

use super::{Datum, Digits, Provenance, figure::Picture};

/// An answer, ready to be rendered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The command that it answers, as it is typed.
    pub command: &'static str,
    /// Code of the language that its prose is in, such as `en`.
    pub language: &'static str,
    /// Title of the document.
    pub title: String,
    /// The question it answers, in one sentence of prose.
    pub question: String,
    /// Whether the models are synthetic replicas; then every page and every picture says so.
    pub synthetic: bool,
    /// The answer: one or two sentences with numbers, a table, a picture. A terminal shows this alone, pages open with it.
    pub summary: Vec<Block>,
    /// What the answer rests on, in reading order.
    pub sections: Vec<Section>,
    /// What the numbers of the tables rest on, by name: only `report.json` has it.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Where every number comes from.
    pub provenance: Provenance,
}

impl Report {
    /// Every picture, in reading order.
    pub fn pictures(&self) -> impl Iterator<Item = &Picture> {
        let blocks = self.summary.iter().chain(self.sections.iter().flat_map(|section| &section.blocks));
        blocks.filter_map(|block| match block {
            Block::Picture(picture) => Some(picture.as_ref()),
            _ => None,
        })
    }

    /// Moves the first picture of the sections whose name begins with `id` to the end of the answer, if there is one.
    pub(crate) fn answer_with_picture(&mut self, id: &str) {
        let is_it = |block: &Block| matches!(block, Block::Picture(picture) if picture.id.starts_with(id));
        let found = self.sections.iter_mut().find_map(|section| {
            let place = section.blocks.iter().position(is_it)?;
            Some(section.blocks.remove(place))
        });
        self.summary.extend(found);
        self.sections.retain(|section| !section.blocks.is_empty());
    }
}

/// A chapter.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Anchor: lower-case letters, digits and hyphens, unique within the report.
    pub id: String,
    /// Heading.
    pub title: String,
    /// Content, in reading order.
    pub blocks: Vec<Block>,
}

impl Section {
    pub(crate) fn new(id: impl Into<String>, title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self { id: id.into(), title: title.into(), blocks }
    }
}

/// A piece of a section. Prose and notes may hold `` `code` `` and `**strong**`, see [`inline`](super::inline).
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A paragraph.
    Prose {
        /// Its text.
        text: String,
    },
    /// A remark that a reader must not miss.
    Note {
        /// Its text.
        text: String,
    },
    /// A table.
    Table(Table),
    /// A picture.
    Picture(Box<Picture>),
}

impl Block {
    /// A paragraph of `text`.
    pub fn prose(text: impl Into<String>) -> Self {
        Self::Prose { text: text.into() }
    }

    pub(crate) fn table(
        caption: impl Into<String>,
        columns: Vec<Column>,
        rows: impl IntoIterator<Item = Vec<Cell>>,
    ) -> Self {
        Self::Table(Table { caption: caption.into(), columns, rows: rows.into_iter().collect() })
    }

    /// A picture.
    pub fn picture(picture: Picture) -> Self {
        Self::Picture(Box::new(picture))
    }

    /// A remark of `text`.
    pub fn note(text: impl Into<String>) -> Self {
        Self::Note { text: text.into() }
    }
}

/// A table: each row has one cell a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What the table shows, as prose.
    pub caption: String,
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows of cells. A short row is shown with empty cells at its end; cells past the last column are not shown.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A list without headings: a key and what is said of it in each row.
    pub fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let rows = facts.into_iter().map(|(key, value)| vec![Cell::text(key), Cell::text(value)]);
        let columns = vec![Column::text(""), Column::text("")];
        Self { caption: String::new(), columns, rows: rows.collect() }
    }

    /// Reasons of the undefined cells, in order of first appearance, each with its cells as (row, column).
    pub fn undefined(&self) -> Vec<(&str, Vec<(usize, usize)>)> {
        let mut reasons: Vec<(&str, Vec<(usize, usize)>)> = Vec::new();
        for (row, cells) in self.rows.iter().enumerate() {
            for (column, reason) in
                cells.iter().take(self.columns.len()).enumerate().filter_map(|(i, c)| Some((i, c.reason()?)))
            {
                match reasons.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, places)) => places.push((row, column)),
                    None => reasons.push((reason, vec![(row, column)])),
                }
            }
        }
        reasons
    }
}

/// Heading and alignment of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub title: String,
    /// Whether the column holds numbers: aligned right, sorted by value.
    pub numeric: bool,
}

impl Column {
    /// A column of text, aligned left.
    pub fn text(title: impl Into<String>) -> Self {
        Self { title: title.into(), numeric: false }
    }

    /// A column of numbers, aligned right.
    pub fn numeric(title: impl Into<String>) -> Self {
        Self { title: title.into(), numeric: true }
    }

    /// Columns of text, then columns of numbers.
    pub(crate) fn list(text: &[&str], numeric: &[&str]) -> Vec<Self> {
        text.iter().map(|title| Self::text(*title)).chain(numeric.iter().map(|title| Self::numeric(*title))).collect()
    }
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Plain text; no markup. Empty where there is nothing to say.
    Text(String),
    /// A name, in a fixed-width face.
    Code(String),
    /// A number or the reason why there is none, and how it is rounded for reading.
    Number {
        /// The number, in full.
        value: Datum,
        /// How it is shown.
        digits: Digits,
    },
    /// Yes or no.
    Flag(bool),
    /// Which cells of the row are undefined and why, by their columns; `all` for all.
    Reasons(Vec<(&'static str, String)>),
}

impl Cell {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A name.
    pub fn code(text: impl Into<String>) -> Self {
        Self::Code(text.into())
    }

    /// Nothing.
    pub fn empty() -> Self {
        Self::Text(String::new())
    }

    /// Text, or nothing.
    pub fn optional(text: Option<impl ToString>) -> Self {
        text.map_or_else(Self::empty, |text| Self::Text(text.to_string()))
    }

    /// A number, shown with `digits`.
    pub fn number(value: impl Into<Datum>, digits: Digits) -> Self {
        Self::Number { value: value.into(), digits }
    }

    /// A number in full digits.
    pub(crate) fn exact(value: impl Into<Datum>) -> Self {
        Self::number(value, Digits::Exact)
    }

    /// A number, or nothing.
    pub(crate) fn number_or_empty(value: Option<f64>, digits: Digits) -> Self {
        value.map_or_else(Self::empty, |value| Self::number(value, digits))
    }

    /// A count.
    pub fn count(count: usize) -> Self {
        Self::number(count as f64, Digits::Integer)
    }

    /// A whole number, or nothing.
    pub fn integer(value: Option<u64>) -> Self {
        value.map_or_else(Self::empty, |value| Self::number(value as f64, Digits::Integer))
    }

    /// A number where `text` is one; else the text, such as `46 (MTP)` or `last`.
    pub fn layer(text: impl Into<String>) -> Self {
        let text = text.into();
        text.parse::<u32>().map_or(Self::Text(text), |layer| Self::integer(Some(layer.into())))
    }

    /// No number, because of `reason`.
    pub fn undefined(reason: impl Into<String>) -> Self {
        Self::number(Datum::undefined(reason), Digits::Exact)
    }

    /// Why the cell holds no number; `None` where it holds something.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Number { value, .. } => value.reason(),
            Self::Text(_) | Self::Code(_) | Self::Flag(_) | Self::Reasons(_) => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{
        Excluded,
        figure::{ColorScale, Heatmap, PictureKind},
    };
    use super::*;
    use crate::{family::ChosenBy, metric::Undefined, model::ModelSummary, snapshot::RepoFile, table::Matrix};

    /// A small report with one of everything, and names that mean harm.
    pub(in super::super) fn sample() -> Report {
        let names = vec!["owner/<script>alert(1)</script>".to_owned(), "a|b`c".to_owned()];
        let matrix = Matrix::from_fn(names.clone(), names.clone(), |row, column| {
            if row < column { Err(Undefined::ZeroNorm) } else { Ok(1.0 - 0.25 * (row - column) as f64) }
        });
        let heatmap = Heatmap::new(matrix.clone(), ColorScale::cosine(&matrix), "cos_sim");
        let table = Table {
            caption: "Pairs, with `cos_sim`".into(),
            columns: vec![Column::text("model"), Column::numeric("cosine")],
            rows: vec![
                vec![Cell::code(&names[1]), Cell::number(0.987_654_321, Digits::Fixed(4))],
                vec![Cell::text(&names[0]), Cell::undefined("ZeroNorm")],
            ],
        };
        let section = Section {
            id: "cosine".into(),
            title: "Cosine & null".into(),
            blocks: vec![
                Block::prose("The **null** of `input_layernorm` is high."),
                Block::note("Read *both* <columns>."),
                Block::Table(table),
                Block::picture(Picture {
                    id: "cosine".into(),
                    title: "Cosine of <all> pairs".into(),
                    subtitle: "layer 10".into(),
                    alt: "two models".into(),
                    kind: PictureKind::Heatmap(heatmap),
                }),
            ],
        };
        Report {
            language: "en",
            command: "survey",
            settings: serde_json::Map::new(),
            title: "Two models".into(),
            question: "Are they **related**?".into(),
            synthetic: true,
            summary: Vec::new(),
            sections: vec![section],
            provenance: Provenance {
                tool_version: "0.1.0".into(),
                command_line: vec!["hub-audit".into(), "survey".into(), "owner/a model".into()],
                generated_at: Some("2026-01-02T03:04:05Z".into()),
                models: vec![ModelSummary {
                    model: names[0].clone(),
                    label: names[0].clone(),
                    commit: Some("0123456789abcdef0123456789abcdef01234567".parse().unwrap()),
                    family: Some(("llama".into(), ChosenBy::default())),
                    dtypes: ["BF16".to_owned()].into(),
                    files: vec![RepoFile {
                        path: "model.safetensors".into(),
                        size: 1234,
                        lfs_sha256: Some("ab".repeat(32)),
                        blob_id: None,
                        xet_hash: None,
                        withheld: false,
                    }],
                    ..ModelSummary::default()
                }],
                requests: 7,
                bytes: 5_900_000,
                excluded: vec![Excluded {
                    model: names[1].clone(),
                    tensor: "lm_head.weight".into(),
                    reason: "shape differs".into(),
                }],
                ..Provenance::default()
            },
        }
    }

    #[test]
    fn pictures_are_listed_in_reading_order() {
        assert_eq!(sample().pictures().map(|picture| picture.id.as_str()).collect::<Vec<_>>(), ["cosine"]);
    }
}
