//! The crate's error: a boxed kind per layer. Message, cause and advice are three things, rendered once by the binary.

use crate::{
    cache::CacheError, checkpoint::CheckpointError, dtype::DecodeError, family::FamilyError, hint::Hint, hub::HubError,
    report::ReportError, size::readable, spec::SpecError, tokens::TokenError,
};

/// `Result` with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of the library. Small to move; ask [`Error::kind`] for what it is.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ErrorKind>);

/// The layer that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A model was named in a way that cannot be understood.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The Hub, or the way to it.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// A model's own files.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A tensor's bytes.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Names of tensors.
    #[error(transparent)]
    Family(#[from] FamilyError),
    /// A tokenizer's file.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The local cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A question that cannot be answered.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A report that cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A defect.
    #[error("a download task ended unexpectedly")]
    Task(#[from] tokio::task::JoinError),
    /// The embedded Hub.
    #[cfg(feature = "serve")]
    #[error(transparent)]
    Serve(#[from] crate::serve::ServeError),
}

impl Error {
    /// What failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// The message with its causes on one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.ends_with(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    }
}

impl<E> From<E> for Error
where
    ErrorKind: From<E>,
{
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self.kind() {
            ErrorKind::Spec(error) => error.hint(),
            ErrorKind::Hub(error) => error.hint(),
            ErrorKind::Checkpoint(error) => error.hint(),
            ErrorKind::Decode(_) | ErrorKind::Task(_) => None,
            ErrorKind::Family(error) => error.hint(),
            ErrorKind::Tokens(error) => error.hint(),
            ErrorKind::Cache(error) => error.hint(),
            ErrorKind::Audit(error) => error.hint(),
            ErrorKind::Report(error) => error.hint(),
            #[cfg(feature = "serve")]
            ErrorKind::Serve(error) => error.hint(),
        }
    }
}

/// A question that cannot be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields are")]
pub enum AuditError {
    #[error("the plan downloads {}", over_budget(*planned, *limit))]
    OverBudget { planned: u64, limit: u64 },
    #[error("no models given")]
    NoModels,
    #[error("`{pattern}` is not a regular expression")]
    Pattern { pattern: String, source: regex::Error },
    #[error("`{text}` is not a condition: {reason}")]
    Condition { text: String, reason: String },
    #[error("line {line} of the name map is invalid: {reason}")]
    NameMap { line: usize, reason: String },
    #[error("`{text}` is not a pairing of layers")]
    Pairing { text: String },
    #[error("`--pairing all` needs exactly two models, got {count}")]
    NotTwo { count: usize },
    #[error("tensor `{}` of {model} ({dtype}, {bytes} bytes) cannot be decoded", .tensor.escape_debug())]
    Undecodable { model: String, tensor: String, dtype: String, bytes: u64 },
    #[error("{model} has no file `{}`", .file.escape_debug())]
    NoFile { model: String, file: String },
    #[error("file `{}` of {model} has {size} bytes, more than the {cap} bytes read at most", .file.escape_debug())]
    TooLarge { model: String, file: String, size: u64, cap: u64 },
    #[error("shard `{}` of {model} cannot be read", .shard.escape_debug())]
    Shard { model: String, shard: String, source: Box<Error> },
    #[error("file `{}` of {model} cannot be used", .file.escape_debug())]
    File { model: String, file: String, source: Box<Error> },
    #[error("{model} is not one model: there are no weights and no configuration at its root, and weights in {} folders: {}", folders.len(), listed(folders))]
    SeveralModels { model: String, place: std::path::PathBuf, folders: Vec<String> },
    #[error("{model} has no checkpoint that can be read")]
    NoCheckpoint { model: String, source: Box<Error> },
    #[error("tensor `{}` of {model} has {has} rows of whole bytes, but {wanted} are needed", .tensor.escape_debug())]
    NoRows { model: String, tensor: String, wanted: u64, has: u64 },
    #[error("{model} has no `tokenizer.json`, so the rows of its table cannot be matched with tokens")]
    NoTokenizer { model: String },
    #[error("`embeddings` needs exactly two models, got {count}")]
    NotTwoTables { count: usize },
    #[error("`{text}` is not a number of tokens")]
    Sample { text: String },
    #[error("`{text}` is not a group of tensors")]
    LineageGroup { text: String },
    #[error("`lineage` needs at least two models, got {count}")]
    NoPair { count: usize },
    #[error("the request for this tensor and others failed for {model}: {reason}")]
    SameRequest { model: String, reason: String },
    #[error("it is the same model as `{label}`, which could not be opened: {reason}")]
    NamedBefore { label: String, reason: String },
    #[error("as reported where the model was given first: {reason}")]
    FailedBefore { reason: String },
    #[error("`{revision}` of `{repo}` is not in the cache, and network access is off")]
    OfflineRevision { repo: String, revision: String },
    #[error("tensor `{}` of {model} was not fetched: {reason}", .tensor.escape_debug())]
    NotFetched { model: String, tensor: String, reason: String },
    #[error("tensor `{}` of {model} is quantised ({how}): its stored elements are codes, not values", .tensor.escape_debug())]
    Quantised { model: String, tensor: String, how: String },
    #[error("`{}` cannot be read", path.display())]
    Unreadable { path: std::path::PathBuf, source: std::io::Error },
    #[error("tensor `{}` of {model} is no longer in the cache", .tensor.escape_debug())]
    Vanished { model: String, tensor: String },
    #[error("the numbers of all pairs do not fit into memory, and their temporary file in `{}` fails after {bytes} bytes", folder.display())]
    Scratch { folder: std::path::PathBuf, bytes: u64, source: std::sync::Arc<std::io::Error> },
}

/// Folders by name, the first few of many.
pub(crate) fn listed(folders: &[String]) -> String {
    const MOST: usize = 8;
    let named = folders.iter().take(MOST);
    let named: Vec<String> = named.map(|folder| format!("`{}`", folder.escape_debug())).collect();
    match folders.len().saturating_sub(MOST) {
        0 => named.join(", "),
        rest => format!("{} and {rest} more", named.join(", ")),
    }
}

/// `14.5 GB of weights, more than the limit of 1.0 GB`; in bytes where both read the same.
fn over_budget(planned: u64, limit: u64) -> String {
    let [mut of_plan, mut of_limit] = [planned, limit].map(|bytes| readable(bytes as f64));
    if of_plan == of_limit {
        (of_plan, of_limit) = (format!("{planned} bytes"), format!("{limit} bytes"));
    }
    format!("{of_plan} of weights, more than the limit of {of_limit}")
}

/// A value of `--max-bytes` that is enough: `14.5GB`.
fn enough_for(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{}MB", bytes.div_ceil(1_000_000)),
        _ => format!("{:.1}GB", bytes.div_ceil(100_000_000) as f64 / 10.0),
    }
}

