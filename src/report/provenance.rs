//! Where every number of a report comes from, down to the commit and the file; and what the run cost.

use std::env::consts::{ARCH, OS};

use serde::{Deserialize, Serialize};

use crate::model::ModelSummary;

/// What every page and every picture of a report on synthetic models carries.
pub const SYNTHETIC: &str = "Synthetic replica, not the real weights";

/// Where every number of a report comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Provenance {
    /// Version of the tool.
    pub tool_version: String,
    /// The commit that it was built from, where the build was told.
    pub tool_commit: Option<&'static str>,
    /// The Cargo features that it was built with.
    pub features: Vec<&'static str>,
    /// Operating system and processor.
    pub platform: String,
    /// The command line, without secrets.
    pub command_line: Vec<String>,
    /// Seed of whatever was sampled.
    pub seed: u64,
    /// When, as RFC 3339.
    pub generated_at: Option<String>,
    /// The Hub that was asked; `None` where all models are folders.
    pub endpoint: Option<String>,
    /// The models, in the order asked; `report.json` has them beside the tables.
    #[serde(skip)]
    pub models: Vec<ModelSummary>,
    /// Requests sent.
    pub requests: u64,
    /// Weight and header bytes moved over the network.
    pub bytes: u64,
    /// Tensors found in the cache.
    pub cache_hits: u64,
    /// Tensors read from the Hugging Face cache.
    pub from_hugging_face_cache: u64,
    /// Every tensor asked for that no number rests on; `report.json` has them after the tables.
    #[serde(skip)]
    pub excluded: Vec<Excluded>,
}

impl Provenance {
    /// What made the report: version, commit, features and platform.
    pub fn of_this_program() -> Self {
        let features = [
            ("hf-cache", cfg!(feature = "hf-cache")),
            ("png", cfg!(feature = "png")),
            ("serve", cfg!(feature = "serve")),
        ];
        Self {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            tool_commit: option_env!("HUB_AUDIT_COMMIT").filter(|commit| !commit.is_empty()),
            features: features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect(),
            platform: format!("{OS} {ARCH}"),
            ..Self::default()
        }
    }

    /// The same of an answer on `models`.
    #[must_use]
    pub fn on(&self, models: &[ModelSummary], excluded: Vec<Excluded>) -> Self {
        Self { models: models.to_vec(), excluded, ..self.clone() }
    }

    /// Version and seed as one sentence. What differs from run to run (time, traffic, command line) stays in `report.json`,
    /// so that the pages of two runs on the same inputs are the same.
    pub fn sentence(&self, language: &str) -> String {
        if language == "ko" {
            return format!(
                "hub-audit {}, 시드 {}. 명령줄, 시각, 전송량, 읽은 파일의 크기와 해시, 제외된 모든 텐서는 `report.json`에 있다.",
                self.tool_version, self.seed
            );
        }
        format!(
            "hub-audit {}, seed {}. `report.json` has the command line, the time, the traffic of the run, the files read with \
             their sizes and hashes, and every tensor that was left out.",
            self.tool_version, self.seed
        )
    }
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

impl Excluded {
    pub(crate) fn new(model: &str, tensor: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { model: model.to_owned(), tensor: tensor.into(), reason: reason.into() }
    }
}

/// A file of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenFile {
    /// Its name in the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, 64 hex digits.
    pub sha256: String,
}
