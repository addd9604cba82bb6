//! The crate's error: a boxed kind per layer. Message, cause and advice are three things, rendered once by the binary.

use crate::{
    audit::AuditError, cache::CacheError, checkpoint::CheckpointError, family::FamilyError, hub::HubError,
    report::ReportError, serve::ServeError, spec::SpecError, tokens::TokenError,
};

/// `Result` with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Advice that helps past an error. Kept apart from the message, printed after the chain of causes.
pub trait Hint {
    /// What to do, as a lower-case sentence without a full stop; `None` where there is nothing useful to say.
    fn hint(&self) -> Option<String>;
}

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
    /// The embedded Hub.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl Error {
    /// What failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
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
            ErrorKind::Family(error) => error.hint(),
            ErrorKind::Tokens(error) => error.hint(),
            ErrorKind::Cache(error) => error.hint(),
            ErrorKind::Audit(error) => error.hint(),
            ErrorKind::Report(error) => error.hint(),
            ErrorKind::Serve(error) => error.hint(),
        }
    }
}
