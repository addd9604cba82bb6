//! A drawing as data: marks, text and groups. Pictures build scenes; `svg` writes them; tests ask them where their text is.

use super::{
    colormap::{INK, Rgb},
    font,
};

/// A kind of picture.
pub trait Drawing {
    /// Draws it, without a title.
    fn draw(&self) -> Scene;

    /// What the drawing cannot say itself: the range of its colours, what is undefined, what lies outside.
    fn remarks(&self) -> Vec<String>;
}

/// A drawing of a known size, in pixels, with the origin at its top left.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Width of the canvas.
    pub width: f64,
    /// Height of the canvas.
    pub height: f64,
    /// What is drawn, from back to front.
    pub nodes: Vec<Node>,
}

/// One thing of a scene.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A shape.
    Mark(Mark),
    /// A line of text.
    Text(Text),
    /// Things moved together.
    Group {
        /// How far right.
        dx: f64,
        /// How far down.
        dy: f64,
        /// Whether the pointer passes through to what lies below, so that a number does not hide its cell's tooltip.
        inert: bool,
        /// What is moved.
        nodes: Vec<Node>,
    },
}

/// A shape with its paint.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Its outline.
    pub shape: Shape,
    /// Colour inside.
    pub fill: Option<Rgb>,
    /// Line along the outline.
    pub stroke: Option<Stroke>,
    /// What a pointer that rests on it is told.
    pub tooltip: Option<String>,
}

/// An outline.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of SVG")]
pub enum Shape {
    /// A rectangle.
    Rect { x: f64, y: f64, width: f64, height: f64 },
    /// A circle.
    Circle { x: f64, y: f64, radius: f64 },
    /// Straight lines through points, one list a stretch; closed where `closed`.
    Path { stretches: Vec<Vec<(f64, f64)>>, closed: bool },
}

/// A line's paint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    /// Its colour.
    pub color: Rgb,
    /// Its width in pixels.
    pub width: f64,
    /// Lengths of dashes and gaps; empty for a solid line.
    pub dash: &'static [f64],
}

impl Stroke {
    /// A solid line.
    pub fn solid(color: Rgb, width: f64) -> Self {
        Self { color, width, dash: &[] }
    }
}

impl Mark {
    fn new(shape: Shape) -> Self {
        Self { shape, fill: None, stroke: None, tooltip: None }
    }

    /// A rectangle.
    pub fn rect(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self::new(Shape::Rect { x, y, width, height })
    }

    /// A circle.
    pub fn circle(x: f64, y: f64, radius: f64) -> Self {
        Self::new(Shape::Circle { x, y, radius })
    }

    /// A straight line.
    pub fn line(from: (f64, f64), to: (f64, f64)) -> Self {
        Self::path(vec![vec![from, to]])
    }

    /// Open lines.
    pub fn path(stretches: Vec<Vec<(f64, f64)>>) -> Self {
        Self::new(Shape::Path { stretches, closed: false })
    }

    /// A closed outline.
    pub fn polygon(points: Vec<(f64, f64)>) -> Self {
        Self::new(Shape::Path { stretches: vec![points], closed: true })
    }

    /// Filled with `color`.
    #[must_use]
    pub fn fill(mut self, color: Rgb) -> Self {
        self.fill = Some(color);
        self
    }

    /// Outlined with `stroke`.
    #[must_use]
    pub fn stroke(mut self, stroke: Stroke) -> Self {
        self.stroke = Some(stroke);
        self
    }

    /// Explained by `tooltip`.
    #[must_use]
    pub fn tooltip(mut self, tooltip: impl Into<String>) -> Self {
        self.tooltip = Some(tooltip.into());
        self
    }
}

/// Which point of a line of text stands at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// Position of the anchor.
    pub x: f64,
    /// Position of the baseline.
    pub y: f64,
    /// What it says.
    pub text: String,
    /// Pixels per em.
    pub size: f64,
    /// Whether in the bold face.
    pub bold: bool,
    /// Which point stands at `x`.
    pub anchor: Anchor,
    /// Turned about its position by this many degrees, clockwise.
    pub turn: f64,
    /// Its colour.
    pub color: Rgb,
    /// The whole text, where `text` is a part of it.
    pub tooltip: Option<String>,
}

impl Text {
    /// `text` in ink, from `x` on the baseline `y`.
    pub fn new(x: f64, y: f64, text: impl Into<String>, size: f64) -> Self {
        Self { x, y, text: text.into(), size, bold: false, anchor: Anchor::Start, turn: 0.0, color: INK, tooltip: None }
    }

    /// `text` with its capitals centred on the height `middle`.
    pub fn centred(x: f64, middle: f64, text: impl Into<String>, size: f64) -> Self {
        Self::new(x, middle + size * font::CAP_HEIGHT / 2.0, text, size)
    }

    /// `text` elided to `limit` pixels, with the whole as its tooltip where it is cut.
    #[must_use]
    pub fn elided(mut self, limit: f64) -> Self {
        let short = font::elide(&self.text, self.size, limit);
        if short != self.text {
            self.tooltip = Some(std::mem::replace(&mut self.text, short));
        }
        self
    }

    /// In the bold face.
    #[must_use]
    pub fn bold(mut self) -> Self {
        self.bold = true;
        self
    }

    /// With `anchor` at its position.
    #[must_use]
    pub fn anchor(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    /// Turned by `degrees`, clockwise.
    #[must_use]
    pub fn turn(mut self, degrees: f64) -> Self {
        self.turn = degrees;
        self
    }

    /// In `color`.
    #[must_use]
    pub fn color(mut self, color: Rgb) -> Self {
        self.color = color;
        self
    }
}

impl Scene {
    /// An empty canvas.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, nodes: Vec::new() }
    }

    /// Draws a shape.
    pub fn mark(&mut self, mark: Mark) {
        self.nodes.push(Node::Mark(mark));
    }

    /// Writes a line of text.
    pub fn text(&mut self, text: Text) {
        self.nodes.push(Node::Text(text));
    }

    /// Draws `scene` with its origin at (`x`, `y`).
    pub fn place(&mut self, x: f64, y: f64, scene: Self) {
        self.nodes.push(Node::Group { dx: x, dy: y, inert: false, nodes: scene.nodes });
    }

    /// Writes lines of text that the pointer passes through.
    pub fn inert_texts(&mut self, texts: Vec<Text>) {
        let nodes = texts.into_iter().map(Node::Text).collect();
        self.nodes.push(Node::Group { dx: 0.0, dy: 0.0, inert: true, nodes });
    }
}
