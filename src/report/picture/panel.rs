//! Several pictures under one title, in a grid: what is meant to be compared stands side by side.

use serde::Serialize;

use super::{Picture, scene::Scene};

/// Pictures in a grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Panel {
    /// How many stand side by side.
    pub columns: usize,
    /// The pictures, row by row. Their identifiers name no file.
    pub pictures: Vec<Picture>,
}

const GAP: f64 = 28.0;

impl Panel {
    /// The pictures carry their own remarks.
    pub fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Draws it: columns as wide as their widest picture, rows as high as their highest.
    pub fn draw(&self) -> Scene {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::{Bar, BarSeries, Bars, PictureKind, legible::assert_legible};

    #[test]
    fn two_and_four_pictures_stand_side_by_side_without_overlap() {
        let part = |index: usize| Picture {
            id: format!("part-{index}"),
            title: format!("Part {index} with a title that is longer than its picture is wide, to be wrapped"),
            subtitle: "And a subtitle".into(),
            alt: String::new(),
            kind: PictureKind::Bars(Bars {
                y_label: "cosine".into(),
                groups: (0..=index).map(|group| format!("model-{group}")).collect(),
                series: vec![BarSeries { label: "s".into(), bars: (0..=index).map(|_| Bar::new(0.5)).collect() }],
                references: Vec::new(),
                cut: None,
            }),
        };
        for count in [0, 1, 2, 3, 4] {
            let panel = Panel { columns: 2, pictures: (0..count).map(part).collect() };
            assert_legible(&panel.draw());
        }
    }
}
