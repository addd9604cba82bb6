//! The crate's error: a boxed kind per layer. Message, cause and advice are three things, rendered once by the binary.

use crate::{
    cache::CacheError, checkpoint::CheckpointError, dtype::DecodeError, family::FamilyError, hint::Hint, hub::HubError,
    model::AuditError, report::ReportError, spec::SpecError, tokens::TokenError,
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
            ErrorKind::Decode(_) => None,
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
