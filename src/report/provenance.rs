//! Where every number of a report comes from, down to the commit and the file; and what the run cost.

use serde::Serialize;

use super::{Cell, Column, Digits, Table};

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

    /// Version and seed, as one sentence. What the run cost depends on its cache and stands in `report.json` alone.
    pub fn tool(&self) -> String {
        format!("hub-audit {}, seed {}.", self.tool_version, self.seed)
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
mod tests {
    use super::*;

    #[test]
    fn the_command_line_reads_back_in_a_shell() {
        let words = [
            "hub-audit",
            "compare",
            "a/b@main",
            "it's here",
            "",
            "--skip=\\.experts\\.",
        ];
        let provenance = Provenance {
            command_line: words.map(String::from).into(),
            ..Provenance::default()
        };
        assert_eq!(
            provenance.command(),
            r"hub-audit compare a/b@main 'it'\''s here' '' '--skip=\.experts\.'"
        );
    }

    #[test]
    fn what_a_run_cost_is_not_told_beside_its_results() {
        let provenance = Provenance {
            tool_version: "0.1.0".into(),
            bytes: 5_900_000,
            requests: 1131,
            cache_hits: 33,
            ..Provenance::default()
        };
        assert_eq!(provenance.tool(), "hub-audit 0.1.0, seed 0.");
    }
}
