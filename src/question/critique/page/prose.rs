//! The words of the report, kept as data, one file a language.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write as _},
    str::FromStr,
};

use crate::named::named;

named! {
    /// A language of the report's prose. Names of metrics, models and files are the same in each; words inside pictures are
    /// English, because the bundled font has no Hangul.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Language {
        /// English.
        #[default]
        En = "en",
        /// Korean.
        Ko = "ko",
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::named(name).ok_or_else(|| format!("`{name}` is not a language of the report: en, ko"))
    }
}

/// What a text has a name in braces for.
pub(crate) type Figures<'f> = &'f [(&'f str, &'f dyn Display)];

/// The words of one language, by part and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prose {
    pub(crate) parts: BTreeMap<String, BTreeMap<String, String>>,
}

impl Prose {
    pub(crate) fn new(language: Language) -> Self {
        let text = match language {
            Language::En => include_str!("prose_en.toml"),
            Language::Ko => include_str!("prose_ko.toml"),
        };
        // The files are part of the program, and a test reads them.
        Self { parts: toml::from_str(text).unwrap_or_default() }
    }

    /// The text `name` of `part`. One that is missing shows its name, which a test looks for.
    pub(crate) fn text(&self, part: &str, name: &str) -> String {
        let text = self.parts.get(part).and_then(|texts| texts.get(name));
        text.cloned().unwrap_or_else(|| format!("⟨{part}.{name}⟩"))
    }

    /// A heading of a table or a single word.
    pub(crate) fn word(&self, name: &str) -> String {
        self.text("words", name)
    }

    /// A text with each `{name}` replaced by what stands beside it.
    pub(crate) fn fill(&self, part: &str, name: &str, figures: Figures<'_>) -> String {
        let text = self.text(part, name);
        let mut filled = String::with_capacity(text.len());
        let mut rest = text.as_str();
        // In one pass, so that braces in a model's label are not taken for names.
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((key, tail)) = after.split_once('}') else {
                filled.push('{');
                rest = after;
                continue;
            };
            let _ = match figures.iter().find(|(known, _)| *known == key) {
                Some((_, figure)) => write!(filled, "{figure}"),
                None => write!(filled, "⟨{key}⟩"),
            };
            rest = tail;
        }
        filled.push_str(rest);
        particles(&filled)
    }
}

/// Korean particles, as they stand after a final consonant and after a vowel, and how the words write either.
const PARTICLES: [(&str, &str, &str); 5] = [
    ("을(를)", "을", "를"),
    ("은(는)", "은", "는"),
    ("이(가)", "이", "가"),
    ("과(와)", "과", "와"),
    ("와(과)", "과", "와"),
];

/// `text` with the form of each particle that the word before it takes.
fn particles(text: &str) -> String {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let found = PARTICLES.iter().find(|(either, ..)| rest.starts_with(either));
        if let Some((either, after_consonant, after_vowel)) = found {
            resolved.push_str(if ends_in_consonant(&resolved) { after_consonant } else { after_vowel });
            rest = &rest[either.len()..];
        } else if let Some(letter) = rest.chars().next() {
            resolved.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    resolved
}

/// Whether the last word of `text` is read with a final consonant: Hangul by its code, digits by their Korean names (0 ends
/// 10, 100 and so on, which all do), Latin letters of an abbreviation by their names, of a word by their sound.
fn ends_in_consonant(text: &str) -> bool {
    let mut letters = text.chars().rev().filter(|letter| letter.is_alphanumeric());
    let Some(last) = letters.next() else { return false };
    let before = letters.next();
    match last {
        '가'..='힣' => !(u32::from(last) - u32::from('가')).is_multiple_of(28),
        '0' | '1' | '3' | '6' | '7' | '8' => true,
        _ if last.is_ascii_uppercase() && before.is_some_and(|before| before.is_ascii_uppercase()) => {
            matches!(last, 'L' | 'M' | 'N' | 'R')
        }
        'g' => before == Some('n'),
        _ => matches!(last.to_ascii_lowercase(), 'l' | 'm' | 'n'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(text: &str) -> BTreeSet<String> {
        let names = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn both_languages_say_the_same_things_about_the_same_figures() {
        let [en, ko] = [Language::En, Language::Ko].map(Prose::new);
        assert!(en.parts.len() > 10);
        let keys = |prose: &Prose| -> BTreeMap<(String, String), BTreeSet<String>> {
            let parts = prose.parts.iter();
            parts
                .flat_map(|(part, texts)| {
                    texts.iter().map(move |(name, text)| ((part.clone(), name.clone()), names(text)))
                })
                .collect()
        };
        assert_eq!(keys(&en), keys(&ko));
    }

    #[test]
    fn particles_take_the_form_that_the_word_before_them_asks_for() {
        let read = [
            ("Solar와(과) GLM을(를)", "Solar와 GLM을"),
            ("레이어 0을(를), 레이어 5을(를)", "레이어 0을, 레이어 5를"),
            ("**Mistral**은(는) `10, 40`과(와)", "**Mistral**은 `10, 40`과"),
            ("모델이(가) 커밋이(가)", "모델이 커밋이"),
            ("레이어은(는)", "레이어는"),
        ];
        for (text, expected) in read {
            assert_eq!(particles(text), expected);
        }
        let prose = Prose::new(Language::Ko);
        assert!(!all_filled(&prose).contains("(를)") && !all_filled(&prose).contains("(과)"));
    }

    fn all_filled(prose: &Prose) -> String {
        let parts = prose.parts.iter();
        parts.flat_map(|(part, texts)| texts.keys().map(|name| prose.fill(part, name, &[]))).collect()
    }

    #[test]
    fn figures_are_filled_in_once_and_a_missing_one_shows() {
        let prose = Prose::new(Language::En);
        assert_eq!(prose.fill("words", "mean_of", &[("metric", &"{n} of")]), "mean {n} of");
        assert_eq!(prose.fill("words", "mean_of", &[]), "mean ⟨metric⟩");
        assert_eq!(prose.text("words", "nothing here"), "⟨words.nothing here⟩");
    }

    #[test]
    fn a_language_is_known_by_its_code() {
        assert_eq!("ko".parse(), Ok(Language::Ko));
        assert_eq!("fr".parse::<Language>(), Err("`fr` is not a language of the report: en, ko".to_owned()));
    }
}
