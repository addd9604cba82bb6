//! A picture as a page of PDF: lines stay lines and text stays text, in embedded fonts, so that it prints sharp, can be searched and copied,
//! and edited before it goes into a paper. What the pointer is told in an SVG is not in it.

use pdf_writer::{Content, Filter, Finish, Pdf, Rect, Ref, Str, TextStr};
use resvg::usvg::{
    Color, Group, Node, Paint, Path, Text, Transform,
    tiny_skia_path::{PathSegment, Point},
};

use super::{
    pdf_fonts::{Font, Fonts, deflate},
    scene::Scene,
    typeset,
};
use crate::secret;

/// Points per unit of the drawing, which is 1/96 inch.
const SCALE: f32 = 0.75;

/// Longest side of a page that any reader shows, in points; a picture that would be longer is drawn at a smaller scale.
const LONGEST: f32 = 14_400.0;

/// How far a glyph may stand from where the one before it ends, in units of the drawing, to be part of one string with it.
const NEAR: f32 = 0.01;

/// A page with `scene`; why not, where it cannot be. `title` and `description` go to who looks for the file or cannot see it. The same scene
/// gives the same bytes, but for letters that only fonts of the machine have.
pub fn render(scene: Scene, title: &str, description: &str) -> Result<Vec<u8>, String> {
    let tree = typeset::tree(scene)?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let scale = SCALE.min(LONGEST / width.max(height));
    let side = |length: f32| round(length * scale).min(LONGEST);
    let [catalog, pages, page, content, info, fonts] = [1, 2, 3, 4, 5, 6].map(Ref::new);
    let mut pdf = Pdf::new();
    let fonts = Fonts::embed(&tree, &mut pdf, fonts);
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut page = pdf.page(page);
    page.parent(pages).media_box(Rect::new(0.0, 0.0, side(width), side(height))).contents(content);
    fonts.list(page.resources().fonts());
    page.finish();
    // PDF counts upwards from the foot of the page.
    let place = Transform::from_row(scale, 0.0, 0.0, -scale, 0.0, height * scale);
    let drawn = deflate(&Canvas::draw(tree.root(), &fonts, place)).map_err(|error| error.to_string())?;
    pdf.stream(content, &drawn).filter(Filter::FlateDecode);
    let mut about = pdf.document_info(info);
    about.producer(TextStr("hub-audit")).subject(TextStr(&secret::hide(description)));
    if !title.is_empty() {
        about.title(TextStr(&secret::hide(title)));
    }
    about.finish();
    Ok(pdf.finish())
}

/// What is drawn so far, and with which paint.
struct Canvas<'a> {
    content: Content,
    fonts: &'a Fonts,
    fill: Option<Color>,
}

/// Glyphs of one font that follow each other on a line.
struct Run<'a> {
    font: &'a Font,
    size: f32,
    color: Color,
    start: Transform,
    /// Where the next glyph would stand.
    end: Transform,
    codes: Vec<u8>,
}

impl<'a> Canvas<'a> {
    /// The operators that draw `root`; `place` is where it goes on the page.
    fn draw(root: &Group, fonts: &'a Fonts, place: Transform) -> Vec<u8> {
        let mut canvas = Self { content: Content::new(), fonts, fill: None };
        canvas.content.transform(matrix(place)).set_miter_limit(4.0);
        canvas.group(root);
        canvas.content.finish().into_vec()
    }

    fn group(&mut self, group: &Group) {
        for node in group.children() {
            match node {
                Node::Group(group) => self.group(group),
                Node::Path(path) => self.path(path),
                Node::Text(text) => self.text(text),
                // Pictures have none.
                Node::Image(_) => {}
            }
        }
    }

    fn path(&mut self, path: &Path) {
        let fill = path.fill().and_then(|fill| plain(fill.paint()));
        let stroke = path.stroke().and_then(|stroke| Some((stroke, plain(stroke.paint())?)));
        if let Some(color) = fill {
            self.fill(color);
        }
        if let Some((stroke, color)) = stroke {
            let [red, green, blue] = rgb(color);
            self.content.set_stroke_rgb(red, green, blue).set_line_width(stroke.width().get());
            let dash = stroke.dasharray().unwrap_or_default();
            self.content.set_dash_pattern(dash.iter().copied(), stroke.dashoffset());
        }
        self.outline(path);
        match (fill, stroke) {
            (Some(_), Some(_)) => self.content.fill_nonzero_and_stroke(),
            (Some(_), None) => self.content.fill_nonzero(),
            (None, Some(_)) => self.content.stroke(),
            (None, None) => self.content.end_path(),
        };
    }

