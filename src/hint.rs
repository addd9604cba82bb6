//! Advice beside an error's message.

/// Advice that helps past an error. Kept apart from the message, printed after the chain of causes.
pub trait Hint {
    /// What to do, as a lower-case sentence without a full stop; `None` where there is nothing useful to say.
    fn hint(&self) -> Option<String>;
}
