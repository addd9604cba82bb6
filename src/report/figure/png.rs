//! A picture in pixels. It is rasterised with the bundled font alone, which a clean machine has too and which looks the same on each.
//! Only what that font lacks, such as Hangul in a label, is drawn with the fonts of the machine, and spelled where these lack it too.

use std::{
    collections::BTreeSet,
    io::Write,
    sync::{Arc, LazyLock},
};

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{
        FontResolver, Options, Tree,
        fontdb::{Database, Family, Query},
    },
};

use super::{
    font,
    scene::{Node, Scene},
    spelling, svg,
};
use crate::report::ReportError;

/// Pixels per unit of the drawing, for screens of high density.
pub const SCALE: f32 = 1.5;

/// Rows of pixels that are drawn at a time, so that no picture is in memory as a whole.
const BAND: u32 = 512;

/// Rows drawn beyond a band: at the border of a drawing the coverage of what is cut there is rounded otherwise.
const MARGIN: u32 = 16;

/// Longest side of a PNG in pixels; a picture that would be longer is drawn at a smaller scale.
const LARGEST: f32 = 16_384.0;

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

/// Rasterises `scene` at [`SCALE`] times its size; `picture` names it in errors. The same scene gives the same bytes, but for letters
/// that only fonts of the machine have.
pub fn render(picture: &str, scene: Scene) -> Result<Vec<u8>, ReportError> {
    let mut foreign = BTreeSet::new();
    collect_foreign(&scene.nodes, &mut foreign);
    if foreign.is_empty() {
        return rasterise(picture, &svg::document(&scene, ""), &FONTS);
    }
    foreign.retain(|&c| !has_machine(c));
    rasterise(picture, &svg::document(&spelling::spelled(scene, &foreign), ""), &ALL_FONTS)
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

/// Whether a font of the machine has `c`, as the rasteriser looks for one.
fn has_machine(c: char) -> bool {
    let mut fonts = Arc::clone(&ALL_FONTS);
    let bundled = fonts.query(&Query { families: &[Family::SansSerif], ..Query::default() });
    bundled.is_some_and(|bundled| FontResolver::default_fallback_selector()(c, &[bundled], &mut fonts).is_some())
}

fn rasterise(picture: &str, svg: &str, fonts: &Arc<Database>) -> Result<Vec<u8>, ReportError> {
    let invalid = |reason: String| ReportError::Raster { picture: picture.to_owned(), reason };
    let options = Options { font_family: "DejaVu Sans".to_owned(), fontdb: Arc::clone(fonts), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| invalid(error.to_string()))?;
    let longest = tree.size().width().max(tree.size().height());
    let scale = SCALE.min(LARGEST / longest);
    let no_size = || invalid("it has no size that fits into memory".to_owned());
    let size = tree.size().to_int_size().scale_by(scale).ok_or_else(no_size)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.width(), size.height());
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let failed = |error: png::EncodingError| invalid(error.to_string());
    let mut header = encoder.write_header().map_err(failed)?;
    let mut writer = header.stream_writer().map_err(failed)?;
    let row = size.width() as usize * 4;
    for top in (0..size.height()).step_by(BAND as usize) {
        let end = size.height().min(top + BAND);
        let first = top.saturating_sub(MARGIN);
        let mut band = Pixmap::new(size.width(), size.height().min(end + MARGIN) - first).ok_or_else(no_size)?;
        let place = Transform::from_row(scale, 0.0, 0.0, scale, 0.0, -(first as f32));
        resvg::render(&tree, place, &mut band.as_mut());
        let rows = band.take_demultiplied();
        let kept = &rows[(top - first) as usize * row..(end - first) as usize * row];
        writer.write_all(kept).map_err(|error| invalid(error.to_string()))?;
    }
    writer.finish().map_err(failed)?;
    header.finish().map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use resvg::usvg::Node;

    use super::*;
    use crate::report::figure::{
        legible::{assert_legible, text_boxes},
        scene::{Mark, Text},
    };

    fn scene() -> Scene {
        let mut scene = Scene::new(120.0, 40.0);
        scene.mark(Mark::rect(0.0, 0.0, 120.0, 40.0).fill(crate::report::figure::colormap::PAPER));
        scene.text(Text::new(10.0, 25.0, "0.98 ≥ μ", 14.0));
        scene
    }

    #[test]
    fn a_picture_is_drawn_half_as_large_again_with_its_text() {
        let png = render("x", scene()).unwrap();
        let pixmap = Pixmap::decode_png(&png).unwrap();
        assert_eq!((pixmap.width(), pixmap.height()), (180, 60));
        let dark = pixmap.pixels().iter().filter(|pixel| pixel.red() < 100).count();
        assert!(dark > 100, "{dark} dark pixels");
    }

    #[test]
    fn the_same_svg_gives_the_same_pixels() {
        assert_eq!(render("x", scene()).unwrap(), render("x", scene()).unwrap());
    }

    #[test]
    fn bands_make_the_picture_that_one_drawing_makes() {
        let mut scene = Scene::new(80.0, 900.0);
        scene.mark(Mark::rect(0.0, 0.0, 80.0, 900.0).fill(crate::report::figure::colormap::PAPER));
        for line in 0..60 {
            scene.text(Text::new(5.0 + f64::from(line) / 7.0, 15.0 * f64::from(line), "ρ = −0.3", 14.0));
        }
        let svg = svg::document(&scene, "");
        let options = Options { fontdb: Arc::clone(&FONTS), ..Options::default() };
        let tree = Tree::from_str(&svg, &options).unwrap();
        let mut whole = Pixmap::new(120, 1350).unwrap();
        resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut whole.as_mut());
        let banded = Pixmap::decode_png(&render("x", scene).unwrap()).unwrap();
        assert_eq!(banded.height().div_ceil(BAND), 3);
        assert!(banded == whole);
    }

    #[test]
    fn widths_of_text_are_those_of_the_rasteriser() {
        for (line, bold) in [
            ("Ηλέκτρα Щука Ľubomír Ấn b\u{302} x\u{304}", false),
            ("Модель Ǆ Ƿ", true),
            ("Mathematics of γ and σ, 0.9871 − 3×10²", false),
            ("Attention input norm", true),
        ] {
            let mut scene = Scene::new(600.0, 40.0);
            let text = Text::new(0.0, 20.0, line, 20.0);
            scene.text(if bold { text.bold() } else { text });
            let options = Options { fontdb: Arc::clone(&FONTS), ..Options::default() };
            let tree = Tree::from_str(&svg::document(&scene, ""), &options).unwrap();
            let Some(Node::Text(node)) = tree.root().children().first() else { panic!("no text") };
            let drawn = f64::from(node.bounding_box().width());
            let measured = font::width(line, 20.0, bold);
            assert!((drawn - measured).abs() < 4.0, "`{line}`: drawn {drawn}, measured {measured}");
        }
    }

    #[test]
    fn a_very_wide_picture_is_drawn_smaller() {
        let png = render("wide", Scene::new(20_000.0, 100.0)).unwrap();
        let pixmap = Pixmap::decode_png(&png).unwrap();
        assert_eq!(pixmap.width(), 16_384);
        assert!((80..=83).contains(&pixmap.height()));
    }

    #[test]
    fn what_is_no_svg_is_refused_by_name() {
        let error = rasterise("broken", "<svg", &FONTS).unwrap_err();
        assert!(error.to_string().contains("`broken`"), "{error}");
    }

    /// Whether every letter of `line` has a glyph, drawn by the bundled font alone.
    fn is_drawn(line: &str) -> bool {
        let mut scene = Scene::new(600.0, 40.0);
        scene.text(Text::new(0.0, 20.0, line, 20.0));
        let options = Options { fontdb: Arc::clone(&FONTS), ..Options::default() };
        let tree = Tree::from_str(&svg::document(&scene, ""), &options).unwrap();
        let Some(Node::Text(node)) = tree.root().children().first() else { panic!("no text") };
        node.layouted().iter().flat_map(|span| &span.positioned_glyphs).all(|glyph| glyph.id.0 != 0)
    }

    #[test]
    fn the_bundled_font_has_latin_greek_cyrillic_and_marks() {
        assert!(is_drawn("Łódź Ähnlichkeit Ǆ ẞ Tiếng Việt α Ω ΐ Щука Їжак Ғ № ₽ − ≈ ‰ b\u{302} r\u{302} x\u{304}"));
        assert!(!is_drawn("한"));
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
        assert_ne!(render("x", scene.clone()).unwrap(), rasterise("x", &svg::document(&scene, ""), &FONTS).unwrap());
    }
}
