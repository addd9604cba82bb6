//! Where every number of a report comes from, down to the commit and the file; and what the run cost.

use serde::Serialize;

/// What every page and every picture of a report on synthetic models carries.
pub const SYNTHETIC: &str = "Synthetic replica, not the real weights";

/// Where every number of a report comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Provenance {
    /// Version of the tool.
    pub tool_version: String,
    /// The command line, without secrets.
    pub command_line: Vec<String>,
    /// Seed of whatever was sampled.
    pub seed: u64,
    /// When, as RFC 3339.
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
    /// Tensors read from the Hugging Face cache.
    pub from_hugging_face_cache: u64,
    /// Every tensor asked for that no number rests on.
    pub excluded: Vec<Excluded>,
}

impl Provenance {
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