impl Hint for AuditError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::OverBudget { planned, .. } => {
                format!("select fewer layers or roles, or raise the limit with --max-bytes {}", enough_for(*planned))
            }
            Self::Shard { source, .. } | Self::File { source, .. } | Self::NoCheckpoint { source, .. } => {
                return source.hint();
            }
            Self::SeveralModels { place, folders, .. } => {
                let first = folders.first().map_or_else(|| place.clone(), |folder| place.join(folder));
                format!("name the folder of one model, such as `{}`", first.display())
            }
            Self::NameMap { .. } => {
                "write one pattern and its replacement a line, as CSV or as TOML ('pattern' = 'replacement')".to_owned()
            }
            Self::Pairing { .. } => "write same, depth, all or mixed".to_owned(),
            Self::NotTwo { .. } => "name two models, or pair layers by --pairing same, depth or mixed".to_owned(),
            Self::NoTokenizer { .. } => {
                "if both models share one vocabulary, --same-id matches rows by number".to_owned()
            }
            Self::NotTwoTables { .. } => "name two models".to_owned(),
            Self::Sample { .. } => "write a number above 0, or all".to_owned(),
            Self::LineageGroup { .. } => "write all, or some of mlp, heads, experts, norms, embeddings".to_owned(),
            Self::NoPair { .. } => "pass two or more model ids or --models FILE".to_owned(),
            Self::NoModels => "pass model ids or --models FILE".to_owned(),
            Self::Condition { .. } => {
                "write METRIC OP NUMBER with <, <=, > or >=, such as pearson>0.9 or abs(pearson)>=0.5".to_owned()
            }
            Self::OfflineRevision { .. } => "run once without --offline to download it".to_owned(),
            Self::Scratch { .. } => {
                "free some space there, name another folder with `--cache-dir`, or ask for fewer models or layers"
                    .to_owned()
            }
            Self::Vanished { .. } => "run the same command again; another process may have pruned the cache".to_owned(),
            _ => return None,
        };
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_above_the_limit_is_told_in_units_that_differ_and_with_a_limit_that_is_enough() {
        let told = |planned, limit| {
            let error = AuditError::OverBudget { planned, limit };
            (error.to_string(), error.hint().unwrap().rsplit(' ').next().unwrap().to_owned())
        };
        let expected = "the plan downloads 14.5 GB of weights, more than the limit of 1.0 GB";
        assert_eq!(told(14_495_800_000, 1_000_000_000), (expected.to_owned(), "14.5GB".to_owned()));
        let expected = "the plan downloads 1000000001 bytes of weights, more than the limit of 1000000000 bytes";
        assert_eq!(told(1_000_000_001, 1_000_000_000), (expected.to_owned(), "1.1GB".to_owned()));
        assert_eq!(told(3_000_001, 10).1, "4MB");
    }
}
