//! The crate's error: a boxed kind per layer. Message, cause and advice are three things, rendered once by the binary.

use crate::{
    cache::CacheError, checkpoint::CheckpointError, dtype::DecodeError, family::FamilyError, hint::Hint, hub::HubError,
    report::ReportError, spec::SpecError, tokens::TokenError,
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
    #[error("a task of the fetch ended unexpectedly")]
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
    #[error("the plan moves {} of weights, more than the {} allowed", megabytes(*planned), megabytes(*limit))]
    OverBudget { planned: u64, limit: u64 },
    #[error("no models given")]
    NoModels,
    #[error("`{pattern}` is not a regular expression")]
    Pattern { pattern: String, source: regex::Error },
    #[error("`{text}` is not a condition: {reason}")]
    Condition { text: String, reason: String },
    #[error("line {line} of the map of names cannot be used: {reason}")]
    NameMap { line: usize, reason: String },
    #[error("`{text}` is not a way to pair layers")]
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
    #[error("tensor `{}` of {model} has {has} rows of whole bytes, and {wanted} are needed", .tensor.escape_debug())]
    NoRows { model: String, tensor: String, wanted: u64, has: u64 },
    #[error("{model} has no `tokenizer.json`, so nothing tells which token a row of its table is for")]
    NoTokenizer { model: String },
    #[error("`embeddings` needs exactly two models, got {count}")]
    NotTwoTables { count: usize },
    #[error("`{text}` is not a number of tokens")]
    Sample { text: String },
    #[error("`{text}` is not a group of tensors")]
    LineageGroup { text: String },
    #[error("`lineage` needs at least two models, got {count}")]
    NoPair { count: usize },
    #[error("the request that held the tensor failed for {model}: {reason}")]
    SameRequest { model: String, reason: String },
    #[error("it was named before as `{label}`, which could not be opened: {reason}")]
    NamedBefore { label: String, reason: String },
    #[error("as told where the model was named before: {reason}")]
    FailedBefore { reason: String },
    #[error("`{revision}` of `{repo}` is not in the cache, and the network is switched off")]
    OfflineRevision { repo: String, revision: String },
    #[error("tensor `{}` of {model} was not fetched: {reason}", .tensor.escape_debug())]
    NotFetched { model: String, tensor: String, reason: String },
    #[error("tensor `{}` of {model} is quantised ({how}): its stored elements are no values", .tensor.escape_debug())]
    Quantised { model: String, tensor: String, how: String },
    #[error("`{}` cannot be read", path.display())]
    Unreadable { path: std::path::PathBuf, source: std::io::Error },
    #[error("tensor `{}` of {model} is not in the cache any more", .tensor.escape_debug())]
    Vanished { model: String, tensor: String },
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

/// `5369.8 MB`, and below one megabyte `500000 bytes`.
fn megabytes(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{bytes} bytes") } else { format!("{:.1} MB", bytes as f64 / 1e6) }
}

impl Hint for AuditError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::OverBudget { planned, .. } => {
                format!("ask for fewer layers or roles, or allow it with --max-bytes {}MB", planned.div_ceil(1_000_000))
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
                "where both models use one vocabulary, --same-id compares rows of equal number instead".to_owned()
            }
            Self::NotTwoTables { .. } => "name two models".to_owned(),
            Self::Sample { .. } => "write a number above 0, or all".to_owned(),
            Self::LineageGroup { .. } => "write all, or some of mlp, heads, experts, norms, embeddings".to_owned(),
            Self::NoPair { .. } => "pass two or more model ids or --models FILE".to_owned(),
            Self::NoModels => "pass model ids or --models FILE".to_owned(),
            Self::Condition { .. } => {
                "write METRIC OP NUMBER with <, <=, > or >=, such as pearson>0.9 or abs(pearson)>=0.5".to_owned()
            }
            Self::OfflineRevision { .. } => "run once without --offline to bring it into the cache".to_owned(),
            Self::Vanished { .. } => "run the same command again; another process may have pruned the cache".to_owned(),
            _ => return None,
        };
        Some(text)
    }
}
