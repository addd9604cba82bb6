//! The report as plain data: what was asked, what was found, and where it comes from. Formats read it and add nothing.

use serde::Serialize;

use super::{Datum, Digits, picture::Picture};

/// What every page of a report on synthetic models carries.
pub const SYNTHETIC: &str = "Synthetic replica, not the real weights";

/// An answer, ready to be rendered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Title of the document.
    pub title: String,
    /// The question it answers, in one sentence of prose.
    pub question: String,
    /// Whether the models are synthetic replicas; then every page and every picture says so.
    pub synthetic: bool,
    /// The answer, in reading order.
    pub sections: Vec<Section>,
    /// Where every number comes from.
    pub provenance: Provenance,
}

impl Report {
    /// Every picture, in reading order.
    pub fn pictures(&self) -> impl Iterator<Item = &Picture> {
        self.blocks().filter_map(|block| match block {
            Block::Picture(picture) => Some(picture),
            _ => None,
        })
    }

    /// Every table, in reading order.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.blocks().filter_map(|block| match block {
            Block::Table(table) => Some(table),
            _ => None,
        })
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.sections.iter().flat_map(|section| &section.blocks)
    }
}

/// A chapter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Anchor: lower-case letters, digits and hyphens, unique within the report.
    pub id: String,
    /// Heading.
    pub title: String,
    /// Content, in reading order.
    pub blocks: Vec<Block>,
}

/// A piece of a section. Prose and notes may hold `` `code` `` and `**strong**`, see [`inline`](super::inline).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
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
    Picture(Picture),
}

impl Block {
    /// A paragraph of `text`.
    pub fn prose(text: impl Into<String>) -> Self {
        Self::Prose { text: text.into() }
    }

    /// A remark of `text`.
    pub fn note(text: impl Into<String>) -> Self {
        Self::Note { text: text.into() }
    }
}

/// A table: each row has one cell a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// What the table shows, as prose.
    pub caption: String,
    /// Name of the CSV file that holds the table in full digits, such as `groups.csv`; `None` where another file does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csv: Option<String>,
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows of cells. A short row is shown with empty cells at its end; cells past the last column are not shown.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Reasons of the undefined cells, in order of first appearance, each with its cells as (row, column).
    pub fn undefined(&self) -> Vec<(&str, Vec<(usize, usize)>)> {
        let mut reasons: Vec<(&str, Vec<(usize, usize)>)> = Vec::new();
        for (row, cells) in self.rows.iter().enumerate() {
            for (column, reason) in cells
                .iter()
                .take(self.columns.len())
                .enumerate()
                .filter_map(|(i, c)| Some((i, c.reason()?)))
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Heading.
    pub title: String,
    /// Whether the column holds numbers: aligned right, sorted by value.
    pub numeric: bool,
}

impl Column {
    /// A column of text, aligned left.
    pub fn text(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            numeric: false,
        }
    }

    /// A column of numbers, aligned right.
    pub fn numeric(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            numeric: true,
        }
    }
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Plain text; no markup.
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

    /// A number, shown with `digits`.
    pub fn number(value: impl Into<Datum>, digits: Digits) -> Self {
        Self::Number {
            value: value.into(),
            digits,
        }
    }

    /// A count.
    pub fn count(count: usize) -> Self {
        Self::number(count as f64, Digits::Integer)
    }

    /// No number, because of `reason`.
    pub fn undefined(reason: impl Into<String>) -> Self {
        Self::number(Datum::undefined(reason), Digits::Exact)
    }

    /// Why the cell holds no number; `None` where it holds something.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Number { value, .. } => value.reason(),
            Self::Text(_) | Self::Code(_) => None,
        }
    }
}

/// Where every number of a report comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Provenance {
    /// Version of the tool.
    pub tool_version: String,
    /// The command line, without secrets.
    pub command_line: Vec<String>,
    /// Seed of whatever was sampled.
    pub seed: u64,
    /// When, as RFC 3339. The only text that differs between two runs; `report.json` alone shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_at: Option<String>,
    /// The models, in the order asked.
    pub models: Vec<ModelProvenance>,
    /// Requests sent.
    pub requests: u64,
    /// Weight and header bytes moved over the network.
    pub bytes: u64,
    /// Tensors found in the cache.
    pub cache_hits: u64,
    /// Every tensor asked for that no number rests on.
    pub excluded: Vec<Excluded>,
}

