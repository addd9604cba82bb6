//! Letters that no font at hand has, in others: Hangul in Latin letters, anything else by its code point. A box would tell nothing, and
//! make two names one.

use std::collections::BTreeSet;

use super::{
    colormap::WARNING,
    font,
    scene::{Node, Scene, Text},
};

const NOTE: &str =
    "This machine has no font for some letters: Hangul stands in Latin letters, others as code points (U+…).";
const SIZE: f64 = 11.0;
const PITCH: f64 = 16.0;
const MARGIN: f64 = 10.0;

const INITIALS: [&str; 19] =
    ["g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h"];
const VOWELS: [&str; 21] = [
    "a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we", "wi", "yu", "eu",
    "ui", "i",
];
const FINALS: [&str; 28] = [
    "", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t", "t", "ng", "t",
    "t", "k", "t", "p", "t",
];

/// `scene` with its `lacking` letters spelled in the room that they had, and a note below; as it is where nothing lacks.
pub(super) fn spelled(mut scene: Scene, lacking: &BTreeSet<char>) -> Scene {
    if lacking.is_empty() {
        return scene;
    }
    spell_texts(&mut scene.nodes, lacking);
    for line in font::wrap(NOTE, SIZE, false, scene.width - 2.0 * MARGIN) {
        scene.height += PITCH;
        scene.text(Text::new(MARGIN, scene.height - SIZE * font::DESCENT - 2.0, line, SIZE).color(WARNING));
    }
    scene
}

fn spell_texts(nodes: &mut [Node], lacking: &BTreeSet<char>) {
    for node in nodes {
        match node {
            Node::Group { nodes, .. } => spell_texts(nodes, lacking),
            Node::Text(text) if text.text.contains(|c| lacking.contains(&c)) => {
                let room = font::width(&text.text, text.size, text.bold);
                let spelled: String =
                    text.text.chars().map(|c| if lacking.contains(&c) { spell(c) } else { c.to_string() }).collect();
                // Bold is up to a tenth wider than the regular face that `elide` measures.
                text.text = font::elide(&spelled, if text.bold { text.size * 1.1 } else { text.size }, room);
            }
            Node::Text(_) | Node::Mark(_) => {}
        }
    }
}

/// A syllable of Hangul by the Revised Romanisation of its letters, any other letter as `U+4E2D`.
fn spell(c: char) -> String {
    match (u32::from(c).checked_sub(0xAC00)).filter(|&syllable| syllable < 19 * 21 * 28) {
        Some(syllable) => {
            let [first, vowel, last] = [syllable / 588, syllable % 588 / 28, syllable % 28].map(|index| index as usize);
            [INITIALS[first], VOWELS[vowel], FINALS[last]].concat()
        }
        None => format!("U+{:04X}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangul_is_romanised_and_other_letters_are_code_points() {
        let spell = |text: &str| text.chars().map(spell).collect::<Vec<_>>().join("-");
        assert_eq!(spell("한국모델"), "han-guk-mo-del");
        assert_eq!(spell("값"), "gap");
        assert_eq!(spell("힣中"), "hit-U+4E2D");
    }
}
