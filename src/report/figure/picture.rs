//! A picture: its drawing below its title, with what a reader must know to read it. Or several of them under one title, in a
//! grid: what is meant to be compared stands side by side.

use super::{
    Bars, Dendrogram, Heatmap, Histogram, Lines, Scatter,
    colormap::{MUTED, PAPER, WARNING},
    font,
    scene::{Drawing, Mark, Scene, Text},
    svg,
};
use crate::report::{SYNTHETIC, escape};

/// A picture of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Stem of its files, unique within the report.
    pub id: String,
    /// What it shows; where it is empty nothing is written above the drawing.
    pub title: String,
    /// Which tensors, which layers, which null.
    pub subtitle: String,
    /// What it tells, for who cannot see it.
    pub alt: String,
    /// What is drawn.
    pub kind: PictureKind,
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is the type it holds")]
pub enum PictureKind {
    Heatmap(Heatmap),
    Lines(Lines),
    Bars(Bars),
    Scatter(Scatter),
    Histogram(Histogram),
    Dendrogram(Dendrogram),
    Panel(Panel),
}

/// Pictures in a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// How many stand side by side.
    pub columns: usize,
    /// The pictures, row by row. Their identifiers name no file.
    pub pictures: Vec<Picture>,
}

const MARGIN: f64 = 16.0;
/// Between the pictures of a panel.
const GAP: f64 = 28.0;
/// Titles are not wrapped narrower than this, however small the drawing.
const NARROWEST: f64 = 360.0;

impl Picture {
    /// Stem of its files: [`Picture::id`] with nothing in it that a file name may not hold.
    pub fn file_stem(&self) -> String {
        escape::file_stem(&self.id)
    }

    /// The drawing alone, for a caption elsewhere.
    #[must_use]
    pub fn untitled(&self) -> Self {
        Self { title: String::new(), subtitle: String::new(), alt: self.described(None), ..self.clone() }
    }

    /// The picture as a drawing, ready to be written; `synthetic` puts the banner on it.
    pub fn scene(&self, synthetic: bool) -> Scene {
        let framed = self.framed();
        let banner = if synthetic { 24.0 } else { 0.0 };
        let width = framed.width.max(if synthetic { NARROWEST } else { 0.0 });
        let mut scene = Scene::new((width + 2.0 * MARGIN).ceil(), (framed.height + banner + 2.0 * MARGIN).ceil());
        scene.mark(Mark::rect(0.0, 0.0, scene.width, scene.height).fill(PAPER));
        if synthetic {
            scene.text(Text::new(MARGIN, MARGIN + 11.0, SYNTHETIC, 13.0).bold().color(WARNING));
        }
        scene.place(MARGIN, MARGIN + banner, framed);
        scene
    }

    /// The picture as an SVG document.
    pub fn svg(&self, synthetic: bool) -> String {
        svg::document(&self.scene(synthetic), &self.described(synthetic.then_some(SYNTHETIC)))
    }

    /// `scene`, which is the picture's, as an element of an HTML page; `banner` opens its description.
    pub(crate) fn svg_element(&self, scene: &Scene, banner: Option<&str>) -> String {
        svg::element(scene, &self.described(banner))
    }

    /// Title, subtitle and remarks above the drawing.
    fn framed(&self) -> Scene {
        let kind: &dyn Drawing = match &self.kind {
            PictureKind::Heatmap(kind) => kind,
            PictureKind::Lines(kind) => kind,
            PictureKind::Bars(kind) => kind,
            PictureKind::Scatter(kind) => kind,
            PictureKind::Histogram(kind) => kind,
            PictureKind::Dendrogram(kind) => kind,
            PictureKind::Panel(kind) => kind,
        };
        let drawing = kind.draw();
        if self.title.is_empty() {
            return drawing;
        }
        let width = drawing.width.max(NARROWEST);
        let mut scene = Scene::new(width, 0.0);
        let mut y = 0.0;
        for line in font::wrap(&escape::visible(&self.title), 16.0, true, width) {
            y += 20.0;
            scene.text(Text::new(0.0, y - 5.0, line, 16.0).bold());
        }
        let mut words = self.subtitle.clone();
        for remark in kind.remarks() {
            if !words.is_empty() {
                words.push_str(if words.ends_with(['.', '?', '!']) { " " } else { ". " });
            }
            words.push_str(&remark);
        }
        for line in font::wrap(&escape::visible(&words), 12.0, false, width) {
            y += 17.0;
            scene.text(Text::new(0.0, y - 4.0, line, 12.0).color(MUTED));
        }
        y += 12.0;
        scene.height = y + drawing.height;
        scene.place(0.0, y, drawing);
        scene
    }

    /// What it tells, for who cannot see it, below the `banner`.
    pub(crate) fn described(&self, banner: Option<&str>) -> String {
        let alt = if self.alt.is_empty() { &self.title } else { &self.alt };
        banner.map_or_else(|| alt.clone(), |banner| format!("{banner}. {alt}"))
    }
}

