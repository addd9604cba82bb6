//! A matrix as coloured cells. Every cell says its number to a pointer; numbers stand on the cells where they fit; where there
//! is no value the hatched ground shows, and a cell outside the colour scale has its corner marked.

use super::{
    axis::Axis,
    colormap::{ABSENT, ColorScale, HATCH, INK, MUTED, PAPER, ink_on},
    font,
    labels::{self, ColumnLabels},
    legend::{Key, Legend, series_color, undefined},
    scene::{Anchor, Drawing, Mark, Scene, Stroke, Text},
};
use crate::{
    report::{
        Datum, Digits,
        number::{common_digits, counted, typeset},
    },
    table::Matrix,
};

const BAR_WIDTH: f64 = 14.0;
const BAR_GAP: f64 = 22.0;
/// Width of the bars of groups, and between them and the cells.
const GROUP: f64 = 6.0;
const GROUP_GAP: f64 = 3.0;
/// Cells of a picture with more columns are too many to read one by one.
const MOST_NUMBERED: usize = 24;
const SMALLEST_NUMBER: f64 = 7.5;

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
struct Grid {
    left: f64,
    top: f64,
    cell: f64,
    label: f64,
    /// Of all cells.
    width: f64,
    height: f64,
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
    fn cells(&self) -> impl Iterator<Item = (usize, usize, Datum)> {
        self.matrix.iter().map(|(row, column, cell)| (row, column, Datum::from(cell)))
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.cells().filter_map(|(.., cell)| cell.value())
    }

    /// How many cells lie below and above the colours.
    fn beyond(&self) -> (usize, usize) {
        let outside = self.values().filter(|&value| !self.scale.covers(value));
        let (above, below): (Vec<f64>, Vec<f64>) = outside.partition(|&value| value > self.scale.high);
        (below.len(), above.len())
    }

    fn draw_cells(&self, scene: &mut Scene, grid: Grid) {
        // One ground for all undefined cells: of a mixed list they are nearly all, and marks of their own would be megabytes.
        if self.cells().any(|(.., datum)| datum.value().is_none()) {
            scene.mark(Mark::rect(grid.left, grid.top, grid.width, grid.height).fill(ABSENT));
            scene.mark(hatching(grid));
        }
        for (row, column, datum) in self.cells() {
            let Some(value) = datum.value() else { continue };
            let (x, y) = (grid.left + column as f64 * grid.cell, grid.top + row as f64 * grid.cell);
            let place = format!("{} × {}", self.matrix.rows[row], self.matrix.columns[column]);
            let color = self.scale.color(value);
            let number = typeset(&Digits::Significant(6).format(value));
            let cell = Mark::rect(x, y, grid.cell, grid.cell);
            scene.mark(cell.fill(color).tooltip(format!("{place}: {number}")));
            if !self.scale.covers(value) {
                let above = value > self.scale.high;
                scene.mark(corner(x + grid.cell, y, grid.cell, above).fill(ink_on(color)));
            }
        }
    }

    /// Thin lines between cells where these are large enough, the frame, and the diagonal.
    fn draw_lines(&self, scene: &mut Scene, grid: Grid) {
        let Grid { left, top, cell, width, height, .. } = grid;
        let (rows, columns) = (self.matrix.rows.len(), self.matrix.columns.len());
        if cell >= 16.0 {
            let vertical = (1..columns).map(|column| left + column as f64 * cell);
            let vertical = vertical.map(|x| vec![(x, top), (x, top + height)]);
            let horizontal = (1..rows).map(|row| top + row as f64 * cell);
            let horizontal = horizontal.map(|y| vec![(left, y), (left + width, y)]);
            scene.mark(Mark::path(vertical.chain(horizontal).collect()).stroke(Stroke::solid(PAPER, 1.0)));
        }
        scene.mark(Mark::rect(left, top, width, height).stroke(Stroke::solid(MUTED, 1.0)));
        for at in (0..rows.min(columns)).filter(|_| self.diagonal).map(|index| index as f64 * cell) {
            scene.mark(Mark::rect(left + at, top + at, cell, cell).stroke(Stroke::solid(INK, 0.8)));
        }
    }

