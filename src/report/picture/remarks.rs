//! What a picture says of values that it cannot draw: how many, how they are shown, and why.

use crate::report::number::counted;

/// Most reasons that are spelled out; the rest are counted.
const MOST_REASONS: usize = 3;

/// `2 cells undefined, hatched: Shape (1), ZeroNorm (1).` for the reasons of two cells; `None` where there are none.
pub(super) fn undefined<'a>(reasons: impl Iterator<Item = &'a str>, noun: &str, shown: &str) -> Option<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for reason in reasons {
        match counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }
    if counts.is_empty() {
        return None;
    }
    let total = counts.iter().map(|(_, count)| count).sum();
    let mut named: Vec<String> =
        counts.iter().take(MOST_REASONS).map(|(reason, count)| format!("{reason} ({count})")).collect();
    if counts.len() > MOST_REASONS {
        named.push(counted(counts.len() - MOST_REASONS, "other reason"));
    }
    Some(format!("{} undefined, {shown}: {}.", counted(total, noun), named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_the_many_are_summed_up() {
        assert_eq!(undefined(std::iter::empty(), "cell", "hatched"), None);
        let few = undefined(["Shape", "ZeroNorm", "Shape"].into_iter(), "cell", "hatched");
        assert_eq!(few.as_deref(), Some("3 cells undefined, hatched: Shape (2), ZeroNorm (1)."));
        let many = undefined("a b c d e".split(' '), "value", "left as gaps");
        assert_eq!(many.as_deref(), Some("5 values undefined, left as gaps: a (1), b (1), c (1), 2 other reasons."));
    }
}
