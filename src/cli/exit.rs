//! Exit statuses: a contract with scripts.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ExitStatus {
    /// Done.
    Done,
    /// Done, and a condition of `--fail-if` holds, or something that was asked for is missing.
    Incomplete,
    /// Could not do it.
    Failed,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Done => 0,
            ExitStatus::Incomplete => 1,
            ExitStatus::Failed => 2,
        })
    }
}
