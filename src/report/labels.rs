//! The few words that formats add to a report, in its language.

use super::SYNTHETIC;

/// Words of a page's frame.
pub(crate) struct Labels {
    pub(crate) contents: &'static str,
    /// The banner over synthetic models, but for that inside pictures, whose words are English.
    pub(crate) synthetic: &'static str,
    /// In the title of the page.
    pub(crate) synthetic_title: &'static str,
    pub(crate) provenance: &'static str,
    pub(crate) undefined: &'static str,
    pub(crate) picture: &'static str,
}

const ENGLISH: Labels = Labels {
    contents: "Contents",
    synthetic: SYNTHETIC,
    synthetic_title: "synthetic",
    provenance: "Provenance",
    undefined: "undefined",
    picture: "Picture",
};

const KOREAN: Labels = Labels {
    contents: "차례",
    synthetic: "실제 가중치가 아닌 합성 복제본",
    synthetic_title: "합성",
    provenance: "출처",
    undefined: "정의되지 않음",
    picture: "그림",
};

impl Labels {
    /// Those of a language's code; English where there are no others.
    pub(crate) fn of(language: &str) -> &'static Self {
        if language == "ko" { &KOREAN } else { &ENGLISH }
    }
}
