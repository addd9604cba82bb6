//! A picture in pixels. The SVG is rasterised with the bundled font alone: a clean machine has no fonts, and one with fonts
//! would draw something else.

use std::{
    io::Write,
    sync::{Arc, LazyLock},
};

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
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

/// Rasterises `svg` at [`SCALE`] times its size; `picture` names it in errors. The same SVG gives the same bytes.
pub fn render(picture: &str, svg: &str) -> Result<Vec<u8>, ReportError> {
    let invalid = |reason: String| ReportError::Raster { picture: picture.to_owned(), reason };
    let options = Options { font_family: "DejaVu Sans".to_owned(), fontdb: Arc::clone(&FONTS), ..Options::default() };
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
        font,
        scene::{Mark, Scene, Text},
        svg,
    };

    fn scene() -> Scene {
        let mut scene = Scene::new(120.0, 40.0);
        scene.mark(Mark::rect(0.0, 0.0, 120.0, 40.0).fill(crate::report::figure::colormap::PAPER));
        scene.text(Text::new(10.0, 25.0, "0.98 ≥ μ", 14.0));
        scene
    }

    #[test]
    fn a_picture_is_drawn_half_as_large_again_with_its_text() {
        let png = render("x", &svg::document(&scene(), "")).unwrap();
        let pixmap = Pixmap::decode_png(&png).unwrap();
        assert_eq!((pixmap.width(), pixmap.height()), (180, 60));
        let dark = pixmap.pixels().iter().filter(|pixel| pixel.red() < 100).count();
        assert!(dark > 100, "{dark} dark pixels");
    }

    #[test]
    fn the_same_svg_gives_the_same_pixels() {
        let svg = svg::document(&scene(), "");
        assert_eq!(render("x", &svg).unwrap(), render("x", &svg).unwrap());
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
        let banded = Pixmap::decode_png(&render("x", &svg).unwrap()).unwrap();
        assert_eq!(banded.height().div_ceil(BAND), 3);
        assert!(banded == whole);
    }

    #[test]
    fn widths_of_text_are_those_of_the_rasteriser() {
        for (line, bold) in [("Mathematics of γ and σ, 0.9871 − 3×10²", false), ("Attention input norm", true)] {
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
        let png = render("wide", &svg::document(&Scene::new(20_000.0, 100.0), "")).unwrap();
        let pixmap = Pixmap::decode_png(&png).unwrap();
        assert_eq!(pixmap.width(), 16_384);
        assert!((80..=83).contains(&pixmap.height()));
    }

    #[test]
    fn what_is_no_svg_is_refused_by_name() {
        let error = render("broken", "<svg").unwrap_err();
        assert!(error.to_string().contains("`broken`"), "{error}");
    }
}
