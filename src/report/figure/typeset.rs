//! A scene as placed shapes and glyphs, for who cannot leave text to a viewer. It is set in the bundled font alone, which a clean machine
//! has too and which looks the same on each. Only what that font lacks, such as Hangul in a label, is set in the fonts of the machine,
//! and spelled where these lack it too.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use resvg::usvg::{
    FontResolver, Options, Tree,
    fontdb::{Database, Family, Query},
};

use super::{
    font,
    scene::{Node, Scene},
    spelling, svg,
};
use crate::secret;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(include_bytes!("../assets/DejaVuSans.subset.ttf").to_vec());
    fonts.load_font_data(include_bytes!("../assets/DejaVuSans-Bold.subset.ttf").to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// The same and the fonts of the machine.
static ALL_FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::clone(&FONTS);
    fonts.load_system_fonts();
    Arc::new(fonts)
});

/// `scene` with its text set, without secrets; why not, where it cannot be. The same scene gives the same tree, but for letters that only
/// fonts of the machine have.
pub(super) fn tree(scene: Scene) -> Result<Tree, String> {
    let mut foreign = BTreeSet::new();
    collect_foreign(&scene.nodes, &mut foreign);
    if foreign.is_empty() {
        return parse(&svg::document(&scene, ""), &FONTS);
    }
    foreign.retain(|&c| !has_machine(c));
    parse(&svg::document(&spelling::spelled(scene, &foreign), ""), &ALL_FONTS)
}

/// The letters of text that the bundled font lacks.
fn collect_foreign(nodes: &[Node], foreign: &mut BTreeSet<char>) {
    for node in nodes {
        match node {
            Node::Mark(_) => {}
            Node::Text(text) => foreign.extend(text.text.chars().filter(|&c| !font::has(c))),
            Node::Group { nodes, .. } => collect_foreign(nodes, foreign),
        }
    }
}

/// Whether a font of the machine has `c`, as the typesetter looks for one.
fn has_machine(c: char) -> bool {
    let mut fonts = Arc::clone(&ALL_FONTS);
    let bundled = fonts.query(&Query { families: &[Family::SansSerif], ..Query::default() });
    bundled.is_some_and(|bundled| FontResolver::default_fallback_selector()(c, &[bundled], &mut fonts).is_some())
}

fn parse(svg: &str, fonts: &Arc<Database>) -> Result<Tree, String> {
    let options = Options { font_family: "DejaVu Sans".to_owned(), fontdb: Arc::clone(fonts), ..Options::default() };
    Tree::from_str(&secret::hide(svg), &options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use resvg::usvg;

    use super::*;
    use crate::report::figure::{
        legible::{assert_legible, text_boxes},
        scene::Text,
    };

    /// The only line of `scene`, set in the bundled font alone.
    fn line(text: Text) -> usvg::Text {
        let mut scene = Scene::new(600.0, 40.0);
        scene.text(text);
        let tree = parse(&svg::document(&scene, ""), &FONTS).unwrap();
        let Some(usvg::Node::Text(line)) = tree.root().children().first() else { panic!("no text") };
        usvg::Text::clone(line)
    }

    #[test]
    fn widths_of_text_are_those_of_the_typesetter() {
        for (words, bold) in [
            ("Ηλέκτρα Щука Ľubomír Ấn b\u{302} x\u{304}", false),
            ("Модель Ǆ Ƿ", true),
            ("Mathematics of γ and σ, 0.9871 − 3×10²", false),
            ("Attention input norm", true),
        ] {
            let text = Text::new(0.0, 20.0, words, 20.0);
            let set = f64::from(line(if bold { text.bold() } else { text }).bounding_box().width());
            let measured = font::width(words, 20.0, bold);
            assert!((set - measured).abs() < 4.0, "`{words}`: set {set}, measured {measured}");
        }
    }

    #[test]
    fn the_bundled_font_has_latin_greek_cyrillic_and_marks() {
        let is_whole = |words: &str| {
            let line = line(Text::new(0.0, 20.0, words, 20.0));
            line.layouted().iter().flat_map(|span| &span.positioned_glyphs).all(|glyph| glyph.id.0 != 0)
        };
        assert!(is_whole("Łódź Ähnlichkeit Ǆ ẞ Tiếng Việt α Ω ΐ Щука Їжак Ғ № ₽ − ≈ ‰ b\u{302} r\u{302} x\u{304}"));
        assert!(!is_whole("한"));
    }

    #[test]
    fn letters_that_no_font_has_are_spelled_and_the_picture_says_so() {
        let mut scene = Scene::new(300.0, 60.0);
        // Of a plane without letters.
        scene.text(Text::new(10.0, 20.0, "model \u{e0001}\u{f0000}", 12.0));
        let lacking = BTreeSet::from(['\u{e0001}', '\u{f0000}']);
        assert!(lacking.iter().all(|&c| !has_machine(c)));
        let spelled = spelling::spelled(scene.clone(), &lacking);
        assert_legible(&spelled);
        let words: Vec<_> = text_boxes(&spelled).into_iter().map(|(text, _)| text.text.clone()).collect();
        assert!(words[0].starts_with("model") && words[0].contains('…'), "{words:?}");
        assert!(words[1..].join(" ").contains("has no font for some letters"), "{words:?}");
        let lines = |tree: Tree| tree.root().children().len();
        assert!(lines(tree(scene).unwrap()) > 1, "the note is set");
    }

    #[test]
    fn what_is_no_svg_is_refused_with_the_reason() {
        assert!(!parse("<svg", &FONTS).unwrap_err().is_empty());
    }
}