impl Provenance {
    /// The command line as a shell reads it.
    pub fn command(&self) -> String {
        self.command_line
            .iter()
            .map(|word| shell_word(word))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Version, seed and what the network was asked, as one sentence.
    pub fn cost(&self) -> String {
        let bytes = Digits::Bytes.format(self.bytes as f64);
        let count = |count: u64| Digits::Integer.format(count as f64);
        format!(
            "hub-audit {}, seed {}; moved {bytes} in {} requests, {} tensors from cache.",
            self.tool_version,
            self.seed,
            count(self.requests),
            count(self.cache_hits)
        )
    }

    /// One row a model.
    pub fn models_table(&self) -> Table {
        let columns = ["model", "commit", "family", "dtypes"].map(Column::text);
        let counts = ["files", "size"].map(Column::numeric);
        let row = |model: &ModelProvenance| {
            vec![
                Cell::code(&model.model),
                model.commit.as_ref().map_or_else(|| Cell::text("folder"), Cell::code),
                Cell::text(model.family.as_deref().unwrap_or("unknown")),
                Cell::text(model.dtypes.join(", ")),
                Cell::count(model.files.len()),
                Cell::number(
                    model.files.iter().map(|file| file.size as f64).sum::<f64>(),
                    Digits::Bytes,
                ),
            ]
        };
        Table {
            caption: "Models; `report.json` lists their files.".to_owned(),
            csv: None,
            columns: columns.into_iter().chain(counts).collect(),
            rows: self.models.iter().map(row).collect(),
        }
    }

    /// One row a tensor that no number rests on.
    pub fn excluded_table(&self) -> Table {
        let row = |excluded: &Excluded| {
            vec![
                Cell::code(&excluded.model),
                Cell::code(&excluded.tensor),
                Cell::text(&excluded.reason),
            ]
        };
        Table {
            caption: "Tensors that no number rests on.".to_owned(),
            csv: None,
            columns: ["model", "tensor", "reason"].map(Column::text).into(),
            rows: self.excluded.iter().map(row).collect(),
        }
    }
}

/// `word` as a shell reads it back.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Where a model's tensors come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ModelProvenance {
    /// `owner/name`, or the folder.
    pub model: String,
    /// Commit, 40 hex digits; `None` for a folder.
    pub commit: Option<String>,
    /// Family whose names it uses; `None` where no family knows them.
    pub family: Option<String>,
    /// Dtypes of the tensors that were read, in alphabetical order.
    pub dtypes: Vec<String>,
    /// Files that bytes were read from.
    pub files: Vec<FileProvenance>,
}

/// A file of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileProvenance {
    /// Path inside the model.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// The Hub's content hash; `None` for a folder.
    pub oid: Option<String>,
}

/// A tensor that no number rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// `owner/name`, or the folder.
    pub model: String,
    /// The tensor's name in its file.
    pub tensor: String,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        matrix::Matrix,
        metric::Undefined,
        report::picture::{ColorScale, Heatmap, PictureKind},
    };

    /// A small report with one of everything, and names that mean harm.
    pub(in super::super) fn sample() -> Report {
        let names = vec!["owner/<script>alert(1)</script>".to_owned(), "a|b`c".to_owned()];
        let matrix = Matrix::from_fn(names.clone(), names.clone(), |row, column| {
            if row < column {
                Err(Undefined::ZeroNorm)
            } else {
                Ok(1.0 - 0.25 * (row - column) as f64)
            }
        });
        let heatmap = Heatmap {
            csv: Some("matrix_cos_sim.csv".into()),
            ..Heatmap::new(matrix.clone(), ColorScale::cosine(&matrix), "cos_sim")
        };
        let table = Table {
            caption: "Pairs, with `cos_sim`".into(),
            csv: Some("groups.csv".into()),
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
                Block::Picture(Picture {
                    id: "cosine".into(),
                    title: "Cosine of <all> pairs".into(),
                    subtitle: "layer 10".into(),
                    alt: "two models".into(),
                    kind: PictureKind::Heatmap(heatmap),
                }),
            ],
        };
        Report {
            title: "Two models".into(),
            question: "Are they **related**?".into(),
            synthetic: true,
            sections: vec![section],
            provenance: Provenance {
                tool_version: "0.1.0".into(),
                command_line: vec!["hub-audit".into(), "survey".into(), "owner/a model".into()],
                generated_at: Some("2026-01-02T03:04:05Z".into()),
                models: vec![ModelProvenance {
                    model: names[0].clone(),
                    commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
                    family: Some("llama".into()),
                    dtypes: vec!["BF16".into()],
                    files: vec![FileProvenance {
                        path: "model.safetensors".into(),
                        size: 1234,
                        oid: Some("ab".repeat(32)),
                    }],
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
    fn pictures_and_tables_are_listed_in_reading_order() {
        let report = sample();
        assert_eq!(
            report.pictures().map(|picture| picture.id.as_str()).collect::<Vec<_>>(),
            ["cosine"]
        );
        assert_eq!(report.tables().count(), 1);
    }
}
