//! A matrix as coloured cells. Every cell says its number to a pointer; numbers stand on the cells where they fit; where there
//! is no value the hatched ground shows, and a cell outside the colour scale has its corner marked.

use super::{
    colormap::ColorScale,
    labels::{self, ColumnLabels},
    legend::{Key, Legend, series_color, undefined},
    scene::{Anchor, Drawing, Mark, Scene, Text},
};
use crate::{
    report::{
        Datum, Digits,
        number::{counted, typeset},
    },
    table::Matrix,
};

pub(super) const BAR_WIDTH: f64 = 14.0;
const BAR_GAP: f64 = 22.0;
/// Width of the bars of groups, and between them and the cells.
const GROUP: f64 = 6.0;
const GROUP_GAP: f64 = 3.0;

/// A matrix to be drawn as coloured cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// The numbers.
    pub matrix: Matrix,
    /// Their colours.
    pub scale: ColorScale,
    /// What the numbers are; heads the colour bar.
    pub quantity: String,
    /// What the rows are, such as `layer of A`; empty where the labels speak for themselves.
    pub row_title: String,
    /// What the columns are.
    pub column_title: String,
    /// Whether the cells with equal row and column are outlined, as for layer × layer.
    pub diagonal: bool,
    /// Other cells that are outlined, as (row, column); what they have in common stands in the picture's subtitle.
    pub outlined: Vec<(usize, usize)>,
    /// Cells that lines run through, one list a line.
    pub paths: Vec<Vec<(usize, usize)>>,
    /// Of a square the group of each row and column, drawn as a bar along both; empty for a row without one, and where there are none.
    pub groups: Vec<String>,
}