    fn outline(&mut self, path: &Path) {
        let at = |mut point: Point| {
            path.abs_transform().map_point(&mut point);
            (round(point.x), round(point.y))
        };
        let mut from = Point::zero();
        for segment in path.data().segments() {
            match segment {
                PathSegment::MoveTo(to) => {
                    let (x, y) = at(to);
                    self.content.move_to(x, y);
                    from = to;
                }
                PathSegment::LineTo(to) => {
                    let (x, y) = at(to);
                    self.content.line_to(x, y);
                    from = to;
                }
                // PDF has cubic curves alone, and every quadratic one is one of them.
                PathSegment::QuadTo(by, to) => {
                    let third = |end: Point| at(Point::from_xy((2.0 * by.x + end.x) / 3.0, (2.0 * by.y + end.y) / 3.0));
                    self.curve(third(from), third(to), at(to));
                    from = to;
                }
                PathSegment::CubicTo(first, second, to) => {
                    self.curve(at(first), at(second), at(to));
                    from = to;
                }
                PathSegment::Close => {
                    self.content.close_path();
                }
            }
        }
    }

    fn curve(&mut self, first: (f32, f32), second: (f32, f32), to: (f32, f32)) {
        self.content.cubic_to(first.0, first.1, second.0, second.1, to.0, to.1);
    }

    /// A line of text; as outlines, where it has letters of a font that cannot be embedded.
    fn text(&mut self, text: &Text) {
        let Some(runs) = self.runs(text) else { return self.group(text.flattened()) };
        for run in runs {
            self.fill(run.color);
            self.content.begin_text().set_font(run.font.name(), run.size);
            self.content.set_text_matrix(matrix(run.start)).show(Str(&run.codes)).end_text();
        }
    }

    fn runs(&self, text: &Text) -> Option<Vec<Run<'a>>> {
        let mut runs: Vec<Run> = Vec::new();
        for span in text.layouted() {
            let color = span.fill.as_ref().and_then(|fill| plain(fill.paint()))?;
            let size = span.font_size.get();
            for glyph in &span.positioned_glyphs {
                let font = self.fonts.get(glyph.font)?;
                // Outlines are in units of the font and its size is in the transform; PDF has them apart.
                let units = font.units_per_em / size;
                let start = text.abs_transform().pre_concat(glyph.outline_transform()).pre_scale(units, units);
                let (code, advance) = font.code(glyph.id.0)?;
                let follows = runs.last().is_some_and(|run| {
                    (run.end.tx - start.tx).abs() < NEAR
                        && (run.end.ty - start.ty).abs() < NEAR
                        && std::ptr::eq(run.font, font)
                        && (run.size, run.color) == (size, color)
                });
                if !follows {
                    runs.push(Run { font, size, color, start, end: start, codes: Vec::new() });
                }
                let run = runs.last_mut()?;
                run.codes.extend(code.to_be_bytes());
                run.end = start.pre_translate(advance * size, 0.0);
            }
        }
        Some(runs)
    }

    fn fill(&mut self, color: Color) {
        if self.fill.replace(color) != Some(color) {
            let [red, green, blue] = rgb(color);
            self.content.set_fill_rgb(red, green, blue);
        }
    }
}

/// The one colour of a paint; pictures have no gradients and no patterns.
fn plain(paint: &Paint) -> Option<Color> {
    match paint {
        Paint::Color(color) => Some(*color),
        _ => None,
    }
}

fn rgb(color: Color) -> [f32; 3] {
    [color.red, color.green, color.blue].map(|part| round(f32::from(part) / 255.0))
}

fn matrix(transform: Transform) -> [f32; 6] {
    let Transform { sx, ky, kx, sy, tx, ty } = transform;
    let [sx, ky, kx, sy] = [sx, ky, kx, sy].map(|part| (part * 1e6).round() / 1e6);
    [sx, ky, kx, sy, round(tx), round(ty)]
}

