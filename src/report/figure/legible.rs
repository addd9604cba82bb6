//! What a test says of any picture: no two lines of text overlap, and none leaves the canvas.

use super::{
    font,
    scene::{Anchor, Node, Scene, Text},
};

type Corners = [(f64, f64); 4];

/// Panics with the lines that overlap or leave the canvas.
pub(super) fn assert_legible(scene: &Scene) {
    let boxes = text_boxes(scene);
    for (text, corners) in &boxes {
        for &(x, y) in corners {
            assert!(
                x > -0.5 && y > -0.5 && x < scene.width + 0.5 && y < scene.height + 0.5,
                "`{}` leaves the canvas of {}×{} at ({x}, {y})",
                text.text,
                scene.width,
                scene.height
            );
        }
        assert!(text.size >= 7.5, "`{}` is too small to read", text.text);
    }
    for (index, (a, a_corners)) in boxes.iter().enumerate() {
        for (b, b_corners) in &boxes[index + 1..] {
            assert!(!overlap(a_corners, b_corners), "`{}` overlaps `{}`: {a_corners:?} {b_corners:?}", a.text, b.text);
        }
    }
}

/// Every line of text with the corners of its box on the canvas.
pub(super) fn text_boxes(scene: &Scene) -> Vec<(&Text, Corners)> {
    let mut boxes = Vec::new();
    collect(&scene.nodes, 0.0, 0.0, &mut boxes);
    boxes
}

fn collect<'a>(nodes: &'a [Node], dx: f64, dy: f64, boxes: &mut Vec<(&'a Text, Corners)>) {
    for node in nodes {
        match node {
            Node::Mark(_) => {}
            Node::Text(text) => boxes.push((text, corners(text).map(|(x, y)| (x + dx, y + dy)))),
            Node::Group { dx: right, dy: down, nodes, .. } => collect(nodes, dx + right, dy + down, boxes),
        }
    }
}

/// The corners of the box around a line: top left, top right, bottom right, bottom left, before turning.
fn corners(text: &Text) -> Corners {
    let width = font::width(&text.text, text.size, text.bold);
    let left = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -width / 2.0,
        Anchor::End => -width,
    };
    let (top, bottom) = (-font::CAP_HEIGHT * text.size, font::DESCENT * text.size);
    let (sin, cos) = text.turn.to_radians().sin_cos();
    [(left, top), (left + width, top), (left + width, bottom), (left, bottom)]
        .map(|(x, y)| (text.x + x * cos - y * sin, text.y + x * sin + y * cos))
}

/// Whether two rectangles share more than half a pixel, by the separating axes of both.
fn overlap(a: &Corners, b: &Corners) -> bool {
    [a, b].into_iter().flat_map(|c| [(c[0], c[1]), (c[1], c[2])]).all(|(from, to)| {
        let axis = (to.0 - from.0, to.1 - from.1);
        let length = axis.0.hypot(axis.1);
        let span = |c: &Corners| {
            let along = c.map(|(x, y)| (x * axis.0 + y * axis.1) / length);
            (along.into_iter().fold(f64::INFINITY, f64::min), along.into_iter().fold(f64::NEG_INFINITY, f64::max))
        };
        let (a, b) = (span(a), span(b));
        a.0 + 0.5 < b.1 && b.0 + 0.5 < a.1
    })
}

#[test]
#[should_panic(expected = "overlaps")]
fn the_checker_sees_two_lines_on_top_of_each_other() {
    let mut scene = Scene::new(100.0, 100.0);
    scene.text(Text::new(10.0, 50.0, "first", 12.0));
    scene.text(Text::new(20.0, 55.0, "second", 12.0));
    assert_legible(&scene);
}

#[test]
#[should_panic(expected = "leaves the canvas")]
fn the_checker_sees_turned_text_leave_the_canvas() {
    let mut scene = Scene::new(100.0, 30.0);
    scene.text(Text::new(50.0, 25.0, "a long line", 12.0).turn(-90.0));
    assert_legible(&scene);
}
