//! Advice beside an error's message.

/// Advice that helps past an error. Kept apart from the message, printed after the chain of causes.
pub trait Hint {
    /// What to do, as a lower-case sentence without a full stop; `None` where there is nothing useful to say.
    fn hint(&self) -> Option<String>;
}

/// The name that is nearest to what was typed, if it is near: at most three edits away, and fewer than were typed at all.
pub(crate) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word far longer than any name is no slip of the hand, and not worth the square of its length.
    if typed.len() >= 64 {
        return None;
    }
    let (edits, name) = names.into_iter().map(|name| (edits(typed, name), name)).min_by_key(|(edits, _)| *edits)?;
    (edits <= 3 && edits < typed.len()).then_some(name)
}

/// Levenshtein's distance in bytes.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_finds_its_name_and_another_word_none() {
        let names = ["pearson", "l2", "spearman"];
        assert_eq!(nearest("pearsn", names), Some("pearson"));
        assert_eq!(nearest("speerman", names), Some("spearman"));
        assert_eq!(nearest("x", names), None, "as many edits as letters");
        assert_eq!(nearest("covariance", names), None);
        assert_eq!(nearest(&"pearson".repeat(20), names), None);
    }
}
