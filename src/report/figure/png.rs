//! A picture in pixels.

use std::io::Write;

use resvg::tiny_skia::{Pixmap, Transform};

use super::{scene::Scene, typeset};

/// Pixels per unit of the drawing, for screens of high density.
pub const SCALE: f32 = 1.5;

/// Rows of pixels that are drawn at a time, so that no picture is in memory as a whole.
const BAND: u32 = 512;

/// Rows drawn beyond a band: at the border of a drawing the coverage of what is cut there is rounded otherwise.
const MARGIN: u32 = 16;

/// Longest side of a PNG in pixels; a picture that would be longer is drawn at a smaller scale.
const LARGEST: f32 = 16_384.0;

/// Rasterises `scene` at [`SCALE`] times its size; why not, where it cannot be.
pub fn render(scene: Scene) -> Result<Vec<u8>, String> {
    let tree = typeset::tree(scene)?;
    let longest = tree.size().width().max(tree.size().height());
    let scale = SCALE.min(LARGEST / longest);
    let no_size = || "it has no size that fits into memory".to_owned();
    let size = tree.size().to_int_size().scale_by(scale).ok_or_else(no_size)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.width(), size.height());
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let failed = |error: png::EncodingError| error.to_string();
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
        writer.write_all(kept).map_err(|error| error.to_string())?;
    }
    writer.finish().map_err(failed)?;
    header.finish().map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::scene::{Mark, Text};

    fn scene() -> Scene {
        let mut scene = Scene::new(120.0, 40.0);
        scene.mark(Mark::rect(0.0, 0.0, 120.0, 40.0).fill(crate::report::figure::colormap::PAPER));
        scene.text(Text::new(10.0, 25.0, "0.98 ≥ μ", 14.0));
        scene
    }

    #[test]
    fn a_picture_is_drawn_half_as_large_again_with_its_text() {
        let png = render(scene()).unwrap();
        let pixmap = Pixmap::decode_png(&png).unwrap();
        assert_eq!((pixmap.width(), pixmap.height()), (180, 60));
        let dark = pixmap.pixels().iter().filter(|pixel| pixel.red() < 100).count();
        assert!(dark > 100, "{dark} dark pixels");
    }

    #[test]
    fn the_same_svg_gives_the_same_pixels() {
        assert_eq!(render(scene()).unwrap(), render(scene()).unwrap());
    }

    #[test]
    fn bands_make_the_picture_that_one_drawing_makes() {
        let mut scene = Scene::new(80.0, 900.0);
        scene.mark(Mark::rect(0.0, 0.0, 80.0, 900.0).fill(crate::report::figure::colormap::PAPER));
        for line in 0..60 {
            scene.text(Text::new(5.0 + f64::from(line) / 7.0, 15.0 * f64::from(line), "ρ = −0.3", 14.0));
        }
        let tree = typeset::tree(scene.clone()).unwrap();
        let mut whole = Pixmap::new(120, 1350).unwrap();
        resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut whole.as_mut());
        let banded = Pixmap::decode_png(&render(scene).unwrap()).unwrap();
        assert_eq!(banded.height().div_ceil(BAND), 3);
        assert!(banded == whole);
    }

    #[test]
    fn a_very_wide_picture_is_drawn_smaller() {
        let png = render(Scene::new(20_000.0, 100.0)).unwrap();
        let pixmap = Pixmap::decode_png(&png).unwrap();
        assert_eq!(pixmap.width(), 16_384);
        assert!((80..=83).contains(&pixmap.height()));
    }
}