/// To a thousandth, which nobody sees, for shorter files.
fn round(value: f32) -> f32 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;

    use super::*;
    use crate::report::figure::{
        colormap::{INK, PAPER},
        scene::{Anchor, Mark, Stroke, Text},
    };

    fn scene() -> Scene {
        let mut scene = Scene::new(120.0, 40.0);
        scene.mark(Mark::rect(0.0, 0.0, 120.0, 40.0).fill(PAPER));
        scene.mark(Mark::circle(60.0, 20.0, 5.0).fill(INK).stroke(Stroke::solid(PAPER, 0.5)));
        scene.mark(Mark::line((0.0, 1.0), (9.0, 1.0)).stroke(Stroke { color: INK, width: 1.0, dash: &[4.0, 2.0] }));
        scene.text(Text::new(10.0, 25.0, "0.98 ≥ μ", 14.0).bold());
        scene.text(Text::new(100.0, 30.0, "Łódź b\u{302}", 10.0).anchor(Anchor::End).turn(-90.0));
        scene
    }

    /// What the file says outside of its streams, and what is in them.
    fn parts(pdf: &[u8]) -> (String, Vec<String>) {
        let mut objects = String::new();
        let mut streams = Vec::new();
        let mut rest = pdf;
        while let Some(start) = memchr::memmem::find(rest, b"\nstream\n") {
            let length = memchr::memmem::find(rest, b"\nendstream").unwrap();
            objects += &String::from_utf8_lossy(&rest[..start]);
            let stream = &rest[start + 8..length];
            let mut inflated = Vec::new();
            let whole = if ZlibDecoder::new(stream).read_to_end(&mut inflated).is_ok() { &inflated } else { stream };
            streams.push(String::from_utf8_lossy(whole).into_owned());
            rest = &rest[length + 10..];
        }
        (objects + &String::from_utf8_lossy(rest), streams)
    }

    #[test]
    fn lines_are_lines_and_a_line_of_text_is_one_string() {
        let (_, streams) = parts(&render(scene(), "", "").unwrap());
        let drawn = streams.iter().find(|stream| stream.contains("BT\n")).unwrap();
        let count = |operator: &str| drawn.lines().filter(|line| line.ends_with(operator)).count();
        assert_eq!(count(" Tj"), 3, "the mark stands apart: {drawn}");
        assert!(drawn.starts_with("0.75 0 0 -0.75 0 30 cm\n4 M\n"), "{drawn}");
        assert!(drawn.contains("0 0 m\n120 0 l\n120 40 l\n0 40 l\nh\nf\n"), "{drawn}");
        assert!(count(" c") >= 4 && drawn.contains("\nB\n"), "{drawn}");
        assert!(drawn.contains("[4 2] 0 d\n0 1 m\n9 1 l\nS\n"), "{drawn}");
    }

    #[test]
    fn every_letter_of_an_embedded_font_is_known() {
        let (objects, streams) = parts(&render(scene(), "A title", "What it shows").unwrap());
        for (face, words) in [("DejaVuSans-Bold", "0.98 ≥μ"), ("DejaVuSans", "Łódź b\u{302}")] {
            assert!(objects.contains(&format!("+{face}\n")), "{objects}");
            let map = |letter: char| format!("<{:04X}>\n", u32::from(letter));
            let knows = |stream: &&String| words.chars().all(|letter| stream.contains(&map(letter)));
            assert_eq!(streams.iter().filter(knows).count(), 1, "{words}: {streams:?}");
        }
        assert_eq!(objects.matches("/FontFile2 ").count(), 2, "{objects}");
        assert!(objects.contains("/Title (A title)") && objects.contains("/Subject (What it shows)"), "{objects}");
        assert!(objects.contains("/MediaBox [0 0 90 30]"), "{objects}");
    }

    #[test]
    fn the_same_picture_is_the_same_page() {
        assert_eq!(render(scene(), "t", "d").unwrap(), render(scene(), "t", "d").unwrap());
    }

    #[test]
    fn a_very_wide_picture_is_a_page_that_readers_show() {
        let (objects, _) = parts(&render(Scene::new(40_000.0, 100.0), "", "").unwrap());
        assert!(objects.contains("/MediaBox [0 0 14400 36]"), "{objects}");
    }
}