/// Sizes that depend on the number of cells alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) cell: f64,
    label: f64,
    /// Of all cells.
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Heatmap {
    /// A heatmap of `matrix` with `scale`; `quantity` heads its colour bar.
    pub fn new(matrix: Matrix, scale: ColorScale, quantity: impl Into<String>) -> Self {
        Self {
            matrix,
            scale,
            quantity: quantity.into(),
            row_title: String::new(),
            column_title: String::new(),
            diagonal: false,
            outlined: Vec::new(),
            paths: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// The names of the groups, in the order of their first rows.
    fn group_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.groups.iter().filter(|name| !name.is_empty()) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// What the colours of the groups mean.
    fn legend(&self) -> Legend {
        let mut legend = Legend::default();
        for (index, name) in self.group_names().into_iter().enumerate() {
            legend.push(Key::Swatch(series_color(index)), name);
        }
        legend
    }

    /// The groups as bars left of the cells and below them.
    fn draw_groups(&self, scene: &mut Scene, grid: Grid) {
        let names = self.group_names();
        for (place, group) in self.groups.iter().enumerate() {
            let Some(index) = names.iter().position(|name| name == group) else { continue };
            let along = place as f64 * grid.cell;
            let bars = [
                Mark::rect(grid.left - GROUP_GAP - GROUP, grid.top + along, GROUP, grid.cell),
                Mark::rect(grid.left + along, grid.top + grid.height + GROUP_GAP, grid.cell, GROUP),
            ];
            for bar in bars {
                scene.mark(bar.fill(series_color(index)).tooltip(group));
            }
        }
    }

    /// Every cell in reading order.
    pub(super) fn cells(&self) -> impl Iterator<Item = (usize, usize, Datum)> {
        self.matrix.iter().map(|(row, column, cell)| (row, column, Datum::from(cell)))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = f64> {
        self.cells().filter_map(|(.., cell)| cell.value())
    }

    /// How many cells lie below and above the colours.
    pub(super) fn beyond(&self) -> (usize, usize) {
        let outside = self.values().filter(|&value| !self.scale.covers(value));
        let (above, below): (Vec<f64>, Vec<f64>) = outside.partition(|&value| value > self.scale.high);
        (below.len(), above.len())
    }

    fn draw_titles(&self, scene: &mut Scene, grid: Grid, labels_height: f64) {
        let Grid { left, top, width, height, .. } = grid;
        let size = grid.label + 1.0;
        if !self.row_title.is_empty() && height > 0.0 {
            let text = Text::new(12.0, top + height / 2.0, &self.row_title, size);
            scene.text(text.anchor(Anchor::Middle).elided(height).turn(-90.0));
        }
        if !self.column_title.is_empty() && width > 0.0 {
            let text = Text::new(left + width / 2.0, top + height + labels_height + 14.0, &self.column_title, size);
            scene.text(text.anchor(Anchor::Middle).elided(width));
        }
    }
}

impl Drawing for Heatmap {
    fn remarks(&self) -> Vec<String> {
        let mut remarks = vec![format!(
            "Colour {} to {}{}{}.",
            typeset(&Digits::Significant(4).format(self.scale.low)),
            typeset(&Digits::Significant(4).format(self.scale.high)),
            if self.scale.reason.is_empty() { "" } else { ": " },
            self.scale.reason
        )];
        let (below, above) = self.beyond();
        if (below, above) != (0, 0) {
            remarks.push(format!(
                "Outside these colours: {} above (marked ▲), {} below (marked ▼).",
                counted(above, "cell"),
                counted(below, "cell")
            ));
        }
        let cells: Vec<Datum> = self.cells().map(|(.., cell)| cell).collect();
        remarks.extend(undefined(cells.iter().filter_map(Datum::reason), "cell", "hatched"));
        remarks
    }

    fn draw(&self) -> Scene {
        let (rows, columns) = (self.matrix.rows.len(), self.matrix.columns.len());
        let most = rows.max(columns).max(1);
        // Every name needs a row of its own; numbers can be thinned.
        let numbers = [&self.matrix.rows, &self.matrix.columns].into_iter().all(|axis| labels::are_numbers(axis));
        let cell = (760.0 / most as f64).clamp(if numbers { 4.0 } else { 13.0 }, 72.0);
        let label = if cell < 16.0 { 10.0 } else { 11.0 };
        let column_labels = ColumnLabels::new(&self.matrix.columns, cell, label);
        let row_title = if self.row_title.is_empty() { 0.0 } else { 18.0 };
        let groups = if self.groups.is_empty() { 0.0 } else { GROUP + GROUP_GAP };
        let left = (labels::widest(&self.matrix.rows, label) + 7.0 + row_title + groups).max(column_labels.left());
        let (top, width, height) = (label / 2.0, columns as f64 * cell, rows as f64 * cell);
        let grid = Grid { left, top, cell, label, width, height };
        let foot = groups + column_labels.height() + if self.column_title.is_empty() { 0.0 } else { 20.0 };
        let bar_gap = BAR_GAP.max(column_labels.right() + 4.0);
        // Right of the colour bar stand its ticks and the name of the quantity.
        let bar_width = bar_gap + BAR_WIDTH + (7.0 + self.bar_label_width() + 20.0);
        let bar_height = height.max(90.0);
        let legend = self.legend();
        let right = left + width + bar_width.max(bar_gap + legend.width() + 4.0);
        // The groups stand below the colour bar, beside the labels of the columns.
        let legend_top = bar_height + 16.0;
        let mut scene =
            Scene::new(right, top + (height + foot).max(bar_height + 12.0).max(legend_top + legend.height()));
        self.draw_cells(&mut scene, grid);
        self.draw_lines(&mut scene, grid);
        self.draw_paths(&mut scene, grid);
        self.draw_numbers(&mut scene, grid);
        self.draw_groups(&mut scene, grid);
        labels::row_labels(&mut scene, &self.matrix.rows, left - 6.0 - groups, top, cell, label);
        column_labels.draw(&mut scene, left, top + height + groups);
        self.draw_titles(&mut scene, grid, groups + column_labels.height());
        self.draw_bar(&mut scene, left + width + bar_gap, top, bar_height);
        legend.draw(&mut scene, left + width + bar_gap, top + legend_top);
        scene
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        legible::{assert_legible, text_boxes},
        scene::Node,
    };
    use super::*;
    use crate::metric::Undefined;

    fn square(
        count: usize,
        label: impl Fn(usize) -> String,
        cell: impl Fn(usize, usize) -> Result<f64, Undefined>,
    ) -> Matrix {
        let labels: Vec<String> = (0..count).map(label).collect();
        Matrix::from_fn(labels.clone(), labels, cell)
    }

    fn wave(row: usize, column: usize) -> Result<f64, Undefined> {
        if row == 1 && column == 2 {
            return Err(Undefined::ZeroNorm);
        }
        Ok(1.0 - (row as f64 - column as f64).abs() * 0.013)
    }

    #[test]
    fn no_text_overlaps_from_two_models_to_sixty() {
        for count in [1, 2, 3, 9, 12, 24, 25, 48, 60] {
            let names: [&dyn Fn(usize) -> String; 3] = [
                &|index| format!("organisation-{index}/Model-{}B-Instruct", index * 7),
                &|index| format!("{index}{}", "x".repeat(95)),
                &|index| index.to_string(),
            ];
            for name in names {
                let matrix = square(count, name, wave);
                for scale in [ColorScale::cosine(&matrix), ColorScale::correlation()] {
                    let mut heatmap = Heatmap::new(matrix.clone(), scale, "cos_sim");
                    assert_legible(&heatmap.draw());
                    heatmap.row_title = "layer of A".into();
                    heatmap.column_title = "layer of B".into();
                    assert_legible(&heatmap.draw());
                    heatmap.groups =
                        (0..count).map(|row| ["one", "", "a group of a long name"][row % 3].into()).collect();
                    assert_legible(&heatmap.draw());
                }
            }
        }
    }

    #[test]
    fn no_text_overlaps_in_narrow_and_flat_matrices() {
        for (rows, columns) in [(2, 60), (60, 2), (1, 1), (128, 128), (0, 3), (0, 0)] {
            for name in ["", "owner/a-model-of-a-long-name-"] {
                let labels = |count| (0..count).map(|index| format!("{name}{index}")).collect();
                let matrix = Matrix::from_fn(labels(rows), labels(columns), wave);
                let mut heatmap = Heatmap::new(matrix.clone(), ColorScale::fit(&matrix), "a quantity of a long name");
                heatmap.row_title = "layer of A".into();
                assert_legible(&heatmap.draw());
            }
        }
    }

    #[test]
    fn undefined_cells_are_hatched_together_and_the_picture_says_why() {
        let heatmap = Heatmap::new(square(3, |i| format!("m{i}"), wave), ColorScale::correlation(), "r");
        let svg = super::super::svg::document(&heatmap.draw(), "");
        assert!(svg.contains("<title>m1 × m1: 1") && !svg.contains("<title>m1 × m2"));
        assert!(heatmap.remarks().contains(&"1 cell undefined, hatched: ZeroNorm (1).".to_owned()));
        assert!(!svg.contains("NaN"));
        let defined = Heatmap::new(square(3, |i| format!("m{i}"), |_, _| Ok(0.5)), ColorScale::correlation(), "r");
        let marks =
            |heatmap: &Heatmap| heatmap.draw().nodes.iter().filter(|node| matches!(node, Node::Mark(_))).count();
        // The ground and its lines for the one cell less, however many there are.
        assert_eq!(marks(&heatmap), marks(&defined) + 1);
    }

    #[test]
    fn a_cell_outside_the_scale_is_marked_and_counted() {
        let heatmap =
            Heatmap::new(square(2, |i| format!("m{i}"), |_, c| Ok(c as f64)), ColorScale::sequential(0.5, 1.0), "x");
        let corners = |heatmap: &Heatmap| {
            let triangle = |node: &&Node| {
                matches!(node, Node::Mark(Mark { shape: super::super::scene::Shape::Path { closed: true, .. }, .. }))
            };
            heatmap.draw().nodes.iter().filter(triangle).count()
        };
        assert_eq!(corners(&heatmap), 2);
        assert!(
            heatmap
                .remarks()
                .iter()
                .any(|remark| remark.ends_with("0 cells above (marked ▲), 2 cells below (marked ▼)."))
        );
        let inside = Heatmap { scale: ColorScale::sequential(0.0, 1.0), ..heatmap };
        assert_eq!(corners(&inside), 0);
    }

    #[test]
    fn groups_are_bars_along_both_axes_and_named_once() {
        let plain = Heatmap::new(square(4, |i| i.to_string(), wave), ColorScale::correlation(), "z");
        let groups = ["b", "a", "", "b"].map(str::to_owned).to_vec();
        let svg = super::super::svg::document(&Heatmap { groups, ..plain }.draw(), "");
        // A bar a row and a column, and a key.
        assert_eq!([0, 1].map(|index| svg.matches(&format!("{:06x}", series_color(index).0)).count()), [5, 3]);
        assert_eq!((svg.matches(">b</text>").count(), svg.matches(">a</text>").count()), (1, 1));
        assert_eq!(svg.matches("<title>b</title>").count(), 4);
    }

    #[test]
    fn outlined_cells_and_paths_are_drawn() {
        let plain = Heatmap::new(square(4, |i| i.to_string(), wave), ColorScale::correlation(), "z");
        let marked = Heatmap {
            outlined: vec![(0, 1), (1, 2)],
            paths: vec![vec![(0, 1), (1, 2), (2, 3)], vec![(3, 0)]],
            ..plain.clone()
        };
        let marks = |heatmap: &Heatmap| {
            let scene = heatmap.draw();
            assert_legible(&scene);
            scene.nodes.iter().filter(|node| matches!(node, Node::Mark(_))).count()
        };
        // Two outlines, and a line with the pale one below it: a path of one cell has none.
        assert_eq!(marks(&marked), marks(&plain) + 4);
    }

    #[test]
    fn numbers_stand_on_cells_up_to_twenty_four_models_only() {
        let texts = |count| {
            let heatmap =
                Heatmap::new(square(count, |i| i.to_string(), |_, _| Ok(0.5)), ColorScale::correlation(), "x");
            text_boxes(&heatmap.draw()).iter().filter(|(text, _)| text.text == "0.500").count()
        };
        assert_eq!((texts(9), texts(24), texts(25)), (81, 576, 0));
    }

    #[test]
    fn a_small_negative_number_is_not_written_as_minus_zero() {
        let heatmap = Heatmap::new(
            square(2, |i| i.to_string(), |_, c| Ok(c as f64 - 1.0 + 1e-9)),
            ColorScale::correlation(),
            "x",
        );
        let svg = super::super::svg::document(&heatmap.draw(), "");
        assert!(!svg.contains(">−0.000<") && svg.contains(">0.000<"), "{svg}");
    }
}