impl Drawing for Panel {
    /// Columns as wide as their widest picture, rows as high as their highest.
    fn draw(&self) -> Scene {
        let columns = self.columns.max(1);
        let scenes: Vec<Scene> = self.pictures.iter().map(Picture::framed).collect();
        let mut widths = vec![0.0_f64; columns.min(scenes.len())];
        for (index, scene) in scenes.iter().enumerate() {
            widths[index % columns] = widths[index % columns].max(scene.width);
        }
        let mut panel = Scene::new(widths.iter().map(|width| width + GAP).sum::<f64>() - GAP, 0.0);
        panel.width = panel.width.max(1.0);
        let mut top = 0.0;
        let mut scenes = scenes.into_iter().peekable();
        while scenes.peek().is_some() {
            let (mut left, mut highest) = (0.0, 0.0_f64);
            for (width, scene) in widths.iter().zip(scenes.by_ref()) {
                highest = highest.max(scene.height);
                panel.place(left, top, scene);
                left += width + GAP;
            }
            top += highest + GAP;
        }
        panel.height = (top - GAP).max(1.0);
        panel
    }

    /// The pictures carry their own.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Bar, BarSeries, ColorScale,
        legible::{assert_legible, text_boxes},
    };
    use super::*;
    use crate::table::Matrix;

    fn picture(count: usize) -> Picture {
        let names: Vec<String> = (0..count).map(|index| format!("owner/<model>-{index}")).collect();
        let matrix = Matrix::from_fn(names.clone(), names, |row, column| Ok(if row == column { 1.0 } else { 0.25 }));
        Picture {
            id: "cosine/../x".into(),
            title: "Cosine similarity of the attention input norm, layer 10, nine models".into(),
            subtitle: "input_layernorm.weight, raw cosine; the null of unrelated pairs is 0.94.".into(),
            alt: "All pairs lie near 0.25.".into(),
            kind: PictureKind::Heatmap(Heatmap::new(matrix.clone(), ColorScale::cosine(&matrix), "cos_sim")),
        }
    }

    #[test]
    fn title_banner_and_drawing_do_not_overlap() {
        for count in [1, 2, 9, 60] {
            for synthetic in [false, true] {
                assert_legible(&picture(count).scene(synthetic));
            }
        }
    }

    #[test]
    fn a_synthetic_picture_says_so_itself() {
        assert!(picture(2).svg(true).contains(">Synthetic replica, not the real weights</text>"));
        assert!(!picture(2).svg(false).contains("Synthetic"));
    }

    #[test]
    fn a_picture_without_its_title_is_the_drawing_with_its_description_and_the_banner() {
        let untitled = picture(9).untitled();
        for synthetic in [false, true] {
            let scene = untitled.scene(synthetic);
            assert_legible(&scene);
            let words: Vec<&str> = text_boxes(&scene).into_iter().map(|(text, _)| text.text.as_str()).collect();
            let words = words.join(" ");
            assert!(!words.contains("attention input norm") && !words.contains("Colour "), "{words}");
            assert_eq!(words.contains(SYNTHETIC), synthetic);
        }
        assert!(untitled.svg(false).contains("<desc>All pairs lie near 0.25.</desc>"));
        assert!(Picture { alt: String::new(), ..picture(2) }.untitled().alt.starts_with("Cosine similarity"));
    }

    #[test]
    fn the_subtitle_states_the_range_of_the_colours() {
        let scene = picture(2).scene(false);
        let words: Vec<&str> = text_boxes(&scene).into_iter().map(|(text, _)| text.text.as_str()).collect();
        assert!(words.join(" ").contains("Colour 0.2500 to 1.000: from the smallest cell to 1."), "{words:?}");
    }

    #[test]
    fn the_same_picture_gives_the_same_bytes() {
        assert_eq!(picture(9).svg(true), picture(9).svg(true));
        assert_eq!(picture(9).file_stem(), "cosine-..-x");
    }

    #[test]
    fn two_and_four_pictures_stand_side_by_side_without_overlap() {
        let part = |index: usize| Picture {
            id: format!("part-{index}"),
            title: format!("Part {index} with a title that is longer than its picture is wide, to be wrapped"),
            subtitle: "And a subtitle".into(),
            alt: String::new(),
            kind: PictureKind::Bars(Bars::new(
                "cosine",
                (0..=index).map(|group| format!("model-{group}")).collect(),
                vec![BarSeries { label: "s".into(), bars: (0..=index).map(|_| Bar::new(0.5)).collect() }],
            )),
        };
        for count in [0, 1, 2, 3, 4] {
            let panel = Panel { columns: 2, pictures: (0..count).map(part).collect() };
            assert_legible(&panel.draw());
        }
    }
}
