//! How a layer map reads. No word says which model came first.

/// One sentence for `matches` (layer of the deeper model, layer of the shallower), in order of the deeper's layers.
pub(crate) fn pattern(matches: &[(usize, usize)], shallow: usize, deep: usize) -> String {
    if matches.is_empty() {
        return "no layer of one matches a layer of the other".to_owned();
    }
    let sequence: Vec<usize> = matches.iter().map(|(_, row)| *row).collect();
    let in_order = sequence.iter().copied().eq(0..shallow);
    if in_order && matches.len() == deep {
        return "all layers match, in order".to_owned();
    }
    if in_order {
        let matched = |layer: &usize| matches.iter().any(|(column, _)| column == layer);
        let gone: Vec<String> = (0..deep).filter(|layer| !matched(layer)).map(|layer| layer.to_string()).collect();
        return format!(
            "every layer of the shallower matches one of the deeper, in order; {} of the deeper match none",
            gone.join(", ")
        );
    }
    let mut sorted = sequence;
    sorted.sort_unstable();
    let repeated = sorted.windows(2).any(|pair| pair[0] == pair[1]);
    if matches.len() == deep && repeated {
        return format!("layers of the shallower are repeated in the deeper: {}", runs(matches));
    }
    format!("some layers match: {}", runs(matches))
}

/// Stretches of consecutive layers that match consecutive layers.
pub(crate) fn runs(matches: &[(usize, usize)]) -> String {
    let texts: Vec<String> = matches
        .chunk_by(|(column, row), (next_column, next_row)| [column + 1, row + 1] == [*next_column, *next_row])
        .map(|run| match (run[0], run[run.len() - 1]) {
            ((column, row), (last, _)) if last == column => format!("{column} matches {row}"),
            ((column, row), (last, last_row)) => format!("{column}-{last} match {row}-{last_row}"),
        })
        .collect();
    texts.join("; ")
}
