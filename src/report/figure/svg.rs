//! A scene as SVG: plain elements, no identifiers, no styles, no references, so that several fit into one HTML page and
//! any viewer shows the same. The same scene gives the same bytes.

use std::fmt::Write as _;

use super::{
    colormap::Rgb,
    font,
    scene::{Anchor, Mark, Node, Scene, Shape, Stroke, Text},
};
use crate::report::escape::xml;

/// `scene` as an SVG document of its own; `alt` describes it to who cannot see it.
pub fn document(scene: &Scene, alt: &str) -> String {
    let (width, height) = (px(scene.width), px(scene.height));
    let mut out = String::with_capacity(4096);
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="{}" role="img" aria-label="{}">"#,
        xml(font::FAMILY),
        xml(alt)
    );
    let _ = writeln!(out, "<desc>{}</desc>", xml(alt));
    nodes(&mut out, &scene.nodes);
    out.push_str("</svg>\n");
    out
}

/// `scene` as an element of an HTML page: without the namespace, which HTML supplies.
pub fn element(scene: &Scene, alt: &str) -> String {
    document(scene, alt).replacen(r#" xmlns="http://www.w3.org/2000/svg""#, "", 1)
}

fn nodes(out: &mut String, list: &[Node]) {
    for node in list {
        match node {
            Node::Mark(shape) => mark(out, shape),
            Node::Text(line) => text(out, line),
            Node::Group { dx, dy, inert, nodes: list } => {
                out.push_str("<g");
                if *dx != 0.0 || *dy != 0.0 {
                    let _ = write!(out, r#" transform="translate({} {})""#, px(*dx), px(*dy));
                }
                if *inert {
                    out.push_str(r#" pointer-events="none""#);
                }
                out.push_str(">\n");
                nodes(out, list);
                out.push_str("</g>\n");
            }
        }
    }
}

fn mark(out: &mut String, mark: &Mark) {
    let element = match &mark.shape {
        Shape::Rect { x, y, width, height } => {
            let _ =
                write!(out, r#"<rect x="{}" y="{}" width="{}" height="{}""#, px(*x), px(*y), px(*width), px(*height));
            "rect"
        }
        Shape::Circle { x, y, radius } => {
            let _ = write!(out, r#"<circle cx="{}" cy="{}" r="{}""#, px(*x), px(*y), px(*radius));
            "circle"
        }
        Shape::Path { stretches, closed } => {
            out.push_str(r#"<path d=""#);
            for stretch in stretches {
                for (index, (x, y)) in stretch.iter().enumerate() {
                    let _ = write!(out, "{}{} {}", if index == 0 { 'M' } else { 'L' }, px(*x), px(*y));
                }
                if *closed {
                    out.push('Z');
                }
            }
            out.push('"');
            "path"
        }
    };
    match mark.fill {
        Some(color) => {
            let _ = write!(out, r#" fill="{}""#, hex(color));
        }
        None => out.push_str(r#" fill="none""#),
    }
    if let Some(Stroke { color, width, dash }) = mark.stroke {
        let _ = write!(out, r#" stroke="{}" stroke-width="{}""#, hex(color), px(width));
        if !dash.is_empty() {
            let dash: Vec<String> = dash.iter().map(|&length| px(length)).collect();
            let _ = write!(out, r#" stroke-dasharray="{}""#, dash.join(" "));
        }
    }
    close(out, element, "", mark.tooltip.as_deref());
}

fn text(out: &mut String, text: &Text) {
    let _ = write!(out, r#"<text x="{}" y="{}" font-size="{}""#, px(text.x), px(text.y), px(text.size));
    match text.anchor {
        Anchor::Start => {}
        Anchor::Middle => out.push_str(r#" text-anchor="middle""#),
        Anchor::End => out.push_str(r#" text-anchor="end""#),
    }
    if text.bold {
        out.push_str(r#" font-weight="bold""#);
    }
    if text.turn != 0.0 {
        let _ = write!(out, r#" transform="rotate({} {} {})""#, px(text.turn), px(text.x), px(text.y));
    }
    let _ = write!(out, r#" fill="{}""#, hex(text.color));
    close(out, "text", &xml(&text.text), text.tooltip.as_deref());
}

fn close(out: &mut String, element: &str, content: &str, tooltip: Option<&str>) {
    match tooltip {
        Some(tooltip) => {
            let _ = writeln!(out, "><title>{}</title>{content}</{element}>", xml(tooltip));
        }
        None if content.is_empty() => out.push_str("/>\n"),
        None => {
            let _ = writeln!(out, ">{content}</{element}>");
        }
    }
}

/// A length with at most two digits after the point.
fn px(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn hex(color: Rgb) -> String {
    format!("#{:06x}", color.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::colormap::{INK, PAPER};

    #[test]
    fn a_scene_is_written_as_plain_elements() {
        let mut inner = Scene::new(10.0, 10.0);
        inner.mark(Mark::rect(0.0, -0.001, 10.0, 2.5).fill(PAPER).tooltip("a & b"));
        inner.mark(Mark::line((0.0, 0.0), (1.0 / 3.0, 2.0)).stroke(Stroke {
            color: INK,
            width: 1.0,
            dash: &[4.0, 2.0],
        }));
        let mut scene = Scene::new(120.0, 40.0);
        scene.place(5.0, 6.0, inner);
        scene.inert_texts(vec![Text::new(1.0, 2.0, "<x>", 9.0).bold().anchor(Anchor::End).turn(-45.0)]);
        insta::assert_snapshot!(document(&scene, "two \"things\""), @r##"
        <svg xmlns="http://www.w3.org/2000/svg" width="120" height="40" viewBox="0 0 120 40" font-family="DejaVu Sans, Verdana, sans-serif" role="img" aria-label="two &quot;things&quot;">
        <desc>two &quot;things&quot;</desc>
        <g transform="translate(5 6)">
        <rect x="0" y="0" width="10" height="2.5" fill="#ffffff"><title>a &amp; b</title></rect>
        <path d="M0 0L0.33 2" fill="none" stroke="#1f2328" stroke-width="1" stroke-dasharray="4 2"/>
        </g>
        <g pointer-events="none">
        <text x="1" y="2" font-size="9" text-anchor="end" font-weight="bold" transform="rotate(-45 1 2)" fill="#1f2328">&lt;x&gt;</text>
        </g>
        </svg>
        "##);
        assert!(!element(&scene, "x").contains("http"));
    }
}