    /// The outlined cells, and lines from the middle of a cell to that of the next; where numbers stand there, only between these.
    fn draw_paths(&self, scene: &mut Scene, grid: Grid) {
        let width = (grid.cell * 0.15).min(1.6);
        for &(row, column) in &self.outlined {
            let (x, y) = (grid.left + column as f64 * grid.cell, grid.top + row as f64 * grid.cell);
            let side = grid.cell - width;
            scene.mark(Mark::rect(x + width / 2.0, y + width / 2.0, side, side).stroke(Stroke::solid(INK, width)));
        }
        let free = if self.numbers(grid).is_some() { 0.3 } else { 0.0 };
        let middle = |index: usize| (index as f64 + 0.5) * grid.cell;
        let segments = self.paths.iter().flat_map(|path| path.windows(2)).map(|cells| {
            let [from, to] = [0, 1].map(|end| (grid.left + middle(cells[end].1), grid.top + middle(cells[end].0)));
            let along = |share: f64| (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            vec![along(free), along(1.0 - free)]
        });
        let segments: Vec<Vec<(f64, f64)>> = segments.collect();
        if !segments.is_empty() {
            // A pale line below the dark one sets it off from cells of any colour.
            scene.mark(Mark::path(segments.clone()).stroke(Stroke::solid(PAPER, 4.0)));
            scene.mark(Mark::path(segments).stroke(Stroke::solid(INK, 2.0)));
        }
    }

    /// The numbers on the cells, where they fit.
    fn draw_numbers(&self, scene: &mut Scene, grid: Grid) {
        let Some((size, digits)) = self.numbers(grid) else { return };
        let texts = self.cells().filter_map(|(row, column, cell)| {
            let value = cell.value()?;
            let x = grid.left + (column as f64 + 0.5) * grid.cell;
            let y = grid.top + (row as f64 + 0.5) * grid.cell;
            let text = Text::centred(x, y, typeset(&digits.format(value)), size).anchor(Anchor::Middle);
            Some(text.color(ink_on(self.scale.color(value))))
        });
        scene.inert_texts(texts.collect());
    }

    /// Size and digits of the numbers on the cells; `None` where they do not fit.
    fn numbers(&self, grid: Grid) -> Option<(f64, Digits)> {
        if self.matrix.columns.len().max(self.matrix.rows.len()) > MOST_NUMBERED {
            return None;
        }
        let best = common_digits(self.values());
        let fewer = match best {
            Digits::Fixed(digits) if digits > 2 => Digits::Fixed(digits - 1),
            other => other,
        };
        [best, fewer].into_iter().find_map(|digits| {
            let widest =
                self.values().map(|v| font::width(&typeset(&digits.format(v)), 1.0, false)).fold(0.0, f64::max);
            let size = ((grid.cell - 3.0) / widest.max(0.1)).min(grid.cell * 0.5).min(13.0);
            (size >= SMALLEST_NUMBER).then_some((size, digits))
        })
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

    fn draw_bar(&self, scene: &mut Scene, left: f64, top: f64, height: f64) {
        let (low, high, right) = (self.scale.low, self.scale.high, left + BAR_WIDTH);
        let steps = 64;
        let slice = height / f64::from(steps);
        for step in 0..steps {
            let value = low + (high - low) * ((f64::from(step) + 0.5) / f64::from(steps));
            let y = top + height - f64::from(step + 1) * slice;
            // Slices overlap by half a pixel, so that no seam shows between them.
            let overlap = if step > 0 { 0.5 } else { 0.0 };
            scene.mark(Mark::rect(left, y, BAR_WIDTH, slice + overlap).fill(self.scale.color(value)));
        }
        scene.mark(Mark::rect(left, top, BAR_WIDTH, height).stroke(Stroke::solid(MUTED, 1.0)));
        for (value, label) in self.bar_ticks(height) {
            let y = top + height * (1.0 - (value - low) / (high - low));
            scene.mark(Mark::line((right, y), (right + 4.0, y)).stroke(Stroke::solid(MUTED, 1.0)));
            scene.text(Text::centred(right + 7.0, y, label, 10.0).color(MUTED));
        }
        let x = right + 7.0 + self.bar_label_width() + 15.0;
        let text = Text::new(x, top + height / 2.0, &self.quantity, 11.0).anchor(Anchor::Middle);
        scene.text(text.elided(height).turn(-90.0));
    }

    /// Both ends exactly, and round numbers between where they have room.
    fn bar_ticks(&self, height: f64) -> Vec<(f64, String)> {
        let (low, high) = (self.scale.low, self.scale.high);
        let room = (high - low) * 16.0 / height;
        let (below, above) = self.beyond();
        let end = |value, sign: &str, beyond| {
            let number = typeset(&Digits::Significant(3).format(value));
            if beyond > 0 { format!("{sign} {number}") } else { number }
        };
        let mut ticks = Axis::within(low, high, 5, false).ticks();
        ticks.retain(|(tick, _)| tick - low > room && high - tick > room);
        ticks.extend([(low, end(low, "≤", below)), (high, end(high, "≥", above))]);
        ticks
    }

    fn bar_label_width(&self) -> f64 {
        self.bar_ticks(200.0).iter().map(|(_, label)| font::width(label, 10.0, false)).fold(0.0, f64::max)
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

/// A triangle in the corner of a cell whose upper right is (`right`, `top`): up for a value above the colours.
fn corner(right: f64, top: f64, cell: f64, up: bool) -> Mark {
    let side = (cell * 0.3).min(9.0);
    let (right, top) = (right - cell * 0.08 - 0.5, top + cell * 0.08 + 0.5);
    let (base, tip) = if up { (top + side * 0.9, top) } else { (top, top + side * 0.9) };
    Mark::polygon(vec![(right - side, base), (right, base), (right - side / 2.0, tip)])
}

/// Diagonal lines over all cells, four to a cell where it is large enough.
fn hatching(Grid { left, top, cell, width, height, .. }: Grid) -> Mark {
    let step = (cell / 4.0).max(3.0);
    let mut lines = Vec::new();
    let mut sum = step;
    while sum < width + height {
        let (from, to) = ((sum - height).max(0.0), sum.min(width));
        lines.push(vec![(left + from, top + sum - from), (left + to, top + sum - to)]);
        sum += step;
    }
    Mark::path(lines).stroke(Stroke::solid(HATCH, 0.8))
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
