//! What a test says of any picture: no two lines of text overlap, and none leaves the canvas.

use super::scene::{Scene, Text};

type Corners = [(f64, f64); 4];

/// Panics with the lines that overlap or leave the canvas.
pub(super) fn assert_legible(scene: &Scene) {
    let boxes = scene.text_boxes();
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
