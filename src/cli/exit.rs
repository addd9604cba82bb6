//! Exit statuses: a contract with scripts.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ExitStatus {
    /// Done.
    Done,
    /// Done, and something that was asked for is missing.
    Incomplete,
    /// Done, and a condition of `--fail-if` holds, whether or not something is missing.
    Finding,
    /// Could not do it.
    Failed,
    /// Ended by Ctrl-C: 128 and the signal's number, as shells and their scripts expect it.
    Interrupted,
}

/// Ctrl-C while something was under way.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("interrupted; {kept} kept in the cache, run the same command to resume")]
pub(crate) struct Interrupted {
    /// What is kept, with its verb.
    pub(crate) kept: &'static str,
}

impl ExitStatus {
    /// The number itself.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Incomplete => 1,
            Self::Failed => 2,
            Self::Finding => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
